"""LDL: a loss of artefacts, which leaves details alone."""

from __future__ import annotations

import attrs
import torch.nn.functional as F
from torch import Tensor

from srkit_datasets.options import whole

from .pictures import check_pictures

# Below this variance of residuals the root's gradient would grow without bound.
_STILL = 1e-12


@attrs.frozen
class LDL:
    """L1 where the residual is restless and larger than that of the network's moving average.

    J. Liang, H. Zeng and L. Zhang, "Details or Artifacts: A Locally Discriminative Learning Approach to Realistic Image
    Super-Resolution", CVPR 2022, as their code has it: gradients go through the map of artefacts too.
    ``window``: pixels a side of the neighbourhood that tells how restless a residual is.
    """

    window: int = whole(3, 99, 7, odd=True)

    def __call__(self, output: Tensor, target: Tensor, average: Tensor) -> Tensor:
        """(B, 3, H, W) float32 RGB in [0, 1], all three → a scalar.

        ``average``: what the moving average of the network's weights gives. Raises ImageError for anything else, and for
        pictures of ``window // 2`` pixels a side or less.
        """
        artefacts = self.artefacts(output, target, average)
        return (artefacts * (output - target).abs()).mean()

    def artefacts(self, output: Tensor, target: Tensor, average: Tensor) -> Tensor:
        """The same arguments → how much of an artefact each pixel is, (B, 1, H, W) float32, at least 0."""
        check_pictures(output, target, average, least=self.window // 2 + 1)
        residual = (target - output).abs().sum(1, keepdim=True)
        settled = (target - average).abs().sum(1, keepdim=True)
        overall = residual.var((1, 2, 3), keepdim=True).clamp(min=_STILL) ** 0.2
        padded = F.pad(residual, [self.window // 2] * 4, mode="reflect")
        local = padded.unfold(2, self.window, 1).unfold(3, self.window, 1).var((-2, -1))
        return (overall * local).where(residual >= settled, 0)
