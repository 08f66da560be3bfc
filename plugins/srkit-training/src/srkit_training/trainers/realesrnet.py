"""``realesrnet``: a network that learns to give the target itself, by losses of pictures alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs
import torch
from torch import Tensor, nn

import srkit
from srkit_datasets import filled

from ..learner import GENERATOR
from .objective import Objective, inputs_of


@attrs.frozen(kw_only=True)
class Options:
    """``losses`` and ``sharpened`` are as of :class:`~srkit_training.trainers.objective.Objective`."""

    losses: Mapping[str, Any] = attrs.field(factory=lambda: {"l1": {"weight": 1.0}})
    sharpened: Mapping[str, bool] = attrs.field(factory=dict)


class RealESRNet:
    """Wang et al., "Real-ESRGAN", 2021, section 4.1: the first stage."""

    name = "realesrnet"

    def __init__(self, **options: Any) -> None:
        chosen = filled(Options, options)
        self._objective = Objective(chosen.losses, chosen.sharpened)

    def networks(self, network: nn.Module, traits: srkit.Traits) -> Mapping[str, nn.Module]:  # noqa: ARG002
        """The generator alone."""
        return {GENERATOR: network}

    def step(self, batch: srkit.Batch, learner: srkit.Learner) -> Mapping[str, Tensor]:
        """One update."""
        lq = inputs_of(batch)
        total, told = self._objective(learner[GENERATOR](lq), batch, averaged(self._objective, lq, learner))
        learner.update(GENERATOR, total)
        return told


def averaged(objective: Objective, lq: Tensor, learner: srkit.Learner) -> Tensor | None:
    """What the generator's average gives, if a loss wants it."""
    if not objective.wants_average:
        return None
    with torch.no_grad():
        output: Tensor = learner.ema(GENERATOR)(lq)
    return output
