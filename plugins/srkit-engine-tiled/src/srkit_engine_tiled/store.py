"""Rows that are still needed, in memory order (picture, row, column, channel)."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor


class Store:
    """The rows of one value between two of its readers' needs, with ``margin`` rows of zeros above and below the picture.

    Rows lie at their absolute number less that of the first one held, so that a reader's window is one piece of memory and
    a concatenation is written, channel slice by channel slice, where it belongs. Forgotten rows are moved over rarely: the
    buffer has room for as many again as are needed.
    """

    def __init__(self, batch: int, channels: int, width: int, margin: int, like: Tensor) -> None:
        self.margin = margin
        self.needs: list[Callable[[], int]] = []
        self._rows = torch.zeros(batch, margin + 1, width, channels, dtype=like.dtype, device=like.device)
        self._first = -margin
        self._end = 0

    def write(self, row: int, strip: Tensor, channel: int, *, last: bool) -> None:
        """Put a strip (B, C, h, W) at ``row`` and ``channel``; ``last`` says that the picture ends with it."""
        end = row + strip.shape[2]
        channels = slice(channel, channel + strip.shape[1])
        self._make_room(end + (self.margin if last else 0))
        self._rows[:, row - self._first : end - self._first, :, channels] = strip.permute(0, 2, 3, 1)
        if last and self.margin:
            self._rows[:, end - self._first : end - self._first + self.margin, :, channels] = 0

    def read(self, start: int, stop: int) -> Tensor:
        """Rows ``start`` to ``stop``, (B, C, h, W), channels-last; a view."""
        return self._rows[:, start - self._first : stop - self._first].permute(0, 3, 1, 2)

    def _make_room(self, end: int) -> None:
        held = self._end
        self._end = max(self._end, end)
        if self._end - self._first <= self._rows.shape[1]:
            return
        keep = max(self._first, min((need() for need in self.needs), default=held))
        kept = self._rows[:, keep - self._first : held - self._first]
        if 2 * (self._end - keep) > self._rows.shape[1]:
            shape = list(self._rows.shape)
            shape[1] = 2 * (self._end - keep)
            self._rows = self._rows.new_empty(shape)
        else:
            kept = kept.clone()  # the two may overlap
        self._rows[:, : kept.shape[1]] = kept
        self._first = keep
