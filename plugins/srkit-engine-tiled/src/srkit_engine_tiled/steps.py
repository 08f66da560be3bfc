"""Steps: what happens, pixel by pixel, to the result of a convolution, as compiled kernels know it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import attrs
import torch
from torch import Tensor

from .graph import Node
from .machines import Picture, Pointwise, add_repeated

aten = torch.ops.aten


@attrs.frozen
class Step:
    """What happens to a value next.

    ``kind``: relu, leaky, prelu, scale, gain, add; or spread, the addition of a picture whose channels stand for ``value``
    channels each. ``value``: else the number, where it is the same for all channels.
    """

    kind: str
    value: float = 0.0

    @property
    def has_parameter(self) -> bool:
        """Whether it takes a number for each channel."""
        return self.kind in {"prelu", "gain"}

    @property
    def has_picture(self) -> bool:
        """Whether it takes another picture."""
        return self.kind in {"add", "spread"}

    @property
    def each(self) -> int:
        """How many channels one channel of the other picture stands for."""
        return int(self.value) if self.kind == "spread" else 1

    def fits(self, lanes: int) -> bool:
        """Whether kernels that compute so many channels at once can do it."""
        return self.each == 1 or self.each % lanes == 0 or lanes % self.each == 0


def steps_of(node: Node, channels: int, lanes: int = 1) -> tuple[list[Step], list[Tensor]]:
    """The first of the steps that follow a value of so many channels which kernels can do, and their parameters.

    ``lanes``: how many channels they compute at once.
    """
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


TORCH: Mapping[str, Callable[[Tensor, Tensor], Tensor]] = {
    "relu": lambda values, _: aten.relu(values),
    "leaky": lambda values, slope: aten.leaky_relu(values, slope.item()),
    "prelu": aten.prelu,
    "scale": lambda values, factor: aten.mul(values, factor.item()),
    "gain": lambda values, factors: aten.mul(values, factors[:, None, None]),
    "add": aten.add,
    "spread": lambda values, other: add_repeated(values, other, values.shape[1] // other.shape[1]),
}
"""What the steps of kernels stand for."""


def followed(
    values: Tensor, steps: Sequence[Step], normal: Callable[..., Tensor]
) -> tuple[Tensor, list[Tensor], list[Tensor]]:
    """What torch makes of ``values``, (B, C, h, W), by steps with pictures and parameters of ``normal``'s; and these."""
    pictures, parameters = [], []
    batch, channels, height, width = values.shape
    for step in steps:
        other = torch.tensor(step.value)
        if step.has_picture:
            other = normal(batch, height, width, channels // step.each).permute(0, 3, 1, 2)
            pictures.append(other)
        elif step.has_parameter:
            other = normal(channels)
            parameters.append(other)
        values = TORCH[step.kind](values, other)
    return values, pictures, parameters
