"""Resampling to any size, rows in and rows out.

Separable Lanczos with a = 3 (Turkowski, "Filters for common resampling tasks", 1990). When it shrinks, the kernel is
stretched by the ratio, so that it also removes what the smaller grid cannot hold (antialiasing). At the border the
kernel is cut off and renormalised. Each output value is summed in one fixed order, so it does not depend on the strips.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator

import numpy as np
import torch
from torch import Tensor

from .protocols import Size
from .rows import RowWindow

LOBES = 3
ROWS = 64
"""Output rows made at once: enough to fill the vector units, few enough to stay in the cache."""


def taps(size: int, new_size: int) -> tuple[np.ndarray, np.ndarray]:
    """Indices and weights along one axis: (taps, new_size) int64 in [0, size) and float32; weights sum to 1."""
    ratio = size / new_size
    stretch = max(1.0, ratio)
    centre = (np.arange(new_size) + 0.5) * ratio - 0.5
    first = np.floor(centre - LOBES * stretch).astype(np.int64) + 1
    count = math.ceil(2 * LOBES * stretch)
    index = first + np.arange(count)[:, None]
    x = (index - centre) / stretch
    weight = np.where(np.abs(x) < LOBES, np.sinc(x) * np.sinc(x / LOBES), 0.0)
    weight[(index < 0) | (index >= size)] = 0.0
    return np.clip(index, 0, size - 1), (weight / weight.sum(0)).astype(np.float32)


def resample(strips: Iterable[Tensor], size: Size, new_size: Size) -> Iterator[Tensor]:
    """Strips (..., h, W) float32 of a picture of ``size`` → strips of the picture resampled to ``new_size``."""
    if size == new_size:
        yield from strips
        return
    rows, row_weights = taps(size[0], new_size[0])
    columns, column_weights = (torch.from_numpy(a) for a in taps(size[1], new_size[1]))
    window = RowWindow(strips)
    for top in range(0, new_size[0], ROWS):
        some = slice(top, min(top + ROWS, new_size[0]))
        used = rows[:, some]
        start, stop = int(used.min()), int(used.max()) + 1
        # The axis that is gathered comes first: then each tap copies whole runs of memory.
        planes = window.rows(start, stop)
        tall = planes.flatten(0, -3).movedim(1, 0)
        short = _gather(tall, torch.from_numpy(used - start), torch.from_numpy(row_weights[:, some]))
        resampled = _gather(short.permute(2, 1, 0), columns, column_weights).permute(1, 2, 0)
        yield resampled.reshape(*planes.shape[:-2], *resampled.shape[1:])


def _gather(x: Tensor, index: Tensor, weight: Tensor) -> Tensor:
    """Σ over taps of x taken at ``index`` along the first axis, times ``weight``."""
    x, index, weight = x.contiguous(), index.to(x.device), weight.to(x.device)[:, :, None, None]
    total = x[index[0]].mul_(weight[0])
    for i, w in zip(index[1:], weight[1:], strict=True):
        # Multiplied and added in two roundings: a fused step would round differently in vector tails.
        total.add_(x[i].mul_(w))
    return total
