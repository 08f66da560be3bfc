"""``realesrgan-paired``: targets and inputs that are ready pairs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs
import numpy as np
import torch

import srkit

from .config import filled
from .crop import Turn, random_pair
from .degradations.sharpen import UnsharpMask
from .errors import PictureError
from .lists import read_pairs
from .options import flag, whole
from .partners import check_template, partners
from .pictures import Pictures, Source, check_place, open_pictures, read
from .reader import Raw
from .samples import write_sample
from .stream import Finish, Stream


@attrs.frozen(kw_only=True)
class PairedConfig:
    """What is read and what is cut from it.

    ``gt``, ``lq``: see :func:`srkit_datasets.open_pictures`. A target's input is called like it, as ``lq_name`` says:
    with ``"{}x4"`` that of ``0801.png`` is ``0801x4`` with any suffix. Or ``pairs``, a text file, names both, ``GT, LQ`` a
    line. Squares of ``gt_size`` target pixels and what matches them are given, half of them mirrored with ``flip``, turned by
    quarters with ``rotate``. ``sharpen``: give the targets sharpened, too, by Real-ESRGAN's unsharp mask.
    """

    gt: Any
    lq: Any
    pairs: str | None = None
    lq_name: str = "{}"
    scale: int = whole(1, None, 4)
    gt_size: int = whole(1, None, 256)
    flip: bool = flag(default=True)
    rotate: bool = flag(default=True)
    sharpen: bool = flag(default=False)
    shuffle: bool = flag(default=True)

    def __attrs_post_init__(self) -> None:
        if self.gt_size % self.scale:
            raise srkit.SettingsError(f"gt_size={self.gt_size} is not a multiple of scale={self.scale}")
        check_template(self.lq_name)
        if self.pairs is not None and self.lq_name != "{}":
            raise srkit.SettingsError("pairs and lq_name are two ways to say which belong together; give one")


class PairedCrops:
    """Turned crops of pairs."""

    def __init__(self, config: PairedConfig) -> None:
        self._gt, self._lq, self._partners = _matched(config)
        self.names = [*self._gt.names]
        self._side, self._scale = config.gt_size, config.scale
        self._flip, self._rotate = config.flip, config.rotate

    def item(self, index: int, rng: np.random.Generator) -> tuple[np.ndarray, ...]:
        """A square of the target, and what matches it."""
        gt, lq = read(self._gt, index), read(self._lq, self._partners[index])
        if gt.shape[:2] != (lq.shape[0] * self._scale, lq.shape[1] * self._scale):
            raise PictureError(
                self._gt.label(index),
                f"has {gt.shape[1]}×{gt.shape[0]} pixels, which is not {self._scale} times the "
                f"{lq.shape[1]}×{lq.shape[0]} of {self._lq.label(self._partners[index])}",
            )
        turn = Turn.drawn(rng, flip=self._flip, rotate=self._rotate)
        return random_pair(turn(gt), turn(lq), self._side, self._scale, rng)


def _matched(config: PairedConfig) -> tuple[Source, Source, Sequence[int]]:
    """Both sources, and for each target the number of its input."""
    if config.pairs is not None:
        pairs = read_pairs(Path(config.pairs))
        gt, lq = _listed(config.gt, [gt for gt, _ in pairs]), _listed(config.lq, [lq for _, lq in pairs])
        return gt, lq, range(len(pairs))
    gt, lq = open_pictures(config.gt), open_pictures(config.lq)
    return gt, lq, partners(gt, lq, config.lq_name)


def _listed(where: Any, names: Sequence[str]) -> Source:
    if isinstance(where, Mapping):
        where = where.get("path")
    if not isinstance(where, str | Path):
        raise srkit.SettingsError(f"with pairs, gt and lq are a single place each, not {where!r}")
    return open_pictures(Pictures(path=where, list=names))


class Sharpened(Finish):
    """Batches with their targets sharpened beside them."""

    def __call__(self, raw: Raw) -> srkit.Batch:
        """The batch."""
        batch = super().__call__(raw)
        return attrs.evolve(batch, gt_usm=UnsharpMask()(batch.gt, torch.Generator()))


class Paired:
    """Ready pairs."""

    name = "realesrgan-paired"

    def open(self, config: Mapping[str, Any], feed: srkit.Feed) -> Stream:
        """See :class:`srkit.Dataset`; the keys are those of :class:`PairedConfig`."""
        known = filled(PairedConfig, config)
        finish = Sharpened(feed) if known.sharpen else Finish(feed)
        return Stream(PairedCrops(known), feed, finish, shuffle=known.shuffle)

    def checked(self, config: Mapping[str, Any]) -> PairedConfig:
        """The configuration with its defaults, read through and its places looked for; nothing is opened."""
        known = filled(PairedConfig, config)
        check_place("gt", known.gt)
        check_place("lq", known.lq)
        if known.pairs is not None and not Path(known.pairs).is_file():
            raise srkit.DatasetError(f"pairs={known.pairs!r}; there is no such file, expected 'GT, LQ' lines")
        return known

    def sample(self, folder: Path, *, bad: int = 0) -> Mapping[str, Any]:
        """See :class:`srkit.Dataset`."""
        write_sample(folder / "gt", [(60, 48)] * 5, bad=bad)
        write_sample(folder / "lq", [(15, 12)] * (5 + bad))
        return {"gt": str(folder / "gt"), "lq": str(folder / "lq"), "gt_size": 32}


dataset = Paired()
