"""What streaming holds: the peak of a process while a picture goes through, fed lazily, its result thrown away."""

from __future__ import annotations

import ctypes
import gc
import re
import sys
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

import attrs
import torch
from networks import RRDB_23, SCALE, SRVGG, Recipe
from timing import NotMeasured, apart
from torch import Tensor

import srkit

WIDTH = 1000
FED = 64
"""Rows of a strip that goes in."""
_STATUS = Path("/proc/self/status")


@attrs.frozen
class Case:
    recipe: Recipe
    rows: int


CASES = (Case(SRVGG, 1_000), Case(SRVGG, 10_000), Case(SRVGG, 100_000), Case(RRDB_23, 500), Case(RRDB_23, 3_000))
QUICK_CASES = CASES[:1]


def table(cases: Iterable[Case]) -> Iterator[str]:
    """The lines of the page: the measured peak of each case beside the engine's own prediction."""
    if not _STATUS.exists():
        yield f"Not measured: {sys.platform} has no {_STATUS}."
        return
    yield "| network | picture | result, float32 | peak | predicted peak |"
    yield "|---|---|---|---|---|"
    for case in cases:
        result = 3 * WIDTH * case.rows * SCALE**2 * 4
        try:
            peak, predicted = apart(measure, case)
            cells = f"{_megabytes(peak)} | {'–' if predicted is None else _megabytes(predicted)}"
        except NotMeasured as error:
            cells = f"not measured: {error} | –"
        yield f"| {case.recipe.label} | {WIDTH}×{case.rows:,} | {_megabytes(result)} | {cells} |"


def measure(case: Case) -> tuple[int, int | None]:
    """Bytes at the peak, above what the process held before the stream began; and those predicted, if they were."""
    up = srkit.Upscaler.from_network(case.recipe.build(), srkit.Traits(scale=SCALE), engine="stream", device="cpu")
    size = (case.rows, WIDTH)
    megabytes = re.match(r"\d+", up.explain(size).get("predicted peak", ""))
    predicted = int(megabytes[0]) * 10**6 if megabytes else None
    _settle()
    before = _status("VmRSS")
    for _ in up.stream(_strips(case.rows), size):
        pass
    return _status("VmHWM") - before, predicted


def _strips(rows: int) -> Iterator[Tensor]:
    for top in range(0, rows, FED):
        yield torch.rand(1, 3, min(FED, rows - top), WIDTH)


def _settle() -> None:
    """Forget what preparing took: memory that is free but still the process's would hide what the stream takes."""
    gc.collect()
    with suppress(AttributeError):
        ctypes.CDLL(None).malloc_trim(0)  # glibc's
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")  # the high-water mark starts again (proc(5))


def _status(field: str) -> int:
    fields = dict(line.split(":", 1) for line in _STATUS.read_text().splitlines())
    return int(fields[field].split()[0]) * 1024


def _megabytes(count: float) -> str:
    return f"{count / 1e6:,.0f} MB"
