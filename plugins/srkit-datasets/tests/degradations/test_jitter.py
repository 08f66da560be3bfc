"""Jitter, and degradations in other colour spaces."""

from __future__ import annotations

import pytest
import torch

import srkit
from srkit_datasets import ColourJitter, GaussianNoise, InSpace
from srkit_datasets.degradations.draws import seeded

STILL = {"brightness": 1, "contrast": 1, "saturation": 1, "hue": 0}


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, [0.6, 0.4, 0.2]),
        ({"brightness": 0.5}, [0.3, 0.2, 0.1]),
        ({"saturation": 0}, [0.43694, 0.43694, 0.43694]),
        ({"hue": 1 / 3}, [0.2, 0.6, 0.4]),
    ],
)
def test_changes_do_what_they_are_called(change, expected):
    """Each change alone, on one colour."""
    picture = torch.tensor([0.6, 0.4, 0.2])[None, :, None, None].expand(1, 3, 4, 4)
    out = ColourJitter(**STILL | change)(picture, seeded(0))
    assert out[0, :, 0, 0].tolist() == pytest.approx(expected, abs=1e-3)


def test_contrast_is_about_the_mean(picture):
    """Half of the contrast is half of the deviation from the mean grey, which stays."""
    out = ColourJitter(**STILL | {"contrast": 0.5})(picture, seeded(0))
    assert float(out.std()) == pytest.approx(float(picture.std()) / 2, rel=0.1)


def test_steps_run_in_the_space(picture):
    """Noise in chroma alone would leave luma; noise in light is stronger where code values are steep: in the dark."""
    dark, bright = torch.full((1, 3, 200, 200), 0.2), torch.full((1, 3, 200, 200), 0.8)
    noisy = InSpace(step={"gaussian-noise": {"sigma": 3, "grey": 0}})
    assert noisy.step == GaussianNoise(sigma=3, grey=0)
    assert float(noisy(dark, seeded(0)).std()) > 2 * float(noisy(bright, seeded(0)).std())
    with pytest.raises(srkit.UnknownName, match="did you mean 'ycbcr'"):
        InSpace(space="ycrcb")
