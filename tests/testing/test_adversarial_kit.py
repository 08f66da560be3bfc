"""The checks of adversarial losses and penalties: good ones pass, every check fails for one that breaks its contract."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402
from torch.nn import functional as F  # noqa: E402

import srkit  # noqa: E402
import srkit.testing  # noqa: E402


class Softplus:
    """A small adversarial loss that keeps every contract."""

    def generator(self, logits):
        return self.term(-logits)

    def real(self, logits):
        return self.term(-logits)

    def fake(self, logits):
        return self.term(logits)

    def term(self, logits):
        return F.softplus(logits).mean()


class PerPicture(Softplus):
    def term(self, logits):
        return F.softplus(logits).flatten(1).mean(1)


class ColumnOnly(Softplus):
    def term(self, logits):
        return F.softplus(logits).mean().expand(2)


class Confused(Softplus):
    def generator(self, logits):
        return self.term(logits)


class Indifferent(Softplus):
    def real(self, logits):
        return self.term(-logits.detach())


class Naive(Softplus):
    def term(self, logits):
        return -torch.log(1 - torch.sigmoid(logits)).mean()


class Summed(Softplus):
    def term(self, logits):
        return F.softplus(logits).sum()


class SoftLabels(Softplus):
    def real(self, logits):
        return self.term(-logits) * (1 + torch.rand(()))


class Counting(Softplus):
    calls = 0

    def term(self, logits):
        self.calls += 1
        return F.softplus(logits).mean() * self.calls


class InPlace(Softplus):
    def fake(self, logits):
        return F.softplus(logits.mul_(2) if not logits.requires_grad else logits).mean()


class Learning(Softplus):
    def __init__(self):
        self.weight = nn.Parameter(torch.ones(()))

    def term(self, logits):
        return F.softplus(logits).mean() * self.weight


ADVERSARIAL_CULPRITS = [
    (PerPicture, "gives_scalars", r"of shape \(4,\)"),
    (ColumnOnly, "gives_scalars", r"generator\(\) .* gave torch.float32 of shape \(2,\)"),
    (Confused, "pushes_the_right_way", r"generator\(\), logits near -0.5 fall, or stay"),
    (Indifferent, "pushes_the_right_way", r"real\(\) passes no gradient on"),
    (Naive, "bears_sure_verdicts", "take no logarithm of a sigmoid"),
    (Summed, "is_a_mean", "take the mean"),
    (SoftLabels, "repeats_itself", r"real\(\) moved a global random generator"),
    (Counting, "repeats_itself", "remember nothing"),
    (InPlace, "leaves_its_input_alone", r"fake\(\) wrote to the logits"),
    (Learning, "leaves_its_input_alone", "a loss has nothing to train"),
]


@srkit.testing.parametrise(Softplus(), kind="adversarial")
def test_a_good_adversarial_loss_passes(check):
    """Nothing is asked beyond the contract."""
    check()


@pytest.mark.parametrize(("culprit", "check", "words"), ADVERSARIAL_CULPRITS)
def test_every_check_of_adversarial_losses_can_fail(culprit, check, words):
    """An adversarial loss that breaks one contract fails the check of that name, which says what to change."""
    with pytest.raises(srkit.ContractError, match=words) as caught:
        srkit.testing.check_loss(culprit(), kind="adversarial", only=[check])
    assert caught.value.check == check


def slopes(discriminator, pictures):
    """The squared slope at each picture, (B,)."""
    pictures = pictures.detach().clone().requires_grad_()
    (slope,) = torch.autograd.grad(discriminator(pictures).sum(), pictures, create_graph=True)
    return slope.square().flatten(1).sum(1)


class Between:
    """A small penalty that keeps every contract: the slope somewhere between targets and outputs."""

    def __call__(self, discriminator, real, fake):
        share = torch.rand(len(real), 1, 1, 1).to(real.device)
        return slopes(discriminator, torch.lerp(real.detach(), fake.detach(), share)).mean()


def drift(discriminator, real, fake):
    """Another: what is said of targets is to stay small."""
    return discriminator(real.detach()).square().mean()


def each(discriminator, real, fake):
    return slopes(discriminator, real)


def reward(discriminator, real, fake):
    return -slopes(discriminator, real).mean()


def unlearnt(discriminator, real, fake):
    return slopes(discriminator, real).mean().detach()


def vanishing(discriminator, real, fake):
    return 0 * slopes(discriminator, real).mean()


def endless(discriminator, real, fake):
    return (slopes(discriminator, real).mean() * 0).sqrt()


def attached(discriminator, real, fake):
    return discriminator(fake).square().mean()


def summed(discriminator, real, fake):
    return slopes(discriminator, real).sum()


class Ageing:
    calls = 0

    def __call__(self, discriminator, real, fake):
        self.calls += 1
        return slopes(discriminator, real).mean() / self.calls


def scribbling(discriminator, real, fake):
    return slopes(discriminator, real.mul_(0.5)).mean()


def wanting(discriminator, real, fake):
    real.requires_grad_()
    return slopes(discriminator, real).mean()


def clipping(discriminator, real, fake):
    with torch.no_grad():
        for weight in discriminator.parameters():
            weight.clamp_(-0.01, 0.01)
    return slopes(discriminator, real).mean()


def backward(discriminator, real, fake):
    drift(discriminator, real, fake).backward()
    return slopes(discriminator, real).mean()


def switching(discriminator, real, fake):
    return slopes(discriminator.eval(), real).mean()


PENALTY_CULPRITS = [
    (each, "gives_a_scalar", r"of shape \(3,\); return a float32 scalar"),
    (reward, "gives_a_scalar", "it is at least 0"),
    (unlearnt, "teaches_the_discriminator", "say create_graph=True"),
    (vanishing, "teaches_the_discriminator", "all gradients are 0"),
    (endless, "teaches_the_discriminator", "NaN or infinite"),
    (attached, "teaches_nobody_else", "outputs get a gradient; detach them"),
    (summed, "is_a_mean_over_the_batch", "take the mean over the batch"),
    (Ageing(), "repeats_itself", "remember nothing"),
    (scribbling, "leaves_its_arguments_alone", "wrote to the pictures"),
    (wanting, "leaves_its_arguments_alone", "want gradients afterwards"),
    (clipping, "leaves_its_arguments_alone", "leave steps to its optimiser"),
    (backward, "leaves_its_arguments_alone", r"not backward\(\)"),
    (switching, "leaves_its_arguments_alone", "mode"),
]


@srkit.testing.parametrise(Between(), drift, kind="penalty")
def test_good_penalties_pass(check):
    """Nothing is asked beyond the contract."""
    check()


@pytest.mark.parametrize(("culprit", "check", "words"), PENALTY_CULPRITS)
def test_every_check_of_penalties_can_fail(culprit, check, words):
    """A penalty that breaks one contract fails the check of that name, which says what to change."""
    with pytest.raises(srkit.ContractError, match=words) as caught:
        srkit.testing.check_loss(culprit, kind="penalty", only=[check])
    assert caught.value.check == check


def test_every_check_has_its_culprit():
    """No check is left without an object that fails it, above."""
    for culprits, good, kind in (
        (ADVERSARIAL_CULPRITS, Softplus(), "adversarial"),
        (PENALTY_CULPRITS, drift, "penalty"),
    ):
        assert {name for _, name, _ in culprits} == {c.name for c in srkit.testing.checks_for(good, kind=kind)}


def test_the_kit_leaves_random_numbers_alone():
    """Checks move no generator that a test goes on to use."""
    before = torch.get_rng_state()
    srkit.testing.check_loss(Softplus(), kind="adversarial")
    srkit.testing.check_loss(Between(), kind="penalty")
    assert torch.equal(torch.get_rng_state(), before)
