"""Alpha: from colours that are multiplied by it to colours that are not, and back; srkit's pictures have the latter."""

from __future__ import annotations

from typing import Any

import numpy as np


def straight(img: np.ndarray) -> np.ndarray:
    """``(H, W, 2 or 4)`` with colours multiplied by alpha → not multiplied, of the same dtype.

    Where alpha is 0, colours stay. What would leave the range of the dtype becomes its greatest value.
    """
    most, white = _range(img.dtype)
    colour, alpha = img[..., :-1].astype(np.float64), img[..., -1:].astype(np.float64)
    by = np.divide(white, alpha, out=np.ones_like(alpha), where=alpha > 0)
    return _joined(np.clip(colour * by, -most, most), img)


def multiplied(img: np.ndarray) -> np.ndarray:
    """The inverse of ``straight``; where alpha is 0, nothing is left of colours."""
    _, white = _range(img.dtype)
    colour, alpha = img[..., :-1].astype(np.float64), img[..., -1:].astype(np.float64)
    return _joined(np.multiply(colour, alpha / white, out=np.zeros_like(colour), where=alpha > 0), img)


def _range(dtype: np.dtype[Any]) -> tuple[float, float]:
    if dtype.kind == "f":
        return float(np.finfo(dtype).max), 1.0
    return float(np.iinfo(dtype).max), float(np.iinfo(dtype).max)


def _joined(colour: np.ndarray, img: np.ndarray) -> np.ndarray:
    out = img.copy()
    out[..., :-1] = colour if img.dtype.kind == "f" else np.rint(colour)
    return out
