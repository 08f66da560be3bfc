"""Learning from another network (Hinton et al., "Distilling the knowledge in a neural network", 2015)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

import srkit


class Distil:
    """L1 against the target, and against what a teacher makes of the same input.

    ``teacher``: what ``srkit.load_network`` takes as ``weights=``, a model's name or a file, of the same scale or a larger
    one; ``share``: of what is learnt from it.
    """

    name = "distil"

    def __init__(self, *, teacher: str = "srkit-compact-x4-faithful", share: float = 0.5) -> None:
        if not 0 <= share <= 1:
            raise srkit.SettingsError(f"share={share!r}; expected a number within [0, 1], such as 0.5")
        self.teacher, self.share = teacher, share
        self._teaching: nn.Module = nn.Identity()  # until networks() is called

    @staticmethod
    def sample() -> Mapping[str, Any]:
        """Options to be checked with: nothing to fetch."""
        return {"teacher": "srkit-compact-x4-faithful"}

    def networks(self, network: nn.Module, traits: srkit.Traits) -> Mapping[str, nn.Module]:
        """The pupil alone is trained; the teacher belongs to nobody, and is not in checkpoints."""
        loaded = srkit.load_network(weights=self.teacher)
        if loaded.traits.scale < traits.scale:
            raise srkit.SettingsError(
                f"teacher={self.teacher!r} enlarges {loaded.traits.scale} times, the network {traits.scale} times; name one "
                f"that enlarges as much"
            )
        self._teaching = loaded.network.eval().requires_grad_(False)
        return {"generator": network}

    def step(self, batch: srkit.Batch, learner: srkit.Learner) -> Mapping[str, Tensor]:
        """One update of the pupil; raises SettingsError if the data set gives no inputs."""
        if batch.lq is None:
            raise srkit.SettingsError(
                "the data set gives targets alone; name a degradation, data.options.degradation: second-order"
            )
        output = learner["generator"](batch.lq)
        with torch.no_grad():
            taught = self._teaching.to(batch.lq.device)(batch.lq)
            if taught.shape != output.shape:
                taught = F.interpolate(taught, size=output.shape[-2:], mode="bicubic", antialias=True)
        pixels, likeness = F.l1_loss(output, batch.gt), F.l1_loss(output, taught)
        learner.update("generator", (1 - self.share) * pixels + self.share * likeness)
        return {"pixels": pixels.detach(), "likeness": likeness.detach()}
