"""Degradations made of others."""

from __future__ import annotations

import itertools
import math
from collections import Counter

import pytest
import torch

import srkit
from srkit_datasets import Blur, Chain, OneOf, Quantise, Resize, Shuffle, WithProbability
from srkit_datasets.degradations.draws import seeded

COUNT = 20_000


class Mark:
    """Somebody else's degradation, which knows nothing of samples: shifts a picture in base ten by a digit."""

    name = "mark"

    def __init__(self, digit):
        self.digit = digit

    def __call__(self, images, rng):
        assert images.shape[0] == 1
        return images * 10 + self.digit


def _digits(degradation, count=COUNT, seed=0):
    """Which marks each of many pictures got, in their order."""
    out = degradation(torch.zeros(count, 1, 1, 1), seeded(seed))
    return Counter(str(int(value)) for value in out.flatten())


def _within(seen, probability, count=COUNT):
    return abs(seen - count * probability) <= 5 * math.sqrt(count * probability * (1 - probability))


def test_chains_run_in_order():
    """Steps follow one another; chains may be steps."""
    assert _digits(Chain([Mark(1), Chain([Mark(2), Mark(3)]), Mark(4)]), 3) == {"1234": 3}


def test_one_of_draws_by_weight():
    """Each choice comes as often as its weight says, over 20,000 draws; equally often without weights."""
    seen = _digits(OneOf([Mark(1), Mark(2), Mark(3)], weights=(0.6, 0.3, 0.1)))
    assert all(_within(seen[str(i)], p) for i, p in ((1, 0.6), (2, 0.3), (3, 0.1)))
    seen = _digits(OneOf([Mark(1), Mark(2)]))
    assert _within(seen["1"], 0.5)


def test_shuffle_draws_every_order_equally_often():
    """All six orders of three steps come equally often."""
    seen = _digits(Shuffle([Mark(1), Mark(2), Mark(3)]))
    assert set(seen) == {"".join(order) for order in itertools.permutations("123")}
    assert all(_within(times, 1 / 6) for times in seen.values())


def test_with_probability_is_as_often():
    """A step with probability p is run for that share of pictures."""
    assert _within(_digits(WithProbability(Mark(7), p=0.8))["7"], 0.8)


@pytest.mark.parametrize(
    "degradation",
    [
        OneOf([Mark(1), Mark(2), Mark(3)], per="batch"),
        Shuffle([Mark(1), Mark(2), Mark(3)], per="batch"),
        WithProbability(Mark(1), per="batch"),
    ],
)
def test_once_a_batch(degradation):
    """With per='batch' all pictures of a batch get the same, and batches get different ones."""
    seen = [_digits(degradation, 10, seed) for seed in range(40)]
    assert all(len(one) == 1 for one in seen)
    assert len({next(iter(one)) for one in seen}) > 1


def test_nothing_is_no_change(picture):
    """Compositions of nothing leave pictures as they are."""
    for degradation in (Chain(), OneOf(), Shuffle(), WithProbability(p=1)):
        assert torch.equal(degradation(picture, seeded(0)), picture)


def test_goals_are_those_of_the_chain_around(picture):
    """A chain with a scale sets the goal for its steps, from the size that comes in, and gives the outer one back."""
    inner = Chain([Resize(of="goal")], scale=2)
    assert inner(picture, seeded(0)).shape[2:] == (128, 128)
    assert Chain([inner, inner], scale=8)(picture, seeded(0)).shape[2:] == (64, 64)
    assert Chain([inner, inner, Resize(of="goal")], scale=8)(picture, seeded(0)).shape[2:] == (32, 32)
    assert Chain([Resize(of="goal")], scale=2.5)(picture, seeded(0)).shape[2:] == (102, 102)


def test_steps_are_built_from_what_recipes_say():
    """Steps may be degradations, names, or names with options."""
    said = Chain(["quantise", {"blur": {"sigma": [1, 2]}}, {"one-of": ["quantise"]}])
    assert said == Chain((Quantise(), Blur(sigma=(1, 2)), OneOf((Quantise(),))))


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: OneOf([Mark(1), Mark(2)], weights=(1,)), "expected one for each of the 2 choices"),
        (lambda: OneOf([Mark(1)], weights=(0,)), "not all 0"),
        (lambda: WithProbability(Mark(1), p=1.5), r"p=1\.5; expected a number within \[0, 1\]"),
        (lambda: Chain("jpeg"), "no list of degradations"),
        (lambda: Chain({"jpeg": None}), "no list of degradations"),
        (lambda: Chain([3]), "3 is no degradation"),
        (lambda: Chain(scale=0), "scale=0; expected a number above 0"),
        (lambda: Chain([Mark]), "is no degradation"),
    ],
)
def test_nonsense_is_refused(make, words):
    """What cannot be composed is told, with what was expected."""
    with pytest.raises(srkit.SettingsError, match=words):
        make()
