"""The mean colour of the training pictures, taken away before a network and given back after it."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

DIV2K = (0.4488, 0.4371, 0.4040)  # R, G, B in [0, 1], of its 800 training pictures


class Shift(nn.Module):
    """Adds ``sign`` times the mean colour of DIV2K, which is ``white`` times what it is in [0, 1].

    A convolution of one pixel, as published weights hold it; buffers, because it is not learned.
    """

    weight: Tensor
    bias: Tensor

    def __init__(self, sign: int, *, white: float = 1.0) -> None:
        super().__init__()
        self.register_buffer("weight", torch.eye(3).reshape(3, 3, 1, 1))
        self.register_buffer("bias", sign * white * torch.tensor(DIV2K))

    def forward(self, x: Tensor) -> Tensor:
        """(B, 3, H, W), RGB → likewise."""
        return F.conv2d(x, self.weight, self.bias)
