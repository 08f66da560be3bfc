"""Penalties that keep a discriminator from growing steep; both are to be multiplied by a weight and added to its loss."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Generator, Tensor

import srkit


def gradient_penalty(
    discriminator: Callable[[Tensor], Tensor], real: Tensor, fake: Tensor, rng: Generator | None = None
) -> Tensor:
    """E[(‖∇D(x)‖ - 1)²], x somewhere on the line between a real picture and a fake one.

    I. Gulrajani et al., "Improved Training of Wasserstein GANs", NIPS 2017, equation 3, without its λ, 10 there. ``real``,
    ``fake``: (B, C, H, W), both; gradients go to neither, but to the discriminator's parameters. The place on the line is
    drawn for each pair from ``rng``, torch's global generator if None. D(x) is the sum of a picture's logits, of any shape;
    the norm is that of the gradient of all of its values. Raises ImageError for different shapes.
    """
    if real.shape != fake.shape:
        raise srkit.ImageError(
            f"real and fake pictures differ in shape: {tuple(real.shape)} and {tuple(fake.shape)}; scale or crop one to the "
            f"other"
        )
    shares = torch.rand(len(real), generator=rng, device="cpu" if rng is None else rng.device)
    shares = shares.to(real).view(-1, *[1] * (real.ndim - 1))
    between = torch.lerp(fake.detach(), real.detach(), shares)
    length: Tensor = torch.linalg.vector_norm(_slope(discriminator, between), dim=1)
    return ((length - 1) ** 2).mean()


def r1(discriminator: Callable[[Tensor], Tensor], real: Tensor) -> Tensor:
    """½ E‖∇D(x)‖², x real pictures; the half is in it, so the weight is the γ of the paper.

    L. Mescheder, A. Geiger and S. Nowozin, "Which Training Methods for GANs do actually Converge?", ICML 2018, equation 9.
    ``real``: (B, C, H, W); gradients go to the discriminator's parameters alone. D(x) is the sum of a picture's logits, of
    any shape. BasicSR's ``r1_penalty`` has no half; its models halve the weight.
    """
    return (_slope(discriminator, real.detach()) ** 2).sum(1).mean() / 2


def _slope(discriminator: Callable[[Tensor], Tensor], pictures: Tensor) -> Tensor:
    """The gradient of each picture's logits towards it, (B, C·H·W), itself with gradients."""
    pictures = pictures.clone().requires_grad_()
    # Pictures do not see each other, so the gradient of the sum over the batch is that of each.
    (slope,) = torch.autograd.grad(discriminator(pictures).sum(), pictures, create_graph=True)
    return slope.flatten(1)


class R1:
    """:func:`r1` as a registered penalty."""

    def __call__(self, discriminator: Callable[[Tensor], Tensor], real: Tensor, _fake: Tensor) -> Tensor:
        """See :class:`srkit.Penalty`."""
        return r1(discriminator, real)


class GradientPenalty:
    """:func:`gradient_penalty` as a registered penalty; places are drawn from torch's global generator."""

    def __call__(self, discriminator: Callable[[Tensor], Tensor], real: Tensor, fake: Tensor) -> Tensor:
        """See :class:`srkit.Penalty`."""
        return gradient_penalty(discriminator, real, fake)
