"""Rounding to the values a file can hold."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import attrs
import cv2
import numpy as np
from torch import Generator, Tensor

from ..options import whole
from .samples import Array, Degrading, Sample, each


def to_bytes(picture: Array) -> Array:
    """float32 in [0, 1] → uint8, rounded."""
    return cv2.convertScaleAbs(picture, alpha=255).reshape(picture.shape)


def from_bytes(picture: Array) -> Array:
    """Uint8 → float32 in [0, 1]."""
    return np.divide(picture, np.float32(255), dtype=np.float32)


@attrs.frozen
class Quantise(Degrading):
    """Round to ``bits`` bits, 8 as files have."""

    name: ClassVar[str] = "quantise"

    bits: int = whole(1, 16, 8)

    def apply(self, samples: Sequence[Sample]) -> None:
        """Round each picture."""
        each(samples, [None] * len(samples), self._on_array, self._on_tensors)

    def _on_array(self, picture: Array, _: None, _rng: Generator) -> Array:
        top = np.float32(2**self.bits - 1)
        return np.asarray(np.rint(np.clip(picture, 0, 1) * top) / top)

    def _on_tensors(self, images: Tensor, _: Sequence[None], _rngs: Sequence[Generator]) -> Tensor:
        top = 2.0**self.bits - 1
        return (images.clamp(0, 1) * top).round().div(top)
