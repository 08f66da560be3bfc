"""Reading a batch: what the workers do."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Protocol

import attrs
import numpy as np
import torch
from torch import Tensor

import srkit

from .draws import ITEM, Order, draws
from .errors import PictureError


class Items(Protocol):
    """Pictures as arrays, made ready for a batch. It can be pickled."""

    names: list[str]

    def item(self, index: int, rng: np.random.Generator) -> tuple[np.ndarray, ...]:
        """Arrays (H, W, 3) uint8 of one picture, each of the same size for every picture. Raises PictureError."""


@attrs.frozen(eq=False)
class Raw:
    """A batch as it comes from a worker.

    ``first``: the number of its first item. ``tensors``: (B, H, W, 3) uint8, one for each array of an item; none if too many
    were bad. ``bad``: name and reason of each picture that could not be used.
    """

    first: int
    tensors: tuple[Tensor, ...]
    names: tuple[str, ...]
    bad: tuple[tuple[str, str], ...]

    def pin_memory(self) -> Raw:
        """With its tensors where a device can fetch them while the processor goes on."""
        return attrs.evolve(self, tensors=tuple(tensor.pin_memory() for tensor in self.tensors))


class Reader(torch.utils.data.Dataset[Raw]):
    """Batches by the number of their first item, which with the seed tells all that is in them.

    ``work`` is done on each, where it is read.
    """

    def __init__(
        self, items: Items, feed: srkit.Feed, work: Callable[[Raw], Raw] | None = None, *, shuffle: bool = True
    ) -> None:
        self.items, self.feed, self._work = items, feed, work
        self.order = Order(len(items.names), feed.seed, shuffle=shuffle)
        self._known: dict[int, PictureError] = {}

    def __getitem__(self, first: int) -> Raw:
        bad: dict[str, str] = {}
        drawn = []
        for number in range(first, first + self.feed.batch_size):
            found = self._item(number, bad)
            if found is None:
                return Raw(first, (), (), tuple(bad.items()))
            drawn.append(found)
        arrays = zip(*(arrays for _, arrays in drawn), strict=True)
        tensors = tuple(torch.from_numpy(np.stack(parts)) for parts in arrays)
        raw = Raw(first, tensors, tuple(name for name, _ in drawn), tuple(bad.items()))
        return raw if self._work is None else self._work(raw)

    def _item(self, number: int, bad: dict[str, str]) -> tuple[str, tuple[np.ndarray, ...]] | None:
        """Item ``number``, or if its picture is bad the next in its epoch's order that is not; None if there is none."""
        count = self.order.count
        epoch, place = divmod(number, count)
        for step in range(count):
            index = self.order[epoch * count + (place + step) % count]
            try:
                # What was bad is not tried again, for decoders complain each time.
                if (known := self._known.get(index)) is not None:
                    raise known
                return self.items.names[index], self.items.item(index, draws(self.feed.seed, ITEM, epoch, place))
            except PictureError as error:
                self._known[index] = error.with_traceback(None)
                bad[error.name] = error.reason
                if len(bad) > self.feed.bad_limit:
                    return None
        return None


@attrs.frozen
class Firsts:
    """The first item's number of each batch of one process, from ``start`` on: ranks take turns."""

    feed: srkit.Feed
    start: int

    def __iter__(self) -> Iterator[int]:
        """Numbers without end."""
        number = self.start + self.feed.rank * self.feed.batch_size
        while True:
            yield number
            number += self.feed.batch_size * self.feed.world_size
