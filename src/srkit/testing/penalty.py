"""What a penalty on a discriminator must keep to."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ..protocols import Penalty
from .contract import require
from .surroundings import devices, leaves


def _seeded(*layers: type[nn.Module]) -> nn.Sequential:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        first, last = nn.Conv2d(3, 8, 3, stride=2), nn.Conv2d(8, 1, 3)
        return nn.Sequential(first, *(layer() for layer in layers), last)


def _discriminator() -> nn.Sequential:
    """Pictures → a logit for each patch; bent, so that its slope differs from picture to picture."""
    return _seeded(nn.SiLU)


def _pictures(seed: int) -> Tensor:
    return torch.rand(3, 3, 12, 10, generator=torch.Generator().manual_seed(seed))


def _value(penalty: Penalty, discriminator: nn.Module) -> Tensor:
    """What targets and outputs cost, chance always being the same."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(5)
        return penalty(discriminator, _pictures(0), _pictures(1))


def gives_a_scalar(penalty: Penalty) -> None:
    """It gives one float32 number, finite and at least 0, on the pictures' device, whatever the shape of the logits."""
    for device in devices():
        for judge in (_discriminator(), nn.Sequential(_discriminator(), nn.AdaptiveAvgPool2d(1), nn.Flatten(0))):
            with torch.random.fork_rng():
                value = penalty(judge.to(device), _pictures(0).to(device), _pictures(1).to(device))
            require(
                isinstance(value, Tensor) and value.ndim == 0 and value.dtype == torch.float32,
                f"it gave {getattr(value, 'dtype', type(value).__name__)} of shape {tuple(getattr(value, 'shape', ()))}; "
                f"return a float32 scalar, such as a mean",
            )
            require(value.device.type == device.type, f"for pictures on {device} it gave a value on {value.device}")
            require(0 <= float(value.detach()) < float("inf"), f"it gave {float(value.detach())}; it is at least 0")


def teaches_the_discriminator(penalty: Penalty) -> None:
    """The discriminator's parameters get a gradient, which is finite and not 0."""
    judge = _discriminator()
    value = _value(penalty, judge)
    reached = leaves(value) if value.requires_grad else []
    weights = [weight for weight in judge.parameters() if any(leaf is weight for leaf in reached)]
    require(
        bool(weights),
        "no parameter of the discriminator gets a gradient; where its slope is penalised, say create_graph=True",
    )
    gradients = torch.autograd.grad(value, weights)
    require(all(bool(g.isfinite().all()) for g in gradients), "a parameter's gradient is NaN or infinite")
    require(any(bool((g != 0).any()) for g in gradients), "all gradients are 0: it teaches the discriminator nothing")


def teaches_nobody_else(penalty: Penalty) -> None:
    """The pictures get no gradient, neither targets nor, which would reach the generator, outputs."""
    real, fake = _pictures(0).requires_grad_(), _pictures(1).requires_grad_()
    with torch.random.fork_rng(devices=[]):
        value = penalty(_discriminator(), real, fake)
    reached = torch.autograd.grad(value, (real, fake), allow_unused=True)
    for name, gradient in zip(("targets", "outputs"), reached, strict=True):
        require(gradient is None, f"{name} get a gradient; detach them before the discriminator sees them")


def is_a_mean_over_the_batch(penalty: Penalty) -> None:
    """A batch given twice over costs the same (within 1e-4), as a discriminator shows that slopes alike everywhere."""
    judge, real, fake = _seeded(), _pictures(0), _pictures(1)
    with torch.random.fork_rng(devices=[]):
        once, twice = (
            float(penalty(judge, real.repeat(count, 1, 1, 1), fake.repeat(count, 1, 1, 1)).detach()) for count in (1, 2)
        )
    require(
        abs(once - twice) <= 1e-4 * max(abs(once), abs(twice)),
        f"three pictures cost {once:g}, the same twice over {twice:g}; take the mean over the batch",
    )


def repeats_itself(penalty: Penalty) -> None:
    """The same pictures cost the same, to the bit, if torch's global generator, its only chance, is seeded alike."""
    judge = _discriminator()
    first, second = (_value(penalty, judge).detach() for _ in range(2))
    require(
        torch.equal(first, second),
        f"it gave {float(first):g}, then {float(second):g}; draw from torch's global generator alone, remember nothing",
    )


def leaves_its_arguments_alone(penalty: Penalty) -> None:
    """Pictures are read, not written; the discriminator keeps its weights, its mode, and what gradients it had."""
    judge, real, fake = _discriminator(), _pictures(0), _pictures(1)
    with torch.random.fork_rng(devices=[]):
        penalty(judge, real, fake)
    unread = torch.equal(real, _pictures(0)) and torch.equal(fake, _pictures(1))
    require(unread, "it wrote to the pictures; clone them first")
    require(
        not real.requires_grad and not fake.requires_grad,
        "the pictures want gradients afterwards; detach() or clone() them before requires_grad_()",
    )
    ours = list(judge.parameters())
    require(
        all(torch.equal(a, b) for a, b in zip(ours, _discriminator().parameters(), strict=True)),
        "the discriminator's weights changed; leave steps to its optimiser",
    )
    require(
        judge.training and all(p.requires_grad and p.grad is None for p in ours),
        "the discriminator's mode, its requires_grad or its gradients changed; use torch.autograd.grad, not backward()",
    )


PENALTY_CHECKS = (
    gives_a_scalar,
    teaches_the_discriminator,
    teaches_nobody_else,
    is_a_mean_over_the_batch,
    repeats_itself,
    leaves_its_arguments_alone,
)
