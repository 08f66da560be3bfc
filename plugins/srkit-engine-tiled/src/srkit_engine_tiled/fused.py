"""Convolutions with what follows them, in one compiled kernel: used where its bits are torch's.

Whether they are is not believed but tried: each kernel computes random values of each width that it is for, torch does so
too, and where a bit differs torch goes on alone.
"""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Callable, Mapping, Sequence

import attrs
import torch
from torch import Tensor

from . import kernel
from .graph import Node
from .kernel import Kernel, Lanes, Shape, Step
from .machines import Convolution, Picture, Pointwise, add_repeated, by_onednn
from .team import together

NEAR = 128 << 10
"""Bytes of the input that a job goes down the rows with: with the weights they fit into the second cache of a core."""
JOBS = 4
"""Jobs for each thread at least, so that none waits long for the last."""
aten = torch.ops.aten


@attrs.frozen(eq=False)
class Fused:
    """A convolution and the first of the steps that follow it, ready to run."""

    kernel: Kernel
    shape: Shape
    weights: Tensor
    bias: Tensor
    parameters: Sequence[Tensor]
    tile: int

    @property
    def count(self) -> int:
        """The steps that are done."""
        return len(self.shape.steps)

    def run(self, strip: Tensor, others: Sequence[Tensor], out: Tensor | None = None) -> Tensor:
        """Compute into ``out``, (B, C, h, W), or fresh memory; channels-last as all of them.

        ``others``: the pictures that are added.
        """
        if out is None:
            height, width = strip.shape[2] - self.shape.taps[0] + 1, strip.shape[3] - self.shape.taps[1] + 1
            out = strip.new_empty(strip.shape[0], height, width + 2 * self.shape.pad, self.shape.channels)
            out = out.permute(0, 3, 1, 2)
        batch, _, height, width = out.shape
        threads = torch.get_num_threads()
        parts, columns = self._parts(strip.shape[3])
        blocks = _blocks(batch * parts, threads, height)
        rows = -(-height // blocks)
        told = {
            "next": 0,
            "jobs": batch * -(-height // rows) * parts,
            "parts": parts,
            "rows": rows,
            "height": height,
            "columns": columns,
            "width": strip.shape[3],
            "input channels": strip.shape[1],
            "w": self.weights.data_ptr(),
            "bias": self.bias.data_ptr(),
            **_place("x", strip),
            **_place("out", out),
        }
        pictures, parameters = iter(others), iter(self.parameters)
        for i, step in enumerate(self.shape.steps):
            if step.has_picture:
                told |= _place(str(i), next(pictures))
            elif step.has_parameter:
                told[str(i)] = next(parameters).data_ptr()
        names = kernel.fields_of(self.shape)
        fields = (ctypes.c_int64 * len(names))(*[told[name] for name in names])
        together(self.kernel.address, ctypes.addressof(fields), threads)
        return out

    def _parts(self, width: int) -> tuple[int, int]:
        """How many blocks of columns, and how wide: whole tiles, of which the rows they read stay in a cache."""
        tile = self.tile
        inner = width - self.shape.taps[1] + 1
        wanted = max(1, round(inner * self.shape.taps[0] * self.shape.pixel * 4 / NEAR))
        columns = max(1, -(-inner // (wanted * tile))) * tile
        return max(1, inner // columns + (inner % columns >= tile)), columns


def _blocks(parts: int, threads: int, height: int) -> int:
    """Into how many blocks rows are cut: as many jobs for each thread, for all wait for the last."""
    blocks = -(-JOBS * threads // parts)
    while blocks * parts % threads:
        blocks += 1
    return min(blocks, height)


def _place(name: str, picture: Tensor) -> dict[str, int]:
    strides = {"picture": 0, "row": 2, "pixel": 3}
    return {name: picture.data_ptr(), **{f"{name} {kind}": picture.stride(axis) for kind, axis in strides.items()}}


class Kernels:
    """The kernels of one network's convolutions; weights are repacked once for all that read them alike.

    ``used``: whether all that could be compiled gives torch's bits.
    """

    def __init__(self) -> None:
        self.used = False
        self._packed: dict[int, tuple[Tensor, Tensor]] = {}  # by address, which is the weights' while they are held

    def of(self, node: Node, pixel: int, width: int) -> Fused | None:
        """For a node whose input has ``pixel`` floats from one pixel to the next; None where torch is to compute it."""
        machine = node.machine
        if not isinstance(machine, Convolution) or not _plain(machine):
            return None
        channels, given, *taps = machine.weight.shape
        lanes = kernel.lanes(channels)
        if lanes is None:
            return None
        steps, parameters = _steps(node, channels, lanes)
        shape = Shape((taps[0], taps[1]), machine.padding[1], channels, pixel, _unroll(given), tuple(steps))
        if not _as_torch(shape, given, width):
            return None
        return _fused(shape, lanes, self._weights(machine.weight, lanes), machine.bias, parameters)

    def _weights(self, weight: Tensor, lanes: Lanes) -> Tensor:
        address = weight.data_ptr()
        if address not in self._packed:
            self._packed[address] = weight, pack(weight, lanes)
        return self._packed[address][1]


def _fused(shape: Shape, lanes: Lanes, weights: Tensor, bias: Tensor | None, parameters: Sequence[Tensor]) -> Fused:
    if bias is None:
        bias = weights.new_zeros(shape.channels)
    per_channel = [_padded(values.flatten().expand(shape.channels), lanes.count) for values in parameters]
    tile = kernel.groups(shape.channels, lanes)[0].columns
    return Fused(kernel.compiled(shape, lanes), shape, weights, _padded(bias, lanes.count), per_channel, tile)


def wholly(node: Node) -> bool:
    """Whether a kernel computes a value with all that follows, so that nothing but the value itself takes memory."""
    machine = node.machine
    if not isinstance(machine, Convolution) or not _plain(machine):
        return False
    lanes = kernel.lanes(node.channels)
    return lanes is not None and len(_steps(node, machine.weight.shape[0], lanes)[0]) == len(node.then)


def _plain(machine: Convolution) -> bool:
    ones = (1, 1)
    simple = (machine.stride, machine.dilation, machine.groups, machine.extra) == (ones, ones, 1, (0, 0))
    fits = machine.padding[1] < machine.weight.shape[3]
    return simple and fits and machine.weight.dtype is torch.float32 and by_onednn(machine.weight)


def _unroll(channels: int) -> int:
    return next(n for n in (4, 3, 2, 1) if channels % n == 0)


def pack(weight: Tensor, lanes: Lanes) -> Tensor:
    """(O, I, kh, kw) → of each group of output channels (kh, kw, I, channels), one after the other."""
    by_channel = _padded(weight.permute(2, 3, 1, 0), lanes.count)
    parts = []
    for group in kernel.groups(weight.shape[0], lanes):
        size = group.vectors * lanes.count
        for i in range(group.times):
            first = group.first * lanes.count + i * size
            parts.append(by_channel[..., first : first + size].flatten())
    return torch.cat(parts)


def _padded(values: Tensor, count: int) -> Tensor:
    """The last axis filled up with zeros to whole registers."""
    return torch.nn.functional.pad(values, (0, -values.shape[-1] % count)).contiguous()


def _steps(node: Node, channels: int, lanes: Lanes) -> tuple[list[Step], list[Tensor]]:
    """The first of the steps that follow which a kernel can do, and their parameters."""
    steps: list[Step] = []
    parameters: list[Tensor] = []
    for machine, values, made in node.then:
        found = _step(machine, values, channels) if made == channels else None
        if found is None or not found[0].fits(lanes):
            break
        step, parameter = found
        steps.append(step)
        if parameter is not None:
            parameters.append(parameter)
    return steps, parameters


def _step(machine: Pointwise, values: Sequence[Node | None], channels: int) -> tuple[Step, Tensor | None] | None:
    """A step, and its parameter for each channel if it has one; None of what kernels cannot do."""
    target, args = machine.target, machine.args
    if machine.axes is not None or machine.output is not None or machine.kwargs:
        return None
    if target is aten.relu.default:
        return Step("relu"), None
    if target is aten.leaky_relu.default:
        return Step("leaky", float(args[1]) if len(args) > 1 else 0.01), None
    others = [value for value in values if value is not None]
    if len(others) == 1 and len(values) == 2:
        if target is aten.add.Tensor and others[0].channels == channels:
            return Step("add"), None
        if target is add_repeated:
            return Step("spread", args[2]), None
    if target in {aten.mul.Tensor, aten.mul.Scalar, aten.prelu.default} and len(values) == 1:
        (factor,) = [arg for arg in args if not isinstance(arg, Picture)]
        if not isinstance(factor, Tensor):
            return Step("scale", float(factor)), None
        if factor.numel() in {1, channels} and (factor.ndim != 4 or factor.shape[1] == factor.numel()):
            return Step("prelu" if target is aten.prelu.default else "gain"), factor
    return None


@functools.lru_cache(1024)
def _as_torch(shape: Shape, channels: int, width: int) -> bool:
    """Whether a kernel gives the bits that torch gives, for a picture of this width with so many channels."""
    lanes, generator = kernel.lanes(shape.channels), torch.Generator().manual_seed(0)
    if lanes is None:
        return False

    def normal(*sizes: int) -> Tensor:
        return torch.randn(sizes, generator=generator)

    height, (down, across) = 3, shape.taps
    strip = normal(1, height + down - 1, width, shape.pixel).permute(0, 3, 1, 2)[:, :channels]
    weight = normal(shape.channels, down, across, channels).permute(0, 3, 1, 2)
    machine = Convolution(weight, normal(shape.channels), (1, 1), (0, shape.pad), (1, 1), 1)
    expected = machine.run([strip], 0, height, strip.shape[2])
    others, parameters = [], []
    for step in shape.steps:
        value = torch.tensor(step.value)
        if step.has_picture:
            value = normal(1, *expected.shape[2:], shape.channels // step.each).permute(0, 3, 1, 2)
            others.append(value)
        elif step.has_parameter:
            value = normal(shape.channels)
            parameters.append(value)
        expected = _TORCH[step.kind](expected, value)
    fused = _fused(shape, lanes, pack(weight, lanes), machine.bias, parameters)
    return torch.equal(fused.run(strip, others), expected)


_TORCH: Mapping[str, Callable[[Tensor, Tensor], Tensor]] = {
    "relu": lambda values, _: aten.relu(values),
    "leaky": lambda values, slope: aten.leaky_relu(values, slope.item()),
    "prelu": aten.prelu,
    "scale": lambda values, factor: aten.mul(values, factor.item()),
    "gain": lambda values, factors: aten.mul(values, factors[:, None, None]),
    "add": aten.add,
    "spread": lambda values, other: add_repeated(values, other, values.shape[1] // other.shape[1]),
}
"""What the steps of kernels stand for."""
