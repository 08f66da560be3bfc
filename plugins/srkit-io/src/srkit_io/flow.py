"""Between threads: a queue bounded by bytes, and the thread that encodes."""

from __future__ import annotations

import contextlib
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

import numpy as np

T = TypeVar("T")
LIMIT = 8 * 2**20
"""Bytes that wait between two stages: a few strips of the widest pictures, many small pictures."""


class Stopped(Exception):
    """Whoever is at the other end of a queue has gone."""


class ByteQueue(Generic[T]):
    """First in, first out, holding at most ``limit`` bytes, or one item.

    ``put`` waits for room, ``get`` for an item. ``stop`` ends both: waiting or later calls raise Stopped.
    """

    def __init__(self, limit: int = LIMIT) -> None:
        self._limit = limit
        self._items: deque[tuple[T, int]] = deque()
        self._held = 0
        self._stopped = False
        self._changed = threading.Condition()

    def put(self, item: T, size: int) -> None:
        """Append, once ``size`` bytes fit."""
        with self._changed:
            self._changed.wait_for(lambda: self._stopped or not self._items or self._held + size <= self._limit)
            if self._stopped:
                raise Stopped
            self._items.append((item, size))
            self._held += size
            self._changed.notify_all()

    def get(self) -> T:
        """The first, once there is one."""
        with self._changed:
            self._changed.wait_for(lambda: self._stopped or bool(self._items))
            if self._stopped:
                raise Stopped
            item, size = self._items.popleft()
            self._held -= size
            self._changed.notify_all()
            return item

    @property
    def empty(self) -> bool:
        """Whether nothing is in it just now."""
        return not self._items

    def stop(self) -> None:
        """End it; what is in it is dropped."""
        with self._changed:
            self._stopped = True
            self._items.clear()
            self._held = 0
            self._changed.notify_all()


class Drain:
    """A thread that consumes strips: ``consume(strips)`` runs in it, ``put`` feeds it; it begins with the first.

    As a context manager: leaving it ends the strips and waits; leaving by an exception breaks them off. What ``consume``
    raises is raised by ``put`` or ``finish``.
    """

    def __init__(self, consume: Callable[[Iterator[np.ndarray]], None]) -> None:
        self._queue: ByteQueue[np.ndarray | None] = ByteQueue()
        self._error: BaseException | None = None
        self.busy = 0.0
        """Seconds spent on the strips, without waiting for them."""
        self._thread = threading.Thread(target=self._run, args=(consume,), name="srkit-encode", daemon=True)

    def _run(self, consume: Callable[[Iterator[np.ndarray]], None]) -> None:
        self.busy -= time.perf_counter()
        try:
            consume(self._strips())
        except BaseException as error:  # noqa: BLE001 -- raised again in the thread that waits
            self._error = error
        finally:
            self.busy += time.perf_counter()
            self._queue.stop()

    def _strips(self) -> Iterator[np.ndarray]:
        while (strip := self._waited_for()) is not None:
            yield strip

    def _waited_for(self) -> np.ndarray | None:
        start = time.perf_counter()
        strip = self._queue.get()
        self.busy -= time.perf_counter() - start
        return strip

    def put(self, strip: np.ndarray) -> None:
        """The next rows; waits while much is queued."""
        self._begin()
        try:
            self._queue.put(strip, strip.nbytes)
        except Stopped:
            self._thread.join()
            self._raise()

    def finish(self) -> None:
        """No more rows; wait until all are consumed."""
        self.close()
        self._thread.join()
        if self._error is not None:
            self._raise()

    def close(self) -> None:
        """No more rows; do not wait."""
        self._begin()
        with contextlib.suppress(Stopped):  # it has ended early, which finish tells
            self._queue.put(None, 0)

    @property
    def done(self) -> bool:
        """Whether the thread has ended, well or not."""
        return not self._thread.is_alive()

    def abort(self) -> None:
        """Break off; what was consumed so far comes to nothing."""
        self._queue.stop()
        if self._thread.ident is not None:
            self._thread.join()

    def _begin(self) -> None:
        # Not when it is made: whoever is interrupted before knowing it could not break it off.
        if self._thread.ident is None:
            self._thread.start()

    def _raise(self) -> None:
        if self._error is None:
            raise Stopped
        raise self._error

    def __enter__(self) -> Drain:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self.finish()
        else:
            self.abort()
