"""Transparency: premultiplied on the way in, bounded and divided out on the way out.

A network sees neighbours, so colours under zero alpha would leak into what shows. Premultiplied (Porter and Duff,
"Compositing digital images", 1984) they are zero and cannot. What the network makes of alpha is clamped to the range of
the input's alpha nearby, so that opaque stays exactly opaque and empty exactly empty.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator

import torch
from torch import Tensor
from torch.nn import functional as F

from .protocols import Size
from .rows import RowWindow


def premultiply(planes: Tensor) -> Tensor:
    """(C, h, W) with alpha last → the same with colours times alpha."""
    return torch.cat((planes[:-1] * planes[-1:], planes[-1:]))


def bound_and_divide(planes: Iterable[Tensor], alpha: Iterable[Tensor], size: Size, new_size: Size) -> Iterator[Tensor]:
    """Premultiplied planes (C, h, W) of the result → straight ones, alpha held to the input's local range.

    ``alpha``: strips (1, h, W) of the input's alpha, a picture of ``size``; the planes are of ``new_size``.
    """
    bounds = _LocalRange(alpha, size, new_size)
    top = 0
    for strip in planes:
        low, high = bounds.rows(top, top + strip.shape[-2])
        top += strip.shape[-2]
        opacity = strip[-1:].clamp(low.to(strip.device), high.to(strip.device))
        # Colour within [0, alpha] is what a premultiplied picture can hold; it also tames the division by little.
        colour = torch.minimum(strip[:-1].clamp(min=0), opacity)
        straight = torch.where(opacity > 0, colour / opacity.clamp(min=torch.finfo(strip.dtype).tiny), 0.0)
        yield torch.cat((straight, opacity))


class _LocalRange:
    """Least and greatest input alpha around each output pixel.

    Around means the 3×3 input pixels about the one that it lies in; when the picture shrinks, as many as it covers.
    """

    def __init__(self, alpha: Iterable[Tensor], size: Size, new_size: Size) -> None:
        self._window = RowWindow(alpha)
        self._size, self._new_size = size, new_size
        self._reach = [max(1, math.ceil(size[axis] / new_size[axis])) for axis in (0, 1)]
        self._columns = self._nearest(1, 0, new_size[1])

    def _nearest(self, axis: int, start: int, stop: int) -> Tensor:
        """The input row or column that each output row or column lies in."""
        index = (2 * torch.arange(start, stop) + 1) * self._size[axis] // (2 * self._new_size[axis])
        return index.clamp(max=self._size[axis] - 1)

    def rows(self, start: int, stop: int) -> tuple[Tensor, Tensor]:
        near = self._nearest(0, start, stop)
        down, across = self._reach
        first = max(0, int(near[0]) - down)
        last = min(self._size[0], int(near[-1]) + down + 1)
        alpha = self._window.rows(first, last)
        kernel = (2 * down + 1, 2 * across + 1)
        # max_pool2d pads with minus infinity, so the border adds nothing.
        high = F.max_pool2d(alpha, kernel, stride=1, padding=(down, across))
        low = -F.max_pool2d(-alpha, kernel, stride=1, padding=(down, across))
        index = near - first
        return low[:, index][..., self._columns], high[:, index][..., self._columns]
