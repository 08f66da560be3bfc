"""What the metrics see of pictures: float64 levels in [0, 255], the border left out, all colours or luma."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np

import srkit

Array: TypeAlias = "np.ndarray[Any, np.dtype[Any]]"

CHANNELS = ("rgb", "y")
_LUMA = np.array([65.481, 128.553, 24.966]) / 255
"""ITU-R BT.601 for levels, as in MATLAB's ``rgb2ycbcr``: black is 16, white 235."""


def levels(picture: Array, border: int) -> Array:
    """(H, W, 3) uint8, or floats in [0, 1] → (H − 2·border, W − 2·border, 3) float64 in [0, 255], not rounded.

    Raises ImageError for other pictures, and SettingsError for a border that is not a number of pixels.
    """
    if isinstance(border, bool) or not isinstance(border, int | np.integer) or border < 0:
        raise srkit.SettingsError(f"border={border!r} is not a number of pixels; it must be 0 or more")
    layout = srkit.layout_of(picture)
    if layout.channels != 3 or layout.flat or (layout.dtype != np.uint8 and layout.dtype.kind != "f"):
        raise srkit.ImageError(
            f"a picture of shape {picture.shape} and dtype {picture.dtype} cannot be measured; expected (H, W, 3), uint8 or "
            f"floats in [0, 1], RGB"
        )
    if min(layout.height, layout.width) <= 2 * border:
        raise srkit.ImageError(
            f"border={border} leaves nothing of a picture of {layout.width}×{layout.height} pixels; choose a smaller one"
        )
    values = picture[border : layout.height - border, border : layout.width - border].astype(np.float64)
    if layout.dtype == np.uint8:
        return values
    low, high = values.min(), values.max()
    if not (low >= 0 and high <= 1):
        raise srkit.ImageError(
            f"a float picture must lie in [0, 1], but this one spans [{low:g}, {high:g}]; clip it first"
        )
    return values * 255


def luma(rgb: Array) -> Array:
    """(H, W, 3) levels → (H, W), in [16, 235], not rounded."""
    return np.asarray(rgb @ _LUMA + 16)


def seen(a: Array, b: Array, border: int, channel: str) -> tuple[Array, Array]:
    """Both pictures as they are compared: (H, W, 3), or (H, W, 1) for ``channel="y"``. Raises ImageError, SettingsError."""
    if channel not in CHANNELS:
        raise srkit.SettingsError(f"channel={channel!r} is unknown; choose from {', '.join(map(repr, CHANNELS))}")
    both = levels(a, border), levels(b, border)
    if both[0].shape != both[1].shape:
        raise srkit.ImageError(f"pictures of shapes {a.shape} and {b.shape} cannot be compared; they must be equal")
    return both if channel == "rgb" else (luma(both[0])[..., None], luma(both[1])[..., None])
