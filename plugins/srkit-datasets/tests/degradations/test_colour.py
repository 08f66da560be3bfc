"""Colour spaces."""

from __future__ import annotations

import colorsys

import pytest
import strategies
import torch
from hypothesis import given
from hypothesis import strategies as st

from srkit_datasets import InSpace
from srkit_datasets.degradations.colour import SPACES, hsv_of_rgb, linear_of_srgb, ycbcr_of_rgb
from srkit_datasets.degradations.draws import seeded


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
