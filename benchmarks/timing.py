"""How the benchmarks measure: sides in turn, and what needs a fresh process in one of its own."""

from __future__ import annotations

import multiprocessing
import resource
import statistics
import textwrap
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from pathlib import Path
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")


class NotMeasured(Exception):
    """Says, in a line, why there is no number."""

    @classmethod
    def because(cls, error: Exception) -> NotMeasured:
        if isinstance(error, ModuleNotFoundError):
            return cls(f"{error.name} is not installed")
        return cls(textwrap.shorten(f"{type(error).__name__}: {error}", 160, placeholder=" …").rstrip("."))


def interleaved(sides: Mapping[str, Callable[[], object]], repeats: int) -> dict[str, float]:
    """Median seconds of each side; one warm-up of each, then all in turn."""
    for run in sides.values():
        run()
    return medians({name: partial(seconds, run) for name, run in sides.items()}, repeats)


def medians(sides: Mapping[str, Callable[[], float]], repeats: int) -> dict[str, float]:
    """Medians of what the sides say they took, all in turn."""
    took: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(repeats):
        for name, run in sides.items():
            took[name].append(run())
    return {name: statistics.median(values) for name, values in took.items()}


def seconds(run: Callable[[], object]) -> float:
    """Of one run."""
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


class Apart:
    """A process of its own, whose memory, threads and settings are its own and end with it; called with a function."""

    def __enter__(self) -> Apart:
        self._pool = ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn"), initializer=_bound_memory)
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown()

    def __call__(self, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """What ``function`` returns there. Raises NotMeasured, whatever went wrong."""
        try:
            return self._pool.submit(_told, partial(function, *args, **kwargs)).result()
        except BrokenProcessPool:
            raise NotMeasured("its process ended, most likely for want of memory") from None


def _bound_memory() -> None:
    """Past what is free an allocation fails; without a bound the system would end this process, or another."""
    meminfo = Path("/proc/meminfo")
    if meminfo.exists():
        fields = dict(line.split(":") for line in meminfo.read_text().splitlines())
        available = int(fields["MemAvailable"].split()[0]) * 1024
        resource.setrlimit(resource.RLIMIT_DATA, (available, resource.getrlimit(resource.RLIMIT_DATA)[1]))


def _told(call: Callable[[], R]) -> R:
    """An exception of any class need not survive the way between processes; a line of text does."""
    try:
        return call()
    except Exception as error:  # noqa: BLE001  # whatever it is, it becomes that line
        raise NotMeasured.because(error) from None
