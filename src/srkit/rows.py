"""Rows of a picture on their way: the one place that remembers rows between strips."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator

import torch
from torch import Tensor


class RowWindow:
    """A window that slides down a sequence of strips (..., h, W).

    ``rows(start, stop)`` pulls strips until row ``stop - 1`` is there, and forgets the rows above ``start``; so memory
    holds the rows still needed and no more.
    """

    def __init__(self, strips: Iterable[Tensor]) -> None:
        self._source = iter(strips)
        self._held: deque[Tensor] = deque()
        self._top = 0
        self._bottom = 0

    def rows(self, start: int, stop: int) -> Tensor:
        """Rows ``start`` to ``stop`` of the picture; ``start`` never goes back."""
        if start < self._top:
            raise IndexError(f"row {start} was forgotten; the window starts at {self._top}")
        while self._bottom < stop:
            strip = next(self._source)
            self._held.append(strip)
            self._bottom += strip.shape[-2]
        while self._held and self._top + self._held[0].shape[-2] <= start:
            self._top += self._held.popleft().shape[-2]
        parts, row = [], self._top
        for strip in self._held:
            if row >= stop:
                break
            parts.append(strip[..., max(0, start - row) : stop - row, :])
            row += strip.shape[-2]
        return parts[0] if len(parts) == 1 else torch.cat(parts, -2)


def pieces(strips: Iterable[Tensor], values: int) -> Iterator[Tensor]:
    """Strips (..., h, W), cut into some of at most so many values, or of one row.

    They are copies: whoever keeps one does not keep the large strip. Nor does this, while the next is made.
    """
    for strip in strips:
        if strip.numel() <= values:
            yield strip
        else:
            step = max(1, values * strip.shape[-2] // strip.numel())
            for top in range(0, strip.shape[-2], step):
                yield strip[..., top : top + step, :].clone()
        del strip


def reflect(index: int, length: int) -> int:
    """The row of a picture of ``length`` rows that row ``index`` mirrors, as often as it takes; the edge is not repeated."""
    if length == 1:
        return 0
    period = 2 * (length - 1)
    index %= period
    return min(index, period - index)


def pad(strips: Iterable[Tensor], height: int, width: int, below: int, right: int) -> Iterator[Tensor]:
    """Strips of a (height, width) picture, extended by reflection ``right`` columns and ``below`` rows."""
    columns = torch.tensor([reflect(x, width) for x in range(width, width + right)], dtype=torch.long)
    kept: deque[tuple[int, Tensor]] = deque()
    top = 0
    for strip in strips:
        wide = strip if not right else torch.cat((strip, strip[..., columns.to(strip.device)]), -1)
        yield wide
        kept.append((top, wide))
        top += wide.shape[-2]
        while kept and kept[0][0] + kept[0][1].shape[-2] < height - below:
            kept.popleft()
    rows = []
    for y in range(height, height + below):
        mirrored = reflect(y, height)
        first, strip = next(item for item in reversed(kept) if item[0] <= mirrored)
        rows.append(strip[..., mirrored - first : mirrored - first + 1, :])
    if rows:
        yield torch.cat(rows, -2)


def crop(strips: Iterable[Tensor], height: int, width: int) -> Iterator[Tensor]:
    """The first ``height`` rows and ``width`` columns of the strips of a larger picture."""
    left = height
    for strip in strips:
        if left > 0:
            yield strip[..., : min(left, strip.shape[-2]), :width]
        left -= strip.shape[-2]
        del strip  # it may be large, and the next is about to be made
