"""Arrays ↔ float planes: the one place that knows about depth, channels and colour order.

An array is (H, W) or (H, W, C), C = 1 grey, 2 grey + alpha, 3 colour, 4 colour + alpha. Planes are (C, h, W) float32 in
[0, 1], RGB. The depth is the dtype's; it is never guessed from the values.
"""

from __future__ import annotations

from typing import Any

import attrs
import numpy as np
import torch
from torch import Tensor

from .errors import ImageError

# Overshoot of a float picture that is taken for rounding of whoever made it, and clipped.
_SLACK = 1e-3
_SUPPORTED = "bool, uint8, uint16, float16, float32 or float64"


@attrs.frozen
class Layout:
    """How a picture's array is laid out: what the result must look like again."""

    height: int
    width: int
    channels: int
    dtype: np.dtype[Any]
    flat: bool

    @property
    def has_alpha(self) -> bool:
        """Whether the last channel is alpha."""
        return self.channels in {2, 4}

    @property
    def white(self) -> int:
        """The value that stands for 1.0; 1 for float and bool."""
        return int(np.iinfo(self.dtype).max) if self.dtype.kind == "u" else 1


def layout_of(img: object) -> Layout:
    """The layout of a picture; raises ImageError, saying what to do, for what srkit cannot take."""
    if not isinstance(img, np.ndarray):
        raise ImageError(
            f"a picture must be a numpy array (H, W) or (H, W, C), not {type(img).__name__}; convert it with "
            f"numpy.asarray(img), or feed tensors to Upscaler.stream()"
        )
    if img.ndim not in {2, 3}:
        raise ImageError(f"a picture must have shape (H, W) or (H, W, C), not {img.shape}; pass one picture at a time")
    if 0 in img.shape:
        raise ImageError(f"the picture is empty: its shape is {img.shape}")
    channels = img.shape[2] if img.ndim == 3 else 1
    if channels > 4:
        first = img.shape[0] in {1, 2, 3, 4}
        hint = "; it looks channels-first: use img.transpose(1, 2, 0)" if first else ""
        raise ImageError(f"a picture must have 1 to 4 channels, but its shape is {img.shape}{hint}")
    if not (img.dtype == bool or img.dtype in (np.uint8, np.uint16, np.float16, np.float32, np.float64)):
        native = img.dtype.newbyteorder("=")
        if native not in (np.uint16, np.float16, np.float32, np.float64):
            raise ImageError(
                f"a picture of dtype {img.dtype} has no defined white; convert it to {_SUPPORTED} (floats in [0, 1])"
            )
    return Layout(img.shape[0], img.shape[1], channels, img.dtype, img.ndim == 2)


def to_planes(strip: np.ndarray, layout: Layout, order: str, top: int = 0) -> Tensor:
    """Rows of a picture, (h, W) or (h, W, C) → (C, h, W) float32 in [0, 1], RGB. The array is not touched.

    ``top``: the row of the picture that the strip begins with, for the error.

    Raises ImageError for float values that are NaN, infinite or outside [0, 1].
    """
    rows = strip[:, :, None] if strip.ndim == 2 else strip
    if layout.dtype.kind == "f":
        # Before colours swap places and float64 is rounded: the error speaks of the array as it was passed.
        _check_range(rows, top)
    if order == "bgr" and layout.channels >= 3:
        rows = rows[:, :, [2, 1, 0, 3][: layout.channels]]
    values = rows.astype(np.float32)
    if layout.white > 1:
        values /= np.float32(layout.white)
    elif layout.dtype.kind == "f":
        np.clip(values, 0, 1, out=values)
    return torch.from_numpy(np.ascontiguousarray(values)).permute(2, 0, 1)


def from_planes(planes: Tensor, layout: Layout, order: str) -> np.ndarray:
    """(C, h, W) float planes → rows in the picture's own dtype, channels and order; rounded to nearest, clipped."""
    if order == "bgr" and layout.channels >= 3:
        planes = planes[[2, 1, 0, 3][: layout.channels]]
    values = planes.permute(1, 2, 0).clamp(0, 1)
    if layout.white > 1:
        # int32 on the way, because torch computes little in uint16.
        values = values.mul(layout.white).round_().to(torch.uint8 if layout.white == 255 else torch.int32)
    elif layout.dtype.kind == "b":
        values = values >= 0.5
    rows = values.contiguous().cpu().numpy().astype(layout.dtype, copy=False)
    return rows[:, :, 0] if layout.flat else rows


def _check_range(values: np.ndarray, top: int) -> None:
    low, high = float(values.min()), float(values.max())
    if np.isfinite(low) and np.isfinite(high):
        if low < -_SLACK or high > 1 + _SLACK:
            raise ImageError(
                f"a float picture must lie in [0, 1], but this one spans [{low:g}, {high:g}]; divide by its white "
                f"(255 or 65535), or clip it"
            )
        return
    bad = ~np.isfinite(values)
    y, x, c = np.argwhere(bad)[0]
    raise ImageError(
        f"the picture has {int(bad.sum())} values that are NaN or infinite, the first in row {top + y}, column {x}, "
        f"channel {c}; replace them first, for example with numpy.nan_to_num(img)"
    )


# ITU-R BT.601 luma: how a network's three grey-ish outputs become one grey again.
_LUMA = (0.299, 0.587, 0.114)


def to_batch(planes: Tensor, layout: Layout, in_channels: int) -> Tensor:
    """(N, C, h, W) planes of N pictures → the batch a network of 1 or 3 input channels sees, (B, in_channels, h, W).

    For a network of colour: of each picture the colours (grey thrice), then alpha thrice. For a network of grey: each plane
    by itself.
    """
    if in_channels == 1:
        return planes.flatten(0, 1).unsqueeze(1)
    if layout.channels == 3:
        return planes
    if layout.channels == 4:
        return torch.stack((planes[:, :3], planes[:, 3:].expand(-1, 3, -1, -1)), 1).flatten(0, 1)
    return planes.flatten(0, 1).unsqueeze(1).expand(-1, 3, -1, -1)


def from_batch(batch: Tensor, layout: Layout) -> Tensor:
    """What the network made of ``to_batch``, (B, C', h, W) → (N, C, h, W) float32 planes."""
    batch = batch.float()
    if batch.shape[1] == 1:
        return batch.reshape(-1, layout.channels, *batch.shape[2:])
    if layout.channels == 3:
        return batch
    if layout.channels == 4:
        colours, alpha = batch.reshape(-1, 2, *batch.shape[1:]).unbind(1)
        return torch.cat((colours, _luma(alpha).unsqueeze(1)), 1)
    return _luma(batch).reshape(-1, layout.channels, *batch.shape[2:])


def _luma(colours: Tensor) -> Tensor:
    # Relative to green, so that three equal values give exactly that value.
    red, green, blue = colours.unbind(1)
    return green + _LUMA[0] * (red - green) + _LUMA[2] * (blue - green)
