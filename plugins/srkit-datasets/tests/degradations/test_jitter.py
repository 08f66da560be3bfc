"""Colours: conversions, jitter, and degradations in other spaces."""

from __future__ import annotations

import colorsys

import pytest
import strategies
import torch
from hypothesis import given
from hypothesis import strategies as st

import srkit
from srkit_datasets import ColourJitter, GaussianNoise, InSpace
from srkit_datasets.degradations.colour import SPACES, hsv_of_rgb, linear_of_srgb, ycbcr_of_rgb
from srkit_datasets.degradations.draws import seeded

STILL = {"brightness": 1, "contrast": 1, "saturation": 1, "hue": 0}


@given(strategies.tensors(channels=(3,)), st.sampled_from(sorted(SPACES)))
def test_there_and_back_is_the_picture(images, space):
    """Every conversion is undone by its inverse."""
    there, back = SPACES[space]
    torch.testing.assert_close(back(there(images)), images, atol=1e-5, rtol=0)
    torch.testing.assert_close(InSpace(space=space)(images, seeded(0)), images, atol=1e-5, rtol=0)


@given(st.tuples(*[st.integers(0, 255).map(lambda level: level / 255)] * 3))
def test_hsv_is_that_of_the_standard_library(colour):
    """Hue, saturation and value are colorsys's."""
    ours = hsv_of_rgb(torch.tensor(colour)[:, None, None]).flatten().tolist()
    theirs = colorsys.rgb_to_hsv(*colour)
    assert ours[1:] == pytest.approx(theirs[1:], abs=1e-5)
    if min(theirs[1:]) > 0.01:
        assert abs((ours[0] - theirs[0] + 0.5) % 1 - 0.5) < 1e-4


def test_known_values():
    """Half of the code values are 21.4 % of the light; red has the luma and chroma of Rec. 601."""
    assert float(linear_of_srgb(torch.tensor(0.5))) == pytest.approx(0.21404, abs=1e-5)
    red = ycbcr_of_rgb(torch.tensor([1.0, 0, 0])[:, None, None]).flatten().tolist()
    assert red == pytest.approx([0.299, 0.5 - 0.299 / 1.772, 1.0])


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
