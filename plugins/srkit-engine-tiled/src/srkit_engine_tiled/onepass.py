"""What follows a convolution on a CUDA device, in one pass over its result: the same bits, sooner.

There torch adds the bias in a pass of its own, does each step that follows in another, and the last brings the values where
they belong; networks of 64 channels wait for memory more than for arithmetic. One kernel of Triton's does it all to a value
at a time, rounded after every step as torch rounds.

Whether its bits are torch's is not believed but tried, as in :mod:`.fused`. Where Triton is not, or cannot compile, torch
goes on alone.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence

import attrs
import torch
from torch import Tensor

from .graph import Node
from .machines import Convolution
from .steps import Step, followed, steps_of

VALUES = 2048
"""Of a program: enough for each thread to read 16 bytes at a time."""


@attrs.frozen(eq=False)
class OnePass:
    """A convolution and the first of the steps that follow it; see :class:`.fused.Fused`, whose place it takes."""

    convolution: Convolution
    bias: Tensor | None
    steps: Sequence[Step]
    parameters: Sequence[Tensor]

    @property
    def count(self) -> int:
        """The steps that are done."""
        return len(self.steps)

    def run(self, strip: Tensor, others: Sequence[Tensor], out: Tensor | None = None) -> Tensor:
        """Compute into ``out``, (B, C, h, W), or fresh memory, channels-last. ``others``: the pictures that are added."""
        from .triton_kernel import one_pass

        made = self.convolution.run((strip,), 0, 0, 0)
        if out is None:
            out = made
        batch, channels, height, width = made.shape
        pictures, parameters = iter(others), iter(self.parameters)
        beside, strides = [], [_strides(made), _strides(out)]
        for step in self.steps:
            if step.has_picture:
                beside.append(next(pictures))
                strides.append(_strides(beside[-1]))
            elif step.has_parameter:
                beside.append(next(parameters))
                strides.append((0, 0, 0, beside[-1].stride(0)))
            else:
                beside.append(made)
                strides.append((0, 0, 0, 0))
        lanes = 1 << (channels - 1).bit_length()
        columns = max(1, VALUES // lanes)
        with torch.cuda.device_of(made):  # type: ignore[no-untyped-call]
            one_pass[(batch * height, -(-width // columns))](
                made,
                out,
                made if self.bias is None else self.bias,
                tuple(beside),
                tuple(strides),
                height,
                width,
                self.bias is not None,
                tuple(step.kind for step in self.steps),
                tuple(step.value for step in self.steps),
                channels,
                lanes,
                columns,
                enable_fp_fusion=False,  # a product and a sum are rounded twice
            )
        return out


def one_pass_of(node: Node) -> OnePass | None:
    """For a node that is a convolution; None where torch is to compute it."""
    machine = node.machine
    if not isinstance(machine, Convolution):
        return None
    channels = machine.weight.shape[0]
    steps, parameters = steps_of(node, channels)
    if machine.bias is None and not steps:
        return None
    if not _as_torch(channels, tuple(steps), machine.weight.dtype, machine.weight.device):
        return None
    each = [values.flatten().expand(channels) for values in parameters]
    return OnePass(attrs.evolve(machine, bias=None), machine.bias, steps, each)


@functools.lru_cache(1024)
def _as_torch(channels: int, steps: tuple[Step, ...], dtype: torch.dtype, device: torch.device) -> bool:
    """Whether the kernel gives the bits that torch gives."""
    generator = torch.Generator().manual_seed(0)

    def normal(*sizes: int) -> Tensor:
        return torch.randn(sizes, generator=generator).to(device, dtype)

    height, width = 3, 70
    weight, strip = normal(channels, 1, 1, 8).permute(0, 3, 1, 2), normal(2, height, width, 8).permute(0, 3, 1, 2)
    machine = Convolution(weight, normal(channels), (1, 1), (0, 0), (1, 1), 1)
    expected, others, parameters = followed(machine.run((strip,), 0, height, height), steps, normal)
    ours = OnePass(attrs.evolve(machine, bias=None), machine.bias, steps, parameters)
    store = normal(2, height, width, channels + 8)
    out = store[..., 8:].permute(0, 3, 1, 2)
    try:
        ours.run(strip, others, out)
    except Exception:  # noqa: BLE001  # no Triton, no compiler for it, a device it does not know
        return False
    return torch.equal(out, expected)


def _strides(picture: Tensor) -> tuple[int, ...]:
    return tuple(picture.stride(axis) for axis in (0, 2, 3, 1))
