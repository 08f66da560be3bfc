"""Which rows of its input a row of an operator's output needs.

One axis at a time: the same rules hold for rows and for columns. Positions count from the top of the whole picture; ``n``
is the size of the input along the axis. Where a span names positions outside of the picture, the engine gives zeros.

``first`` and ``last`` look beyond one output: ``first(out)`` is the lowest position that ``out`` or any output after it
needs, ``last(out)`` the highest that ``out`` or any before it needs. So what lies below ``first(done)`` can be forgotten.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Protocol

import attrs


class Span(Protocol):
    """How output positions depend on input positions along one axis."""

    @property
    def rate(self) -> Fraction:
        """Outputs per input, far from the ends."""

    def size(self, n: int) -> int:
        """The number of outputs for ``n`` inputs."""

    def first(self, out: int, n: int) -> int:
        """The lowest input position that ``out``, or an output after it, needs."""

    def last(self, out: int, n: int) -> int:
        """The highest input position that ``out``, or an output before it, needs."""

    def count(self, there: int, n: int) -> int:
        """The number of outputs that the first ``there`` of ``n`` inputs allow, ``there`` < ``n``."""


@attrs.frozen
class Window:
    """A sliding window: convolution, pooling; and, with a kernel of 1, position for position."""

    kernel: int = 1
    stride: int = 1
    dilation: int = 1
    before: int = 0
    after: int = 0

    @property
    def rate(self) -> Fraction:
        """See Span."""
        return Fraction(1, self.stride)

    def size(self, n: int) -> int:
        """See Span."""
        return (n + self.before + self.after - (self.kernel - 1) * self.dilation - 1) // self.stride + 1

    def first(self, out: int, n: int) -> int:  # noqa: ARG002
        """See Span."""
        return out * self.stride - self.before

    def last(self, out: int, n: int) -> int:  # noqa: ARG002
        """See Span."""
        return out * self.stride - self.before + (self.kernel - 1) * self.dilation

    def count(self, there: int, n: int) -> int:  # noqa: ARG002
        """See Span."""
        return (there - 1 + self.before - (self.kernel - 1) * self.dilation) // self.stride + 1


@attrs.frozen
class Multiply:
    """Each input gives ``factor`` outputs: pixel shuffle, nearest upsampling."""

    factor: int

    @property
    def rate(self) -> Fraction:
        """See Span."""
        return Fraction(self.factor)

    def size(self, n: int) -> int:
        """See Span."""
        return n * self.factor

    def first(self, out: int, n: int) -> int:  # noqa: ARG002
        """See Span."""
        return out // self.factor

    last = first

    def count(self, there: int, n: int) -> int:  # noqa: ARG002
        """See Span."""
        return there * self.factor


@attrs.frozen
class Divide:
    """``factor`` inputs make an output: pixel unshuffle."""

    factor: int

    @property
    def rate(self) -> Fraction:
        """See Span."""
        return Fraction(1, self.factor)

    def size(self, n: int) -> int:
        """See Span."""
        return n // self.factor

    def first(self, out: int, n: int) -> int:  # noqa: ARG002
        """See Span."""
        return out * self.factor

    def last(self, out: int, n: int) -> int:  # noqa: ARG002
        """See Span."""
        return out * self.factor + self.factor - 1

    def count(self, there: int, n: int) -> int:  # noqa: ARG002
        """See Span."""
        return there // self.factor


@attrs.frozen
class Border:
    """``before`` and ``after`` positions added at the ends; taken away where negative.

    ``reflect``: those added repeat what is as far on the other side of the last position.
    """

    before: int
    after: int
    reflect: bool = False

    @property
    def rate(self) -> Fraction:
        """See Span."""
        return Fraction(1)

    def size(self, n: int) -> int:
        """See Span."""
        return n + self.before + self.after

    def first(self, out: int, n: int) -> int:
        """See Span."""
        last = n - 1 - max(self.after, 0) if self.reflect else n - 1
        return max(0, min(out - self.before, last))

    def last(self, out: int, n: int) -> int:
        """See Span."""
        first = max(self.before, 0) if self.reflect else 0
        return min(n - 1, max(out - self.before, first))

    def count(self, there: int, n: int) -> int:
        """See Span."""
        return there + self.before if there > self.last(0, n) else 0


@attrs.frozen
class Transposed:
    """A transposed convolution: each input adds to ``kernel`` outputs, ``stride`` apart from those of the next."""

    kernel: int
    stride: int
    dilation: int
    padding: int
    extra: int

    @property
    def rate(self) -> Fraction:
        """See Span."""
        return Fraction(self.stride)

    def size(self, n: int) -> int:
        """See Span."""
        return (n - 1) * self.stride - 2 * self.padding + (self.kernel - 1) * self.dilation + self.extra + 1

    def first(self, out: int, n: int) -> int:  # noqa: ARG002
        """See Span."""
        return -(((self.kernel - 1) * self.dilation - out - self.padding) // self.stride)

    def last(self, out: int, n: int) -> int:  # noqa: ARG002
        """See Span."""
        return (out + self.padding) // self.stride

    def count(self, there: int, n: int) -> int:  # noqa: ARG002
        """See Span."""
        return there * self.stride - self.padding


@attrs.frozen
class Interpolate:
    """Upsampling by ``factor`` between pixel centres: ``taps`` neighbours on each side, the outermost repeated."""

    factor: int
    taps: int

    @property
    def rate(self) -> Fraction:
        """See Span."""
        return Fraction(self.factor)

    def size(self, n: int) -> int:
        """See Span."""
        return n * self.factor

    def first(self, out: int, n: int) -> int:
        """See Span."""
        return min(n - 1, max(0, self._left(out) - self.taps + 1))

    def last(self, out: int, n: int) -> int:
        """See Span."""
        return min(n - 1, max(0, self._left(out) + self.taps))

    def count(self, there: int, n: int) -> int:  # noqa: ARG002
        """See Span."""
        return max(0, (2 * self.factor * (there - self.taps) + self.factor) // 2)

    def _left(self, out: int) -> int:
        """The last input position whose centre is not right of the output's."""
        return (2 * out + 1 - self.factor) // (2 * self.factor)
