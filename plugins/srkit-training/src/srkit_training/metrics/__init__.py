"""Metrics: how good pictures are, alone or against what they should be. docs/metrics.md has their conventions."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

import attrs

import srkit

from .fidelity import WINDOW, psnr, ssim
from .naturalness import BLOCK, NaturalModel, niqe

if TYPE_CHECKING:
    import torch

    from .levels import Array

__all__ = ["METRICS", "Metric", "NaturalModel", "View", "niqe", "psnr", "ssim"]

Measure: TypeAlias = "Callable[[Array, Array], float]"
"""(output, target), both (H, W, 3) uint8 RGB → the metric."""


@attrs.frozen(kw_only=True)
class View:
    """What metrics are told: see :class:`srkit_training.config.ValidationConfig`; and where networks run."""

    border: int = 0
    channel: str = "rgb"
    device: torch.device | str = "cpu"
    lpips_weights: Mapping[str, Any] = attrs.field(factory=dict)


@attrs.frozen(kw_only=True)
class Metric:
    """A metric by name.

    ``fits``: whether a picture of (height, width) without its border is large enough; ``needs`` says it in words.
    ``prepare``: what reads a network or a model once, and gives what measures.
    """

    name: str
    higher_is_better: bool
    prepare: Callable[[View], Measure]
    needs: str = "a pixel"
    fits: Callable[[int, int], bool] = lambda height, width: min(height, width) > 0

    def improves(self, value: float, best: float | None) -> bool:
        """Whether ``value`` is better than ``best``, the best so far, or None. NaN is never better, and always worse."""
        if math.isnan(value):
            return False
        if best is None or math.isnan(best):
            return True
        return value > best if self.higher_is_better else value < best


def _psnr(view: View) -> Measure:
    return lambda output, target: psnr(output, target, border=view.border, channel=view.channel)


def _ssim(view: View) -> Measure:
    return lambda output, target: ssim(output, target, border=view.border, channel=view.channel)


def _niqe(view: View) -> Measure:
    model = NaturalModel.official()
    return lambda output, _: niqe(output, border=view.border, model=model)


def _lpips(view: View) -> Measure:
    from srkit_datasets import filled

    from ..losses.lpips import LPIPS
    from .perceptual import lpips

    try:
        model = filled(LPIPS, view.lpips_weights).ready(view.device)
    except srkit.SrkitError as error:
        error.add_note("in the key 'lpips_weights'")
        raise
    return lambda output, target: lpips(output, target, model=model, border=view.border, device=view.device)


METRICS: Mapping[str, Metric] = {
    metric.name: metric
    for metric in (
        Metric(name="psnr", higher_is_better=True, prepare=_psnr),
        Metric(
            name="ssim",
            higher_is_better=True,
            prepare=_ssim,
            needs=f"{WINDOW}×{WINDOW} pixels",
            fits=lambda height, width: min(height, width) >= WINDOW,
        ),
        Metric(
            name="niqe",
            higher_is_better=False,
            prepare=_niqe,
            needs=f"two blocks of {BLOCK}×{BLOCK} pixels",
            fits=lambda height, width: (height // BLOCK) * (width // BLOCK) >= 2,
        ),
        Metric(
            name="lpips",
            higher_is_better=False,
            prepare=_lpips,
            needs="31×31 pixels",
            fits=lambda height, width: min(height, width) >= 31,
        ),
    )
}
"""All metrics, by name."""
