"""What streaming holds: the peak of a process while a picture goes through, fed lazily, its result thrown away."""

from __future__ import annotations

import ctypes
import gc
import sys
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

import attrs
import torch
from networks import RRDB_23, SCALE, SRVGG, Recipe
from timing import Apart, NotMeasured
from torch import Tensor

import srkit

WIDTH = 1000
FED = 64
"""Rows of a strip that goes in."""
_STATUS = Path("/proc/self/status")


@attrs.frozen
class Case:
    """A network, and the heights of pictures that go through it one after another, in one process."""

    recipe: Recipe
    heights: tuple[int, ...]


CASES = (Case(SRVGG, (1_000, 10_000, 100_000)), Case(RRDB_23, (500, 3_000)))
QUICK_CASES = (Case(SRVGG, (1_000,)),)


def table(cases: Iterable[Case]) -> Iterator[str]:
    """The lines of the page: the measured peak of each picture beside the engine's own prediction."""
    if not _STATUS.exists():
        yield f"Not measured: {sys.platform} has no {_STATUS}."
        return
    yield "| network | picture | result, float32 | peak | predicted peak |"
    yield "|---|---|---|---|---|"
    for case in cases:
        with Apart() as call:
            try:
                peaks = [f"{_megabytes(peak)} | {predicted}" for peak, predicted in call(measure, case)]
            except NotMeasured as error:
                peaks = [f"not measured: {error} | –"] * len(case.heights)
        for height, cells in zip(case.heights, peaks, strict=True):
            result = _megabytes(3 * WIDTH * height * SCALE**2 * 4)
            yield f"| {case.recipe.label} | {WIDTH}×{height:,} | {result} | {cells} |"


def measure(case: Case) -> list[tuple[int, str]]:
    """For each height the bytes at the peak, above what the process held before any; and what was predicted."""
    up = srkit.Upscaler.from_network(case.recipe.build(), srkit.Traits(scale=SCALE), engine="stream", device="cpu")
    _settle()
    before, peaks = _status("VmRSS"), []
    for height in case.heights:
        size = (height, WIDTH)
        for _ in up.stream(_strips(height), size):
            pass
        peaks.append((_status("VmHWM") - before, up.explain(size)["predicted peak"]))
        _forget_peak()
    return peaks


def _strips(rows: int) -> Iterator[Tensor]:
    for top in range(0, rows, FED):
        yield torch.rand(1, 3, min(FED, rows - top), WIDTH)


def _settle() -> None:
    """Forget what preparing took: memory that is free but still the process's would hide what the stream takes."""
    gc.collect()
    with suppress(AttributeError):
        ctypes.CDLL(None).malloc_trim(0)  # glibc's
    _forget_peak()


def _forget_peak() -> None:
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")  # the high-water mark starts again (proc(5))


def _status(field: str) -> int:
    fields = dict(line.split(":", 1) for line in _STATUS.read_text().splitlines())
    return int(fields[field].split()[0]) * 1024


def _megabytes(count: float) -> str:
    return f"{count / 1e6:,.0f} MB"
