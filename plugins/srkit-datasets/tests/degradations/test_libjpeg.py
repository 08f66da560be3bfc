"""JPEG in torch against libjpeg, in every bit."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import strategies
import torch
from hypothesis import given
from hypothesis import strategies as st

from srkit_datasets import JPEG
from srkit_datasets.degradations.draws import seeded
from srkit_datasets.degradations.libjpeg import jpeg


def _libjpeg(picture, quality):
    """(H, W, 3) uint8 RGB, through OpenCV's encoder and decoder, 4:2:0."""
    flags = (cv2.IMWRITE_JPEG_QUALITY, quality, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_420)
    _, data = cv2.imencode(".jpg", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), flags)
    return cv2.cvtColor(cv2.imdecode(data, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)


def _ours(picture, quality):
    images = torch.from_numpy(picture.astype(np.float32) / 255).permute(2, 0, 1)[None]
    return (jpeg(images, [quality])[0] * 255).round().permute(1, 2, 0).numpy().astype(np.uint8)


@pytest.mark.parametrize(
    "part", [(slice(None), slice(None)), (slice(3, 100), slice(90, 183)), (slice(17), slice(200, 231))]
)
def test_photos_are_libjpegs(photo, part):
    """For qualities 30 to 95 no value of a photo differs from libjpeg's, sides being multiples of 16 or odd."""
    picture = np.ascontiguousarray(photo[part])
    differing = [int((_ours(picture, quality) != _libjpeg(picture, quality)).sum()) for quality in range(30, 96)]
    assert sum(differing) == 0


@given(strategies.pictures(dtypes=("uint8",), channels=(3,), max_side=40), st.integers(1, 100))
def test_any_picture_is_libjpegs(picture, quality):
    """Whatever the size, the content and the quality, every value is libjpeg's."""
    np.testing.assert_array_equal(_ours(picture, quality), _libjpeg(picture, quality))


@given(strategies.tensors(), st.integers(0, 99))
def test_the_degradation_is_the_same_both_ways(images, seed):
    """JPEG by libjpeg and by torch are the same to the bit, in colour and grey, with a quality for each picture."""
    expected = JPEG()(images, seeded(seed))
    assert torch.equal(JPEG(differentiable=True)(images, seeded(seed)), expected)


def test_gradients_pass_and_lead_somewhere(picture):
    """Following the gradient of a distance through the file, a picture comes to be one whose file is nearer."""
    goal = picture[..., :64, 64:128]
    wanted = JPEG(quality=50)(goal, seeded(0))
    image = (goal * 0.5 + 0.25).requires_grad_(True)
    degrade = JPEG(quality=50, differentiable=True)
    losses = []
    for _ in range(20):
        loss = (degrade(image, seeded(0)) - wanted).square().sum()
        (gradient,) = torch.autograd.grad(loss, image)
        assert torch.isfinite(gradient).all()
        losses.append(float(loss.detach()))
        image = (image - 0.3 * gradient).detach().requires_grad_(True)
    assert losses[-1] < 0.05 * losses[0]
    grey = picture[:, :1, :16, :16].clone().requires_grad_(True)
    degrade(grey, seeded(0)).sum().backward()
    assert torch.isfinite(grey.grad).all()
