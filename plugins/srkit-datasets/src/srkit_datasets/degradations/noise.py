"""Noise: Gaussian and Poisson as in Real-ESRGAN, and a camera's."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import ClassVar, TypeAlias

import attrs
import torch
from torch import Generator, Tensor

from ..options import Range, between, probability
from .colour import grey, linear_of_srgb, srgb_of_linear
from .draws import chance, uniform
from .samples import Array, Degrading, Sample, each, own, to_array, to_image

Strength: TypeAlias = tuple[float, bool]
"""How strong noise is, and whether all channels have the same."""


class _Noise(Degrading):
    """A degradation that adds something to each picture, with chance of its own."""

    def draw(self, rng: Generator) -> tuple[Strength, str]:
        """How strong, and in words."""
        raise NotImplementedError

    def added(self, image: Tensor, strength: Strength, rng: Generator) -> Tensor:
        """What to add to ``image``, (C, H, W): one channel, or as many."""
        raise NotImplementedError

    def apply(self, samples: Sequence[Sample]) -> None:
        """Add noise to each picture, and clamp."""
        settings = [self.draw(sample.rng) for sample in samples]
        for sample, (_, words) in zip(samples, settings, strict=True):
            sample.told.append(words)
        each(samples, [strength for strength, _ in settings], self._on_array, self._on_tensors)

    def _on_array(self, picture: Array, strength: Strength, rng: Generator) -> Array:
        image = to_image(picture)
        noise = self.added(image, strength, rng)
        if len(noise) == len(image):
            noise += image
        else:
            noise = noise + image
        return to_array(noise.clamp_(0, 1))

    def _on_tensors(self, images: Tensor, strengths: Sequence[Strength], rngs: Sequence[Generator]) -> Tensor:
        rows = zip(images, strengths, rngs, strict=True)
        return torch.stack([image + self.added(image, strength, rng) for image, strength, rng in rows]).clamp_(0, 1)


def _words(kind: str, strength: Strength) -> str:
    return f"{kind} {strength[0]:.3g}" + (" grey" if strength[1] else "")


@attrs.frozen
class GaussianNoise(_Noise):
    """The same noise everywhere. ``sigma``: of 255. ``grey``: how often all channels get the same."""

    name: ClassVar[str] = "gaussian-noise"

    sigma: Range = between(0, 255, (1.0, 30.0))
    grey: float = probability(0.4)

    def draw(self, rng: Generator) -> tuple[Strength, str]:
        """Sigma, and whether grey."""
        strength = (uniform(rng, *self.sigma), chance(rng, self.grey))
        return strength, _words("gaussian", strength)

    def added(self, image: Tensor, strength: Strength, rng: Generator) -> Tensor:
        """Normal noise."""
        sigma, one = strength
        return _normal(image, rng, one=one).mul_(sigma / 255)


def _normal(image: Tensor, rng: Generator, *, one: bool = False) -> Tensor:
    """Standard normal noise for ``image``, or for one channel of it; in memory the channel is last, as OpenCV has it."""
    channels, height, width = image.shape
    shape = (height, width, 1 if one else channels)
    return torch.randn(shape, generator=own(rng, image.device), device=image.device).permute(2, 0, 1)


@attrs.frozen
class PoissonNoise(_Noise):
    """Noise of counting: its variance grows in proportion to brightness. ``scale``: what it is multiplied by.

    The picture, rounded to 8 bits, is taken for counts of up to V at white, V being the number of different values in it,
    rounded up to a power of two; so noise of standard deviation √(value/V), times ``scale``.
    """

    name: ClassVar[str] = "poisson-noise"

    scale: Range = between(0, 100, (0.05, 3.0))
    grey: float = probability(0.4)

    def draw(self, rng: Generator) -> tuple[Strength, str]:
        """The scale, and whether grey."""
        strength = (uniform(rng, *self.scale), chance(rng, self.grey))
        return strength, _words("poisson", strength)

    def added(self, image: Tensor, strength: Strength, rng: Generator) -> Tensor:
        """Counts less what was to be counted."""
        scale, one = strength
        levels = ((grey(image) if one else image).detach() * 255).round_().permute(1, 2, 0).contiguous()
        different = int((torch.bincount(levels.flatten().to(torch.int64), minlength=256) > 0).sum())
        white = 2.0 ** math.ceil(math.log2(different))
        counts = torch.poisson(levels * (white / 255), generator=own(rng, image.device))
        return counts.div_(white).sub_(levels, alpha=1 / 255).mul_(scale).permute(2, 0, 1)


@attrs.frozen
class CameraNoise(_Noise):
    """Noise of a sensor: shot noise, which grows with light, and read noise, which does not; added to linear light.

    ``shot``: variance for each unit of light, drawn evenly in its logarithm. The read noise follows from it as in real
    cameras: log σ² = 2.18 log shot + 1.2 ± 0.26 (Brooks et al., Unprocessing Images for Learned Raw Denoising, 2019).
    """

    name: ClassVar[str] = "camera-noise"

    shot: Range = between(1e-6, 1, (1e-4, 1.2e-2))

    def draw(self, rng: Generator) -> tuple[Strength, str]:
        """The shot noise; it is never grey."""
        shot = math.exp(uniform(rng, *(math.log(end) for end in self.shot)))
        return (shot, False), f"camera {shot:.2g}"

    def added(self, image: Tensor, strength: Strength, rng: Generator) -> Tensor:
        """The change that noise in linear light makes."""
        shot = strength[0]
        read = math.exp(2.18 * math.log(shot) + 1.2 + 0.26 * float(torch.randn((), generator=rng)))
        light = linear_of_srgb(image.detach())
        noise = _normal(image, rng) * (shot * light + read).sqrt()
        return srgb_of_linear((light + noise).clamp(0, 1)) - image.detach()
