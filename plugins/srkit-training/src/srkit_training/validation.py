"""Validation: how good a network is on pictures that it was not trained with."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import TypeAlias

import numpy as np
import torch
from torch import nn
from tqdm import tqdm

import srkit
from srkit_datasets.options import known

from .bicubic import Array, bicubic, to_8_bit
from .config import ValidationConfig
from .heldout import HeldOut, HeldOutPictures
from .metrics import METRICS, View
from .sheets import sheet, write_sheet

Upscale: TypeAlias = Callable[[Array], Array]
"""(h, w, 3) uint8 RGB → (scale·h, scale·w, 3) uint8 RGB."""


class Validation:
    """Held-out pictures, upscaled and measured.

    Making one reads every picture once: those that cannot be used are told, kept in ``bad`` (file → reason) and left out.
    Raises DatasetError if none is left, SettingsError or UnknownName for a configuration that means nothing, and
    DownloadError if a metric's model cannot be had. Networks of metrics run on ``device``, as what is validated does. Samples
    are written below ``folder``. torch's global random state is left as it was, here and by what it is called for.
    """

    def __init__(self, config: ValidationConfig, traits: srkit.Traits, folder: Path, device: torch.device) -> None:
        self._border = traits.scale if config.border is None else config.border
        _check(config)
        self._config, self._traits, self._folder, self._device = config, traits, folder, device
        view = View(
            border=self._border, channel=config.channel, device=device, lpips_weights=dict(config.lpips_weights)
        )
        with _same_chance(device):
            self._measures = {name: METRICS[name].prepare(view) for name in config.metrics}
            self._pictures = HeldOutPictures(config, traits.scale, self._unfit)
        self.bad: Mapping[str, str] = self._pictures.bad
        for name, reason in self.bad.items():
            tqdm.write(f"srkit: left out of the validation: {name}: {reason}", file=sys.stderr)

    def __call__(self, network: nn.Module, iteration: int) -> dict[str, float]:
        """The mean of each metric, and samples in ``folder/ITERATION/NAME.png``, ITERATION of eight digits.

        ``network``: the plain module, not one that is distributed or compiled; it is copied, so it stays as it is: mode,
        gradients, device. It runs on whole pictures in float32, and results are rounded to 8 bits once. Raises
        NonFiniteOutput if it gives NaN.
        """
        with _same_chance(self._device):
            enlarger = _Enlarger(network, self._traits, self._device)
            return self._means(enlarger, self._folder / f"{iteration:08d}")

    def baseline(self) -> dict[str, float]:
        """The same metrics of bicubic upscaling, as MATLAB's ``imresize``: what a network has to beat."""
        scale = self._traits.scale

        def upscale(lq: Array) -> Array:
            return to_8_bit(bicubic(lq, (lq.shape[0] * scale, lq.shape[1] * scale)))

        with _same_chance(self._device):
            return self._means(upscale, None)

    def _means(self, upscale: Upscale, folder: Path | None) -> dict[str, float]:
        found: dict[str, list[float]] = {name: [] for name in self._measures}
        bar = tqdm(self._pictures, desc="validation", unit="picture", disable=None, leave=False)
        for number, held in enumerate(bar):
            measured = self._measured(held, upscale, folder if number < self._config.samples else None)
            for name, value in measured.items():
                found[name].append(value)
        return {name: float(np.mean(values)) for name, values in found.items()}

    def _measured(self, held: HeldOut, upscale: Upscale, folder: Path | None) -> dict[str, float]:
        target, output = self._pictures.target(held), upscale(held.lq)
        measured = {name: measure(output, target) for name, measure in self._measures.items()}
        if folder is not None:
            write_sheet(folder / f"{held.name}.png", sheet(held.lq, output, target, measured))
        return measured

    def _unfit(self, size: srkit.Size) -> str | None:
        height, width = (side - 2 * self._border for side in size)
        for name in self._config.metrics:
            if min(height, width) < 1 or not METRICS[name].fits(height, width):
                return (
                    f"{size[1]}×{size[0]} pixels are too few: {name} needs {METRICS[name].needs} without a border of "
                    f"{self._border}"
                )
        return None


class _Enlarger:
    """A network over pictures, each as a whole; where memory is too small for that, on the engine that runs else."""

    def __init__(self, network: nn.Module, traits: srkit.Traits, device: torch.device) -> None:
        self._network, self._traits, self._device = network, traits, device

    def __call__(self, lq: Array) -> Array:
        try:
            return self._whole(lq)
        except srkit.OutOfMemory:
            return self._preferred(lq)

    @cached_property
    def _whole(self) -> srkit.Upscaler:
        return srkit.Upscaler.from_network(self._network, self._traits, engine="whole", device=self._device)

    @cached_property
    def _preferred(self) -> srkit.Upscaler:
        return srkit.Upscaler.from_network(self._network, self._traits, device=self._device)


@contextmanager
def _same_chance(device: torch.device) -> Iterator[None]:
    """Whatever is drawn from torch's global generators meanwhile, they are afterwards as they were."""
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        yield


def _check(config: ValidationConfig) -> None:
    """Names of metrics; the rest is the record's own to check."""
    for name in config.metrics:
        known(name, METRICS, "metric")
    watched = {"best": config.best} | ({} if config.stop is None else {"stop: metric": config.stop.metric})
    for key, name in watched.items():
        if name not in config.metrics:
            raise srkit.SettingsError(
                f"{key}={name!r} is not among metrics={[*config.metrics]}; add it there, or choose one of them"
            )
