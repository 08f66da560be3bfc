"""Blur: kernels drawn as Real-ESRGAN draws them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import ClassVar

import attrs
import numpy as np
from torch import Generator, Tensor

from ..options import Range, between, shares
from .convolve import convolve_array, convolve_tensors
from .draws import integer, pick, uniform
from .kernels import Kernel, bivariate, sinc
from .samples import Array, Degrading, Sample, each

KINDS = {
    "iso": 0.45,
    "aniso": 0.25,
    "generalised-iso": 0.12,
    "generalised-aniso": 0.03,
    "plateau-iso": 0.12,
    "plateau-aniso": 0.03,
}
"""Kinds of kernels, and how often Real-ESRGAN draws them where it draws no sinc."""


class _Convolving(Degrading):
    """A degradation that is a kernel."""

    def draw(self, rng: Generator) -> tuple[Kernel, str]:
        """A kernel, and what it is."""
        raise NotImplementedError

    def apply(self, samples: Sequence[Sample]) -> None:
        """Convolve each picture with a kernel of its own."""
        settings = [self.draw(sample.rng) for sample in samples]
        for sample, (_, words) in zip(samples, settings, strict=True):
            sample.told.append(words)
        each(samples, [kernel for kernel, _ in settings], _on_array, _on_tensors)


def _on_array(picture: Array, kernel: Kernel, _: Generator) -> Array:
    out = convolve_array(picture, kernel)
    return np.clip(out, 0, 1, out=out)


def _on_tensors(images: Tensor, kernels: Sequence[Kernel], _: Sequence[Generator]) -> Tensor:
    return convolve_tensors(images, kernels).clamp(0, 1)


def _size(rng: Generator, sizes: Range) -> int:
    """An odd size within the range."""
    return 2 * integer(rng, int(sizes[0]) // 2, int(sizes[1]) // 2) + 1


@attrs.frozen
class Blur(_Convolving):
    """A kernel that smooths.

    ``kinds``: which, with weights. ``size``: odd. ``sigma``: in pixels, drawn twice for anisotropic kernels, which are
    turned by any angle. ``beta``: of generalised and plateau kernels, drawn below 1 and above equally often, where the
    range has both; where it has not, half of the draws are the end nearer to 1, as in the original.
    """

    name: ClassVar[str] = "blur"

    kinds: Mapping[str, float] = shares("kind", tuple(KINDS), KINDS)
    size: Range = between(1, 99, (7, 21), odd=True)
    sigma: Range = between(0.01, 50, (0.2, 3.0))
    beta_generalised: Range = between(0.05, 20, (0.5, 4.0))
    beta_plateau: Range = between(0.05, 20, (1.0, 2.0))

    def draw(self, rng: Generator) -> tuple[Kernel, str]:
        """A kernel of one of the kinds."""
        size = _size(rng, self.size)
        kind = tuple(self.kinds)[pick(rng, tuple(self.kinds.values()))]
        first = uniform(rng, *self.sigma)
        second, theta = first, 0.0
        if kind.endswith("aniso"):
            second, theta = uniform(rng, *self.sigma), uniform(rng, -math.pi, math.pi)
        shape, beta = "gaussian", 1.0
        if kind.startswith(("generalised", "plateau")):
            shape = kind.partition("-")[0]
            beta = _beta(rng, *(self.beta_plateau if shape == "plateau" else self.beta_generalised))
        widths = f"{first:.1f}" if second == first else f"{first:.1f}×{second:.1f}"
        words = f"blur {kind} {widths}" + (f" β{beta:.1f}" if shape != "gaussian" else "")
        return bivariate(size, (first, second), theta, shape=shape, beta=beta), words


def _beta(rng: Generator, low: float, high: float) -> float:
    middle = min(max(1.0, low), high)
    return uniform(rng, low, middle) if uniform(rng, 0, 1) < 0.5 else uniform(rng, middle, high)


@attrs.frozen
class Sinc(_Convolving):
    """A kernel that cuts high frequencies off, and rings: what resizing and sharpening in cameras and programs do.

    ``cutoff``: as a share of π radians a pixel, which is what pixels can hold. ``cutoff_large``: for kernels of 13 pixels
    and more, which can hold lower ones.
    """

    name: ClassVar[str] = "sinc"

    size: Range = between(1, 99, (7, 21), odd=True)
    cutoff: Range = between(0.05, 1, (1 / 3, 1.0))
    cutoff_large: Range = between(0.05, 1, (1 / 3, 1.0))

    def draw(self, rng: Generator) -> tuple[Kernel, str]:
        """A kernel of one of the cutoffs."""
        size = _size(rng, self.size)
        cutoff = uniform(rng, *(self.cutoff if size < 13 else self.cutoff_large))
        return sinc(size, cutoff * math.pi), f"sinc {cutoff:.2f}π"
