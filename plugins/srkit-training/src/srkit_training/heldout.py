"""Held-out pictures: targets, and the inputs that belong to them, the same each time."""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import TypeAlias

import attrs
import numpy as np
import torch
from tqdm import tqdm

import srkit
from srkit_datasets import PictureError, Source, open_pictures
from srkit_datasets.degrader import Degrade, meant
from srkit_datasets.partners import partners
from srkit_datasets.pictures import read

from .bicubic import Array, bicubic, to_8_bit
from .config import ValidationConfig

Check: TypeAlias = Callable[[srkit.Size], str | None]
"""(height, width) of a target → why it cannot be used, if so."""


@attrs.frozen(eq=False)
class HeldOut:
    """A picture's number, its name among the others, and its input, (h, w, 3) uint8 RGB."""

    number: int
    name: str
    lq: Array


class HeldOutPictures:
    """The pictures of a validation that can be used.

    Inputs are made, or read, once, and kept in memory; targets are read as they are asked for. ``bad``: file → what is wrong
    with it.
    """

    def __init__(self, config: ValidationConfig, scale: int, check: Check) -> None:
        self._gt, self._scale, self._check = open_pictures(config.gt), scale, check
        self._side = _side(config.crop, scale)
        self._make = _maker(config, scale)
        self._lq, self._partners = _ready(config, self._gt)
        self.bad: dict[str, str] = {}
        self._held: list[HeldOut] = []
        names = _names(self._gt.keys)
        for number in tqdm(range(len(names)), desc="validation", unit="picture", disable=None, leave=False):
            try:
                self._held.append(HeldOut(number, names[number], self._input(number)))
            except PictureError as error:
                self.bad[error.name] = error.reason
        if not self._held:
            name, reason = next(iter(self.bad.items()))
            raise srkit.DatasetError(
                f"none of the {len(self.bad)} pictures for validation can be used; the first is {name}: {reason}"
            )

    def __len__(self) -> int:
        return len(self._held)

    def __iter__(self) -> Iterator[HeldOut]:
        return iter(self._held)

    def target(self, held: HeldOut) -> Array:
        """(H, W, 3) uint8 RGB, ``scale`` times its input. Raises PictureError if it can no longer be read."""
        gt = read(self._gt, held.number)
        return self._cut(gt, self._units(gt), self._scale)

    def _input(self, number: int) -> Array:
        gt = read(self._gt, number)
        units = self._units(gt)
        target = self._cut(gt, units, self._scale)
        if reason := self._check(target.shape[:2]):
            raise PictureError(self._gt.label(number), reason)
        if self._lq is None:
            return self._make(target, self._gt.names[number])
        lq = read(self._lq, self._partners[number])
        if lq.shape[:2] != units:
            raise PictureError(
                self._gt.label(number),
                f"has {gt.shape[1]}×{gt.shape[0]} pixels, which is not {self._scale} times the {lq.shape[1]}×{lq.shape[0]} "
                f"of {self._lq.label(self._partners[number])}",
            )
        return np.ascontiguousarray(self._cut(lq, units, 1))

    def _units(self, gt: Array) -> srkit.Size:
        """The size of the input; what a target has beyond whole input pixels, below and to the right, is left out."""
        return gt.shape[0] // self._scale, gt.shape[1] // self._scale

    def _cut(self, picture: Array, units: srkit.Size, factor: int) -> Array:
        """The middle, in input pixels of ``factor`` a side."""
        spans = []
        for length in units:
            side = length if self._side is None else min(self._side, length)
            first = (length - side) // 2
            spans.append(slice(first * factor, (first + side) * factor))
        return picture[tuple(spans)]


def _side(crop: int | None, scale: int) -> int | None:
    if crop is None:
        return None
    if crop % scale:
        raise srkit.SettingsError(
            f"crop={crop!r} cannot be cut out of targets; expected a multiple of scale={scale}, or nothing for whole pictures"
        )
    return crop // scale


def _ready(config: ValidationConfig, gt: Source) -> tuple[Source | None, Sequence[int]]:
    """The inputs that are there already, and for each target the number of its own."""
    if config.lq is None:
        return None, ()
    lq = open_pictures(config.lq)
    return lq, partners(gt, lq, config.lq_name)


def _maker(config: ValidationConfig, scale: int) -> Callable[[Array, str], Array]:
    """What makes an input of a target and its name."""
    if config.degradation is None:
        return lambda target, _: to_8_bit(bicubic(target, (target.shape[0] // scale, target.shape[1] // scale)))
    degrade = meant(config.degradation, scale)
    return lambda target, name: _degraded(degrade, target, scale, name)


def _degraded(degrade: Degrade, target: Array, scale: int, name: str) -> Array:
    """Drawn by the picture's name, so that it is the same whatever others there are."""
    image = torch.from_numpy(target.astype(np.float32) / 255).permute(2, 0, 1)[None].contiguous()
    with torch.no_grad():
        made = degrade(image, torch.Generator().manual_seed(zlib.crc32(name.encode())))
    size = (target.shape[0] // scale, target.shape[1] // scale)
    if made.shape != (1, 3, *size):
        raise srkit.SettingsError(
            f"the degradation made {tuple(made.shape)} of {tuple(image.shape)}; with scale={scale} it must make "
            f"{(1, 3, *size)}"
        )
    return to_8_bit(made[0].permute(1, 2, 0).numpy() * 255)


def _names(keys: Sequence[str]) -> list[str]:
    """Of each picture a name that is good for a file, and no other's."""
    seen: Counter[str] = Counter()
    names = []
    for key in keys:
        name = key.rpartition("/")[2]
        seen[name] += 1
        names.append(name if seen[name] == 1 else f"{name}-{seen[name]}")
    return names
