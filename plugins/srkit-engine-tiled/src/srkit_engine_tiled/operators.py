"""``OPERATORS``: from ATen's operators to the row machines that compute them.

To add one, here or from a plugin: a function of the call's arguments, tensors of the network filled in and pictures given
as :class:`.machines.Picture`, that returns a machine, or raises Unsupported with what it cannot do; and a line in the table.
Operators that only move values about need none: those of ``MOVES`` are run once on a picture of positions, and what they do
is read from the result (:mod:`.moves`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import attrs
import torch
from torch import Tensor

from .machines import (
    Concatenate,
    Convolution,
    Machine,
    Pad,
    Picture,
    Pointwise,
    Pool,
    Regroup,
    Resize,
    TransposedConvolution,
)
from .span import Border, Divide, Interpolate, Multiply, Window

Maker: TypeAlias = Callable[..., Machine]
aten = torch.ops.aten


class Unsupported(Exception):
    """What about a call cannot be streamed."""


def _pair(amounts: Any) -> tuple[int, int]:
    amounts = [amounts] if isinstance(amounts, int) else amounts
    return int(amounts[0]), int(amounts[-1])


def _weights(image: object, weight: object) -> Tensor:
    if not isinstance(image, Picture) or not isinstance(weight, Tensor):
        raise Unsupported("its kernel is computed from the picture")
    return weight.contiguous(memory_format=torch.channels_last)


def _convolution(
    image: object,
    weight: object,
    bias: Tensor | None = None,
    stride: Sequence[int] = (1, 1),
    padding: Sequence[int] | str = (0, 0),
    dilation: Sequence[int] = (1, 1),
    groups: int = 1,
) -> Machine:
    kernel, extra = _weights(image, weight), (0, 0)
    if isinstance(padding, str):
        total = [(k - 1) * d * (padding == "same") for k, d in zip(kernel.shape[2:], _pair(dilation), strict=True)]
        padding, extra = [t // 2 for t in total], (total[0] % 2, total[1] % 2)
    return Convolution(kernel, bias, _pair(stride), _pair(padding), _pair(dilation), groups, extra)


def _transposed(
    image: object,
    weight: object,
    bias: Tensor | None = None,
    stride: Sequence[int] = (1, 1),
    padding: Sequence[int] = (0, 0),
    output_padding: Sequence[int] = (0, 0),
    groups: int = 1,
    dilation: Sequence[int] = (1, 1),
) -> Machine:
    sizes = _pair(stride), _pair(padding), _pair(output_padding), groups, _pair(dilation)
    return TransposedConvolution(_weights(image, weight), bias, *sizes)


def _shuffle(_: Picture, factor: int) -> Machine:
    return Regroup("shuffle", Multiply(factor), Multiply(factor))


def _unshuffle(_: Picture, factor: int) -> Machine:
    return Regroup("unshuffle", Divide(factor), Divide(factor))


def _factors(image: Picture, size: Sequence[int] | None, factors: Sequence[float] | None) -> tuple[int, int]:
    scales = [size[0] / image.height, size[1] / image.width] if size is not None else list(factors or ())
    if not scales or any(f != int(f) or f < 1 for f in scales):
        raise Unsupported(f"it scales by {scales}, and only whole factors keep rows together")
    return _pair(scales)


def _nearest(image: Picture, size: Sequence[int] | None = None, factors: Sequence[float] | None = None) -> Machine:
    down, across = _factors(image, size, factors)
    return Regroup("nearest", Multiply(down), Multiply(across))


def _resize(mode: str, taps: int) -> Maker:
    def make(
        image: Picture, size: Sequence[int] | None, align_corners: bool, factors: Sequence[float] | None = None
    ) -> Machine:
        if align_corners:
            raise Unsupported("align_corners=True makes every row depend on the height of the picture")
        down, across = _factors(image, size, factors)
        return Resize(mode, Interpolate(down, taps), Interpolate(across, taps))

    return make


def _concatenate(_: Sequence[object], dim: int = 0) -> Machine:
    if dim not in {1, -3}:
        raise Unsupported(f"only channels are concatenated, not axis {dim}")
    return Concatenate()


def _pool(
    target: Callable[..., Tensor],
    beyond: float,
    kernel: Sequence[int],
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int] = (1, 1),
) -> Machine:
    def along(axis: int) -> Window:
        pad = _pair(padding)[axis]
        return Window(_pair(kernel)[axis], _pair(stride or kernel)[axis], _pair(dilation)[axis], pad, pad)

    return Pool(target, along(0), along(1), beyond)


def _average(
    _: Picture,
    kernel: Sequence[int],
    stride: Sequence[int] = (),
    padding: Sequence[int] = (0, 0),
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor: int | None = None,
) -> Machine:
    if ceil_mode or (any(padding) and not count_include_pad):
        raise Unsupported("windows that are cut at the border (ceil_mode, count_include_pad=False) are not streamed")
    call = _Pooling(aten.avg_pool2d.default, (kernel, stride, (0, 0), False, True, divisor))
    return _pool(call, 0.0, kernel, stride, padding)


def _maximum(
    _: Picture,
    kernel: Sequence[int],
    stride: Sequence[int] = (),
    padding: Sequence[int] = (0, 0),
    dilation: Sequence[int] = (1, 1),
    ceil_mode: bool = False,
) -> Machine:
    if ceil_mode:
        raise Unsupported("windows that are cut at the border (ceil_mode) are not streamed")
    call = _Pooling(aten.max_pool2d.default, (kernel, stride, (0, 0), dilation))
    return _pool(call, float("-inf"), kernel, stride, padding, dilation)


@attrs.frozen
class _Pooling:
    """A pooling operator with its arguments."""

    target: Callable[..., Tensor]
    args: tuple[Any, ...]

    def __call__(self, strip: Tensor) -> Tensor:
        return self.target(strip, *self.args)


def _pad(_: Picture, amounts: Sequence[int], mode: str = "constant", value: float | None = None) -> Machine:
    if mode not in {"constant", "reflect", "replicate"} or len(amounts) not in {2, 4}:
        raise Unsupported(f"padding {list(amounts)} of mode {mode!r} is not streamed")
    left, right, above, below = (*amounts, 0, 0)[:4]
    reflect = mode == "reflect"
    return Pad(mode, value or 0.0, Border(above, below, reflect), Border(left, right, reflect))


def _constant_pad(image: Picture, amounts: Sequence[int], value: float = 0.0) -> Machine:
    return _pad(image, amounts, "constant", value)


def pointwise(target: Callable[..., Any], into: Callable[..., Tensor] | None = None) -> Maker:
    """What makes a machine of a call of ``target``, an operator that looks at no neighbouring pixel.

    ``into``: its form with ``out=``, where it has one that computes in place.
    """

    def make(*args: Any, **kwargs: Any) -> Machine:
        if any(isinstance(a, Tensor) and a.ndim == 4 and (a.shape[2] > 1 or a.shape[3] > 1) for a in args):
            raise Unsupported("it joins the picture with a constant of fixed size")
        return Pointwise(target, args, kwargs, into=into)

    return make


def _relu_into(picture: Tensor, *, out: Tensor) -> Tensor:
    result: Tensor = aten.clamp_min.out(picture, 0, out=out)
    return result


def _batch_norm(
    image: Picture,
    weight: Tensor | None,
    bias: Tensor | None,
    mean: Tensor | None,
    variance: Tensor | None,
    *others: Any,
) -> Machine:
    if mean is None or variance is None or (others and others[0] is True):
        raise Unsupported("it measures the picture itself; batch norm must have running statistics, in eval()")
    if len(others) == 2:  # the form without ``training``, several outputs
        others = (False, *others, False)
    return Pointwise(aten.batch_norm.default, (image, weight, bias, mean, variance, *others))


_IN_PLACE = (
    "leaky_relu", "silu", "gelu", "mish", "sigmoid", "tanh", "clamp", "hardtanh", "hardswish", "hardsigmoid", "elu",
    "softplus", "clamp_min", "clamp_max", "sqrt", "rsqrt", "exp", "log", "sin", "cos", "abs", "neg", "square",
    "reciprocal", "maximum", "minimum",
)  # fmt: skip
_PLAIN = (
    "prelu", "relu6", "celu", "selu", "softsign", "hardshrink", "softshrink", "log_sigmoid", "floor", "round", "erf",
    "where.self",
)  # fmt: skip


def _table() -> dict[object, Maker]:
    table: dict[object, Maker] = {
        aten.conv2d.default: _convolution,
        aten.conv2d.padding: _convolution,
        aten.conv_transpose2d.input: _transposed,
        aten.cat.default: _concatenate,
        aten.pixel_shuffle.default: _shuffle,
        aten.pixel_unshuffle.default: _unshuffle,
        aten.upsample_nearest2d.vec: _nearest,
        aten._upsample_nearest_exact2d.vec: _nearest,  # noqa: SLF001 -- its name
        aten.upsample_bilinear2d.vec: _resize("bilinear", 1),
        aten.upsample_bicubic2d.vec: _resize("bicubic", 2),
        aten.avg_pool2d.default: _average,
        aten.max_pool2d.default: _maximum,
        aten.pad.default: _pad,
        aten.constant_pad_nd.default: _constant_pad,
        aten.batch_norm.default: _batch_norm,
        aten._native_batch_norm_legit_no_training.default: _batch_norm,  # noqa: SLF001 -- its name
        # Computed in place where they end up:
        aten.relu.default: pointwise(aten.relu.default, _relu_into),
        aten.add.Tensor: pointwise(aten.add.Tensor, aten.add.out),
        aten.sub.Tensor: pointwise(aten.sub.Tensor, aten.sub.out),
        aten.mul.Tensor: pointwise(aten.mul.Tensor, aten.mul.out),
        aten.div.Tensor: pointwise(aten.div.Tensor, aten.div.out),
        aten.pow.Tensor_Scalar: pointwise(aten.pow.Tensor_Scalar, aten.pow.Tensor_Scalar_out),
    }
    for name in _IN_PLACE:
        packet = getattr(aten, name)
        table[packet.default] = pointwise(packet.default, packet.out)
    for name in _PLAIN:
        packet, _, overload = name.partition(".")
        operator = getattr(aten, packet, None)
        if operator is not None:
            target = getattr(operator, overload or "default")
            table[target] = pointwise(target)
    for operator in (
        aten.rsub.Scalar,
        aten.add.Scalar,
        aten.mul.Scalar,
        aten.sub.Scalar,
        aten.div.Scalar,
        aten.addcmul.default,
    ):
        table[operator] = pointwise(operator)
    for operator in OVER_CHANNELS:
        table[operator] = pointwise(operator)
    return table


OVER_CHANNELS = {
    aten.mean.dim: 1,
    aten.sum.dim_IntList: 1,
    aten.amax.default: 1,
    aten.amin.default: 1,
    aten.var.dim: 1,
    aten.var.correction: 1,
    aten.var_mean.dim: 1,
    aten.var_mean.correction: 1,
    aten.linalg_vector_norm.default: 2,
    aten.softmax.int: 1,
    aten._softmax.default: 1,  # noqa: SLF001 -- its name
}
"""Operators along axes that must be the channels', and which of their arguments names them."""

WHOLE = {
    aten.adaptive_avg_pool2d.default,
    aten.adaptive_max_pool2d.default,
    aten.group_norm.default,
    aten.instance_norm.default,
}
"""Operators that no rows are enough for, in whatever network."""

LAST_AXIS = {aten.layer_norm.default, aten.rms_norm.default, aten.linear.default}
"""Operators along the last axis, which must be the channels'."""

MOVES = {
    aten.view.default,
    aten._unsafe_view.default,  # noqa: SLF001 -- its name
    aten.reshape.default,
    aten.permute.default,
    aten.transpose.int,
    aten.movedim.int,
    aten.contiguous.default,
    aten.clone.default,
    aten.alias.default,
    aten.detach.default,
    aten.unsqueeze.default,
    aten.squeeze.dim,
    aten.squeeze.dims,
    aten.squeeze.default,
    aten.flatten.using_ints,
    aten.unflatten.int,
    aten.flip.default,
    aten.slice.Tensor,
    aten.select.int,
    aten.narrow.default,
    aten.split_with_sizes.default,
    aten.split.Tensor,
    aten.chunk.default,
    aten.unbind.int,
    aten.repeat.default,
    aten.repeat_interleave.self_int,
    aten.expand.default,
    aten.index_select.default,
    aten.channel_shuffle.default,
    aten.lift_fresh_copy.default,
}
"""Operators that compute nothing: each value of their result is one of their input."""

NOTHING = {aten.dropout.default, aten.feature_dropout.default, aten.alpha_dropout.default, aten.type_as.default}
"""Operators that, in evaluation and one precision, change nothing."""

OPERATORS: dict[object, Maker] = _table()
OPERATORS.update({operator: pointwise(operator) for operator in LAST_AXIS})
