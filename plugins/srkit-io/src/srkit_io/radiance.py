"""Radiance HDR by imagecodecs: RGB with a common exponent, values proportional to light.

Eight bits of the greatest of three values are kept, and what they are worth of the others. Values below 0 and what is no
number become 0. The header's other lines (EXPOSURE, VIEW) are not kept, since they tell of the picture before.
"""

from __future__ import annotations

import re
from pathlib import Path

import imagecodecs
import numpy as np

import srkit

from .errors import ImageFileError
from .formats import Format
from .held import data_of, held
from .options import WriteOptions
from .picture import Page, Picture, collected

_HEADER = 2**16
_SIZE = re.compile(rb"\n\n([-+])([XY]) (\d{1,9}) ([-+])([XY]) (\d{1,9})\n")
_MOST = float(np.ldexp(255 / 256, 127))
"""The greatest value there is."""


def open_picture(path: Path, kind: Format, limit: int) -> Picture:
    """The picture in a file, upright, (H, W, 3) float32."""
    data = data_of(path, limit)
    found = _SIZE.search(data[:_HEADER])
    if found is None or found[2] == found[5]:
        raise ImageFileError("is damaged: no size stands after its header", path)
    if b"32-bit_rle_xyze" in data[: found.start()]:
        raise ImageFileError("holds XYZ colours; srkit reads RGB; convert it with ra_xyze -r", path)
    rows, columns = int(found[3]), int(found[6])
    swapped = found[2] == b"X"
    size = (columns, rows) if swapped else (rows, columns)
    # Rows from top to bottom are "-Y", columns from left to right "+X".
    order = [1 if axis + sign in {b"Y-", b"X+"} else -1 for sign, axis in (found.group(1, 2), found.group(4, 5))]

    def decode() -> np.ndarray:
        image = np.empty((rows, columns, 3), np.float32)
        imagecodecs.rgbe_decode(data[found.end() :], header=False, rle=True, out=image)
        image = image[:: order[0], :: order[1]]
        return image.swapaxes(0, 1) if swapped else image

    return held(path, kind, Page(srkit.Layout(*size, 3, np.dtype(np.float32), flat=False), linear=True), decode, limit)


def write(file: Path, kind: Format, picture: Picture, options: WriteOptions) -> None:  # noqa: ARG001 -- no choices
    """Write RGB; grey becomes RGB."""
    image = collected(picture)[0]
    if image.ndim == 2:
        image = np.repeat(image[..., np.newaxis], 3, axis=-1)
    light = np.clip(np.nan_to_num(image, nan=0, posinf=_MOST, neginf=0), 0, _MOST)
    file.write_bytes(imagecodecs.rgbe_encode(np.ascontiguousarray(light, np.float32)))
