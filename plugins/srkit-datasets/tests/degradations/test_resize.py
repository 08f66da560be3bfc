"""Resizing: sizes, filters and what is drawn."""

from __future__ import annotations

import pytest
import strategies
import torch
from hypothesis import assume, example, given
from hypothesis import strategies as st
from torch.nn import functional as F

import srkit
from srkit_datasets import Chain, Resize
from srkit_datasets.degradations.draws import seeded
from srkit_datasets.degradations.resize import MODES, weights
from srkit_datasets.degradations.samples import begin, explain, to_array, to_image

sides = st.integers(1, 60)


def clear(before, after, mode):
    """Which output pixels do not begin where an input pixel does, unless all do: there, rounding chooses the pixel."""
    starts = torch.arange(after) * before % after == 0
    return ~starts if mode == "area" and before < after else torch.ones(after, dtype=bool)


@given(strategies.tensors(channels=(1, 3)), sides, sides, st.sampled_from(("area", "bilinear", "bicubic")))
@example(torch.arange(20.0).reshape(1, 1, 1, 20) / 20, 1, 52, "area")
def test_both_ways_give_the_same(images, height, width, mode):
    """OpenCV and the matrices agree for every size, up and down, within 1e-4."""
    plan = (mode, height, width)
    expected = torch.stack([to_image(Resize().on_array(to_array(image), plan, seeded(0))) for image in images])
    out = Resize().on_tensors(images, [plan] * len(images), [])
    rows, columns = (clear(*pair, mode) for pair in zip(images.shape[2:], (height, width), strict=True))
    difference = (out - expected)[:, :, rows][..., columns]
    torch.testing.assert_close(difference, torch.zeros_like(difference), atol=1e-4, rtol=0)


@given(strategies.tensors(), sides, sides, st.sampled_from(("bilinear", "bicubic")), st.booleans())
def test_filters_are_torchs(images, height, width, mode, antialias):
    """Bilinear and bicubic are torch's, with antialiasing and without."""
    # torch's antialiasing repeats the first row in results of one column.
    assume(not antialias or min(width, *images.shape[3:]) > 1)
    expected = F.interpolate(images, (height, width), mode=mode, antialias=antialias).clamp(0, 1)
    out = Resize(antialias=antialias).on_tensors(images, [(mode, height, width)], [])
    torch.testing.assert_close(out, expected, atol=1e-4, rtol=0)


@given(strategies.tensors(), st.integers(1, 4), st.integers(1, 4))
def test_area_of_whole_factors_is_the_mean(images, rows, columns):
    """Smaller by whole factors, area is the mean of each block, and the picture keeps its mean."""
    images = images.repeat_interleave(rows, 2).repeat_interleave(columns, 3)
    height, width = images.shape[2] // rows, images.shape[3] // columns
    out = Resize().on_tensors(images, [("area", height, width)], [])
    torch.testing.assert_close(out, F.avg_pool2d(images, (rows, columns)), atol=1e-5, rtol=0)


@given(st.sampled_from(MODES), sides, sides, st.booleans())
def test_flat_stays_flat(mode, before, after, antialias):
    """What each output pixel takes sums to 1, for every filter and size."""
    matrix = torch.from_numpy(weights(mode, before, after, antialias=antialias))
    assert matrix.shape == (after, before)
    torch.testing.assert_close(matrix.sum(1), torch.ones(after), atol=1e-5, rtol=0)


@given(strategies.tensors(batch=(1, 1)), st.floats(0.3, 3), st.integers(0, 99))
def test_sizes_are_rounded_down(images, factor, seed):
    """The size is that of the picture, or of the goal, times the factor, rounded down, at least 1."""
    height, width = images.shape[2:]
    way = {"up": 1.0} if factor > 1 else {"down": 1.0}
    fixed = Resize(**way, range=(min(factor, 1), max(factor, 1)))
    factor = fixed.draw(begin(images, seeded(seed))[0].rng)[0]
    out = fixed(images, seeded(seed))
    assert out.shape[2:] == (max(1, int(height * factor)), max(1, int(width * factor)))
    to_goal = Chain([Resize(**way, range=fixed.range, of="goal")], scale=3)
    assert to_goal(images, seeded(seed)).shape[2:] == (
        max(1, int(height / 3 * factor)),
        max(1, int(width / 3 * factor)),
    )
    assert Chain([fixed, Resize(of="goal")])(images, seeded(seed)).shape == images.shape


def test_draws_for_each_picture_or_once_a_batch(picture):
    """With per='batch' all pictures get one size and one filter; else sizes of their own, which no tensor holds."""
    images = picture.expand(8, -1, -1, -1)
    own, shared = Resize(up=0.5, down=0.5), Resize(up=0.5, down=0.5, per="batch")
    assert len({tuple(image.shape) for image in explain(own, images, seeded(0))[0]}) > 4
    with pytest.raises(srkit.SettingsError, match="which no tensor holds; end a chain with a resize to the goal"):
        own(images, seeded(0))
    assert len({shared(images, seeded(seed)).shape for seed in range(8)}) > 4


def test_what_means_nothing_is_refused():
    """Ways that are more than certain, and ranges without factors for a way, say so."""
    with pytest.raises(srkit.SettingsError, match=r"up=0\.6 and down=0\.6 are more than 1"):
        Resize(up=0.6, down=0.6)
    with pytest.raises(srkit.SettingsError, match="no factors to go up or down by"):
        Resize(up=0.5, range=(0.2, 0.8))
    with pytest.raises(srkit.UnknownName, match="did you mean 'bicubic'"):
        Resize(modes=["bicubik"])
