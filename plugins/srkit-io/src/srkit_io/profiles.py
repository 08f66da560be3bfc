"""ICC profiles for formats that number colours instead of holding a profile."""

from __future__ import annotations

import functools

import imagecodecs
import numpy as np

_D65 = (0.3127, 0.3290)
_PRIMARIES = {
    1: (0.640, 0.330, 0.300, 0.600, 0.150, 0.060),
    9: (0.708, 0.292, 0.170, 0.797, 0.131, 0.046),
    11: (0.680, 0.320, 0.265, 0.690, 0.150, 0.060),
}
_BT709, _SRGB = 1, 13
_NEAR = 1.5 / 255
"""A profile is sRGB if it gives no colour a value farther off: no eye sees that, and 8 bits hardly hold it."""


def numbered(primaries: int, curve: int, *, grey: bool) -> bytes | None:
    """A profile of colours as ITU-T H.273 numbers them, white being D65; None if there is none, as for HDR's curves.

    A negative ``curve`` is a power, in ten-millionths: values are light to the power of it.
    """
    if primaries not in _PRIMARIES:
        return None
    values = np.linspace(0, 1, 1024)
    if curve < 0:
        light = values ** (-1e7 / curve)
    elif curve == _SRGB:
        light = np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)
    elif curve == _BT709:
        light = np.where(values < 0.081, values / 4.5, ((values + 0.099) / 1.099) ** (1 / 0.45))
    else:
        return None
    kind = "gray" if grey else "rgb"
    profile = imagecodecs.cms_profile(
        kind, whitepoint=_D65, primaries=_PRIMARIES[primaries], transferfunction=light.astype(np.float32)
    )
    return bytes(profile)


@functools.lru_cache(maxsize=16)
def is_srgb(icc: bytes) -> bool:
    """Whether a profile, of RGB or of grey, tells the colours that sRGB has for the same values."""
    steps = np.linspace(0, 1, 9, dtype=np.float32)
    if channels_of(icc) == 1:
        values = steps[np.newaxis]
    else:
        values = np.stack(np.meshgrid(steps, steps, steps, indexing="ij"), axis=-1).reshape(1, -1, 3)
    return bool(np.abs(to_srgb(values, icc) - values).max() <= _NEAR)


def channels_of(icc: bytes) -> int | None:
    """Channels of the colours a profile describes: 3 for RGB, 1 for grey; None for others."""
    return {b"RGB ": 3, b"GRAY": 1}.get(icc[16:20])


def to_srgb(img: np.ndarray, icc: bytes) -> np.ndarray:
    """Colours (H, W) or (H, W, 3), uint8 | uint16 | float32, as the profile describes them → in sRGB, of the same kind."""
    grey = img.ndim == 2
    out = imagecodecs.cms_transform(
        np.ascontiguousarray(img),
        icc,
        imagecodecs.cms_profile("srgb"),
        colorspace="minisblack" if grey else "rgb",
        outcolorspace="rgb",
        # What lcms optimizes may be a table of 33 steps: dark greys come out 10 of 255 off.
        flags=imagecodecs.CMS.FLAGS.NOOPTIMIZE,
    )
    return np.ascontiguousarray(out[..., 0]) if grey else np.asarray(out)
