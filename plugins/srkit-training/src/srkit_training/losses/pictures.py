"""What every loss of pictures asks of its arguments."""

from __future__ import annotations

import torch
from torch import Tensor

import srkit


def check_pictures(output: Tensor, *others: Tensor, least: int = 1) -> None:
    """Raise ImageError unless all are (B, 3, H, W) float32 of one shape, with H and W of at least ``least`` pixels."""
    for pictures in (output, *others):
        if pictures.dtype != torch.float32:
            raise srkit.ImageError(
                f"pictures of {str(pictures.dtype).removeprefix('torch.')}; losses are computed in float32: convert with "
                f".float()"
            )
        if pictures.ndim != 4 or pictures.shape[1] != 3 or 0 in pictures.shape:
            raise srkit.ImageError(f"pictures of shape {tuple(pictures.shape)}; expected (B, 3, H, W), RGB")
        if pictures.shape != output.shape:
            raise srkit.ImageError(
                f"output and target differ in shape: {tuple(output.shape)} and {tuple(pictures.shape)}; scale or crop one "
                f"to the other"
            )
    height, width = output.shape[-2:]
    if min(height, width) < least:
        raise srkit.ImageError(f"pictures of {height}×{width} pixels; this loss needs at least {least}×{least}")
