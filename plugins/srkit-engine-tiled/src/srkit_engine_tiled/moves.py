"""Operators that only move values about, told by what they do to a picture of positions.

Networks shuffle pixels by ``view`` and ``permute``, take channels apart and repeat them, and norms want the channels last.
None of these computes anything. They are run, as they are, on a picture whose every value is its own position; what comes
out tells which machine they amount to, however the network wrote it.
"""

from __future__ import annotations

import itertools

import attrs
import torch
from torch import Tensor
from torch.nn import functional as F

from .machines import Channels, Machine, Pad, Pointwise, Regroup
from .operators import Unsupported
from .span import Border, Divide, Multiply


@attrs.frozen(eq=False)
class Positions:
    """A picture (1, C, H, W) whose values are their positions, before and after it was moved about."""

    before: Tensor = attrs.field(repr=False)
    after: Tensor = attrs.field(repr=False)

    @classmethod
    def of(cls, channels: int, height: int, width: int) -> Positions:
        """Of a picture that has not been moved."""
        image = torch.arange(channels * height * width).reshape(1, channels, height, width)
        return cls(image, image)

    @property
    def axes(self) -> tuple[int, ...] | None:
        """The order of the axes, if that is all that changed; (0, 1, 2, 3) if nothing did."""
        if self.after is self.before:
            return (0, 1, 2, 3)
        if self.after.ndim == 4:
            for order in itertools.permutations(range(4)):
                moved = self.before.permute(order)
                if order[0] == 0 and moved.shape == self.after.shape and torch.equal(moved, self.after):
                    return order
        return None

    def machines(self) -> list[Machine]:
        """What amounts to the same, one after another; none if nothing changed. Raises Unsupported."""
        after = self.after
        if after.ndim != 4 or after.shape[0] != 1:
            raise Unsupported(f"a picture becomes a tensor of shape {tuple(after.shape)}")
        if after is self.before or (after.shape == self.before.shape and torch.equal(after, self.before)):
            return []
        for machines in (self._cut(), self._divided(), self._multiplied()):
            if machines is not None:
                return machines
        raise Unsupported("it moves pixels about in a way that is not known to keep rows together")

    def _cut(self) -> list[Machine] | None:
        """A part of the rows, columns and channels."""
        (_, channels, height, width), (_, _, rows, columns) = self.before.shape, self.after.shape
        corners = self.after[0, :, 0, 0]
        top, left = int(corners[0]) // width % height, int(corners[0]) % width
        if top + rows > height or left + columns > width:
            return None
        cut = self.before[:, :, top : top + rows, left : left + columns]
        order = (corners // (height * width)).tolist()
        if not torch.equal(cut[:, order], self.after):
            return None
        machines: list[Machine] = []
        if (rows, columns) != (height, width):
            borders = Border(-top, top + rows - height), Border(-left, left + columns - width)
            machines.append(Pad("constant", 0.0, *borders))
        if order != list(range(channels)):
            machines.append(_channels(order))
        return machines

    def _divided(self) -> list[Machine] | None:
        factor = _whole(self.before, self.after)
        if factor is None:
            return None
        plain = F.pixel_unshuffle(self.before, factor)
        order = _order(plain, self.after)
        return None if order is None else [Regroup("unshuffle", Divide(factor), Divide(factor), order)]

    def _multiplied(self) -> list[Machine] | None:
        factor = _whole(self.after, self.before)
        if factor is None or self.before.shape[1] % factor**2:
            return None
        # Back again, the channels are in the order in which a pixel shuffle wants them.
        plain = F.pixel_unshuffle(self.after, factor)
        order = _order(self.before, plain)
        if order is None:
            return None
        return [Regroup("shuffle", Multiply(factor), Multiply(factor), order)]


def _channels(order: list[int]) -> Machine:
    if order == list(range(order[0], order[0] + len(order))):
        return Channels(order[0], len(order))
    return Pointwise(_Gather(order))


@attrs.frozen
class _Gather:
    """Channels in another order, some perhaps repeated."""

    order: list[int]

    def __call__(self, strip: Tensor) -> Tensor:
        return strip[:, self.order]


def _whole(large: Tensor, small: Tensor) -> int | None:
    factor = large.shape[2] // max(small.shape[2], 1)
    same = (small.shape[2] * factor, small.shape[3] * factor) == tuple(large.shape[2:])
    return factor if same and factor > 1 and large.numel() == small.numel() else None


def _order(plain: Tensor, wanted: Tensor) -> tuple[int, ...] | None:
    """The channels of ``plain`` that give ``wanted``."""
    place = {int(value): i for i, value in enumerate(plain[0, :, 0, 0])}
    order = tuple(place.get(int(value), -1) for value in wanted[0, :, 0, 0])
    if -1 in order or not torch.equal(plain[:, list(order)], wanted):
        return None
    return order
