"""Convolving pictures with kernels, reflected at the border without repeating the edge."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from .kernels import Kernel, padded, separated
from .samples import Array


def convolve_array(picture: Array, kernel: Kernel) -> Array:
    """(H, W, C) float32 → likewise, not clamped; a product of two lines as two passes, which is up to four times as fast.

    Kernels are symmetric about their middle, so correlation, which OpenCV computes, is convolution.
    """
    lines = separated(kernel)
    if lines is None:
        return cv2.filter2D(picture, -1, kernel.astype(np.float32), borderType=cv2.BORDER_REFLECT_101)
    return convolve_lines(picture, *lines)


def convolve_lines(picture: Array, column: Kernel, row: Kernel) -> Array:
    """With the product of two lines."""
    return cv2.sepFilter2D(
        picture, -1, row.astype(np.float32), column.astype(np.float32), borderType=cv2.BORDER_REFLECT_101
    )


def convolve_tensors(images: Tensor, kernels: Sequence[Kernel]) -> Tensor:
    """(B, C, H, W) with a kernel each, not clamped."""
    size = max(len(kernel) for kernel in kernels)
    stacked = np.stack([padded(kernel, size) for kernel in kernels]).astype(np.float32)
    weights = torch.from_numpy(stacked).to(images.device)
    return _depthwise(reflected(images, size // 2), weights.repeat_interleave(images.shape[1], 0))


def convolve_lines_tensors(images: Tensor, line: Kernel) -> Tensor:
    """(B, C, H, W), all with the product of one line with itself."""
    weights = torch.from_numpy(line.astype(np.float32)).to(images.device).expand(images.shape[0] * images.shape[1], -1)
    around = reflected(images, len(line) // 2)
    return _depthwise(_depthwise(around, weights[:, None, :]), weights[:, :, None])


def _depthwise(images: Tensor, weights: Tensor) -> Tensor:
    """Each plane with its kernel, without padding.

    Planes are channels of one picture, each a group of its own: for that torch has kernels on CUDA that compute in full
    float32, while for others cuDNN may round to TF32, or choose by the batch's size how to sum.
    """
    planes = images.flatten(0, 1)[None]
    out = F.conv2d(planes, weights[:, None], groups=planes.shape[1])
    return out.reshape(*images.shape[:2], *out.shape[2:])


def reflected(images: Tensor, margin: int) -> Tensor:
    """With ``margin`` reflected pixels around; unlike torch's, also where that is more than the picture has."""
    rows, columns = (_reflect(length, margin, images.device) for length in images.shape[2:])
    return images[:, :, rows][:, :, :, columns]


def _reflect(length: int, margin: int, device: torch.device) -> Tensor:
    """Positions −margin … length + margin − 1, folded back into the picture: 2 1 0 1 2 … n−1 n−2."""
    period = max(2 * (length - 1), 1)
    position = torch.arange(-margin, length + margin, device=device) % period
    return torch.minimum(position, period - position) if length > 1 else torch.zeros_like(position)
