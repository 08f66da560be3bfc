"""The second-order degradation: order, sizes, probabilities, and whose bits are whose."""

from __future__ import annotations

import math
import re

import cv2
import numpy as np
import pytest
import strategies
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import srkit.testing
from srkit_datasets import explain, load_recipe, second_order
from srkit_datasets.degradations import samples
from srkit_datasets.degradations.draws import seeded

COUNT = 20_000


@pytest.fixture(scope="module")
def told():
    """What 20,000 pictures drew, a list of words each."""
    with pytest.MonkeyPatch.context() as patch:
        # Draws do not depend on what was computed (below), so nothing is: that would take minutes.
        patch.setattr(samples, "_on_cpu", lambda _: False)
        patch.setattr(samples, "batched", lambda *_: None)
        return explain(second_order(sharpen=False), torch.zeros(COUNT, 1, 1, 1), seeded(0))[1]


def test_draws_do_not_depend_on_the_picture(picture):
    """What is drawn for a picture is the same for any other in its place, of whatever size."""
    expected = explain(load_recipe("wild"), picture.expand(8, -1, -1, -1), seeded(0))[1]
    for other in (torch.zeros(8, 3, 30, 50), torch.ones(8, 3, 300, 7)):
        assert explain(load_recipe("wild"), other, seeded(0))[1] == expected


@srkit.testing.parametrise(second_order(), second_order(2, sharpen=False, per="batch"), load_recipe("wild"))
def test_conforms(check):
    """Whole recipes keep the contract of a degradation."""
    check()


@given(strategies.tensors(channels=(3,), max_side=90), st.sampled_from((1, 2, 3, 4)), st.integers(0, 99))
@settings(max_examples=25)
def test_sizes_and_values(images, scale, seed):
    """The result has 1/scale of the size, rounded down, and values of 8 bits."""
    out = second_order(scale)(images, seeded(seed))
    assert out.shape == (*images.shape[:2], *(max(1, side // scale) for side in images.shape[2:]))
    torch.testing.assert_close(out * 255, (out * 255).round(), atol=1e-4, rtol=0)


def _kinds(words):
    """One letter a step: what was done, without what was drawn."""
    letter = {"blur": "K", "sinc": "K", "gaussian": "N", "poisson": "N", "jpeg": "J"}
    return "".join(letter.get(word.split()[0], "G" if word.endswith("of goal") else "R") for word in words)


def test_the_order_is_the_originals(told):
    """Blur, resize, noise, JPEG; perhaps blur, resize of the goal, noise; then the goal and JPEG in either order."""
    seen = {_kinds(words) for words in told}
    assert seen == {f"KRNJ{blur}GN{end}" for blur in ("", "K") for end in ("GJ", "GKJ", "JG", "JGK")}
    sharpened = explain(second_order(), torch.zeros(1, 3, 8, 8), seeded(0))[1][0]
    assert sharpened[0] == "sharpened"


def _second(words, place):
    """The resize (0) or the noise (1) after the second kernel, which may be missing."""
    return words[4 + (_kinds(words)[4] == "K") + place]


PROBABILITIES = [
    ("first kernel is a sinc", lambda w: w[0], "sinc", 0.1),
    ("first kernel is isotropic", lambda w: w[0], "blur iso", 0.9 * 0.45),
    ("first kernel is anisotropic", lambda w: w[0], "blur aniso", 0.9 * 0.25),
    ("first kernel is a plateau", lambda w: w[0], "blur plateau", 0.9 * 0.15),
    ("first resize goes up", lambda w: w[1], r"\w+ ×1\.(?!00)", 0.2),
    ("first resize goes down", lambda w: w[1], r"\w+ ×0", 0.7),
    ("first resize is by area", lambda w: w[1], "area", 1 / 3),
    ("first resize is bicubic", lambda w: w[1], "bicubic", 1 / 3),
    ("first noise is Gaussian", lambda w: w[2], "gaussian", 0.5),
    ("first noise is grey", lambda w: w[2], ".* grey", 0.4),
    ("first quality is below 63", lambda w: w[3], r"jpeg ([345]\d|6[012])", 0.5),
    ("there is a second kernel", _kinds, "KRNJK", 0.8),
    ("second kernel is a sinc", lambda w: w[4], "sinc", 0.8 * 0.1),
    ("second resize goes up", lambda w: _second(w, 0), r"\w+ ×1\.(?!00)", 0.3),
    ("second resize goes down", lambda w: _second(w, 0), r"\w+ ×0", 0.4),
    ("second noise is Gaussian", lambda w: _second(w, 1), "gaussian", 0.5),
    ("second noise is grey", lambda w: _second(w, 1), ".* grey", 0.4),
    ("JPEG comes last", _kinds, ".*J$", 0.5),
    ("the last kernel is there", _kinds, ".*(GKJ|JGK)$", 0.8),
]


@pytest.mark.parametrize(
    ("step", "pattern", "probability"), [row[1:] for row in PROBABILITIES], ids=[r[0] for r in PROBABILITIES]
)
def test_branches_are_as_often_as_in_the_original(told, step, pattern, probability):
    """Over 20,000 draws, every branch is within five standard deviations of its probability."""
    deviation = math.sqrt(COUNT * probability * (1 - probability))
    # Factors within 0.005 of 1 read 1.00; that is up to 2.5 % of a way.
    slack = 0.025 * COUNT * probability if "×" in pattern else 0
    seen = sum(bool(re.match(pattern, step(words))) for words in told)
    assert abs(seen - COUNT * probability) < 5 * deviation + slack


def test_factors_fill_their_ranges(told):
    """First factors lie in 0.15 … 1.5, second ones in 0.3 … 1.2, down and up evenly."""
    first = np.array([float(words[1].split("×")[1]) for words in told])
    assert (first.min(), first.max()) == (0.15, 1.5)
    down = np.sort(first[first < 0.99])
    assert np.abs((down - 0.15) / 0.85 - np.arange(len(down)) / len(down)).max() < 0.03
    second = np.array([float(re.search(r"×([\d.]+) of goal", " ".join(words))[1]) for words in told])
    assert (second.min(), second.max()) == (0.3, 1.2)


def test_once_a_batch_as_the_original():
    """With per='batch' sizes, filters, kinds of noise and the last order are shared, the rest is each picture's own."""
    told = explain(second_order(sharpen=False, per="batch"), torch.zeros(40, 3, 8, 8), seeded(1))[1]
    assert len({words[1] for words in told}) == 1
    assert len({words[2].split()[0] for words in told}) == 1
    assert len({words[3] for words in told}) > 10
    assert len({_kinds(words).replace("GK", "G") for words in told}) == 1


@given(st.lists(st.integers(1, 3), min_size=1, max_size=3), st.integers(0, 99))
@settings(max_examples=8)
def test_batches_make_no_difference(cuts, seed):
    """However a row of pictures is cut into batches, each comes out the same, to the bit."""
    images = torch.rand(sum(cuts), 3, 44, 60, generator=seeded(5))
    degrade, one_by_one, in_batches = second_order(), seeded(seed), seeded(seed)
    expected = torch.cat([degrade(image[None], one_by_one) for image in images])
    assert torch.equal(torch.cat([degrade(batch, in_batches) for batch in images.split(cuts)]), expected)


def test_threads_make_no_difference(picture):
    """The bits do not depend on how many threads OpenCV and torch have."""
    before = cv2.getNumThreads(), torch.get_num_threads()
    results = []
    for threads in (1, 4):
        cv2.setNumThreads(threads)
        torch.set_num_threads(threads)
        results.append(second_order()(picture.expand(6, -1, -1, -1), seeded(3)))
    cv2.setNumThreads(before[0])
    torch.set_num_threads(before[1])
    assert torch.equal(*results)


def test_what_accelerators_run_gives_the_same(picture, monkeypatch):
    """By torch, batched, as on an accelerator: the same draws and sizes, and nearly the same values."""
    images = picture[..., :200].expand(6, -1, -1, -1)
    expected, words = explain(second_order(), images, seeded(0))
    monkeypatch.setattr(samples, "_on_cpu", lambda _: False)
    out, drawn = explain(second_order(), images, seeded(0))
    assert drawn == words
    for one, other in zip(out, expected, strict=True):
        # JPEG makes steps of small differences, here and there.
        assert float((one - other).abs().mean()) < 0.004
