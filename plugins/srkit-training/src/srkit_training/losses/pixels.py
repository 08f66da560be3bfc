"""Losses of pixels, each by itself."""

from __future__ import annotations

import attrs
import torch
import torch.nn.functional as F
from torch import Tensor

from srkit_datasets.options import number, whole

from .pictures import check_pictures


@attrs.frozen
class L1:
    """The mean of ``|output - target|``."""

    def __call__(self, output: Tensor, target: Tensor) -> Tensor:
        """(B, 3, H, W) float32 RGB in [0, 1], both → a scalar. Raises ImageError for anything else."""
        check_pictures(output, target)
        return F.l1_loss(output, target)


@attrs.frozen
class MSE:
    """The mean of ``(output - target)²``."""

    def __call__(self, output: Tensor, target: Tensor) -> Tensor:
        """(B, 3, H, W) float32 RGB in [0, 1], both → a scalar. Raises ImageError for anything else."""
        check_pictures(output, target)
        return F.mse_loss(output, target)


@attrs.frozen
class Charbonnier:
    """The mean of ``√((output - target)² + eps)``: L1, smooth around 0. Equal pictures are ``√eps`` apart.

    P. Charbonnier et al., "Two deterministic half-quadratic regularization algorithms for computed imaging", ICIP 1994;
    ``eps`` as BasicSR has it, inside the root and not squared.
    """

    eps: float = number(1e-30, 1, 1e-12)

    def __call__(self, output: Tensor, target: Tensor) -> Tensor:
        """(B, 3, H, W) float32 RGB in [0, 1], both → a scalar. Raises ImageError for anything else."""
        check_pictures(output, target)
        return torch.sqrt((output - target) ** 2 + self.eps).mean()


@attrs.frozen
class Edges:
    """The mean of ``|∇output - ∇target|``, ∇ being a pixel's differences from its neighbours to the right and below.

    Noise and edges weigh in it, a tint does not. Akin to the gradient difference loss of M. Mathieu, C. Couprie and Y. LeCun,
    "Deep multi-scale video prediction beyond mean square error", ICLR 2016, equation 6, which compares sizes without signs.
    """

    def __call__(self, output: Tensor, target: Tensor) -> Tensor:
        """(B, 3, H, W) float32 RGB in [0, 1], both, of 2 pixels a side at least → a scalar. Raises ImageError otherwise."""
        check_pictures(output, target, least=2)
        off = output - target
        return (off.diff(dim=-1).abs().mean() + off.diff(dim=-2).abs().mean()) / 2


@attrs.frozen
class Checkerboard:
    """The mean absolute value of what cells nearby, of ``scale`` × ``scale`` pixels of ``output - target``, have in common.

    A cell is what one pixel of the network's input becomes; what it is off by as a whole does not count. Nearby is in windows
    of ``window`` × ``window`` cells, for a grid need not be the same in dark and in bright parts of a picture.
    A. Odena, V. Dumoulin and C. Olah, "Deconvolution and Checkerboard Artifacts", Distill 2016, tell where such come from.
    """

    scale: int = whole(2, 16, 4)
    window: int = whole(1, 256, 8)

    def __call__(self, output: Tensor, target: Tensor) -> Tensor:
        """(B, 3, H, W) float32 RGB in [0, 1], both → a scalar; rows and columns that make no whole window are left out.

        Raises ImageError for anything else, and for pictures smaller than a window.
        """
        side = self.scale * self.window
        check_pictures(output, target, least=side)
        height, width = (length // side * side for length in output.shape[-2:])
        off = (output - target)[..., :height, :width]
        shared = F.avg_pool2d(F.pixel_unshuffle(off, self.scale), self.window)
        places = shared.reshape(-1, 3, self.scale**2, height // side, width // side)
        return (places - places.mean(2, keepdim=True)).abs().mean()
