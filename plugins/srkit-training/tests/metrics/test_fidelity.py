"""PSNR and SSIM, against scikit-image and against their published formulas."""

from __future__ import annotations

import math

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import signal
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

import srkit
from srkit_training.metrics import psnr, ssim


def pair(photo, kind):
    """A picture and a worse one, both uint8."""
    rng = np.random.default_rng(1)
    if kind == "random":
        return (rng.integers(0, 256, (40, 53, 3), dtype=np.uint8) for _ in range(2))
    if kind == "noise":
        return photo, np.clip(photo + rng.normal(0, 12, photo.shape), 0, 255).astype(np.uint8)
    _, data = cv2.imencode(".jpg", photo, [cv2.IMWRITE_JPEG_QUALITY, 20])
    return photo, cv2.imdecode(data, cv2.IMREAD_COLOR)


kinds = pytest.mark.parametrize("kind", ["random", "noise", "jpeg"])
borders = pytest.mark.parametrize("border", [0, 4])


@kinds
@borders
def test_equal_to_scikit_image(photo, kind, border):
    """On all colours, both are scikit-image's to 1e-6."""
    a, b = pair(photo, kind)
    inner = slice(border, -border or None)
    x, y = (picture[inner, inner].astype(np.float64) for picture in (a, b))
    assert psnr(a, b, border=border) == pytest.approx(peak_signal_noise_ratio(x, y, data_range=255), abs=1e-6)
    expected = structural_similarity(
        x, y, channel_axis=2, data_range=255, gaussian_weights=True, sigma=1.5, use_sample_covariance=False
    )
    assert ssim(a, b, border=border) == pytest.approx(expected, abs=1e-6)


def published(x, y):
    """PSNR and SSIM of one channel, as Wang et al. write it: a 2-D window, sums wherever it lies inside."""
    kernel = cv2.getGaussianKernel(11, 1.5)
    window = kernel @ kernel.T

    def mean(values):
        return signal.convolve2d(values, window, "valid")

    c1, c2 = 6.5025, 58.5225
    mx, my = mean(x), mean(y)
    vx, vy, cov = mean(x * x) - mx * mx, mean(y * y) - my * my, mean(x * y) - mx * my
    structure = (2 * mx * my + c1) * (2 * cov + c2) / ((mx**2 + my**2 + c1) * (vx + vy + c2))
    return 20 * np.log10(255 / np.sqrt(np.mean((x - y) ** 2))), structure.mean()


@kinds
@borders
def test_luma_is_the_published_formula(photo, kind, border):
    """On luma, both are what their formulas give of MATLAB's Y, which is not rounded."""
    ys = []
    for picture in pair(photo, kind):
        r, g, b = np.moveaxis(picture[border : len(picture) - border, border : picture.shape[1] - border] / 255, 2, 0)
        ys.append(65.481 * r + 128.553 * g + 24.966 * b + 16)
    ratio, similarity = published(*ys)
    a, b = pair(photo, kind)
    assert psnr(a, b, border=border, channel="y") == pytest.approx(ratio, abs=1e-6)
    assert ssim(a, b, border=border, channel="y") == pytest.approx(similarity, abs=1e-6)


def test_known_values(photo):
    """A level apart everywhere is 20·log₁₀(255) dB; equal pictures are infinitely close, and have similarity 1."""
    darker = np.clip(photo, 1, 255) - 1
    assert psnr(np.clip(photo, 1, 255), darker.astype(np.uint8)) == pytest.approx(20 * math.log10(255), abs=1e-9)
    assert psnr(photo, photo) == math.inf
    assert ssim(photo, photo) == pytest.approx(1, abs=1e-12)
    black, white = np.zeros((12, 12, 3)), np.ones((12, 12, 3))
    assert psnr(black, white) == 0
    assert ssim(black, white) == pytest.approx(6.5025 / (255**2 + 6.5025), abs=1e-9)


@given(st.integers(0, 2**32 - 1), st.integers(11, 20), st.integers(11, 20), st.sampled_from(("rgb", "y")))
def test_symmetric_and_bounded(seed, height, width, channel):
    """It does not matter which picture comes first; SSIM lies in [-1, 1]."""
    a, b = np.random.default_rng(seed).integers(0, 256, (2, height, width, 3), dtype=np.uint8)
    assert psnr(a, b, channel=channel) == pytest.approx(psnr(b, a, channel=channel), abs=1e-12)
    assert ssim(a, b, channel=channel) == pytest.approx(ssim(b, a, channel=channel), abs=1e-9)
    assert -1 <= ssim(a, b, channel=channel) <= 1


def test_too_small_for_the_window(photo):
    """A picture that the window does not fit into is refused, with what is left of it."""
    with pytest.raises(
        srkit.ImageError, match="needs 11×11 pixels, and 92×10 are left of a picture of 100×18 with border=4"
    ):
        ssim(photo[:18, :100], photo[:18, :100], border=4)
