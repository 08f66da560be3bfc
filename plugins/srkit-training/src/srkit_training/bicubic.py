"""Bicubic resizing as MATLAB's ``imresize`` does it, which super-resolution is measured against."""

from __future__ import annotations

import math
from typing import Any, TypeAlias

import numpy as np

import srkit

Array: TypeAlias = "np.ndarray[Any, np.dtype[Any]]"


def bicubic(picture: Array, size: srkit.Size) -> Array:
    """(H, W) or (H, W, C) of any numbers → float64 of ``size`` = (height, width), neither clamped nor rounded.

    Keys' kernel with a = −0.5 ("Cubic convolution interpolation for digital image processing", 1981, eq. 15); where it
    shrinks, widened by the ratio, which is the antialiasing. Beyond the border the picture is mirrored about its edge.
    """
    rows, columns = (_matrix(before, after) for before, after in zip(picture.shape, size, strict=False))
    short = np.tensordot(rows, picture.astype(np.float64), (1, 0))
    return np.tensordot(columns, short, (1, 1)).swapaxes(0, 1)


def to_8_bit(levels: Array) -> Array:
    """Numbers around [0, 255] → uint8, rounded to nearest."""
    return np.clip(np.rint(levels), 0, 255).astype(np.uint8)


def _matrix(before: int, after: int) -> Array:
    """(after, before): what each output pixel takes of each input pixel; rows sum to 1."""
    step = before / after
    wide = max(1.0, step)
    middle = ((np.arange(after) + 0.5) * step - 0.5)[:, None]
    reach = math.ceil(2 * wide)
    taps = np.floor(middle).astype(np.int64) + np.arange(1 - reach, reach + 1)
    shares = _keys((taps - middle) / wide)
    mirrored = taps % (2 * before)
    matrix = np.zeros((after, before))
    np.add.at(matrix, (np.arange(after)[:, None], np.minimum(mirrored, 2 * before - 1 - mirrored)), shares)
    return np.asarray(matrix / matrix.sum(1, keepdims=True))


def _keys(x: Array) -> Array:
    x = np.abs(x)
    inner = (1.5 * x - 2.5) * x**2 + 1
    outer = ((-0.5 * x + 2.5) * x - 4) * x + 2
    return np.where(x <= 1, inner, np.where(x < 2, outer, 0.0))
