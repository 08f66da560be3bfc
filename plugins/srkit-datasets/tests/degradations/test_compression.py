"""Compression by files."""

from __future__ import annotations

import math
from collections import Counter

import pytest
import torch

import srkit
from srkit_datasets import AVIF, JPEG, WebP
from srkit_datasets.degradations.draws import seeded
from srkit_datasets.degradations.samples import explain


def _error(degradation, picture):
    return float((degradation(picture, seeded(0)) - picture).square().mean())


@pytest.mark.parametrize("kind", [JPEG, WebP, AVIF])
def test_quality_is_quality(kind, picture):
    """The higher the quality, the nearer to the picture; the highest is near."""
    errors = [_error(kind(quality=quality), picture) for quality in (10, 40, 70, 95)]
    assert errors == sorted(errors, reverse=True)
    assert -10 * math.log10(errors[-1]) > 33


def test_qualities_are_whole_and_equally_often():
    """Over 20,000 draws each quality from 30 to 95 comes as often as another."""
    rng, count = seeded(0), 20_000
    images = torch.zeros(count, 1, 1, 1)
    seen = Counter(int(told[0].split()[1]) for told in explain(JPEG(), images, rng)[1])
    assert set(seen) == set(range(30, 96))
    assert all(abs(times - count / 66) < 5 * math.sqrt(count / 66) for times in seen.values())


@pytest.mark.parametrize("kind", [JPEG, WebP, AVIF])
def test_half_qualities_are_refused(kind):
    """A quality is a whole number."""
    with pytest.raises(srkit.SettingsError, match=r"quality=\(30\.5, 95\); expected two whole numbers"):
        kind(quality=(30.5, 95))
