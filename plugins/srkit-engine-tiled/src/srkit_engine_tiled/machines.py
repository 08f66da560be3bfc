"""Row machines: what an operator does to the rows it is fed.

A machine is a frozen record of an operator's parameters. It tells which rows it needs (:mod:`.span`), and computes rows of
its output from them. Two records of one ``repr`` do the same but for the values of their weights.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import attrs
import torch
from torch import Tensor
from torch.nn import functional as F

from .span import Border, Divide, Interpolate, Multiply, Span, Transposed, Window

SAME = Window()
_ONEDNN = torch._C._has_mkldnn  # noqa: SLF001 -- what torch.backends.mkldnn.is_available() returns, typed


@attrs.frozen
class Picture:
    """Stands for a picture among the arguments of a call: its channels, and its size where it was traced."""

    channels: int = 0
    height: int = 0
    width: int = 0

    def __repr__(self) -> str:
        """The same for every size."""
        return "picture"


class Machine(Protocol):
    """An operator, rows in and rows out."""

    @property
    def down(self) -> Span:
        """Along rows."""

    @property
    def across(self) -> Span:
        """Along columns."""

    @property
    def inside(self) -> bool:
        """Whether ``run`` is given only rows of the picture; else zeros stand for those that ``down`` names outside."""

    def run(self, strips: Sequence[Tensor], start: int, stop: int, height: int) -> Tensor:
        """Output rows ``start`` to ``stop``, (B, C, stop - start, W).

        ``strips``: of each input the rows that ``down`` names for them, (B, C, h, W); ``height``: of the whole input.
        """


@attrs.frozen
class Pointwise:
    """Anything that looks at no neighbouring pixel: ``target`` called with ``args``, its pictures given in order.

    ``axes``: the order of the axes in which the network calls it, where that is not (picture, channel, row, column).
    ``output``: which, of an operator with several outputs. ``into``: the operator's form that writes to ``out=``.
    """

    target: Callable[..., Any]
    args: tuple[Any, ...] = attrs.field(default=(Picture(),), repr=lambda args: repr(_shapes(args)))
    kwargs: Mapping[str, Any] = attrs.field(factory=dict, repr=lambda kwargs: repr(_shapes(kwargs)))
    axes: tuple[int, ...] | None = None
    output: int | None = None
    into: Callable[..., Tensor] | None = attrs.field(default=None, repr=False)
    down: Span = SAME
    across: Span = SAME
    inside: bool = True

    def run(self, strips: Sequence[Tensor], start: int, stop: int, height: int) -> Tensor:  # noqa: ARG002
        """See Machine."""
        if self.into is None:
            # As in the whole picture: kernels that are not elementwise choose by how their input lies in memory.
            strips = [strip.contiguous(memory_format=torch.channels_last) for strip in strips]
        given = iter(strips if self.axes is None else [strip.permute(self.axes) for strip in strips])
        made = self.target(*fill(self.args, given), **fill(self.kwargs, given))
        if self.output is not None:
            made = made[self.output]
        out: Tensor = made
        if self.axes is None:
            return out
        return out.permute([self.axes.index(axis) for axis in range(4)])

    def write(self, strips: Sequence[Tensor], out: Tensor) -> bool:
        """Compute into ``out``, which may be the first of the strips; False if the operator cannot."""
        if self.into is None or self.axes is not None:
            return False
        given = iter(strips)
        self.into(*fill(self.args, given), **fill(self.kwargs, given), out=out)
        return True


def add_repeated(picture: Tensor, other: Tensor, times: int) -> Tensor:
    """``picture`` and ``other``, each channel of which stands for ``times`` channels."""
    return picture + other.repeat_interleave(times, 1)


def fill(args: Any, pictures: Any) -> Any:
    """Arguments with the next of ``pictures`` in place of every Picture."""
    if isinstance(args, Picture):
        return next(pictures)
    if isinstance(args, Mapping):
        return {key: fill(value, pictures) for key, value in args.items()}
    if isinstance(args, list | tuple):
        return type(args)(fill(value, pictures) for value in args)
    return args


def _shapes(args: Any) -> Any:
    if isinstance(args, Tensor):
        return tuple(args.shape)
    if isinstance(args, Mapping):
        return {key: _shapes(value) for key, value in args.items()}
    return [_shapes(value) for value in args] if isinstance(args, list | tuple) else args


@attrs.frozen
class Concatenate:
    """Channels side by side; never run, for each input is written where it belongs (see :mod:`.layout`)."""

    down: Span = SAME
    across: Span = SAME
    inside: bool = True

    def run(self, strips: Sequence[Tensor], start: int, stop: int, height: int) -> Tensor:  # noqa: ARG002
        """See Machine."""
        return torch.cat(list(strips), 1)


@attrs.frozen
class Channels:
    """Channels ``start`` to ``start + count``: where they lie in memory already, they are only looked at."""

    start: int
    count: int
    down: Span = SAME
    across: Span = SAME
    inside: bool = True

    def run(self, strips: Sequence[Tensor], start: int, stop: int, height: int) -> Tensor:  # noqa: ARG002
        """See Machine."""
        return strips[0][:, self.start : self.start + self.count]


@attrs.frozen
class Regroup:
    """An operator that turns whole rows into whole rows: shuffles, nearest upsampling.

    ``order``: the channels of the input, or for Divide of the output, in another order.
    """

    kind: str
    down: Multiply | Divide
    across: Multiply | Divide
    order: tuple[int, ...] | None = None
    inside: bool = True

    def run(self, strips: Sequence[Tensor], start: int, stop: int, height: int) -> Tensor:  # noqa: ARG002
        """See Machine."""
        strip = strips[0]
        if self.kind == "unshuffle":
            out = F.pixel_unshuffle(strip, self.down.factor)
            return out if self.order is None else out[:, _index(self.order, strip.device)]
        if self.order is not None:
            strip = strip[:, _index(self.order, strip.device)]
        if self.kind == "shuffle":
            out = F.pixel_shuffle(strip, self.down.factor)
        else:
            out = F.interpolate(strip, scale_factor=(self.down.factor, self.across.factor), mode="nearest")
        skip = start % self.down.factor
        return out[:, :, skip : skip + stop - start]

    def write(self, strip: Tensor, start: int, out: Tensor) -> bool:
        """Compute rows from ``start`` on into ``out``; False if that takes more than copying."""
        down, across = self.down.factor, self.across.factor
        if self.kind != "nearest" or self.order is not None or start % down or out.shape[2] != strip.shape[2] * down:
            return False
        parts = torch.unflatten(torch.unflatten(out, 2, (-1, down)), 4, (-1, across))
        parts.copy_(strip[:, :, :, None, :, None])
        return True


@functools.lru_cache(256)
def _index(order: tuple[int, ...], device: torch.device) -> Tensor:
    # Kept, because a step that is recorded may not bring memory from the host.
    return torch.tensor(order, device=device)


@attrs.frozen
class Resize:
    """Bilinear and bicubic upsampling by whole factors, between pixel centres (align_corners=False)."""

    mode: str
    down: Interpolate
    across: Interpolate
    inside: bool = True

    def run(self, strips: Sequence[Tensor], start: int, stop: int, height: int) -> Tensor:
        """See Machine."""
        skip = start - self.down.first(start, height) * self.down.factor
        factors = (self.down.factor, self.across.factor)
        out = F.interpolate(strips[0], scale_factor=factors, mode=self.mode, align_corners=False)
        return out[:, :, skip : skip + stop - start]


@attrs.frozen
class Convolution:
    """A convolution with zeros around it. The rows of zeros come with the strip, the columns are its own padding."""

    weight: Tensor = attrs.field(repr=lambda weight: repr(tuple(weight.shape)))
    bias: Tensor | None = attrs.field(repr=False)
    stride: tuple[int, int]
    padding: tuple[int, int]
    dilation: tuple[int, int]
    groups: int
    extra: tuple[int, int] = (0, 0)
    inside: bool = False
    down: Window = attrs.field(
        init=False, repr=False, default=attrs.Factory(lambda self: self._along(0), takes_self=True)
    )
    across: Window = attrs.field(
        init=False, repr=False, default=attrs.Factory(lambda self: self._along(1), takes_self=True)
    )

    def _along(self, axis: int) -> Window:
        pad = self.padding[axis]
        return Window(self.weight.shape[2 + axis], self.stride[axis], self.dilation[axis], pad, pad + self.extra[axis])

    def run(self, strips: Sequence[Tensor], start: int, stop: int, height: int) -> Tensor:  # noqa: ARG002
        """See Machine."""
        strip, columns = strips[0], (0, self.padding[1])
        if self.extra[1]:
            strip = F.pad(strip, (0, self.extra[1], 0, 0))
        if by_onednn(strip):
            # F.conv2d would take another kernel for small strips, with other last bits than for the whole picture.
            return torch.mkldnn_convolution(
                strip, self.weight, self.bias, columns, self.stride, self.dilation, self.groups
            )
        return F.conv2d(strip, self.weight, self.bias, self.stride, columns, self.dilation, self.groups)


@attrs.frozen
class TransposedConvolution:
    """A transposed convolution, one output row from all the input rows that add to it."""

    weight: Tensor = attrs.field(repr=lambda weight: repr(tuple(weight.shape)))
    bias: Tensor | None = attrs.field(repr=False)
    stride: tuple[int, int]
    padding: tuple[int, int]
    output_padding: tuple[int, int]
    groups: int
    dilation: tuple[int, int]
    inside: bool = False
    down: Transposed = attrs.field(
        init=False, repr=False, default=attrs.Factory(lambda self: self._along(0), takes_self=True)
    )
    across: Transposed = attrs.field(
        init=False, repr=False, default=attrs.Factory(lambda self: self._along(1), takes_self=True)
    )

    def _along(self, axis: int) -> Transposed:
        sizes = (self.weight.shape[2 + axis], self.stride[axis], self.dilation[axis])
        return Transposed(*sizes, self.padding[axis], self.output_padding[axis])

    def run(self, strips: Sequence[Tensor], start: int, stop: int, height: int) -> Tensor:
        """See Machine."""
        skip = start - (self.down.first(start, height) * self.stride[0] - self.padding[0])
        given = strips[0], self.weight, self.bias
        padding, extra = (0, self.padding[1]), (self.stride[0] - 1, self.output_padding[1])
        if by_onednn(strips[0]):
            call = torch.ops.mkldnn._convolution_transpose_pointwise  # noqa: SLF001 -- its name
            out = call(*given, padding, extra, self.stride, self.dilation, self.groups, "none", [], "")
        else:
            out = F.conv_transpose2d(*given, self.stride, padding, extra, self.groups, self.dilation)
        rows: Tensor = out[:, :, skip : skip + stop - start]
        return rows


@attrs.frozen
class Pool:
    """Average or maximum of a window; ``beyond`` is what the picture is continued with."""

    target: Callable[..., Tensor]
    down: Window
    across: Window
    beyond: float
    inside: bool = True

    def run(self, strips: Sequence[Tensor], start: int, stop: int, height: int) -> Tensor:
        """See Machine."""
        above = max(0, -self.down.first(start, height))
        below = max(0, self.down.last(stop - 1, height) + 1 - height)
        strip = F.pad(strips[0], (self.across.before, self.across.after, above, below), value=self.beyond)
        return self.target(strip)


@attrs.frozen
class Pad:
    """Rows and columns added around the picture, or taken away."""

    mode: str
    value: float
    down: Border
    across: Border
    inside: bool = True

    def run(self, strips: Sequence[Tensor], start: int, stop: int, height: int) -> Tensor:
        """See Machine."""
        strip, first = strips[0], self.down.first(start, height)
        wanted = range(start - self.down.before, stop - self.down.before)
        columns = (self.across.before, self.across.after)
        if self.mode == "constant":
            top = sum(row < 0 for row in wanted)
            rows = [row for row in wanted if 0 <= row < height]
            strip = strip[:, :, rows[0] - first : rows[-1] + 1 - first] if rows else strip[:, :, :0]
            return F.pad(strip, (*columns, top, len(wanted) - top - len(rows)), value=self.value)
        if wanted[0] < 0 or wanted[-1] >= height:
            strip = strip[:, :, [self._mirrored(row, height) - first for row in wanted]]
        else:
            strip = strip[:, :, wanted[0] - first : wanted[-1] + 1 - first]
        return F.pad(strip, (*columns, 0, 0), mode=self.mode) if any(columns) else strip

    def _mirrored(self, row: int, height: int) -> int:
        if self.mode == "replicate":
            return min(max(row, 0), height - 1)
        return -row if row < 0 else 2 * (height - 1) - row if row >= height else row


def by_onednn(strip: Tensor) -> bool:
    """Whether a convolution of ``strip`` is oneDNN's, by its name."""
    return strip.device.type == "cpu" and strip.dtype in {torch.float32, torch.bfloat16} and _ONEDNN
