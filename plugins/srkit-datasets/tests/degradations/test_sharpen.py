"""Unsharp masking."""

from __future__ import annotations

import strategies
import torch
from hypothesis import given

from srkit_datasets import UnsharpMask
from srkit_datasets.degradations.draws import seeded
from srkit_datasets.degradations.samples import to_array, to_image


def test_weak_edges_stay_and_strong_ones_grow():
    """A step below the threshold is left as it is; above, its sides move apart, and nothing far away changes."""
    picture = torch.full((1, 3, 160, 160), 0.5)
    picture[..., 80:] += 0.05  # the residual is half of it at most: 6 of 255
    torch.testing.assert_close(UnsharpMask()(picture, seeded(0)), picture, atol=1e-6, rtol=0)
    picture[..., 80:] = 0.8
    out = UnsharpMask()(picture, seeded(0))
    assert out[..., 80].min() > 0.85
    assert out[..., 79].max() < 0.45
    torch.testing.assert_close(out[..., :10], picture[..., :10], atol=1e-5, rtol=0)


def test_sigma_is_that_of_the_size():
    """51 pixels mean a sigma of 8, as OpenCV has it; what is cut off lowers the variance a little."""
    line = UnsharpMask().line()
    positions = torch.arange(51) - 25
    assert abs(float((torch.from_numpy(line) * positions**2).sum()) - 64) < 1.5


def test_no_weight_is_no_change(picture):
    """With a weight of 0 the picture stays."""
    torch.testing.assert_close(UnsharpMask(weight=0)(picture, seeded(0)), picture, atol=1e-7, rtol=0)


@given(strategies.tensors(channels=(1, 3)))
def test_both_ways_give_the_same(images):
    """OpenCV and torch agree, but where a residual is at the threshold."""
    mask = UnsharpMask(radius=11, threshold=0)
    expected = torch.stack([to_image(mask._on_array(to_array(image), None, seeded(0))) for image in images])
    out = mask._on_tensors(images, [None] * len(images), [])
    assert float((out - expected).abs().mean()) < 1e-3
    assert out.min() >= 0
    assert out.max() <= 1
