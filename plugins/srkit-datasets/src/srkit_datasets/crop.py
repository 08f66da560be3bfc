"""Crops, flips and turns of pictures (H, W, C), and of pairs, whose two halves stay aligned."""

from __future__ import annotations

from collections.abc import Sequence

import attrs
import numpy as np


@attrs.frozen
class Turn:
    """One of the eight ways to lay a square on itself."""

    mirrored: bool = False
    upside_down: bool = False
    transposed: bool = False

    @classmethod
    def drawn(cls, rng: np.random.Generator, *, flip: bool, rotate: bool) -> Turn:
        """Each half of the time: mirrored with ``flip``, upside down and transposed with ``rotate``."""
        mirrored, upside_down, transposed = (bool(bit) for bit in rng.integers(2, size=3))
        return cls(flip and mirrored, rotate and upside_down, rotate and transposed)

    def __call__(self, img: np.ndarray) -> np.ndarray:
        """A view of ``img``, turned."""
        if self.mirrored:
            img = img[:, ::-1]
        if self.upside_down:
            img = img[::-1]
        return img.swapaxes(0, 1) if self.transposed else img


def padded(img: np.ndarray, side: int, mode: str = "reflect") -> np.ndarray:
    """``img``, continued below and to the right where it is smaller than ``side``.

    ``reflect`` mirrors about the last pixel, as Real-ESRGAN does; ``symmetric`` about its edge.
    """
    below, right = max(0, side - img.shape[0]), max(0, side - img.shape[1])
    if not below and not right:
        return img
    return np.pad(img, ((0, below), (0, right), (0, 0)), mode=mode)  # type: ignore[call-overload,no-any-return]


def corner(rng: np.random.Generator, size: Sequence[int], side: int) -> tuple[int, int]:
    """(top, left) of a square of ``side`` that lies anywhere in a picture of ``size`` (height, width)."""
    return int(rng.integers(size[0] - side + 1)), int(rng.integers(size[1] - side + 1))


def random_crop(img: np.ndarray, side: int, rng: np.random.Generator) -> np.ndarray:
    """A view of a square of ``side``, anywhere; a picture that is smaller is continued by reflection."""
    img = padded(img, side)
    top, left = corner(rng, img.shape, side)
    return img[top : top + side, left : left + side]


def random_pair(
    gt: np.ndarray, lq: np.ndarray, side: int, scale: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Views of a square of ``side`` of ``gt``, and of what matches it in ``lq``, which is ``scale`` times smaller.

    Pairs that are smaller are continued about the edge of the last pixel: about its middle, as single pictures are, the
    halves would no longer match, since the middle of a low-quality pixel lies between target pixels.
    """
    gt, lq = padded(gt, side, "symmetric"), padded(lq, side // scale, "symmetric")
    top, left = corner(rng, lq.shape, side // scale)
    return (
        gt[top * scale : top * scale + side, left * scale : left * scale + side],
        lq[top : top + side // scale, left : left + side // scale],
    )
