"""Batches without end, which can be left and taken up again at any of them."""

from __future__ import annotations

import atexit
import functools
import hashlib
import logging
import os
import signal
import sys
import warnings
import weakref
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import FrameType
from typing import Any

import cv2
import torch
from torch.utils.data import DataLoader

import srkit

from .errors import TooManyBadPictures
from .reader import Firsts, Items, Raw, Reader

_log = logging.getLogger("srkit_datasets")
_streams: weakref.WeakSet[Stream] = weakref.WeakSet()


class Stream:
    """The batches of ``items`` as ``feed`` wants them; see :class:`srkit.BatchStream`.

    What is in a batch follows from the seed and the number of its first item. So the number of items taken is all the
    position there is: workers may have read far ahead, and be thrown away. ``finish`` makes of what was read what is
    given; what it remembers is its own ``state_dict``. ``work`` is done before, by the workers.
    """

    def __init__(
        self,
        items: Items,
        feed: srkit.Feed,
        finish: Finish,
        work: Callable[[Raw], Raw] | None = None,
        *,
        shuffle: bool = True,
    ) -> None:
        self._reader = Reader(items, feed, work, shuffle=shuffle)
        self._feed, self._finish = feed, finish
        self._taken = 0  # items, by all ranks together
        self._bad: dict[str, str] = {}
        self._batches: Iterator[Raw] | None = None
        _streams.add(self)

    @property
    def epoch(self) -> float:
        """How often every picture has been given, as a fraction."""
        return self._taken / self._reader.order.count

    @property
    def bad(self) -> Mapping[str, str]:
        """Files that were left out so far, and what is wrong with each."""
        return dict(self._bad)

    def __iter__(self) -> Stream:
        return self

    def __next__(self) -> srkit.Batch:
        try:
            if self._batches is None:
                self._batches = self._read()
            raw = next(self._batches)
            self._tell(raw)
            batch = self._finish(raw)
        except BaseException:
            self.close()  # the next begins to read again where the last good batch ended
            raise
        self._taken += self._feed.batch_size * self._feed.world_size
        return batch

    def _tell(self, raw: Raw) -> None:
        for name, reason in raw.bad:
            if name not in self._bad:
                self._bad[name] = reason
                _log.warning("left out: %s: %s", name, reason)
        if len(self._bad) > self._feed.bad_limit:
            raise TooManyBadPictures(self._bad, self._feed.bad_limit)
        if not raw.tensors:
            raise srkit.DatasetError(f"none of the {len(self._bad)} pictures can be used; the reasons are in the log")

    def _read(self) -> Iterator[Raw]:
        with warnings.catch_warnings():
            # More workers than processors are worth it where disks are slow; who asks for them knows.
            warnings.filterwarnings("ignore", "This DataLoader will create")
            loader = DataLoader(
                self._reader,
                batch_size=None,
                sampler=Firsts(self._feed, self._taken),
                num_workers=self._feed.workers,
                collate_fn=_as_it_is,  # type: ignore[arg-type]  # batches are made by the reader, not here
                worker_init_fn=functools.partial(_begin_work, os.getpid()),
                pin_memory=torch.device(self._feed.device).type == "cuda",
                # The loader draws a seed for its workers: from here, so that nobody else's numbers change.
                generator=torch.Generator(),
            )
            with _undisturbed():
                return iter(loader)

    def state_dict(self) -> dict[str, Any]:
        """See :class:`srkit.BatchStream`."""
        return {**self._identity(), "taken": self._taken, "bad": dict(self._bad), "finish": self._finish.state_dict()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """See :class:`srkit.BatchStream`. Raises DatasetError for a state of other pictures, or another seed."""
        for key, value in self._identity().items():
            if state[key] != value:
                raise srkit.DatasetError(
                    f"the state was taken with other {key}: {state[key]!r} then, {value!r} now; open the same pictures with "
                    f"the same seed, or begin anew without the state"
                )
        self.close()
        self._finish.load_state_dict(state["finish"])
        self._taken, self._bad = state["taken"], dict(state["bad"])

    def _identity(self) -> dict[str, Any]:
        names = self._reader.items.names
        digest = hashlib.sha256("\n".join(names).encode("utf-8", "surrogateescape")).hexdigest()
        return {"seed": self._feed.seed, "pictures": f"{len(names)}, {digest[:16]}"}

    def close(self) -> None:
        """End the workers."""
        batches, self._batches = self._batches, None
        # torch ends a loader's workers when the iterator goes; it has no public way to say so.
        shut: Callable[[], None] | None = getattr(batches, "_shutdown_workers", None)
        if shut is not None:
            shut()


class Finish:
    """What becomes of a batch after it was read: by itself, values in [0, 1] on the device."""

    def __init__(self, feed: srkit.Feed) -> None:
        self.feed, self.device = feed, torch.device(feed.device)

    def __call__(self, raw: Raw) -> srkit.Batch:
        """The batch."""
        parts = [unit(to_planes(tensor, self.device)) for tensor in raw.tensors]
        return srkit.Batch(gt=parts[0], lq=parts[1] if len(parts) > 1 else None, names=raw.names)

    def state_dict(self) -> dict[str, Any]:
        """What it remembers."""
        return {}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Remember it again."""


def to_planes(pixels: torch.Tensor, device: torch.device) -> torch.Tensor:
    """(B, H, W, 3) → (B, 3, H, W) on the device, uint8."""
    return pixels.to(device, non_blocking=True).permute(0, 3, 1, 2).contiguous()


def unit(planes: torch.Tensor) -> torch.Tensor:
    """uint8 → float32 in [0, 1]."""
    return planes.float().div_(255)


def _as_it_is(raw: Raw) -> Raw:
    return raw


@atexit.register
def _end_work() -> None:
    """Close what a program leaves open: it would wait for the workers, and they for its word."""
    for stream in list(_streams):
        stream.close()


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Ctrl-C waits meanwhile, and in processes begun here until they know what to do with it."""
    if sys.platform == "win32":
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _begin_work(program: int, _: int) -> None:
    if os.getppid() != program:
        os._exit(1)  # it was killed before torch looked whose end to wait for
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _leave_it_to_the_program)
    if sys.platform != "win32":
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})  # see _undisturbed
    # Not 1: OpenCV would end its threads, and wait for ever for those that a fork did not bring here.
    cv2.setNumThreads(0)


def _leave_it_to_the_program(number: int, _: FrameType | None) -> None:
    """Do nothing: when workers end is for their program to say, in the end by a second SIGTERM.

    Ctrl-C reaches every process of a terminal, SIGTERM often every process of a job. That the program may end first, amidst
    what it was told, is no news.
    """
    sys.excepthook = lambda *_: None
    if number == signal.SIGTERM:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
