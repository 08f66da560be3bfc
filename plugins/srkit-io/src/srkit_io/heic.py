"""HEIC by pillow-heif (libheif): 8 bits, and 10 or 12 as 16.

Of several pictures in a file, the one that it calls primary is read; sequences are refused. Colours are those of the ICC
profile in the file; without one they are taken for sRGB, though the file may number others. 16 bits are written as 12.
Grey with alpha comes back as RGB with alpha. Density is kept in Exif, which is made up for it where there is none.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np
import pillow_heif

import srkit

from .alpha import straight
from .boxes import boxes, exif_in
from .errors import ImageFileError
from .exif import of_resolution, resolution
from .formats import Format
from .held import data_of, held, widened
from .options import WriteOptions
from .picture import Metadata, Page, Picture, collected

_MODES = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}
_BITS = 12
"""Most that HEVC's profiles for pictures hold."""


def open_picture(path: Path, kind: Format, limit: int) -> Picture:
    """The primary picture of a file, as its transformations (``irot``, ``imir``) turn it."""
    data = data_of(path, limit)
    if any(each.type == b"moov" for each in boxes(data)):
        raise ImageFileError("is a sequence of pictures (a film); convert it to single ones", path)
    image = _opened(data)
    width, height = image.size
    mode, _, bits = image.mode.partition(";")
    depth = int(bits or 8)
    channels = {"I": 1, "L": 1, "LA": 2, "La": 2, "RGB": 3, "RGBA": 4, "RGBa": 4}[mode]
    # Exif may tell the turn, too; it is done.
    metadata = _metadata(image.info).scaled((height, width), (height, width))

    def decode() -> np.ndarray:
        pixels = widened(np.asarray(_opened(data)), depth)
        return straight(pixels) if mode.endswith("a") else pixels

    layout = srkit.Layout(height, width, channels, np.dtype(np.uint8 if depth == 8 else np.uint16), channels == 1)
    beyond = max(_most_pixels(data) - width * height, 0) * channels * layout.dtype.itemsize
    return held(path, kind, Page(layout, metadata), decode, limit, beyond)


def _most_pixels(data: bytes | memoryview) -> int:
    """Pixels of the largest picture that is told of (``ispe``): what is cropped away is decoded, too."""
    most = 0
    for each in boxes(data):
        if each.type in {b"meta", b"iprp", b"ipco"}:
            most = max(most, _most_pixels(each.data[4 * (each.type == b"meta") :]))
        elif each.type == b"ispe":
            _, width, height = struct.unpack_from(">3I", each.data)
            most = max(most, width * height)
    return most


def _opened(data: bytes) -> Any:
    """The primary picture, not decoded yet."""
    file = pillow_heif.open_heif(data, convert_hdr_to_8bit=False, hdr_to_16bit=False)
    return file[file.primary_index]


def _metadata(info: dict[str, Any]) -> Metadata:
    exif = exif_in(info.get("exif") or b"")
    return Metadata(icc=info.get("icc_profile"), exif=exif, xmp=info.get("xmp"), dpi=resolution(exif) if exif else None)


def write(file: Path, kind: Format, picture: Picture, options: WriteOptions) -> None:  # noqa: ARG001 -- one format
    """Write one picture, with colours in full resolution."""
    page = picture.pages[0]
    layout = page.layout
    image = np.ascontiguousarray(collected(picture)[0])
    mode = _MODES[layout.channels]
    if image.dtype == np.uint16:
        image = ((image.astype(np.uint32) * (2**_BITS - 1) + 2**15 - 1) // (2**16 - 1)).astype(np.uint16)
        mode += f";{_BITS}"
    coded = pillow_heif.from_bytes(mode, (layout.width, layout.height), image.tobytes())
    # The encoder would turn what Exif says is to be turned.
    metadata = page.metadata.scaled(page.size, page.size)
    exif = metadata.exif or (metadata.dpi and of_resolution(metadata.dpi))
    if metadata.icc:
        coded[0].info["icc_profile"] = metadata.icc
        coded[0].info["icc_profile_type"] = "prof"  # type: ignore[assignment]  # pillow-heif names no types for text
    with file.open("wb") as out:
        coded.save(out, quality=options.quality, chroma=444, bit_depth=_BITS, exif=exif, xmp=metadata.xmp)
