"""Penalties, against discriminators whose slopes are known."""

from __future__ import annotations

import pytest
import torch
from torch import nn

import srkit
from srkit_training.losses.penalties import gradient_penalty, r1


class Linear(nn.Module):
    """The sum of weighted values, given out as a map of so many equal parts."""

    def __init__(self, weight, parts=1):
        super().__init__()
        self.weight, self.parts = nn.Parameter(weight), parts

    def forward(self, pictures):
        logits = (pictures * self.weight).flatten(1).sum(1, keepdim=True) / self.parts
        return logits.expand(-1, self.parts).reshape(len(pictures), 1, -1, 1)


class Quadratic(nn.Module):
    """½ a x², whose slope is a x."""

    def __init__(self, factor):
        super().__init__()
        self.factor = nn.Parameter(torch.tensor(factor))

    def forward(self, pictures):
        return self.factor * pictures**2 / 2


@pytest.mark.parametrize("parts", [1, 12])
def test_of_a_linear_discriminator(parts, pictures):
    """The slope is its weights everywhere, so both penalties and their gradients are known; maps count by their sum."""
    real, fake, weight = pictures(4, 3, 5, 6), pictures(4, 3, 5, 6, seed=1), pictures(3, 5, 6, seed=2)
    length = weight.norm()
    discriminator = Linear(weight.clone(), parts)
    penalty = gradient_penalty(discriminator, real, fake)
    torch.testing.assert_close(penalty.detach(), (length - 1) ** 2)
    penalty.backward()
    torch.testing.assert_close(discriminator.weight.grad, 2 * (length - 1) * weight / length)
    discriminator.weight.grad = None
    penalty = r1(discriminator, real)
    torch.testing.assert_close(penalty.detach(), length**2 / 2)
    penalty.backward()
    torch.testing.assert_close(discriminator.weight.grad, weight)


def test_r1_of_a_quadratic_discriminator(pictures):
    """½ a² of the mean over pictures of their sums of squares; of the real pictures alone."""
    real, discriminator = pictures(3, 3, 4, 4), Quadratic(1.5)
    penalty = r1(discriminator, real)
    norms = (real**2).flatten(1).sum(1)
    torch.testing.assert_close(penalty.detach(), 0.5 * 1.5**2 * norms.mean())
    penalty.backward()
    torch.testing.assert_close(discriminator.factor.grad, 1.5 * norms.mean())


def test_gradient_penalty_is_taken_between_the_pairs(pictures):
    """At one place on the line of each pair, drawn from the generator, the norm that of all of its values."""
    real, fake = pictures(3, 3, 4, 4), pictures(3, 3, 4, 4, seed=1)
    rng = torch.Generator().manual_seed(5)
    found = gradient_penalty(Quadratic(2.0), real, fake, rng)
    shares = torch.rand(3, generator=torch.Generator().manual_seed(5)).view(3, 1, 1, 1)
    between = shares * real + (1 - shares) * fake
    expected = ((2 * between.flatten(1).norm(dim=1) - 1) ** 2).mean()
    torch.testing.assert_close(found.detach(), expected)


def test_chance_is_the_generators(pictures):
    """Seeded alike, the penalty is the same, and torch's global generator is left alone; without one it is drawn from."""
    real, fake = pictures(2, 3, 4, 4), pictures(2, 3, 4, 4, seed=1)

    def penalty(seed):
        return gradient_penalty(Quadratic(2.0), real, fake, torch.Generator().manual_seed(seed)).item()

    before = torch.get_rng_state()
    assert penalty(1) == penalty(1) != penalty(2)
    assert torch.equal(torch.get_rng_state(), before)
    gradient_penalty(Quadratic(2.0), real, fake)
    assert not torch.equal(torch.get_rng_state(), before)


def test_gradients_reach_the_parameters_alone(pictures):
    """Pictures get none, even if they ask for some; a network's parameters get finite ones."""
    real, fake = pictures(2, 3, 8, 8).requires_grad_(), pictures(2, 3, 8, 8, seed=1).requires_grad_()
    network = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.LeakyReLU(0.2), nn.Conv2d(4, 1, 3, stride=2))
    (r1(network, real) + gradient_penalty(network, real, fake)).backward()
    assert real.grad is None
    assert fake.grad is None
    weights = [parameter.grad for parameter in network.parameters() if parameter.ndim == 4]
    assert all(torch.isfinite(grad).all() and grad.abs().max() > 0 for grad in weights)


def test_flat_discriminators(pictures):
    """One that says the same everywhere has no slope: 1 and 0, and finite gradients."""
    discriminator = Quadratic(0.0)
    real = pictures(2, 3, 4, 4)
    penalty = gradient_penalty(discriminator, real, real)
    flat = r1(discriminator, real)
    assert penalty.item() == 1
    assert flat.item() == 0
    (penalty + flat).backward()
    assert torch.isfinite(discriminator.factor.grad)


def test_pairs_have_one_shape(pictures):
    """The error names both shapes."""
    with pytest.raises(srkit.ImageError, match=r"\(2, 3, 4, 4\) and \(2, 3, 4, 5\)"):
        gradient_penalty(Quadratic(1.0), pictures(2, 3, 4, 4), pictures(2, 3, 4, 5))
