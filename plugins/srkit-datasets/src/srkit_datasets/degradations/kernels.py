"""Blur kernels: (size, size) float64, size odd, that sum to 1.

With Q(x) = xᵀΣ⁻¹x, Σ = R(θ) diag(σ₁², σ₂²) R(θ)ᵀ: Gaussian exp(−Q/2); generalised exp(−Q^β/2), which β < 1 makes peaked and
β > 1 flat-topped; plateau 1/(1 + Q^β). Sinc is the ideal low-pass filter of circular cutoff: it rings (Real-ESRGAN, 3.3).
"""

from __future__ import annotations

import math
from typing import Any, TypeAlias

import numpy as np
import torch

Kernel: TypeAlias = "np.ndarray[Any, np.dtype[np.float64]]"

SHAPES = ("gaussian", "generalised", "plateau")


def _offsets(size: int) -> tuple[Kernel, Kernel]:
    """(x, y) of each tap from the middle."""
    axis = np.arange(size, dtype=np.float64) - size // 2
    return axis[None, :], axis[:, None]


def bivariate(
    size: int, sigma: tuple[float, float], theta: float = 0.0, *, shape: str = "gaussian", beta: float = 1.0
) -> Kernel:
    """A bell of ``shape`` with widths ``sigma`` along axes turned by ``theta`` from x towards y."""
    x, y = _offsets(size)
    along = (x * math.cos(theta) + y * math.sin(theta)) / sigma[0]
    across = (-x * math.sin(theta) + y * math.cos(theta)) / sigma[1]
    distance = along**2 + across**2
    if shape == "gaussian":
        kernel = np.exp(-distance / 2)
    elif shape == "generalised":
        kernel = np.exp(-(distance**beta) / 2)
    else:
        kernel = 1 / (1 + distance**beta)
    return np.asarray(kernel / kernel.sum())


def sinc(size: int, cutoff: float) -> Kernel:
    """The low-pass filter of frequencies up to ``cutoff``, in radians a pixel: ω J₁(ωr) / 2πr, cut to the square."""
    x, y = _offsets(size)
    radius = np.hypot(x, y)
    middle = size // 2
    radius[middle, middle] = 1  # the limit there is ω² / 4π
    bessel = torch.special.bessel_j1(torch.from_numpy(cutoff * radius)).numpy()
    kernel = cutoff * bessel / (2 * math.pi * radius)
    kernel[middle, middle] = cutoff**2 / (4 * math.pi)
    return np.asarray(kernel / kernel.sum())


def gaussian_line(size: int, sigma: float) -> Kernel:
    """A Gaussian of one dimension, (size,)."""
    line = np.exp(-((np.arange(size, dtype=np.float64) - size // 2) ** 2) / (2 * sigma**2))
    return np.asarray(line / line.sum())


def padded(kernel: Kernel, size: int) -> Kernel:
    """With zeros around, up to ``size``; for kernels of several sizes in one tensor."""
    return np.pad(kernel, (size - len(kernel)) // 2)


def separated(kernel: Kernel) -> tuple[Kernel, Kernel] | None:
    """(column, row) whose product ``kernel`` is; None if it is no product.

    As it sums to 1, those could only be its own sums along the axes.
    """
    column, row = kernel.sum(1), kernel.sum(0)
    return (column, row) if np.abs(np.outer(column, row) - kernel).max() < 1e-12 else None
