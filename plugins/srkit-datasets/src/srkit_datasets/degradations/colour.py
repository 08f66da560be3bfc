"""Colour spaces, as functions of tensors whose third axis from the end is the channel, values in [0, 1]."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias

import torch
from torch import Tensor

Conversion: TypeAlias = Callable[[Tensor], Tensor]

LUMA = (0.2989, 0.587, 0.114)
"""Of Rec. 601, rounded as Real-ESRGAN has it for its grey noise."""


def grey(images: Tensor) -> Tensor:
    """(…, 3, H, W) → (…, 1, H, W); one channel stays as it is."""
    if images.shape[-3] == 1:
        return images
    red, green, blue = images.unbind(-3)
    return (LUMA[0] * red + LUMA[1] * green + LUMA[2] * blue).unsqueeze(-3)


def linear_of_srgb(images: Tensor) -> Tensor:
    """Light of sRGB (IEC 61966-2-1)."""
    return torch.where(images <= 0.04045, images / 12.92, ((images.clamp_min(0.04045) + 0.055) / 1.055) ** 2.4)


def srgb_of_linear(images: Tensor) -> Tensor:
    """And back."""
    return torch.where(images <= 0.0031308, images * 12.92, 1.055 * images.clamp_min(0.0031308) ** (1 / 2.4) - 0.055)


_YCBCR = ((0.299, 0.587, 0.114), (-0.299 / 1.772, -0.587 / 1.772, 0.5), (0.5, -0.587 / 1.402, -0.114 / 1.402))
_RGB = ((1.0, 0.0, 1.402), (1.0, -0.114 * 1.772 / 0.587, -0.299 * 1.402 / 0.587), (1.0, 1.772, 0.0))


def _mixed(matrix: tuple[tuple[float, ...], ...], images: Tensor) -> Tensor:
    channels = images.unbind(-3)
    return torch.stack(
        [sum((w * c for w, c in zip(row, channels, strict=True)), images.new_zeros(())) for row in matrix], -3
    )


def ycbcr_of_rgb(images: Tensor) -> Tensor:
    """RGB → Y, Cb, Cr as JPEG has them; chroma is moved up by a half."""
    y, cb, cr = _mixed(_YCBCR, images).unbind(-3)
    return torch.stack((y, cb + 0.5, cr + 0.5), -3)


def rgb_of_ycbcr(images: Tensor) -> Tensor:
    """Y, Cb, Cr → RGB, not clamped: not every triple is a colour."""
    y, cb, cr = images.unbind(-3)
    return _mixed(_RGB, torch.stack((y, cb - 0.5, cr - 0.5), -3))


def hsv_of_rgb(images: Tensor) -> Tensor:
    """RGB → hue, saturation, value; hue of grey is 0."""
    red, green, blue = images.unbind(-3)
    value, low = images.amax(-3), images.amin(-3)
    spread = value - low
    safe = spread.clamp_min(1e-12)
    hue = torch.where(
        value == red,
        ((green - blue) / safe) % 6,
        torch.where(value == green, (blue - red) / safe + 2, (red - green) / safe + 4),
    )
    hue = torch.where(spread > 0, hue / 6, 0.0)
    return torch.stack((hue, spread / value.clamp_min(1e-12), value), -3)


def rgb_of_hsv(images: Tensor) -> Tensor:
    """Hue, saturation, value → RGB."""
    hue, saturation, value = images.unbind(-3)

    def channel(offset: int) -> Tensor:
        turn = (offset + hue * 6) % 6
        return value * (1 - saturation * torch.minimum(turn, 4 - turn).clamp(0, 1))

    return torch.stack((channel(5), channel(3), channel(1)), -3)


SPACES: Mapping[str, tuple[Conversion, Conversion]] = {
    "linear": (linear_of_srgb, srgb_of_linear),
    "ycbcr": (ycbcr_of_rgb, rgb_of_ycbcr),
    "hsv": (hsv_of_rgb, rgb_of_hsv),
}
"""There, and back."""
