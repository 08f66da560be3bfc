"""Rows that are still needed, in memory order (picture, row, column, channel)."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor


class Store:
    """Rows of one or several values, channels side by side, between being written and being read for the last time.

    Rows lie at their absolute number less that of the first one held, so that a reader's window is one piece of memory and
    a concatenation is written, channel slice by channel slice, where it belongs. ``above`` and ``below``: rows of zeros
    that readers find beyond the picture. The memory is kept between pictures: fresh memory is slow to touch.
    """

    def __init__(self, rows: Tensor, above: int, below: int) -> None:
        self._rows = rows
        self._above, self._below = above, below
        self.needed: Callable[[], int] = lambda: 0
        self.reset()

    def reset(self) -> None:
        """Be ready for another picture."""
        self._first = -self._above
        self._end = 0
        self._rows[:, : self._above] = 0

    def counts(self) -> tuple[int, int]:
        """The first row held, and the end of those written."""
        return self._first, self._end

    def move(self, first: int, end: int) -> None:
        """Take the rows held for others, as far down the picture as ``counts`` is moved on."""
        self._first += first
        self._end += end

    @property
    def nbytes(self) -> int:
        """Bytes of memory held."""
        return self._rows.nbytes

    def room(self, start: int, stop: int, channel: int, channels: int) -> Tensor:
        """Where rows ``start`` to ``stop`` of some channels are to be written, (B, C, h, W), channels-last."""
        self._make_room(stop)
        rows = self._rows[:, start - self._first : stop - self._first, :, channel : channel + channels]
        return rows.permute(0, 3, 1, 2)

    def end(self, height: int, channel: int, channels: int) -> None:
        """Some channels are complete with ``height`` rows; zeros follow them."""
        if self._below:
            self.room(height, height + self._below, channel, channels).zero_()

    def read(self, start: int, stop: int, channel: int, channels: int) -> Tensor:
        """Rows ``start`` to ``stop`` of some channels, (B, C, h, W), channels-last; a view."""
        rows = self._rows[:, start - self._first : stop - self._first]
        if channels != rows.shape[3]:
            rows = rows[:, :, :, channel : channel + channels]
        return rows.permute(0, 3, 1, 2)

    def _make_room(self, end: int) -> None:
        held = self._end
        if end <= held:
            return
        self._end = end
        if end - self._first <= self._rows.shape[1]:
            return
        keep = min(held, max(self._first, self.needed()))
        kept = self._rows[:, keep - self._first : held - self._first]
        if end - keep > self._rows.shape[1]:
            # More than was planned, as after running out of memory with larger steps.
            shape = list(self._rows.shape)
            shape[1] = end - keep
            self._rows = self._rows.new_empty(shape)
        elif keep - self._first < held - keep:
            kept = kept.clone()  # the two overlap
        self._rows[:, : kept.shape[1]] = kept
        self._first = keep
