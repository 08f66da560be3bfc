"""Enlargement by convolutions and pixel shuffles (Shi et al., 2016), at once by 3, or by 2 as often as it takes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from torch import nn


def steps(scale: int, width: int, *, groups: int = 1, rectified: bool = False) -> Iterator[nn.Module]:
    """The layers, (B, width, H, W) → (B, width, scale · H, scale · W); ``rectified``: a ReLU after each convolution.

    Raises ValueError for a scale that is neither 3 nor 2, 4 or 8.
    """
    if scale not in (2, 3, 4, 8):
        raise ValueError(f"scale={scale} cannot be built; expected 2, 3, 4 or 8")
    factor, times = (3, 1) if scale == 3 else (2, scale.bit_length() - 1)
    for _ in range(times):
        yield nn.Conv2d(width, factor**2 * width, 3, padding=1, groups=groups)
        if rectified:
            yield nn.ReLU()
        yield nn.PixelShuffle(factor)


def scale_of(shapes: Mapping[str, tuple[int, ...]], prefix: str, width: int) -> int:
    """The scale of such layers, from the shapes of tensors whose names begin with ``prefix``; 1 if there are none."""
    growths = [shape[0] // width for name, shape in shapes.items() if name.startswith(prefix) and len(shape) == 4]
    return 3 if growths == [9] else 2 ** len(growths)
