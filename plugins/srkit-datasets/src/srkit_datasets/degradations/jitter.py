"""Colour: jitter, and other degradations in another colour space."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, TypeAlias

import attrs
import torch
from torch import Generator, Tensor

import srkit

from ..options import Range, between, choice
from .colour import SPACES, grey, hsv_of_rgb, rgb_of_hsv
from .compose import run, step
from .draws import uniform
from .samples import Degrading, Sample, batched

Change: TypeAlias = tuple[float, float, float, float]
"""Brightness, contrast, saturation, hue."""


@attrs.frozen
class ColourJitter(Degrading):
    """Other light and other colours.

    ``brightness``, ``contrast`` (about the picture's mean grey) and ``saturation``: factors. ``hue``: added, in turns of
    the colour circle.
    """

    name: ClassVar[str] = "colour-jitter"

    brightness: Range = between(0, 4, (0.8, 1.2))
    contrast: Range = between(0, 4, (0.8, 1.2))
    saturation: Range = between(0, 4, (0.8, 1.2))
    hue: Range = between(-0.5, 0.5, (-0.05, 0.05))

    def apply(self, samples: Sequence[Sample]) -> None:
        """Change each picture."""
        changes: list[Change] = []
        for sample in samples:
            ends = (self.brightness, self.contrast, self.saturation, self.hue)
            brightness, contrast, saturation, hue = (uniform(sample.rng, *end) for end in ends)
            changes.append((brightness, contrast, saturation, hue))
            sample.told.append(f"colour {brightness:.2f} {contrast:.2f} {saturation:.2f} {hue:+.2f}")
        batched(samples, changes, _changed, key=lambda change: change)


def _changed(images: Tensor, changes: Sequence[Change], _: Sequence[Generator]) -> Tensor:
    brightness, contrast, saturation, hue = changes[0]
    images = (images * brightness).clamp(0, 1)
    mean = grey(images).mean((-3, -2, -1), keepdim=True)
    images = (mean + (images - mean) * contrast).clamp(0, 1)
    if images.shape[1] == 1:
        return images
    luma = grey(images)
    images = (luma + (images - luma) * saturation).clamp(0, 1)
    if hue == 0:
        return images
    turned, strength, value = hsv_of_rgb(images).unbind(-3)
    return rgb_of_hsv(torch.stack(((turned + hue) % 1, strength, value), -3)).clamp(0, 1)


@attrs.frozen
class InSpace(Degrading):
    """``step`` in another colour ``space``: light (linear), ycbcr or hsv. Grey pictures know linear light only."""

    name: ClassVar[str] = "in-space"

    step: srkit.Degradation | None = step()
    space: str = choice("colour space", tuple(SPACES), "linear")

    def apply(self, samples: Sequence[Sample]) -> None:
        """Convert, run the step, convert back."""
        there, back = SPACES[self.space]
        inside = [s for s in samples if s.image.shape[0] == 3 or self.space == "linear"]
        for sample in inside:
            sample.told.append(f"in {self.space}")
            sample.image = there(sample.image.detach()).clamp(0, 1)
        if self.step is not None:
            run(self.step, samples)
        for sample in inside:
            sample.image = back(sample.image).clamp(0, 1)
