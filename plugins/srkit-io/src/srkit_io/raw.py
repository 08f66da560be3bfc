"""Camera raw by rawpy (LibRaw): 16 bits in sRGB, with the camera's white balance and no automatic brightness."""

from __future__ import annotations

import contextlib
from pathlib import Path

import numpy as np
import rawpy
from PIL import Image

import srkit

from .formats import Format
from .held import held
from .picture import Metadata, Page, Picture

_SRGB = (2.4, 12.92)
"""The curve of sRGB, as LibRaw wants it: the power and the slope at black."""
_EXIF, _GPS = 0x8769, 0x8825
_MAKER_NOTE = 0x927C
# ImageDescription, Make, Model, DateTime, Artist, Copyright.
_TEXTS = (270, 271, 272, 306, 315, 33432)
_QUARTER_TURNS = {5, 6}


def open_picture(path: Path, kind: Format, limit: int) -> Picture:
    """The picture in a file, developed and upright, (H, W, 3) uint16."""
    with rawpy.imread(str(path)) as raw:
        sizes = raw.sizes
    size = (sizes.width, sizes.height) if sizes.flip in _QUARTER_TURNS else (sizes.height, sizes.width)

    def decode() -> np.ndarray:
        with rawpy.imread(str(path)) as raw:
            return np.asarray(
                raw.postprocess(
                    use_camera_wb=True,
                    output_color=rawpy.ColorSpace.sRGB,
                    gamma=_SRGB,
                    output_bps=16,
                    no_auto_bright=True,
                )
            )

    layout = srkit.Layout(*size, 3, np.dtype(np.uint16), flat=False)
    return held(path, kind, Page(layout, Metadata(exif=_exif(path))), decode, limit)


def _exif(path: Path) -> bytes | None:
    """What a raw file that is a TIFF has of Exif, but for maker notes, whose positions mean nothing elsewhere."""
    found, kept = Image.Exif(), Image.Exif()
    # SyntaxError is what Pillow raises for what is no TIFF; whatever else is odd there, the pixels are not.
    with contextlib.suppress(SyntaxError, OSError, ValueError, KeyError, TypeError, EOFError), path.open("rb") as file:
        found.load_from_fp(file)
        for tag in _TEXTS:
            if isinstance(found.get(tag), str):
                kept[tag] = found[tag]
        for directory in (_EXIF, _GPS):
            kept.get_ifd(directory).update(found.get_ifd(directory))
        kept.get_ifd(_EXIF).pop(_MAKER_NOTE, None)
        return kept.tobytes().removeprefix(b"Exif\0\0") if len(kept) or any(map(kept.get_ifd, (_EXIF, _GPS))) else None
    return None
