"""JPEG in torch, bit for bit as libjpeg does it: 4:2:0, integer DCT ("islow"), smooth ("fancy") upsampling.

All arithmetic is libjpeg's in whole numbers, held exactly in float64; each rounding passes gradients on as if it were not
there, so the whole is differentiable. Numbers of JPEG are in ITU-T T.81, annex K; of the DCT in Loeffler, Ligtenberg and
Moschytz (1989), scaled to 13 bits as the reference implementation does.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

LUMINANCE = (
    16, 11, 10, 16, 24, 40, 51, 61,
    12, 12, 14, 19, 26, 58, 60, 55,
    14, 13, 16, 24, 40, 57, 69, 56,
    14, 17, 22, 29, 51, 87, 80, 62,
    18, 22, 37, 56, 68, 109, 103, 77,
    24, 35, 55, 64, 81, 104, 113, 92,
    49, 64, 78, 87, 103, 121, 120, 101,
    72, 92, 95, 98, 112, 100, 103, 99,
)  # fmt: skip
CHROMINANCE = (
    17, 18, 24, 47, 99, 99, 99, 99,
    18, 21, 26, 66, 99, 99, 99, 99,
    24, 26, 56, 99, 99, 99, 99, 99,
    47, 66, 99, 99, 99, 99, 99, 99,
    *(99,) * 32,
)  # fmt: skip


def table(base: Sequence[int], quality: int) -> list[int]:
    """The quantisation table of a quality, 64 steps by row."""
    percent = 5000 // quality if quality < 50 else 200 - 2 * quality
    return [min(max((step * percent + 50) // 100, 1), 255) for step in base]


def _floor(values: Tensor) -> Tensor:
    """Down to whole numbers; the gradient passes."""
    return values + (values.floor() - values).detach()


def _shifted(values: Tensor, bits: int) -> Tensor:
    """Divided by 2^bits, halves rounded up."""
    return _floor((values + 2 ** (bits - 1)) / 2**bits)


def _clamped(values: Tensor) -> Tensor:
    return values.clamp(0, 255)


def _fixed(value: float) -> int:
    return round(value * 2**13)


@functools.cache
def _dct() -> np.ndarray[Any, np.dtype[np.int64]]:
    """(8, 8) whole numbers: row k holds what output k takes of the inputs, times 2^13."""
    d = np.eye(8, dtype=np.int64)
    s, t = d[:4] + d[:3:-1], d[:4] - d[:3:-1]
    out = np.zeros((8, 8), np.int64)
    even = (s[0] + s[3], s[1] + s[2], s[1] - s[2], s[0] - s[3])
    out[0], out[4] = (even[0] + even[1]) << 13, (even[0] - even[1]) << 13
    shared = (even[2] + even[3]) * _fixed(0.541196100)
    out[2] = shared + even[3] * _fixed(0.765366865)
    out[6] = shared - even[2] * _fixed(1.847759065)
    # t[3], t[2], t[1], t[0] are the paper's odd inputs 4 to 7.
    z1, z2 = (t[3] + t[0]) * -_fixed(0.899976223), (t[2] + t[1]) * -_fixed(2.562915447)
    z3, z4 = t[3] + t[1], t[2] + t[0]
    z5 = (z3 + z4) * _fixed(1.175875602)
    z3, z4 = z3 * -_fixed(1.961570560) + z5, z4 * -_fixed(0.390180644) + z5
    out[7] = t[3] * _fixed(0.298631336) + z1 + z3
    out[5] = t[2] * _fixed(2.053119869) + z2 + z4
    out[3] = t[1] * _fixed(3.072711026) + z2 + z3
    out[1] = t[0] * _fixed(1.501321110) + z1 + z4
    return out


def _forward(blocks: Tensor) -> Tensor:
    """Samples (…, 8, 8), 128 taken off → coefficients times 8: rows with two more bits, then columns."""
    matrix = torch.from_numpy(_dct()).to(blocks)
    rows = _shifted(blocks @ matrix.T, 13 - 2)
    return _shifted(matrix @ rows, 13 + 2)


def _inverse(coefficients: Tensor) -> Tensor:
    """Coefficients (…, 8, 8) → samples 0 … 255: columns with two more bits, then rows."""
    matrix = torch.from_numpy(_dct()).to(coefficients)
    columns = _shifted(matrix.T @ coefficients, 13 - 2)
    return _clamped(_shifted(columns @ matrix, 13 + 2 + 3) + 128)


def _coded(plane: Tensor, steps: Tensor) -> Tensor:
    """(B, H, W), sides multiples of 8, through quantisation by ``steps`` (B, 8, 8)."""
    batch, height, width = plane.shape
    blocks = plane.reshape(batch, height // 8, 8, width // 8, 8).transpose(2, 3) - 128
    divisor = 8 * steps[:, None, None]
    scaled = _forward(blocks) / divisor
    # Halves away from zero; and never by a division that is nearly a half: all is exact in float64.
    level = scaled + (torch.sign(scaled) * (scaled.abs() + 0.5).floor() - scaled).detach()
    out = _inverse(level * steps[:, None, None])
    return out.transpose(2, 3).reshape(batch, height, width)


def _grown(plane: Tensor, height: int, width: int) -> Tensor:
    """The last row and column repeated, up to this size."""
    extra = (0, width - plane.shape[-1], 0, height - plane.shape[-2])
    return F.pad(plane[:, None], extra, mode="replicate")[:, 0] if any(extra) else plane


def _up(length: int, multiple: int) -> int:
    return math.ceil(length / multiple) * multiple


def _halved(plane: Tensor) -> Tensor:
    """Means of 2×2; halves are rounded down and up in turn, from column to column."""
    total = plane[:, ::2, ::2] + plane[:, 1::2, ::2] + plane[:, ::2, 1::2] + plane[:, 1::2, 1::2]
    bias = 1 + torch.arange(total.shape[-1], device=plane.device) % 2
    return _floor((total + bias) / 4)


def _doubled(plane: Tensor) -> Tensor:
    """Twice the size by a triangle filter, 3 : 1; planes up to 2 columns wide by repetition, as libjpeg does."""
    batch, height, width = plane.shape
    if width <= 2:
        return plane.repeat_interleave(2, 1).repeat_interleave(2, 2)
    around = F.pad(plane[:, None], (0, 0, 1, 1), mode="replicate")[:, 0]
    rows = torch.stack((3 * plane + around[:, :-2], 3 * plane + around[:, 2:]), 2).reshape(batch, 2 * height, width)
    around = F.pad(rows[:, None], (1, 1, 0, 0), mode="replicate")[:, 0]
    left = _floor((3 * rows + around[..., :-2] + 8) / 16)
    right = _floor((3 * rows + around[..., 2:] + 7) / 16)
    return torch.stack((left, right), 3).reshape(batch, 2 * height, 2 * width)


def _steps(base: Sequence[int], qualities: Sequence[int], like: Tensor) -> Tensor:
    return like.new_tensor([table(base, quality) for quality in qualities]).reshape(-1, 8, 8)


def jpeg(images: Tensor, qualities: Sequence[int]) -> Tensor:
    """(B, 3 | 1, H, W) float in [0, 1], rounded to 8 bits first → float32 of 8 bits, as libjpeg would give them back."""
    levels = images * 255
    if images.device.type == "mps":  # knows no float64
        levels = levels.cpu()
    levels = levels.double()
    levels = _clamped(levels + (levels.round() - levels).detach())
    height, width = levels.shape[2:]
    luma, chroma = (_steps(base, qualities, levels) for base in (LUMINANCE, CHROMINANCE))
    if images.shape[1] == 1:
        grey = _coded(_grown(levels[:, 0], _up(height, 8), _up(width, 8)), luma)
        return (grey[:, None, :height, :width] / 255).float().to(images.device)
    red, green, blue = levels.unbind(1)
    y = _shifted(19595 * red + 38470 * green + 7471 * blue, 16)
    # Half of 2^16, less one, is added to chroma: its middle is 128, and 255 must not become 256.
    cb = _floor((-11059 * red - 21709 * green + 32768 * blue + 32767) / 65536) + 128
    cr = _floor((32768 * red - 27439 * green - 5329 * blue + 32767) / 65536) + 128
    y = _coded(_grown(y, _up(height, 16), _up(width, 16)), luma)[:, :height, :width]
    cb, cr = (_chroma(plane, chroma) for plane in (cb, cr))
    red = y + _shifted(91881 * cr, 16)
    green = y + _shifted(-22554 * cb - 46802 * cr, 16)
    blue = y + _shifted(116130 * cb, 16)
    return (_clamped(torch.stack((red, green, blue), 1)) / 255).float().to(images.device)


def _chroma(plane: Tensor, steps: Tensor) -> Tensor:
    """A plane of chroma through the file, 128 taken off.

    Columns are repeated before they are halved, rows (but for the one that makes their number even) afterwards.
    """
    height, width = plane.shape[1:]
    half = _halved(_grown(plane, _up(height, 2), _up(width, 16)))
    coded = _coded(_grown(half, _up(height, 16) // 2, half.shape[-1]), steps)
    kept = coded[:, : _up(height, 2) // 2, : _up(width, 2) // 2]
    return _doubled(kept)[:, :height, :width] - 128
