"""Transparency: what is hidden must not leak, opaque stays exactly opaque and empty exactly empty.

A network sees neighbours, so colours under zero alpha would leak into what shows. Where alpha goes through the network
beside the colours, they are premultiplied (Porter and Duff, "Compositing digital images", 1984) and divided out after: both
edges are sharpened alike. Where alpha is only resized, the network sees straight colours, hidden ones replaced by the
premultiplied mean of what shows around them (a normalised convolution; Knutsson and Westin, 1993): divided by a softer
alpha, sharpened premultiplied edges would come out dark. Either way alpha is clamped to the range of the input's nearby.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator

import torch
from torch import Tensor
from torch.nn import functional as F

from .protocols import Size
from .resample import ROWS
from .rows import RowWindow


def split(planes: Tensor) -> tuple[Tensor, Tensor]:
    """(..., C, h, W) with alpha last → colours and alpha, (..., C - 1, h, W) and (..., 1, h, W)."""
    return planes[..., :-1, :, :], planes[..., -1:, :, :]


def premultiply(planes: Tensor) -> Tensor:
    """(..., C, h, W) with alpha last → the same with colours times alpha."""
    colour, alpha = split(planes)
    return torch.cat((colour * alpha, alpha), -3)


def divide(planes: Tensor) -> Tensor:
    """Undo ``premultiply``; colours are first held to [0, alpha], which is all that a premultiplied picture can have."""
    colour, alpha = split(planes)
    colour = torch.minimum(colour.clamp(min=0), alpha)
    return torch.cat((colour / alpha.clamp(min=torch.finfo(planes.dtype).tiny), alpha), -3)


FILL = 8
"""Pixels beyond what shows that ``fill_hidden`` fills: further off, an edge no longer matters to what the eye sees."""


def fill_hidden(strips: Iterable[Tensor], height: int) -> Iterator[Tensor]:
    """Strips (..., C, h, W) with alpha last → their straight colours (..., C - 1, h, W), those under zero alpha replaced."""
    window = RowWindow(premultiply(strip) for strip in strips)
    for top in range(0, height, ROWS):
        bottom = min(top + ROWS, height)
        first = max(0, top - FILL)
        planes = window.rows(first, min(bottom + FILL, height))
        rows = slice(top - first, bottom - first)
        here = planes[..., rows, :]
        shown = split(here)[1] > 0
        if not shown.all():
            # A mean over a square, one axis after the other.
            around = F.avg_pool2d(planes, (2 * FILL + 1, 1), stride=1, padding=(FILL, 0))[..., rows, :]
            around = F.avg_pool2d(around, (1, 2 * FILL + 1), stride=1, padding=(0, FILL))
            here = torch.where(shown, here, around)
        yield split(divide(here))[0]


def bound(planes: Iterable[Tensor], alpha: Iterable[Tensor], size: Size, new_size: Size) -> Iterator[Tensor]:
    """Planes (..., C, h, W) of the result, alpha last, with alpha held to the input's local range, and nothing under none.

    ``alpha``: strips (..., 1, h, W) of the input's alpha, a picture of ``size``; the planes are of ``new_size``.
    """
    bounds = _LocalRange(alpha, size, new_size)
    top = 0
    for strip in planes:
        low, high = bounds.rows(top, top + strip.shape[-2])
        top += strip.shape[-2]
        colour, opacity = split(strip)
        opacity = opacity.clamp(low.to(strip.device), high.to(strip.device))
        yield torch.cat((torch.where(opacity > 0, colour, 0.0), opacity), -3)


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
        index = near - first
        low, high = -_greatest(-alpha, down, across), _greatest(alpha, down, across)
        return low[..., index, :][..., self._columns], high[..., index, :][..., self._columns]


def _greatest(planes: Tensor, down: int, across: int) -> Tensor:
    """The greatest value within ``down`` rows and ``across`` columns; what lies outside the picture counts for nothing."""
    columns = F.max_pool2d(planes, (2 * down + 1, 1), stride=1, padding=(down, 0))
    return F.max_pool2d(columns, (1, 2 * across + 1), stride=1, padding=(0, across))
