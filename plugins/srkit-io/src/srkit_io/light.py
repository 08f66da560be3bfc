"""Values above 1 through networks that know none: a curve into [0, 1] and back."""

from __future__ import annotations

import math
from collections.abc import Iterator

import attrs
import numpy as np

import srkit

from .picture import Page, Picture

# The sRGB transfer function (IEC 61966-2-1) near white: its slope there, with which the logarithm goes on.
_SRGB_SLOPE = 1.055 / 2.4


@attrs.frozen
class Curve:
    """From a file's float values to [0, 1], as a picture for the eye has them, and back.

    ``linear``: the file's values are proportional to light, so up to 1 they are sRGB-encoded; otherwise they stay. Above 1
    the curve goes on as a logarithm of the same slope (as hybrid log-gamma does, ITU-R BT.2100), and the whole is divided
    by what it makes of ``peak``, the greatest value of the picture. Values below 0 become 0.
    """

    linear: bool
    peak: float = 1.0

    @property
    def _slope(self) -> float:
        return _SRGB_SLOPE if self.linear else 1.0

    @property
    def _top(self) -> float:
        return 1.0 + self._slope * math.log(max(self.peak, 1.0))

    def encode(self, values: np.ndarray) -> np.ndarray:
        """Float values ≥ 0 → float32 in [0, 1]."""
        values = np.maximum(values.astype(np.float32), 0)
        low = srgb_encoded(values) if self.linear else values
        with np.errstate(divide="ignore"):
            high = 1 + np.float32(self._slope) * np.log(np.maximum(values, 1))
        return np.minimum(np.where(values <= 1, low, high) / np.float32(self._top), 1)

    def decode(self, values: np.ndarray) -> np.ndarray:
        """The inverse of ``encode``; float32."""
        values = values.astype(np.float32) * np.float32(self._top)
        low = srgb_decoded(np.minimum(values, 1)) if self.linear else values
        return np.where(values <= 1, low, np.exp((np.maximum(values, 1) - 1) / np.float32(self._slope)))


def srgb_encoded(light: np.ndarray) -> np.ndarray:
    """Values proportional to light → as sRGB has them (IEC 61966-2-1)."""
    light = np.maximum(light, 0)
    return np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055).astype(np.float32)


def srgb_decoded(values: np.ndarray) -> np.ndarray:
    """The inverse of ``srgb_encoded``."""
    values = np.maximum(values, 0)
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4).astype(np.float32)


@attrs.frozen
class Survey:
    """What only the pixels tell of a page: whether it is opaque everywhere, and the curve its values need, if any."""

    opaque: bool
    curve: Curve | None


def survey(picture: Picture) -> tuple[Survey, ...]:
    """Look through the pages whose pixels must be known beforehand: those with alpha, and those of floats."""
    if not any(page.layout.has_alpha or page.layout.dtype.kind == "f" for page in picture.pages):
        return (Survey(opaque=True, curve=None),) * len(picture.pages)
    strips = picture.strips()
    return tuple(_surveyed(page, strips) for page in picture.pages)


def _surveyed(page: Page, strips: Iterator[np.ndarray]) -> Survey:
    layout, left = page.layout, page.layout.height
    opaque, peak = layout.has_alpha, 0.0
    while left:
        strip = next(strips)
        left -= len(strip)
        if layout.has_alpha:
            opaque = opaque and bool((strip[..., -1] == layout.white).all())
            strip = strip[..., :-1]
        if layout.dtype.kind == "f":
            peak = max(peak, float(strip.max()))
            if not math.isfinite(peak):
                raise srkit.ImageError("the picture has values that are NaN or infinite; replace them first")
    # A trace above 1 is rounding, which the pipeline clips.
    needed = page.linear or peak > 1.001
    return Survey(opaque, Curve(page.linear, peak) if needed else None)
