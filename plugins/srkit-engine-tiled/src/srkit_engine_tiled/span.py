"""Which rows of its input a row of an operator's output needs.

One axis at a time: the same rules hold for rows and for columns. Numbers count from the top of the whole picture; a span may
name rows outside of it, which are zeros.
"""

from __future__ import annotations

from typing import Protocol

import attrs


class Span(Protocol):
    """How output positions depend on input positions along one axis."""

    def first(self, out: int) -> int:
        """The first input position that output position ``out`` needs."""

    def last(self, out: int) -> int:
        """The last input position that output position ``out`` needs."""

    def size(self, size: int) -> int:
        """The number of outputs for ``size`` inputs."""


@attrs.frozen
class Window:
    """A sliding window with ``padding`` on both sides: convolution, and, with a kernel of 1, position for position."""

    kernel: int = 1
    stride: int = 1
    dilation: int = 1
    padding: int = 0

    def first(self, out: int) -> int:
        """See Span."""
        return out * self.stride - self.padding

    def last(self, out: int) -> int:
        """See Span."""
        return self.first(out) + (self.kernel - 1) * self.dilation

    def size(self, size: int) -> int:
        """See Span."""
        return (size + 2 * self.padding - (self.kernel - 1) * self.dilation - 1) // self.stride + 1


@attrs.frozen
class Multiply:
    """Each input gives ``factor`` outputs: pixel shuffle, nearest upsampling."""

    factor: int

    def first(self, out: int) -> int:
        """See Span."""
        return out // self.factor

    def last(self, out: int) -> int:
        """See Span."""
        return out // self.factor

    def size(self, size: int) -> int:
        """See Span."""
        return size * self.factor


@attrs.frozen
class Divide:
    """``factor`` inputs make an output: pixel unshuffle."""

    factor: int

    def first(self, out: int) -> int:
        """See Span."""
        return out * self.factor

    def last(self, out: int) -> int:
        """See Span."""
        return out * self.factor + self.factor - 1

    def size(self, size: int) -> int:
        """See Span."""
        return size // self.factor
