"""How close a picture is to another, pixel by pixel and window by window."""

from __future__ import annotations

import math
from functools import partial

import cv2
import numpy as np

import srkit

from .levels import Array, seen

WINDOW = 11
"""Pixels a side of SSIM's window."""
_SIGMA = 1.5
_C1, _C2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2


def psnr(a: Array, b: Array, *, border: int = 0, channel: str = "rgb") -> float:
    """Peak signal-to-noise ratio in dB, 10 · log₁₀(255² / mean squared difference); infinite for equal pictures.

    ``a``, ``b``: (H, W, 3), uint8 or floats in [0, 1], RGB. ``border``: pixels left out at each side. ``channel``: ``"rgb"``,
    or ``"y"`` for luma (BT.601, 16 to 235, not rounded). Raises ImageError and SettingsError.
    """
    x, y = seen(a, b, border, channel)
    error = float(np.mean(np.square(x - y)))
    return math.inf if error == 0 else 10 * math.log10(255**2 / error)


def ssim(a: Array, b: Array, *, border: int = 0, channel: str = "rgb") -> float:
    """Structural similarity, at most 1, which equal pictures have; the mean over pixels and channels.

    Wang et al., "Image quality assessment: from error visibility to structural similarity", 2004, eq. 13: a Gaussian
    window of 11×11 pixels, σ = 1.5, wherever it lies inside the picture; K₁ = 0.01, K₂ = 0.03. Arguments as for :func:`psnr`.
    """
    x, y = seen(a, b, border, channel)
    if min(x.shape[:2]) < WINDOW:
        raise srkit.ImageError(
            f"SSIM needs {WINDOW}×{WINDOW} pixels, and {x.shape[1]}×{x.shape[0]} are left of a picture of "
            f"{a.shape[1]}×{a.shape[0]} with border={border}"
        )
    kernel = gaussian(WINDOW, _SIGMA)
    blurred = partial(cv2.sepFilter2D, ddepth=cv2.CV_64F, kernelX=kernel, kernelY=kernel)
    x_mean, y_mean = blurred(x), blurred(y)
    x_variance, y_variance = blurred(x * x) - x_mean**2, blurred(y * y) - y_mean**2
    covariance = blurred(x * y) - x_mean * y_mean
    similarity = (2 * x_mean * y_mean + _C1) * (2 * covariance + _C2)
    similarity /= (x_mean**2 + y_mean**2 + _C1) * (x_variance + y_variance + _C2)
    edge = WINDOW // 2
    return float(similarity[edge:-edge, edge:-edge].mean())


def gaussian(side: int, sigma: float) -> Array:
    """A Gaussian at ``side`` whole places around 0, summing to 1."""
    bell = np.exp(-np.square(np.arange(side) - side // 2) / (2 * sigma**2))
    return np.asarray(bell / bell.sum())
