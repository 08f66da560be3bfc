"""Resizing, with a factor and a filter drawn for each picture."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, TypeAlias

import attrs
import cv2
import numpy as np
import torch
from torch import Generator, Tensor

import srkit

from ..options import Range, between, choice, choices, flag, per, probability
from .draws import Per, drawn, pick, uniform
from .samples import Array, Degrading, Sample, each, to_array, to_image

Plan: TypeAlias = tuple[str, int, int]
"""A filter, and the height and width to come to."""

MODES = ("area", "bilinear", "bicubic", "lanczos", "nearest")
_OPENCV = {"area": cv2.INTER_AREA, "bilinear": cv2.INTER_LINEAR, "bicubic": cv2.INTER_CUBIC}


@attrs.frozen
class Resize(Degrading):
    """Larger with probability ``up``, smaller with ``down``, else as it is; by a factor drawn from ``range``.

    The factor is of the picture's size (``of="current"``), or of the size it is to have in the end (``of="goal"``: where
    neither ``up`` nor ``down`` are given, that very size). ``modes``: the filters to draw from. Area is the mean of what
    an output pixel covers. The others do not look further when making smaller, so they alias, as in the original, unless
    ``antialias`` widens them by the factor, as Pillow does. ``per``: draw for each picture, or once a batch.
    """

    name: ClassVar[str] = "resize"

    up: float = probability(0.0)
    down: float = probability(0.0)
    range: Range = between(0.01, 16, (0.5, 1.5))
    of: str = choice("base of a resize", ("current", "goal"), "current")
    modes: tuple[str, ...] = choices("mode", MODES, ("area", "bilinear", "bicubic"))
    antialias: bool = flag(default=False)
    per: Per = per()

    def __attrs_post_init__(self) -> None:
        if self.up + self.down > 1 + 1e-9:
            raise srkit.SettingsError(f"up={self.up} and down={self.down} are more than 1 together")
        if (self.up and self.range[1] < 1) or (self.down and self.range[0] > 1):
            raise srkit.SettingsError(
                f"range={self.range} has no factors to go up or down by; expected [below 1, above 1]"
            )

    def draw(self, rng: Generator) -> tuple[float, str]:
        """A factor and a filter."""
        low, high = self.range
        way = pick(rng, (self.up, self.down, max(0.0, 1 - self.up - self.down)))
        factor = (uniform(rng, max(low, 1), high), uniform(rng, low, min(high, 1)), 1.0)[way]
        return factor, self.modes[pick(rng, [1] * len(self.modes))]

    def apply(self, samples: Sequence[Sample]) -> None:
        """Resize each picture; one that has its size already is left as it is."""
        plans: list[Plan] = []
        for sample, (factor, mode) in zip(samples, drawn(samples, self.per, lambda s: self.draw(s.rng)), strict=True):
            height, width = sample.goal if self.of == "goal" else sample.image.shape[1:]
            plans.append((mode, max(1, int(height * factor)), max(1, int(width * factor))))
            sample.told.append(f"{mode} ×{factor:.2f}" + (" of goal" if self.of == "goal" else ""))
        moving = [(s, p) for s, p in zip(samples, plans, strict=True) if tuple(s.image.shape[1:]) != p[1:]]
        each([s for s, _ in moving], [p for _, p in moving], self.on_array, self.on_tensors, key=lambda plan: plan)

    def on_array(self, picture: Array, plan: Plan, _: Generator) -> Array:
        """(H, W, C) float32 → likewise, clamped."""
        mode, height, width = plan
        if mode == "area":  # OpenCV's is none where one side grows and the other shrinks
            opencv = (height - picture.shape[0]) * (width - picture.shape[1]) >= 0
        else:
            opencv = mode in _OPENCV and not self.antialias
        if not opencv:
            return to_array(self.on_tensors(to_image(picture)[None], [plan], [])[0])
        resized = cv2.resize(picture, (width, height), interpolation=_OPENCV[mode])
        return np.clip(resized, 0, 1, out=resized)  # means stay in [0, 1] too, but for their rounding

    def on_tensors(self, images: Tensor, plans: Sequence[Plan], _: Sequence[Generator]) -> Tensor:
        """(B, C, H, W) → likewise, clamped: a product with a matrix along each axis.

        In float64 where there is: products in float32 may be rounded to TF32 or bfloat16, as programs that train ask for.
        """
        mode, *size = plans[0]
        precise = torch.float32 if images.device.type == "mps" else torch.float64
        rows, columns = (
            torch.from_numpy(weights(mode, before, after, antialias=self.antialias)).to(images.device, precise)
            for before, after in zip(images.shape[2:], size, strict=True)
        )
        return (rows @ (images.to(precise) @ columns.T)).to(images.dtype).clamp(0, 1)


@functools.lru_cache(8)  # the goal comes again, other sizes hardly; and they are large
def weights(mode: str, before: int, after: int, *, antialias: bool = False) -> np.ndarray[Any, np.dtype[np.float32]]:
    """(after, before): what each output pixel takes of each input pixel; beyond the border the last pixel repeats."""
    step = before / after
    if mode == "area":
        edges = np.arange(after + 1) * step
        pixels = np.arange(before)
        covered: Array = np.minimum(edges[1:, None], pixels + 1) - np.maximum(edges[:-1, None], pixels)
        matrix = np.clip(covered, 0, None)
    else:
        reach, bell = _BELLS[mode]
        wide = max(1.0, step) if antialias else 1.0
        middle = (np.arange(after) + 0.5) * step - 0.5
        taps = np.floor(middle)[:, None] + np.arange(1 - np.ceil(reach * wide), np.ceil(reach * wide) + 1)
        matrix = np.zeros((after, before))
        inside = np.clip(taps, 0, before - 1).astype(int)
        if antialias:
            share = np.where(taps == inside, bell((taps - middle[:, None]) / wide, -0.5), 0)
        else:
            share = bell(taps - middle[:, None], -0.75)
        np.add.at(matrix, (np.arange(after)[:, None], inside), share)
    return np.asarray(matrix / matrix.sum(1, keepdims=True), np.float32)


def _box(x: Array, _: float) -> Array:
    return np.where((x >= -0.5) & (x < 0.5), 1.0, 0.0)


def _triangle(x: Array, _: float) -> Array:
    return np.asarray(np.maximum(1 - np.abs(x), 0))


def _cubic(x: Array, a: float) -> Array:
    """Keys' bicubic; OpenCV and torch have a = −0.75, Pillow, and torch with antialiasing, −0.5."""
    x = np.abs(x)
    inner = ((a + 2) * x - (a + 3)) * x**2 + 1
    outer = ((a * x - 5 * a) * x + 8 * a) * x - 4 * a
    return np.asarray(np.where(x <= 1, inner, np.where(x < 2, outer, 0)))


def _lanczos(x: Array, _: float) -> Array:
    return np.where(np.abs(x) < 3, np.sinc(x) * np.sinc(x / 3), 0)


_BELLS: Mapping[str, tuple[float, Callable[[Array, float], Array]]] = {
    "nearest": (0.5, _box),
    "bilinear": (1, _triangle),
    "bicubic": (2, _cubic),
    "lanczos": (3, _lanczos),
}
"""How far a filter reaches, and its weights; the number is for bicubic alone."""
