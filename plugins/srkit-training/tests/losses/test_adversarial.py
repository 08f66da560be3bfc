"""Adversarial losses, against their formulas."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import srkit
from srkit_training.losses.adversarial import KINDS, Adversarial


def softplus(x):
    return np.log1p(np.exp(-np.abs(x))) + np.maximum(x, 0)


def cross_entropy(x, label):
    return label * softplus(-x) + (1 - label) * softplus(x)


# real, fake, generator; of logits, and the labels of real and fake.
FORMULAS = {
    "vanilla": (
        lambda d, real, _: cross_entropy(d, real),
        lambda d, _, fake: cross_entropy(d, fake),
        lambda d, real, _: cross_entropy(d, real),
    ),
    "lsgan": (
        lambda d, real, _: (d - real) ** 2,
        lambda d, _, fake: (d - fake) ** 2,
        lambda d, real, _: (d - real) ** 2,
    ),
    "wgan": (lambda d, *_: -d, lambda d, *_: d, lambda d, *_: -d),
    "wgan_softplus": (lambda d, *_: softplus(-d), lambda d, *_: softplus(d), lambda d, *_: softplus(-d)),
    "hinge": (lambda d, *_: np.maximum(0, 1 - d), lambda d, *_: np.maximum(0, 1 + d), lambda d, *_: -d),
}
SHAPES = st.sampled_from([(1,), (3, 1), (2, 1, 4, 5), (1, 1, 1, 1)])


@pytest.mark.parametrize("kind", KINDS)
@given(shape=SHAPES, seed=st.integers(0, 99), labels=st.tuples(st.floats(0.5, 1), st.floats(0, 0.5)))
def test_it_is_the_mean_of_the_formula(kind, shape, seed, labels):
    """Each term is the mean over all logits, whatever their shape, large ones too."""
    labels = labels if kind in {"vanilla", "lsgan"} else (1.0, 0.0)
    loss = Adversarial(kind, *labels)
    logits = 30 * torch.randn(shape, generator=torch.Generator().manual_seed(seed))
    for term, formula in zip((loss.real, loss.fake, loss.generator), FORMULAS[kind], strict=True):
        expected = formula(logits.double().numpy(), *labels).mean()
        assert term(logits).item() == pytest.approx(expected, rel=1e-5, abs=1e-6)
        assert term(logits).ndim == 0


def test_known_values():
    """What an undecided discriminator costs."""
    undecided = torch.zeros(2, 1, 3, 3)
    expected = {
        "vanilla": (math.log(2), math.log(2), math.log(2)),
        "lsgan": (1, 0, 1),
        "wgan": (0, 0, 0),
        "wgan_softplus": (math.log(2), math.log(2), math.log(2)),
        "hinge": (1, 1, 0),
    }
    for kind in KINDS:
        loss = Adversarial(kind)
        found = [term(undecided).item() for term in (loss.real, loss.fake, loss.generator)]
        assert found == pytest.approx(expected[kind]), kind


@pytest.mark.parametrize("kind", KINDS)
def test_gradients_go_the_right_way(kind):
    """Real logits are pushed up, fake ones down, and those of the generator's pictures up by the generator."""
    loss = Adversarial(kind)
    for term, sign in ((loss.real, -1), (loss.fake, 1), (loss.generator, -1)):
        logits = torch.tensor([0.5, 0.25, 0.75], requires_grad=True)
        term(logits).backward()
        assert (logits.grad.sign() == sign).all()


def test_soft_labels_are_reached():
    """A discriminator is content where it says what the label says."""
    loss = Adversarial("vanilla", real_label=0.9, fake_label=0.1)
    logit = torch.tensor([math.log(9)], requires_grad=True)
    (loss.real(logit) + loss.fake(-logit)).backward()
    assert logit.grad.item() == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        (("vanila",), srkit.UnknownName, "unknown adversarial loss 'vanila'; did you mean 'vanilla'"),
        (("wgan-softplus",), srkit.UnknownName, "did you mean 'wgan_softplus'"),
        (("vanilla", 1.2), srkit.SettingsError, r"real_label=1.2; expected a probability within \[0, 1\], such as 1"),
        (("vanilla", 1, -0.1), srkit.SettingsError, "fake_label=-0.1; expected a probability"),
        (("lsgan", float("nan")), srkit.SettingsError, "real_label=nan; expected a number"),
        (("lsgan", "one"), srkit.SettingsError, "real_label='one'"),
        (("vanilla", True), srkit.SettingsError, "real_label=True"),
        (("hinge", 0.9), srkit.SettingsError, "'hinge' knows no labels"),
        (("wgan", 1, 0.1), srkit.SettingsError, "fake_label=0.1, but 'wgan' knows no labels; leave it out"),
    ],
)
def test_bad_options_are_told(arguments, error, words):
    """Each is refused in one line."""
    with pytest.raises(error, match=words):
        Adversarial(*arguments)


def test_labels_of_least_squares_may_lie_anywhere():
    """As in the paper, where -1, 1 and 0 are as good as 0, 1 and 1."""
    loss = Adversarial("lsgan", real_label=1, fake_label=-1)
    assert loss.fake(torch.tensor([1.0])).item() == 4
