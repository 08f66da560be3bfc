"""What a loss of pictures must keep to."""

from __future__ import annotations

import warnings

import torch
from torch import Tensor
from torch.nn import functional as F

from ..errors import ContractError
from ..protocols import Loss
from .contract import require
from .surroundings import devices, leaves, random_states

# Large enough for five scales with a window of 11 pixels, and divisible by 16.
_HEIGHT, _WIDTH = 176, 192
# Sums are taken in another order for other batches and memory formats; more than this is another result.
_TOLERANCE = 1e-4


def _targets() -> Tensor:
    """(2, 3, H, W) float32 in [0, 1]: two pictures of soft shapes with some grain."""
    rng = torch.Generator().manual_seed(0)
    shapes = F.interpolate(torch.rand(2, 3, 11, 12, generator=rng), (_HEIGHT, _WIDTH), mode="bilinear")
    return (0.9 * shapes + 0.1 * torch.rand(2, 3, _HEIGHT, _WIDTH, generator=rng)).clamp(0, 1)


def _off(target: Tensor, share: float) -> Tensor:
    """The target with noise; in the second picture less than in the first, so that the two cost differently."""
    noise = torch.randn(target.shape, generator=torch.Generator().manual_seed(1)).to(target.device)
    return target + share * noise * torch.tensor([1.0, 0.5], device=target.device).view(2, 1, 1, 1)


def _same(one: float, other: float) -> bool:
    return abs(one - other) <= _TOLERANCE * max(abs(one), abs(other))


def gives_a_scalar(loss: Loss) -> None:
    """It gives one float32 number, finite and at least 0, on the device of the pictures."""
    for device in devices():
        target = _targets().to(device)
        value = loss(_off(target, 0.1), target)
        require(isinstance(value, Tensor), f"it gave {type(value).__name__}; return a tensor")
        require(value.ndim == 0, f"it gave a tensor of shape {tuple(value.shape)}; return a scalar, such as a mean")
        require(value.dtype == torch.float32, f"it gave {value.dtype}; compute in float32, as the pictures are")
        require(value.device.type == device.type, f"for pictures on {device} it gave a value on {value.device}")
        number = float(value.detach())
        require(0 <= number < float("inf"), f"it gave {number}; a loss is finite and at least 0")


def grows_with_the_distance(loss: Loss) -> None:
    """Pictures that equal their targets cost least, and more noise costs more."""
    target = _targets()
    with torch.no_grad():
        equal, near, far = (float(loss(_off(target, share), target)) for share in (0, 0.05, 0.2))
    require(
        equal < near < far,
        f"equal pictures cost {equal:g}, with a little noise {near:g}, with four times as much {far:g}; a loss is what "
        f"training makes small, so let it grow with the difference",
    )


def gradients_reach_the_output_alone(loss: Loss) -> None:
    """Each picture of the output gets a gradient, finite even where it equals its target; nothing else gets one."""
    target = _targets()
    for share in (0.1, 0.0):
        output = _off(target, share).requires_grad_()
        value = loss(output, target)
        reached = leaves(value)
        require(
            any(leaf is output for leaf in reached),
            "the output gets no gradient; compute with torch's operators, and detach the target alone",
        )
        others = [tuple(leaf.shape) for leaf in reached if leaf is not output]
        require(
            not others,
            f"gradients also reach tensors of shape {', '.join(map(str, others[:3]))}; freeze what the loss looks through: "
            f"network.requires_grad_(False)",
        )
        (gradient,) = torch.autograd.grad(value, output)
        where = "noisy pictures" if share else "pictures that equal their targets"
        require(
            bool(gradient.isfinite().all()),
            f"the gradient at {where} is NaN or infinite; add an epsilon inside roots, logarithms and quotients",
        )
        require(
            not share or bool((gradient != 0).flatten(1).any(1).all()),
            "a picture that is off gets no gradient; let every picture of the batch count",
        )


def bears_overshoot(loss: Loss) -> None:
    """Values below 0 and above 1, as networks give them, cost a finite amount and get finite gradients."""
    target = _targets()
    output = (3 * _off(target, 0.1) - 1).requires_grad_()
    value = loss(output, target)
    require(bool(value.isfinite()), f"an output in [-1, 2] costs {float(value.detach())}; no root or logarithm of it")
    (gradient,) = torch.autograd.grad(value, output)
    require(bool(gradient.isfinite().all()), "an output in [-1, 2] gets a gradient that is NaN or infinite")


def refuses_other_shapes(loss: Loss) -> None:
    """A target of another shape is refused, and not broadcast."""
    output = _targets()
    for shape in ((1, 3, _HEIGHT, _WIDTH), (2, 1, _HEIGHT, _WIDTH), (2, 3, 1, _WIDTH), (2, 3, _HEIGHT, 1)):
        # torch warns of broadcasting, and broadcasts.
        with torch.no_grad(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                loss(output, torch.zeros(shape))
            except Exception:  # noqa: BLE001, S112 -- whatever it raises, it is refused
                continue
        raise ContractError(
            f"a target of {shape} is taken for an output of {tuple(output.shape)}; compare the shapes, and raise "
            f"srkit.ImageError if they differ",
            "refuses_other_shapes",
        )


def is_a_mean_over_the_batch(loss: Loss) -> None:
    """A batch costs the mean of what its pictures cost alone (within 1e-4), so its size makes no difference."""
    target = _targets()
    output = _off(target, 0.1)
    with torch.no_grad():
        together = float(loss(output, target))
        alone = [float(loss(*pair)) for pair in zip(output[:, None], target[:, None], strict=True)]
    require(
        _same(together, sum(alone) / 2),
        f"two pictures cost {alone[0]:g} and {alone[1]:g} alone, but {together:g} together; take the mean over the batch",
    )


def repeats_itself(loss: Loss) -> None:
    """The same pictures cost the same, to the bit; the global random generators are neither read nor moved."""
    target = _targets()
    output = _off(target, 0.1)
    with torch.no_grad(), torch.random.fork_rng(devices=[]):
        loss(output, target)  # what is read once, such as weights, is no matter
        before = random_states()
        first = loss(output, target)
        require(
            random_states() == before, "a global random generator moved; draw from one of your own, always seeded alike"
        )
        torch.manual_seed(99)
        second = loss(output, target)
    require(
        torch.equal(first, second),
        f"the same pictures cost {float(first):g}, then {float(second):g}; draw nothing, remember nothing",
    )


def leaves_its_input_alone(loss: Loss) -> None:
    """Pictures are read, not written, and how they lie in memory makes no difference (within 1e-4)."""
    target = _targets()
    output = _off(target, 0.1)
    with torch.no_grad():
        costs = []
        for layout in (torch.contiguous_format, torch.channels_last):
            given = [pictures.clone(memory_format=layout) for pictures in (output, target)]
            costs.append(float(loss(*given)))
            unchanged = torch.equal(given[0], output) and torch.equal(given[1], target)
            require(unchanged, "it wrote to the pictures; clone them first, or leave out inplace=True")
    require(
        _same(*costs),
        f"the same pictures cost {costs[0]:g}, with channels last {costs[1]:g}; use no strides, no view()",
    )


LOSS_CHECKS = (
    gives_a_scalar,
    grows_with_the_distance,
    gradients_reach_the_output_alone,
    bears_overshoot,
    refuses_other_shapes,
    is_a_mean_over_the_batch,
    repeats_itself,
    leaves_its_input_alone,
)
