"""How different two pictures look to a network: LPIPS."""

from __future__ import annotations

from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from .levels import Array, seen


class Comparing(Protocol):
    """What gives a distance for each picture of a batch, such as :class:`srkit_training.losses.lpips.LPIPS`."""

    def per_picture(self, output: Tensor, target: Tensor) -> Tensor:
        """(B, 3, H, W) float32 RGB in [0, 1], both → (B,)."""


def lpips(a: Array, b: Array, *, model: Comparing, border: int = 0, device: torch.device | str = "cpu") -> float:
    """Learned perceptual image patch similarity (Zhang et al., 2018), at least 0, and the less the more alike.

    ``a``, ``b``: (H, W, 3), uint8 or floats in [0, 1], RGB. ``border``: pixels left out at each side. ``model`` is on
    ``device``. Raises ImageError.
    """
    tensors = (
        torch.from_numpy((values / 255).astype(np.float32)).permute(2, 0, 1)[None].to(device)
        for values in seen(a, b, border, "rgb")
    )
    with torch.no_grad():
        return float(model.per_picture(*tensors))
