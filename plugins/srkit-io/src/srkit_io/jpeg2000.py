"""JPEG 2000 by imagecodecs (OpenJPEG): JP2 files and bare codestreams are read, JP2 files written, without loss.

What stands around the codestream is read and written here (ISO/IEC 15444-1, Annex I): ICC profile, alpha, resolution, and
Exif and XMP in ``uuid`` boxes, where ExifTool and XMP (part 3, 1.1.4) have them. Samples of 9 to 15 bits become 16.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import attrs
import imagecodecs
import numpy as np

import srkit

from .alpha import straight
from .boxes import box, boxes, exif_in
from .errors import ImageFileError
from .exif import orientation
from .formats import Format
from .held import data_of, held, widened
from .options import WriteOptions
from .picture import Metadata, Page, Picture, collected
from .turned import turned, turned_size

_SIGNATURE = b"\0\0\0\x0cjP  \r\n\x87\n"
_EXIF = b"JpgTiffExif->JP2"
_XMP = bytes.fromhex("be7acfcb97a942e89c71999491e3afac")
_RGB, _GREY = 16, 17
_COLOURS = {12: "CMYK", 14: "Lab", 18: "YCC", 24: "e-YCC"}
_PREMULTIPLIED = 2
_INCH = 0.0254

_Around = Mapping[bytes, memoryview]
"""The first box of each type, what is in JP2's header (``jp2h``) and resolution (``res ``) boxes among them."""


def open_picture(path: Path, kind: Format, limit: int) -> Picture:
    """The picture in a file, upright; the sizes its codestream tells are checked before it is decoded."""
    data = data_of(path, limit)
    found = list(_inside(data)) if data.startswith(_SIGNATURE) else [(b"jp2c", memoryview(data))]
    around = dict(reversed(found))
    if b"jp2c" not in around:
        raise ImageFileError("is damaged: it has no codestream", path)
    stored, depths = _stored(path, around[b"jp2c"])
    if b"pclr" in around:
        depths = [(depth & 0x7F) + 1 for depth in around[b"pclr"][3 : 3 + around[b"pclr"][2]]]
    _check_channels(path, depths, around)
    metadata = _metadata(around, [inner for kind, inner in found if kind == b"uuid"])
    turn = orientation(metadata.exif or b"")
    size = turned_size(stored, turn)
    if metadata.dpi and turned_size((0, 1), turn) == (1, 0):
        metadata = attrs.evolve(metadata, dpi=metadata.dpi[::-1])
    bits, dtype = depths[0], np.dtype(np.uint8 if depths[0] <= 8 else np.uint16)
    layout = srkit.Layout(*size, len(depths), dtype, len(depths) == 1)

    def decode() -> np.ndarray:
        image = widened(np.asarray(imagecodecs.jpeg2k_decode(data)), bits)
        return turned(straight(image) if _is_premultiplied(around) else image, turn)

    return held(path, kind, Page(layout, metadata.scaled(size, size)), decode, limit)


def _inside(data: bytes | memoryview) -> Iterator[tuple[bytes, memoryview]]:
    for found in boxes(data):
        if found.type in {b"jp2h", b"res "}:
            yield from _inside(found.data)
        else:
            yield found.type, found.data


def _stored(path: Path, codestream: memoryview) -> tuple[srkit.Size, list[int]]:
    """The size and the bits of each component, from the SIZ segment (A.5.1)."""
    if bytes(codestream[:4]) != b"\xff\x4f\xff\x51":
        raise ImageFileError("is damaged: its codestream does not begin with a size", path)
    right, bottom, left, top, *_, count = struct.unpack_from(">8IH", codestream, 8)
    components = [struct.unpack_from("BBB", codestream, 42 + 3 * index) for index in range(count)]
    if any(depth & 0x80 for depth, _, _ in components):
        raise ImageFileError("holds signed samples, which are no picture; convert it to PNG", path)
    if any((across, down) != (1, 1) for _, across, down in components):
        raise ImageFileError("holds channels of fewer pixels than others (subsampling); convert it to PNG", path)
    return (bottom - top, right - left), [depth + 1 for depth, _, _ in components]


def _check_channels(path: Path, depths: Sequence[int], around: _Around) -> None:
    if not 1 <= len(depths) <= 4:
        raise ImageFileError(f"holds {len(depths)} channels; srkit reads grey or RGB, each with or without alpha", path)
    if len(set(depths)) > 1 or depths[0] > 16:
        raise ImageFileError(
            f"holds channels of {', '.join(map(str, depths))} bits; srkit reads up to 16, all the same; convert it to PNG",
            path,
        )
    colour = around.get(b"colr", b"")
    method = colour[0] if colour else 0
    name = _COLOURS.get(struct.unpack_from(">I", colour, 3)[0], "") if method == 1 else ""
    if method in {2, 3} and bytes(colour[19:23]) not in {b"RGB ", b"GRAY"}:
        name = bytes(colour[19:23]).decode("latin-1").strip()
    if name:
        raise ImageFileError(f"holds {name} colours; srkit reads grey or RGB; convert it to PNG", path)


def _is_premultiplied(around: _Around) -> bool:
    """Whether a channel definition box (I.5.3.6) tells of colours multiplied by alpha."""
    defined = around.get(b"cdef", b"")[2:]
    return any(kind == _PREMULTIPLIED for _, kind, _ in struct.iter_unpack(">HHH", defined[: len(defined) // 6 * 6]))


def _metadata(around: _Around, uuids: Sequence[memoryview]) -> Metadata:
    colour = around.get(b"colr", b"")
    told = {bytes(data[:16]): bytes(data[16:]) for data in reversed(uuids)}
    resolution = around.get(b"resc", around.get(b"resd", b""))
    return Metadata(
        icc=bytes(colour[3:]) if colour and colour[0] in {2, 3} else None,
        exif=exif_in(told.get(_EXIF, b"")),
        xmp=told.get(_XMP),
        dpi=_dpi(resolution) if len(resolution) >= 10 else None,
    )


def _dpi(resolution: memoryview | bytes) -> tuple[float, float] | None:
    """Pixels an inch, (across, down), from pixels a metre (I.5.3.7)."""
    down, down_by, across, across_by, down_tens, across_tens = struct.unpack_from(">4H2b", resolution)
    if not (down and down_by and across and across_by):
        return None
    return across / across_by * 10.0**across_tens * _INCH, down / down_by * 10.0**down_tens * _INCH


def write(file: Path, kind: Format, picture: Picture, options: WriteOptions) -> None:  # noqa: ARG001 -- no choices
    """Write a JP2 file, whatever its suffix, compressed without loss."""
    image = collected(picture)[0]
    codestream = imagecodecs.jpeg2k_encode(image, level=0, reversible=True, codecformat="j2k")
    page = picture.pages[0]
    metadata = page.metadata.scaled(page.size, page.size)  # upright, whatever Exif says
    with file.open("wb") as out:
        out.write(_SIGNATURE + box(b"ftyp", b"jp2 \0\0\0\0jp2 "))
        out.write(box(b"jp2h", *_header(page)))
        if metadata.exif:
            out.write(box(b"uuid", _EXIF, metadata.exif))
        if metadata.xmp:
            out.write(box(b"uuid", _XMP, metadata.xmp))
        out.write(box(b"jp2c", codestream))


def _header(page: Page) -> Iterator[bytes]:
    layout, metadata = page.layout, page.metadata
    colours = layout.channels - layout.has_alpha
    bits = 8 * layout.dtype.itemsize
    yield box(b"ihdr", struct.pack(">IIHBBBB", layout.height, layout.width, layout.channels, bits - 1, 7, 0, 0))
    if metadata.icc:
        yield box(b"colr", struct.pack("BBB", 2, 0, 0), metadata.icc)
    else:
        yield box(b"colr", struct.pack(">BBBI", 1, 0, 0, _RGB if colours == 3 else _GREY))
    if layout.has_alpha:
        # Each channel: of which kind, colour or alpha, and of which colour, 1 the first, or of the whole picture.
        channels = [(index, 0, index + 1) for index in range(colours)] + [(colours, 1, 0)]
        yield box(b"cdef", struct.pack(">H", len(channels)), *(struct.pack(">HHH", *each) for each in channels))
    if metadata.dpi and min(metadata.dpi) > 0:
        yield box(b"res ", box(b"resc", _resolution(metadata.dpi)))


def _resolution(dpi: tuple[float, float]) -> bytes:
    across, down = (density / _INCH for density in dpi)
    tens = [math.ceil(math.log10(density / 65535)) for density in (down, across)]
    numbers = [round(density / 10.0**ten) for density, ten in zip((down, across), tens, strict=True)]
    return struct.pack(">4H2b", numbers[0], 1, numbers[1], 1, *tens)
