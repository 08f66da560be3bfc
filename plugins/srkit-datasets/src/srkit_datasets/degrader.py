"""Crops → pairs: degraded, cut, rounded to 8 bits."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import attrs
import torch
from torch import Tensor

import srkit

from .crop import corner
from .degradations.compose import Chain
from .degradations.draws import seeded
from .degradations.recipes import described, load_recipe, shipped
from .degradations.sharpen import UnsharpMask
from .draws import DEGRADATION, PAIR, draws, torch_draws
from .pool import Pairs
from .reader import Raw
from .stream import to_planes, unit

if TYPE_CHECKING:
    from .realesrgan import RealESRGANConfig

Degrade: TypeAlias = Callable[[Tensor, torch.Generator], Tensor]
"""(B, 3, H, W) float32 in [0, 1] and a generator on the CPU → (B, 3, H / scale, W / scale), on the same device."""


def meant(said: Any, scale: int) -> Degrade:
    """The degradation that is meant: a function, a shipped recipe's name, a YAML file, or what a recipe says.

    A chain without a scale gets ``scale``, and so does a shipped recipe. Raises SettingsError or UnknownName for what
    means nothing, with a note that names the key.
    """
    try:
        return _scaled(_built(said), scale)
    except (srkit.SettingsError, srkit.UnknownName) as error:
        error.add_note("in the key 'degradation'")
        raise


def _built(said: Any) -> Degrade:
    if isinstance(said, str | Path):
        degradation = load_recipe(said)
        if isinstance(degradation, Chain) and str(said) in shipped():
            return attrs.evolve(degradation, scale=None)  # which is to follow the data set
        return degradation
    if isinstance(said, Mapping | list):
        return described(said)
    if not callable(said) or isinstance(said, type):
        raise srkit.SettingsError(
            f"degradation={said!r}; expected a function of (images, generator), such as a degradation, a recipe's name "
            f"or file, or what a recipe says"
        )
    function: Degrade = said
    return function


def _scaled(degrade: Degrade, scale: int) -> Degrade:
    if not isinstance(degrade, Chain):
        return degrade
    if degrade.scale not in {None, scale}:
        raise srkit.SettingsError(
            f"degradation has scale={degrade.scale:g}, the data set scale={scale}; give both the same"
        )
    return attrs.evolve(degrade, scale=scale)


def parted(degrade: Degrade) -> tuple[UnsharpMask, Degrade]:
    """What sharpens, and the degradation without it: a chain's first step, if that sharpens, so that nothing does twice."""
    if isinstance(degrade, Chain) and degrade.steps and isinstance(degrade.steps[0], UnsharpMask):
        return degrade.steps[0], attrs.evolve(degrade, steps=degrade.steps[1:])
    return UnsharpMask(), degrade


class Degrader:
    """Crops → pairs of uint8. It can be pickled if the degradation can."""

    def __init__(self, seed: int, config: RealESRGANConfig, degrade: Degrade) -> None:
        self._seed, self._degrade = seed, degrade
        self._mask: UnsharpMask | None = None
        if config.sharpen:
            self._mask, self._degrade = parted(degrade)
        self._scale, self._crop, self._gt_size = config.scale, config.crop, config.gt_size
        self._same_crop = config.same_crop

    def __call__(self, raw: Raw, device: torch.device) -> Pairs:
        """The pairs, on the device."""
        gt = to_planes(raw.tensors[0], device)
        crops, gt_usm = unit(gt), None
        with torch.no_grad():
            if self._mask is not None:
                crops = self._mask(crops, seeded(0))  # it draws nothing
                gt_usm = levels(crops)
            lq = self._degrade(crops, torch_draws(self._seed, DEGRADATION, raw.first))
        side = self._crop // self._scale
        if lq.shape != (len(gt), 3, side, side):
            raise srkit.SettingsError(
                f"the degradation made {tuple(lq.shape)} of {tuple(gt.shape)}; with scale={self._scale} it must make "
                f"{(len(gt), 3, side, side)}"
            )
        return self._cut(Pairs(gt, levels(lq), raw.names, gt_usm), raw.first)

    def _cut(self, pairs: Pairs, first: int) -> Pairs:
        side = self._gt_size // self._scale
        places = [
            corner(draws(self._seed, PAIR, first + (0 if self._same_crop else i)), pairs.lq.shape[2:], side)
            for i in range(len(pairs.names))
        ]

        def squares(planes: Tensor, factor: int) -> Tensor:
            size = side * factor
            return torch.stack(
                [
                    plane[:, top * factor : top * factor + size, left * factor : left * factor + size]
                    for plane, (top, left) in zip(planes, places, strict=True)
                ]
            )

        cut = {key: squares(planes, 1 if key == "lq" else self._scale) for key, planes in pairs.planes.items()}
        return Pairs(names=pairs.names, **cut)

    def work(self, raw: Raw) -> Raw:
        """The same, done where the crops are read, on one thread, for workers have one and sums may depend on it."""
        threads = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            pairs = self(raw, torch.device("cpu"))
        finally:
            torch.set_num_threads(threads)
        return attrs.evolve(raw, tensors=tuple(pairs.planes.values()))


def levels(planes: Tensor) -> Tensor:
    """[0, 1] → uint8, as files have it, which is also all that the pool has to hold."""
    return planes.mul(255).round_().clamp_(0, 255).to(torch.uint8)
