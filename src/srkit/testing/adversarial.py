"""What an adversarial loss must keep to."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from ..protocols import AdversarialLoss
from .contract import require
from .surroundings import devices, leaves, random_states

_SHAPES = ((4, 1), (4,), (4, 1, 5, 6))
_SURE = 100.0


def _logits(around: float, shape: tuple[int, ...] = (4, 1, 5, 6)) -> Tensor:
    """Logits within a quarter of ``around``."""
    draws = torch.rand(shape, generator=torch.Generator().manual_seed(0))
    return around + 0.5 * (draws - 0.5)


def _terms(loss: AdversarialLoss) -> dict[str, Callable[[Tensor], Tensor]]:
    return {"generator": loss.generator, "real": loss.real, "fake": loss.fake}


def gives_scalars(loss: AdversarialLoss) -> None:
    """Each of the three terms is one finite float32 number, for logits of any shape, on their device."""
    for device in devices():
        for name, term in _terms(loss).items():
            for shape in _SHAPES:
                value = term(_logits(0.0, shape).to(device))
                require(
                    isinstance(value, Tensor) and value.ndim == 0 and value.dtype == torch.float32,
                    f"{name}() of logits {shape} gave {_told(value)}; return a float32 scalar, such as a mean",
                )
                require(bool(value.isfinite()), f"{name}() of logits near 0 gave {float(value.detach())}")
                require(
                    value.device.type == device.type, f"{name}() of logits on {device} gave a value on {value.device}"
                )


def _told(value: object) -> str:
    return f"{value.dtype} of shape {tuple(value.shape)}" if isinstance(value, Tensor) else type(value).__name__


def pushes_the_right_way(loss: AdversarialLoss) -> None:
    """Down its gradient, real raises each logit of a doubted target, fake lowers and generator raises those of outputs."""
    for name, around, upwards in (("real", -0.5, True), ("fake", 0.5, False), ("generator", -0.5, True)):
        logits = _logits(around).requires_grad_()
        value = _terms(loss)[name](logits)
        require(
            value.requires_grad, f"{name}() passes no gradient on; compute with torch's operators, and detach nothing"
        )
        (gradient,) = torch.autograd.grad(value, logits)
        right = (gradient < 0) if upwards else (gradient > 0)
        require(
            bool(right.all()),
            f"down the gradient of {name}(), logits near {around:g} {'fall' if upwards else 'rise'}, or stay; what a "
            f"discriminator says of a picture is high if it takes it for a target: mend the sign",
        )


def bears_sure_verdicts(loss: AdversarialLoss) -> None:
    """Logits of ±100, as of a discriminator that is sure, give finite terms with finite gradients."""
    for name, term in _terms(loss).items():
        for verdict in (-_SURE, _SURE):
            logits = torch.full((4, 1), verdict, requires_grad=True)
            value = term(logits)
            (gradient,) = torch.autograd.grad(value, logits)
            require(
                bool(value.isfinite()) and bool(gradient.isfinite().all()),
                f"{name}() of logits of {verdict:g} is {float(value.detach())}, or its gradient is not finite; take no "
                f"logarithm of a sigmoid: softplus, or binary_cross_entropy_with_logits",
            )


def is_a_mean(loss: AdversarialLoss) -> None:
    """The number of logits makes no difference: given twice, they cost the same (within 1e-5)."""
    logits = _logits(0.0)
    for name, term in _terms(loss).items():
        once, twice = (float(term(given).detach()) for given in (logits, torch.cat((logits, logits))))
        require(
            abs(once - twice) <= 1e-5 * max(1.0, abs(once)),
            f"{name}() of logits is {once:g}, of the same twice over {twice:g}; take the mean",
        )


def repeats_itself(loss: AdversarialLoss) -> None:
    """The same logits cost the same, to the bit; the global random generators are neither read nor moved."""
    with torch.random.fork_rng(devices=[]):
        for name, term in _terms(loss).items():
            before = random_states()
            first = term(_logits(0.0))
            require(random_states() == before, f"{name}() moved a global random generator; draw from one of your own")
            torch.manual_seed(99)
            require(torch.equal(first, term(_logits(0.0))), f"{name}() differs the second time; remember nothing")


def leaves_its_input_alone(loss: AdversarialLoss) -> None:
    """Logits are read, not written, and nothing but them gets a gradient."""
    for name, term in _terms(loss).items():
        given = _logits(0.0)
        term(given)
        require(torch.equal(given, _logits(0.0)), f"{name}() wrote to the logits; compute out of place")
        logits = _logits(0.0).requires_grad_()
        others = [tuple(leaf.shape) for leaf in leaves(term(logits)) if leaf is not logits]
        require(
            not others, f"{name}() also passes gradients to a tensor of shape {others[:1]}; a loss has nothing to train"
        )


ADVERSARIAL_CHECKS = (
    gives_scalars,
    pushes_the_right_way,
    bears_sure_verdicts,
    is_a_mean,
    repeats_itself,
    leaves_its_input_alone,
)
