"""Convolutions with what follows them, in one compiled kernel: used where its bits are torch's.

Whether they are is not believed but tried: each kernel computes random values of each width that it is for, torch does so
too, and where a bit differs torch goes on alone. Of bfloat16, that none differs from torch's float32 by more than rounding.
"""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Sequence

import attrs
import torch
from torch import Tensor

from . import kernel
from .graph import Node
from .kernel import Kernel, Lanes, Shape
from .machines import Convolution, by_onednn
from .onepass import OnePass, one_pass_of
from .steps import Step, followed, steps_of
from .team import together

NEAR = 128 << 10
"""Bytes of the input that a job goes down the rows with: with the weights they fit into the second cache of a core."""
JOBS = 4
"""Jobs for each thread at least, so that none waits long for the last."""
ROUNDING = 2**-8
"""By how much of a value, or of one, a result in bfloat16 may be off: it is rounded to the nearest, off by half as much."""


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
            "depth": strip.shape[1] // (1 + self.shape.pairs),
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
        wanted = max(1, round(inner * self.shape.taps[0] * self.shape.pixel * self.weights.itemsize / NEAR))
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

    def of(self, node: Node, pixel: int, width: int) -> Fused | OnePass | None:
        """For a node whose input has ``pixel`` floats from one pixel to the next; None where torch is to compute it."""
        machine = node.machine
        if not isinstance(machine, Convolution):
            return None
        if on_gpu(machine.weight):
            return one_pass_of(node)
        if not _plain(machine):
            return None
        channels, given, *taps = machine.weight.shape
        lanes = kernel.lanes(channels)
        if lanes is None:
            return None
        steps, parameters = steps_of(node, channels, lanes.count)
        half = machine.weight.dtype is torch.bfloat16
        shape = shape_of((taps[0], taps[1]), machine.padding[1], (given, channels), pixel, steps, half)
        if not _as_torch(shape, given, width):
            return None
        return _fused(shape, lanes, self._weights(machine.weight, lanes), machine.bias, parameters)

    def _weights(self, weight: Tensor, lanes: Lanes) -> Tensor:
        address = weight.data_ptr()
        if address not in self._packed:
            self._packed[address] = weight, pack(weight, lanes)
        return self._packed[address][1]


def on_gpu(weight: Tensor) -> bool:
    """Whether kernels are Triton's there."""
    return weight.is_cuda


def _fused(shape: Shape, lanes: Lanes, weights: Tensor, bias: Tensor | None, parameters: Sequence[Tensor]) -> Fused:
    def per_channel(values: Tensor) -> Tensor:
        return _padded(values.float().flatten().expand(shape.channels), lanes.count)

    bias = per_channel(weights.new_zeros(1) if bias is None else bias)
    tile = kernel.groups(shape.channels, lanes)[0].columns
    return Fused(kernel.compiled(shape, lanes), shape, weights, bias, [per_channel(p) for p in parameters], tile)


def wholly(node: Node) -> bool:
    """Whether a kernel computes a value with all that follows, so that nothing but the value itself takes memory."""
    machine = node.machine
    if not isinstance(machine, Convolution) or not _plain(machine):
        return False
    lanes = kernel.lanes(node.channels)
    return lanes is not None and len(steps_of(node, machine.weight.shape[0], lanes.count)[0]) == len(node.then)


def _plain(machine: Convolution) -> bool:
    ones = (1, 1)
    simple = (machine.stride, machine.dilation, machine.groups, machine.extra) == (ones, ones, 1, (0, 0))
    fits = machine.padding[1] < machine.weight.shape[3]
    compiles = machine.weight.dtype is torch.float32 or not matrix_units()
    return simple and fits and compiles and by_onednn(machine.weight)


def computed_fast(dtype: torch.dtype) -> bool:
    """Whether a CPU convolves in ``dtype`` no slower than in float32."""
    return dtype is torch.float32 or matrix_units() or (dtype is torch.bfloat16 and kernel.multiplies_pairs())


def matrix_units() -> bool:
    """Whether this CPU has AMX, which oneDNN multiplies 16 bits with, faster than kernels here would."""
    return bool(torch.cpu._is_amx_tile_supported())  # noqa: SLF001 -- torch offers no other way to ask


def shape_of(
    taps: tuple[int, int], pad: int, channels: tuple[int, int], pixel: int, steps: Sequence[Step], half: bool
) -> Shape:
    """Of a kernel for ``channels`` of input and output."""
    pairs = half and channels[0] % 2 == 0
    depth = channels[0] // (1 + pairs)
    unroll = next(n for n in (4, 3, 2, 1) if depth % n == 0)
    return Shape(taps, pad, channels[1], pixel, unroll, tuple(steps), half, pairs)


def pack(weight: Tensor, lanes: Lanes) -> Tensor:
    """(O, I, kh, kw) → of each group of output channels (kh, kw, I, channels), one after the other.

    Of bfloat16, (kh, kw, I / 2, channels, 2), or where I is odd (kh, kw, I, channels, 2) with a zero behind each weight.
    """
    by_channel = _padded(weight.permute(2, 3, 1, 0), lanes.count)[..., None]
    if weight.dtype is torch.bfloat16:
        even = weight.shape[1] % 2 == 0
        pairs = (by_channel[:, :, ::2], by_channel[:, :, 1::2]) if even else (by_channel, torch.zeros_like(by_channel))
        by_channel = torch.cat(pairs, 4)
    parts = []
    for group in kernel.groups(weight.shape[0], lanes):
        size = group.vectors * lanes.count
        for i in range(group.times):
            first = group.first * lanes.count + i * size
            parts.append(by_channel[..., first : first + size, :].flatten())
    return torch.cat(parts)


def _padded(values: Tensor, count: int) -> Tensor:
    """The last axis filled up with zeros to whole registers."""
    return torch.nn.functional.pad(values, (0, -values.shape[-1] % count)).contiguous()


@functools.lru_cache(1024)
def _as_torch(shape: Shape, channels: int, width: int) -> bool:
    """Whether a kernel gives what torch gives, for a picture of this width with so many channels."""
    lanes, generator = kernel.lanes(shape.channels), torch.Generator().manual_seed(0)
    if lanes is None:
        return False
    dtype = torch.bfloat16 if shape.half else torch.float32

    def normal(*sizes: int) -> Tensor:
        return torch.randn(sizes, generator=generator).to(dtype).float()

    height, (down, across) = 3, shape.taps
    store = normal(1, height + down - 1, width, shape.pixel).permute(0, 3, 1, 2)
    weight = normal(shape.channels, down, across, channels).permute(0, 3, 1, 2)
    machine = Convolution(weight, normal(shape.channels), (1, 1), (0, shape.pad), (1, 1), 1)
    made = machine.run([store[:, :channels]], 0, height, store.shape[2])
    expected, others, parameters = followed(made, shape.steps, normal)
    fused = _fused(shape, lanes, pack(weight.to(dtype), lanes), machine.bias, parameters)
    found = fused.run(store.to(dtype)[:, :channels], [other.to(dtype) for other in others])
    if shape.half:
        return torch.allclose(found.float(), expected, rtol=ROUNDING, atol=ROUNDING)
    return torch.equal(found, expected)
