"""Running one command over many pictures: in threads, told as it goes, never ended by a single one.

Threads are enough: decoders, encoders and filters let go of the interpreter while they work.
"""

from __future__ import annotations

import sys
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Generic, TypeVar

import attrs
import click
from tqdm import tqdm

import srkit

J = TypeVar("J")
R = TypeVar("R")
INTERRUPTED = 130
_AHEAD = 4
"""Jobs that wait for each thread: enough that none is idle while a slow one is waited for, few enough for memory."""


@attrs.frozen
class Done(Generic[J, R]):
    """What became of a job: its result, or the error."""

    job: J
    result: R | None = None
    error: srkit.SrkitError | None = None


def in_order(jobs: Iterable[J], act: Callable[[J], R], threads: int) -> Iterator[Done[J, R]]:
    """``act(job)`` for each, ``threads`` at a time, given in the order of the jobs.

    SrkitErrors are results, too. Closed or interrupted, it waits for what is running and begins nothing more.
    """

    def safely(job: J) -> Done[J, R]:
        try:
            return Done(job, act(job))
        except srkit.SrkitError as error:
            return Done(job, error=error)
        except (OSError, MemoryError) as error:
            return Done(job, error=srkit.ImageError(f"{type(error).__name__}: {error}"))

    pool = ThreadPoolExecutor(threads)
    try:
        waiting: deque[Future[Done[J, R]]] = deque()
        for job in jobs:
            waiting.append(pool.submit(safely, job))
            if len(waiting) > threads * _AHEAD:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


class Tally:
    """A bar with rate and time left on a terminal, a line for each failure, and a summary with the exit status."""

    def __init__(self, total: int, unit: str = "picture") -> None:
        self.counts: Counter[str] = Counter()
        self.code = 0
        self._total, self._start = total, time.monotonic()
        self._bar = tqdm(total=total, unit=unit, disable=None, leave=False)

    def add(self, status: str, count: int = 1) -> None:
        """``count`` pictures are ``done`` or ``skipped``."""
        self.counts[status] += count
        self._bar.update(count)

    def fail(self, error: srkit.SrkitError, name: str = "") -> None:
        """A picture cannot be done."""
        said = str(error)
        tqdm.write("failed: " + (said if not name or name in said else f"{name}: {said}"), file=sys.stderr)
        self.add("failed")

    def __enter__(self) -> Tally:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> bool:
        self._bar.close()
        if kind is not None and not issubclass(kind, KeyboardInterrupt):
            return False
        parts = [f"{self.counts[status]} {status}" for status in ("done", "skipped", "failed") if self.counts[status]]
        left = self._total - self.counts.total()
        parts += [f"{left} left"] if left > 0 else []
        said = f"{', '.join(parts) or 'nothing to do'} in {time.monotonic() - self._start:.1f} s"
        if kind is not None:
            self.code = INTERRUPTED
            click.echo(f"interrupted; {said}; the same command goes on from here", err=True)
            return True
        self.code = int(self.counts["failed"] > 0)
        click.echo(said, err=True)
        return False
