"""Unsharp masking: how Real-ESRGAN sharpens what its networks are to reach."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import attrs
import numpy as np
from torch import Generator, Tensor

from ..options import number, whole
from .convolve import convolve_lines, convolve_lines_tensors
from .kernels import Kernel, gaussian_line
from .samples import Array, Degrading, Sample, each


@attrs.frozen
class UnsharpMask(Degrading):
    """Adds ``weight`` of what a blur takes away, where that is more than ``threshold`` of 255, with soft transitions.

    ``radius``: the size of the Gaussian, in pixels; its sigma is what OpenCV takes for that size, 8 for 51.
    """

    name: ClassVar[str] = "unsharp-mask"

    weight: float = number(0, 10, 0.5)
    radius: int = whole(1, 199, 51, odd=True)
    threshold: float = number(0, 255, 10)

    def apply(self, samples: Sequence[Sample]) -> None:
        """Sharpen each picture, all alike."""
        for sample in samples:
            sample.told.append("sharpened")
        each(samples, [None] * len(samples), self._on_array, self._on_tensors)

    def line(self) -> Kernel:
        """The Gaussian."""
        return gaussian_line(self.radius, 0.3 * ((self.radius - 1) * 0.5 - 1) + 0.8)

    def _on_array(self, picture: Array, _: None, _rng: Generator) -> Array:
        # In place wherever it can be: new memory of this size costs more than the arithmetic.
        line = self.line()
        change = convolve_lines(picture, line, line).reshape(picture.shape)
        np.subtract(picture, change, out=change)
        mask = (np.abs(change) > self.threshold / 255).astype(np.float32)
        mask = convolve_lines(mask, line, line).reshape(picture.shape)
        change *= self.weight
        change += picture
        np.clip(change, 0, 1, out=change)
        # soft · sharp + (1 − soft) · picture
        change -= picture
        change *= mask
        change += picture
        return np.clip(change, 0, 1, out=change)

    def _on_tensors(self, images: Tensor, _: Sequence[None], _rngs: Sequence[Generator]) -> Tensor:
        line = self.line()
        residual = images - convolve_lines_tensors(images, line)
        mask = convolve_lines_tensors((residual.abs() > self.threshold / 255).float(), line)
        sharp = (images + self.weight * residual).clamp(0, 1)
        return (images + mask * (sharp - images)).clamp(0, 1)
