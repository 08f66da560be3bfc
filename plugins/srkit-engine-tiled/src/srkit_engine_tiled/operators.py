"""Row machines: what an operator does to the rows it is fed.

``OPERATORS`` is the table from ATen's operators to the functions that make a machine of a call. To add one: a function of
the call's arguments, tensors of the network filled in and pictures given as ``PICTURE``, that returns a machine (or raises
``Unsupported`` with what it cannot do), and a line in the table.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import attrs
import torch
from torch import Tensor
from torch.nn import functional as F

from .span import Divide, Multiply, Span, Window

aten = torch.ops.aten
_SAME = Window()
_ONEDNN = torch._C._has_mkldnn  # noqa: SLF001 -- what torch.backends.mkldnn.is_available() returns, typed
PICTURE = object()
"""Stands for a picture among the arguments of a call."""


class Unsupported(Exception):
    """What about a call cannot be streamed."""


class Machine(Protocol):
    """An operator, rows in and rows out.

    ``run`` is given the rows of each input that output rows ``start`` to ``stop`` need, as ``down`` says, with zeros for
    those outside of the picture, and gives these output rows.
    """

    @property
    def down(self) -> Span:
        """Along rows."""

    @property
    def across(self) -> Span:
        """Along columns."""

    def run(self, strips: Sequence[Tensor], start: int, stop: int) -> Tensor:
        """Output rows ``start`` to ``stop``, (B, C, stop - start, W)."""


@attrs.frozen
class Pointwise:
    """Anything that looks at no neighbour; ``inplace`` overwrites its first input, which must have the result's shape."""

    call: Callable[..., Tensor]
    inplace: Callable[..., Tensor] | None = None
    down: Span = _SAME
    across: Span = _SAME

    def run(self, strips: Sequence[Tensor], start: int, stop: int) -> Tensor:  # noqa: ARG002 -- any rows will do
        """See Machine."""
        return self.call(*strips)


@attrs.frozen
class Regroup:
    """An operator that turns whole rows into whole rows: shuffles, nearest upsampling."""

    call: Callable[[Tensor], Tensor]
    down: Multiply | Divide
    across: Multiply | Divide

    def run(self, strips: Sequence[Tensor], start: int, stop: int) -> Tensor:
        """See Machine."""
        skip = start % self.down.factor if isinstance(self.down, Multiply) else 0
        return self.call(strips[0])[:, :, skip : skip + stop - start]


@attrs.frozen
class Concatenate:
    """Channels side by side; never run, for each input is written where it belongs (see :mod:`.store`)."""

    down: Span = _SAME
    across: Span = _SAME

    def run(self, strips: Sequence[Tensor], start: int, stop: int) -> Tensor:  # noqa: ARG002
        """See Machine."""
        return torch.cat(list(strips), 1)


@attrs.frozen
class Convolution:
    """A convolution with zeros around it. The rows of zeros come with the strip, the columns are its own padding."""

    weight: Tensor = attrs.field(repr=False)
    bias: Tensor | None = attrs.field(repr=False)
    stride: tuple[int, int]
    padding: tuple[int, int]
    dilation: tuple[int, int]
    groups: int

    @property
    def down(self) -> Span:
        """Along rows."""
        return Window(self.weight.shape[2], self.stride[0], self.dilation[0], self.padding[0])

    @property
    def across(self) -> Span:
        """Along columns."""
        return Window(self.weight.shape[3], self.stride[1], self.dilation[1], self.padding[1])

    def run(self, strips: Sequence[Tensor], start: int, stop: int) -> Tensor:  # noqa: ARG002
        """See Machine."""
        strip, columns = strips[0], (0, self.padding[1])
        if strip.device.type == "cpu" and strip.dtype in {torch.float32, torch.bfloat16} and _ONEDNN:
            # F.conv2d would take another kernel for small strips, with other last bits than for the whole picture.
            return torch.mkldnn_convolution(
                strip, self.weight, self.bias, columns, self.stride, self.dilation, self.groups
            )
        return F.conv2d(strip, self.weight, self.bias, self.stride, columns, self.dilation, self.groups)


def _convolution(
    image: object,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Sequence[int] = (1, 1),
    padding: Sequence[int] = (0, 0),
    dilation: Sequence[int] = (1, 1),
    groups: int = 1,
) -> Machine:
    if image is not PICTURE or not isinstance(weight, Tensor):
        raise Unsupported("its kernel is computed from the picture")
    weight = weight.contiguous(memory_format=torch.channels_last)
    return Convolution(weight, bias, _pair(stride), _pair(padding), _pair(dilation), groups)


def _pair(amounts: Sequence[int]) -> tuple[int, int]:
    return amounts[0], amounts[-1]


def _pixel_shuffle(_: object, factor: int) -> Machine:
    return Regroup(lambda x: F.pixel_shuffle(x, factor), Multiply(factor), Multiply(factor))


def _pixel_unshuffle(_: object, factor: int) -> Machine:
    return Regroup(lambda x: F.pixel_unshuffle(x, factor), Divide(factor), Divide(factor))


def _nearest(_: object, size: object = None, factors: Sequence[float] | None = None) -> Machine:
    if size is not None or factors is None or any(f != int(f) or f < 1 for f in factors):
        raise Unsupported(f"it scales by {factors or size}, and only whole factors keep rows together")
    down, across = (int(f) for f in factors)
    return Regroup(
        lambda x: F.interpolate(x, scale_factor=(down, across), mode="nearest"), Multiply(down), Multiply(across)
    )


def _concatenate(pictures: Sequence[object], dim: int = 0) -> Machine:
    if dim not in {1, -3} or any(picture is not PICTURE for picture in pictures):
        raise Unsupported(f"only pictures along the channels are concatenated, not along axis {dim}")
    return Concatenate()


def pointwise(target: Callable[..., Tensor], inplace: Callable[..., Tensor] | None = None) -> Callable[..., Machine]:
    """What makes a machine of a call of ``target``, an operator that looks at no neighbour."""

    def make(*args: Any, **kwargs: Any) -> Machine:
        if any(isinstance(a, Tensor) and a.ndim == 4 and (a.shape[2] > 1 or a.shape[3] > 1) for a in args):
            raise Unsupported("it joins the picture with a constant of fixed size")

        def bind(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
            def call(*strips: Tensor) -> Tensor:
                given = iter(strips)
                return function(*(next(given) if a is PICTURE else a for a in args), **kwargs)

            return call

        overwrites = inplace is not None and args and args[0] is PICTURE
        return Pointwise(bind(target), bind(inplace) if overwrites and inplace else None)

    return make


OPERATORS: Mapping[object, Callable[..., Machine]] = {
    aten.conv2d.default: _convolution,
    aten.cat.default: _concatenate,
    aten.pixel_shuffle.default: _pixel_shuffle,
    aten.pixel_unshuffle.default: _pixel_unshuffle,
    aten.upsample_nearest2d.vec: _nearest,
    aten.prelu.default: pointwise(aten.prelu.default),
    aten.leaky_relu.default: pointwise(aten.leaky_relu.default, aten.leaky_relu_.default),
    aten.relu.default: pointwise(aten.relu.default, aten.relu_.default),
    aten.silu.default: pointwise(aten.silu.default, aten.silu_.default),
    aten.gelu.default: pointwise(aten.gelu.default),
    aten.sigmoid.default: pointwise(aten.sigmoid.default, aten.sigmoid_.default),
    aten.tanh.default: pointwise(aten.tanh.default, aten.tanh_.default),
    aten.clamp.default: pointwise(aten.clamp.default),
    aten.add.Tensor: pointwise(aten.add.Tensor, aten.add_.Tensor),
    aten.sub.Tensor: pointwise(aten.sub.Tensor, aten.sub_.Tensor),
    aten.mul.Tensor: pointwise(aten.mul.Tensor, aten.mul_.Tensor),
    aten.div.Tensor: pointwise(aten.div.Tensor, aten.div_.Tensor),
}
