"""How natural a picture looks, without another to compare it with: NIQE.

Mittal, Soundararajan and Bovik, "Making a 'completely blind' image quality analyzer", 2013. The figures are those of the
authors' MATLAB code, as BasicSR carried them over.
"""

from __future__ import annotations

import math
import os
import zipfile
from functools import lru_cache
from pathlib import Path

import attrs
import cv2
import numpy as np

import srkit
from srkit.weights.locate import cache_directory, locate

from ..bicubic import bicubic
from .fidelity import gaussian
from .levels import Array, levels, luma

BLOCK = 96
"""Pixels a side of the blocks that features are taken of; a rest at the right and the bottom is left out."""
FEATURES = 36
MODEL_URL = "https://raw.githubusercontent.com/XPixelGroup/BasicSR/v1.4.2/basicsr/metrics/niqe_pris_params.npz"
MODEL_SHA256 = "2a7c182a68c9e7f1b2e2e5ec723279d6f65d912b6fcaf37eb2bf03d7367c4296"
_KERNEL = gaussian(7, 7 / 6)
_SHIFTS = ((0, 1), (1, 0), (1, 1), (1, -1))


@attrs.frozen(eq=False)
class NaturalModel:
    """What is natural: the mean (36,) and the covariance (36, 36), both float64, of the features of pristine pictures."""

    mean: Array
    covariance: Array

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> NaturalModel:
        """The model of a file as BasicSR has it, an npz with ``mu_pris_param`` and ``cov_pris_param``.

        Raises WeightsError for other files, WeightsNotFound if there is none.
        """
        path = Path(path)
        try:
            with np.load(path, allow_pickle=False) as stored:
                mean, covariance = (stored[name].astype(np.float64) for name in ("mu_pris_param", "cov_pris_param"))
        except FileNotFoundError as error:
            raise srkit.WeightsNotFound(f"there is no {path}; expected BasicSR's niqe_pris_params.npz") from error
        except (OSError, ValueError, KeyError, TypeError, AttributeError, zipfile.BadZipFile) as error:
            raise srkit.WeightsError(
                f"{path} is no model for NIQE: {error}; expected BasicSR's niqe_pris_params.npz", path
            ) from error
        if mean.size != FEATURES or covariance.shape != (FEATURES, FEATURES):
            raise srkit.WeightsError(
                f"{path} holds a mean of {mean.shape} and a covariance of {covariance.shape}; expected {FEATURES} features",
                path,
            )
        return cls(mean.reshape(FEATURES), covariance)

    @classmethod
    def official(cls) -> NaturalModel:
        """The authors' model, from the cache or fetched, 12 kB; raises DownloadError if it cannot be had."""
        try:
            found = locate(f"{MODEL_URL}#sha256={MODEL_SHA256}")
        except srkit.DownloadError as error:
            place = cache_directory() / "urls" / f"{MODEL_SHA256[:16]}-{MODEL_URL.rpartition('/')[2]}"
            error.add_note(f"The file is also in the source distribution of basicsr 1.4.2; it may be put at {place}")
            raise
        return cls.read(found.path)


def niqe(picture: Array, *, border: int = 0, model: NaturalModel | None = None) -> float:
    """NIQE, at least 0, and the less the more natural (eq. 10): how far the features' distribution is from the model's.

    ``picture``: (H, W, 3), uint8 or floats in [0, 1], RGB. ``border``: pixels left out at each side. ``model``: the
    authors' if None. NaN if fewer than two blocks have structure, as in a picture that is flat. Raises ImageError for
    pictures of less than two blocks.
    """
    found = features(picture, border=border)
    whole = found[~np.isnan(found).any(1)]
    if len(whole) < 2:
        return math.nan
    model = model or NaturalModel.official()
    away = model.mean - np.nanmean(found, 0)
    shape = np.linalg.pinv((model.covariance + np.cov(whole, rowvar=False)) / 2)
    return float(np.sqrt(away @ shape @ away))


def features(picture: Array, *, border: int = 0) -> Array:
    """(blocks, 36) float64: of each block 18 features, then 18 of the same place at half the size; NaN where it is flat.

    The parameters of distributions fitted to locally normalised luma (eq. 1) and to products of neighbours. Arguments and
    errors as for :func:`niqe`.
    """
    # Rounded as the uint8 of MATLAB's rgb2ycbcr.
    grey = np.rint(luma(levels(picture, border)))
    rows, columns = (side // BLOCK for side in grey.shape)
    if rows * columns < 2:
        raise srkit.ImageError(
            f"NIQE needs two blocks of {BLOCK}×{BLOCK} pixels, and {grey.shape[1]}×{grey.shape[0]} are left of a picture of "
            f"{picture.shape[1]}×{picture.shape[0]} with border={border}"
        )
    grey = grey[: rows * BLOCK, : columns * BLOCK]
    small = bicubic(grey, (grey.shape[0] // 2, grey.shape[1] // 2))
    return np.concatenate((_of_blocks(_normalised(grey), BLOCK), _of_blocks(_normalised(small), BLOCK // 2)), 1)


def _normalised(grey: Array) -> Array:
    def blurred(values: Array) -> Array:
        return cv2.sepFilter2D(values, cv2.CV_64F, _KERNEL, _KERNEL, borderType=cv2.BORDER_REPLICATE)

    mean = blurred(grey)
    deviation = np.sqrt(np.abs(blurred(grey * grey) - mean * mean))
    # In float32, which holds the levels exactly at both sizes, the mean of a flat area is its level, and the area neither
    # above nor below 0; in float64 rounding would decide.
    return np.asarray((grey - mean.astype(np.float32)) / (deviation + 1))


def _of_blocks(values: Array, side: int) -> Array:
    """(blocks, 18)."""
    height, width = values.shape
    blocks = values.reshape(height // side, side, width // side, side).swapaxes(1, 2).reshape(-1, side, side)
    shape, left, right = fit(blocks)
    found = [_tables().alpha[shape], (left + right) / 2]
    for shift in _SHIFTS:
        shape, left, right = fit(blocks * np.roll(blocks, shift, (1, 2)))
        # The mean of the distribution, eq. 8.
        found += [_tables().alpha[shape], (right - left) * _tables().mean[shape], left, right]
    return np.stack(found, 1)


def fit(blocks: Array) -> tuple[Array, Array, Array]:
    """Fit an asymmetric generalised Gaussian (eq. 4) to the values of each block, by moments (Lasmar et al., 2009).

    (N, h, w) → of each the number of its shape among the tabled ones, and its scales to the left and to the right; NaN where
    there are no values below or above 0, which have the first shape.
    """
    values = blocks.reshape(len(blocks), -1)
    squares = np.square(values)
    tables = _tables()
    with np.errstate(divide="ignore", invalid="ignore"):
        left, right = (np.sqrt(np.where(side, squares, 0).sum(1) / side.sum(1)) for side in (values < 0, values > 0))
        skew = left / right
        ratio = np.square(np.abs(values).mean(1)) / squares.mean(1)
        ratio = ratio * (skew**3 + 1) * (skew + 1) / np.square(skew**2 + 1)
    shape = np.where(np.isnan(ratio), 0, np.searchsorted(tables.between, ratio))
    return shape, left * tables.scale[shape], right * tables.scale[shape]


@attrs.frozen(eq=False)
class _Tables:
    """Of each shape α from 0.2 to 10: what the scale is of a deviation, the mean of a scale; halfway ratios of moments."""

    alpha: Array
    scale: Array
    mean: Array
    between: Array


@lru_cache(1)
def _tables() -> _Tables:
    alpha = np.arange(0.2, 10.001, 0.001)
    one, two, three = (np.array([math.gamma(k / a) for a in alpha]) for k in (1, 2, 3))
    ratio = two**2 / (one * three)  # grows with α
    return _Tables(alpha, np.sqrt(one / three), two / one, (ratio[1:] + ratio[:-1]) / 2)
