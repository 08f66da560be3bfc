"""``realesrgan``: crops of targets, degraded on the fly, as Real-ESRGAN trains."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

import srkit

from .config import filled
from .crop import Turn, random_crop
from .degrader import Degrade, Degrader, meant
from .draws import POOL, draws
from .options import flag, whole
from .pictures import Source, check_place, open_pictures, read
from .pool import PairPool, Pairs
from .reader import Raw
from .samples import write_sample
from .stream import Finish, Stream, unit


@attrs.frozen(kw_only=True)
class RealESRGANConfig:
    """What is read and what is made of it; the figures are Real-ESRGAN's.

    ``targets``: see :func:`srkit_datasets.open_pictures`. ``crop``: pixels a side that are cut from a target; ``flip``
    mirrors half of them, ``rotate`` turns them by quarters, too. ``degradation`` is run on batches of crops: a function of
    (images, generator), such as an :class:`srkit.Degradation`, a shipped recipe's name, a YAML file, or a mapping or list as
    in one; ``scale`` is that of a recipe that says none, or is shipped. Of what comes out, squares of ``gt_size`` target
    pixels and what matches them are given, rounded to 8 bits, after they went through a pool of ``pool`` pairs (0 for none).
    Without it the crops are given as they are. ``sharpen``: degrade sharpened crops, and give both them and the plain ones;
    by the unsharp mask that a recipe begins with, in its place, else by that of Real-ESRGAN. ``same_crop``: one place for
    all squares of a batch, as in Real-ESRGAN, instead of one for each. ``degrade_in_workers``: by each worker on one thread
    of the processor, not where the batches are wanted; for degradations that compress with libraries, or without a GPU.
    """

    targets: Any
    degradation: Any = None
    sharpen: bool = flag(default=False)
    scale: int = whole(1, None, 4)
    crop: int = whole(1, None, 400)
    gt_size: int = whole(1, None, 256)
    flip: bool = flag(default=True)
    rotate: bool = flag(default=False)
    pool: int = whole(0, None, 180)
    degrade_in_workers: bool = flag(default=False)
    same_crop: bool = flag(default=False)
    shuffle: bool = flag(default=True)

    def __attrs_post_init__(self) -> None:
        if self.degradation is None:
            if self.sharpen:
                raise srkit.SettingsError(
                    "sharpen=True needs a degradation; without one the crops are given as they are"
                )
            return
        self.degrade()
        for key, value in (("crop", self.crop), ("gt_size", self.gt_size)):
            if value % self.scale:
                raise srkit.SettingsError(f"{key}={value} is not a multiple of scale={self.scale}")
        if self.gt_size > self.crop:
            raise srkit.SettingsError(f"gt_size={self.gt_size} does not fit into crop={self.crop}")

    def degrade(self) -> Degrade | None:
        """What ``degradation`` means."""
        return None if self.degradation is None else meant(self.degradation, self.scale)


class Crops:
    """Turned crops of the pictures of a source."""

    def __init__(self, source: Source, config: RealESRGANConfig) -> None:
        self.names = [*source.names]
        self._source, self._side = source, config.crop
        self._flip, self._rotate = config.flip, config.rotate

    def item(self, index: int, rng: np.random.Generator) -> tuple[np.ndarray, ...]:
        """One crop (crop, crop, 3)."""
        turn = Turn.drawn(rng, flip=self._flip, rotate=self._rotate)
        return (random_crop(turn(read(self._source, index)), self._side, rng),)


class Degraded(Finish):
    """Crops, or pairs that workers made of them, → pairs that went through the pool."""

    def __init__(self, feed: srkit.Feed, config: RealESRGANConfig, degrader: Degrader) -> None:
        super().__init__(feed)
        self._degrader = degrader
        self._pool = PairPool(config.pool, feed.batch_size) if config.pool else None

    def __call__(self, raw: Raw) -> srkit.Batch:
        """The batch."""
        if len(raw.tensors) == 1:
            pairs = self._degrader(raw, self.device)
        else:
            gt, lq, *more = (tensor.to(self.device, non_blocking=True) for tensor in raw.tensors)
            pairs = Pairs(gt, lq, raw.names, *more)
        if self._pool is not None:
            pairs = self._pool.swap(pairs, draws(self.feed.seed, POOL, raw.first))
        gt_usm = None if pairs.gt_usm is None else unit(pairs.gt_usm)
        return srkit.Batch(gt=unit(pairs.gt), lq=unit(pairs.lq), names=pairs.names, gt_usm=gt_usm)

    def state_dict(self) -> dict[str, Any]:
        """The pool."""
        return {} if self._pool is None else {"pool": self._pool.state_dict()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """The pool as it was."""
        if self._pool is not None:
            self._pool.load_state_dict(state.get("pool", {"names": []}), self.device)


class RealESRGAN:
    """Targets, degraded on the fly."""

    name = "realesrgan"

    def open(self, config: Mapping[str, Any], feed: srkit.Feed) -> Stream:
        """See :class:`srkit.Dataset`; the keys are those of :class:`RealESRGANConfig`."""
        known = filled(RealESRGANConfig, config)
        crops = Crops(open_pictures(known.targets), known)
        degrade = known.degrade()
        if degrade is None:
            return Stream(crops, feed, Finish(feed), shuffle=known.shuffle)
        degrader = Degrader(feed.seed, known, degrade)
        work = degrader.work if known.degrade_in_workers else None
        return Stream(crops, feed, Degraded(feed, known, degrader), work, shuffle=known.shuffle)

    def checked(self, config: Mapping[str, Any]) -> RealESRGANConfig:
        """The configuration with its defaults, read through and its places looked for; nothing is opened."""
        known = filled(RealESRGANConfig, config)
        check_place("targets", known.targets)
        return known

    def sample(self, folder: Path, *, bad: int = 0) -> Mapping[str, Any]:
        """See :class:`srkit.Dataset`."""
        write_sample(folder, [(60, 50)] * 5, bad=bad)
        return {
            "targets": str(folder),
            "degradation": shrink,
            "sharpen": True,
            "crop": 48,
            "gt_size": 32,
            "rotate": True,
            "pool": 12,
        }


def shrink(images: Tensor, rng: torch.Generator) -> Tensor:
    """The mean of each 4×4 pixels, with a little noise: enough of a degradation for a sample."""
    small = F.avg_pool2d(images, 4)
    return small + torch.randn(small.shape, generator=rng).to(images.device) / 100


dataset = RealESRGAN()
