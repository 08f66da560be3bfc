"""Grain of photographic film."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

import srkit

_REACH = 6
"""Pixels that a grain's blur reaches; enough for a size of 2."""


class FilmGrain:
    """Noise of the size of grains, on all channels alike.

    ``strength``: the standard deviation in the middle tones, of [0, 1]; ``size``: the sigma, in pixels, of the Gaussian that
    makes grains of pixels. Of both a range, from which each picture draws evenly. In dark and light it fades, as the square
    root of p (1 - p): grains are there or not, and that is the deviation of a share of p of them.
    """

    name = "film-grain"

    def __init__(self, *, strength: tuple[float, float] = (0.02, 0.1), size: tuple[float, float] = (0.5, 1.5)) -> None:
        self.strength, self.size = _range("strength", strength, 1), _range("size", size, 2)

    def __call__(self, images: Tensor, rng: torch.Generator) -> Tensor:
        """(B, C, H, W) float32 in [0, 1] → the same; all chance is the generator's, which is on the CPU."""
        # A generator for each picture, so that what becomes of it does not depend on those beside it.
        seeds = torch.randint(2**62, (len(images),), generator=rng)
        own = [torch.Generator().manual_seed(int(seed)) for seed in seeds]
        grained = [self._one(image, rng) for image, rng in zip(images, own, strict=True)]
        return torch.stack(grained) if grained else images.clone()

    def _one(self, image: Tensor, rng: torch.Generator) -> Tensor:
        shares = torch.rand(2, generator=rng).tolist()
        ranges = (self.strength, self.size)
        strength, size = (low + (high - low) * share for (low, high), share in zip(ranges, shares, strict=True))
        height, width = image.shape[-2:]
        noise = torch.randn((1, 1, height + 2 * _REACH, width + 2 * _REACH), generator=rng)
        grain = _blurred(noise, size)[0].to(image.device)
        tones = image.detach().mean(0, keepdim=True)  # the root's slope at black and white is infinite
        grained: Tensor = image + grain * strength * 2 * (tones * (1 - tones)).clamp(min=0).sqrt()
        return grained.clamp(0, 1)


def _blurred(noise: Tensor, sigma: float) -> Tensor:
    """White noise through a Gaussian, of the variance that it had, less the border."""
    weights = torch.exp(-0.5 * (torch.arange(-_REACH, _REACH + 1) / sigma) ** 2)
    weights = weights / weights.norm()
    across = F.conv2d(noise, weights.view(1, 1, 1, -1))
    return F.conv2d(across, weights.view(1, 1, -1, 1))


def _range(name: str, given: tuple[float, float], most: float) -> tuple[float, float]:
    low, high = given if isinstance(given, tuple | list) else (given, given)
    if not (0 < low <= high <= most and math.isfinite(high)):
        raise srkit.SettingsError(
            f"{name}={given!r}; expected a range above 0 and up to {most}, such as {name}=(0.1, 0.5)"
        )
    return low, high
