"""Pictures in memory made upright."""

from __future__ import annotations

import numpy as np

import srkit


def turned(img: np.ndarray, orientation: int) -> np.ndarray:
    """The picture (H, W) or (H, W, C) as it is to be seen, of Exif ``orientation`` 1 to 8 (Exif 2.32, 4.6.4 A)."""
    if orientation > 4:
        img = img.swapaxes(0, 1)
    down, across = (-1 if flips else 1 for flips in _FLIPS[orientation])
    return np.ascontiguousarray(img[::down, ::across])


def turned_size(size: srkit.Size, orientation: int) -> srkit.Size:
    """(height, width) of what ``turned`` gives."""
    return (size[1], size[0]) if orientation > 4 else size


# Orientation → whether rows, and columns, are reversed, after the axes were swapped from 5 on.
_FLIPS = {
    1: (False, False),
    2: (False, True),
    3: (True, True),
    4: (True, False),
    5: (False, False),
    6: (False, True),
    7: (True, True),
    8: (True, False),
}
