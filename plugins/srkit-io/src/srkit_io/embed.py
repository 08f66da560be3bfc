"""Exif put into files byte for byte.

libvips would write it anew, which moves maker notes, and would make up one, of 72 dpi, where there is none.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

import pyvips

from .formats import PNG, Format
from .picture import Metadata

_SEGMENT = 2**16 - 1
"""Bytes of a JPEG's segment, its length included."""
_XMP_HEAD = 2 + len(b"http://ns.adobe.com/xap/1.0/\0")
_EXIF_FLAG, _ALPHA_FLAG = 0x08, 0x10


class Spliced(pyvips.TargetCustom):  # type: ignore[misc]
    """A file for libvips to write, with ``more`` put in after its first ``at`` bytes.

    What goes wrong, such as a full disk, is kept in ``failed``, since it cannot pass through C.
    """

    def __init__(self, file: Path, at: int, more: bytes, failed: list[BaseException]) -> None:
        super().__init__()
        self._out, self._at, self._more, self._failed = file.open("wb"), at, more, failed
        self.on_write(self._put)

    def _put(self, data: bytes) -> int:
        try:
            first, rest = data[: self._at], data[self._at :]
            self._out.write(first)
            self._at -= len(first)
            if not self._at and self._more:
                self._out.write(self._more)
                self._more = b""
            self._out.write(rest)
        except OSError as error:
            self._failed.append(error)
            return -1
        return len(data)

    def close(self) -> None:
        """Close the file; libvips does not say when it gave up."""
        try:
            self._out.close()
        except OSError as error:
            self._failed.append(error)


def before_pixels(kind: Format, metadata: Metadata) -> tuple[int, bytes]:
    """Where PNG or JPEG has its Exif, as bytes from the beginning, and what stands there."""
    exif = metadata.exif or b""
    if kind is PNG:
        return 33, chunk(b"eXIf", exif) if exif else b""
    across, down = (min(_SEGMENT, max(1, round(dots))) for dots in metadata.dpi or (1, 1))
    header = _segment(
        0xE0, b"JFIF\0" + struct.pack(">BBBHHBB", 1, 2, int(metadata.dpi is not None), across, down, 0, 0)
    )
    if len(metadata.xmp or b"") > _SEGMENT - _XMP_HEAD:
        raise ValueError(_too_long("XMP", _SEGMENT - _XMP_HEAD, len(metadata.xmp or b"")))
    return 2, header + (_segment(0xE1, b"Exif\0\0" + exif) if exif else b"")


def chunk(name: bytes, data: bytes) -> bytes:
    """A chunk of a PNG."""
    return b"".join((struct.pack(">I", len(data)), name, data, struct.pack(">I", zlib.crc32(data, zlib.crc32(name)))))


def _segment(marker: int, data: bytes) -> bytes:
    if len(data) + 2 > _SEGMENT:
        raise ValueError(_too_long("Exif", _SEGMENT - 8, len(data) - 6))
    return struct.pack(">BBH", 0xFF, marker, len(data) + 2) + data


def _too_long(what: str, most: int, there: int) -> str:
    return f"it holds {most} bytes of {what}, and there are {there}; write PNG or TIFF"


def into_webp(file: Path, exif: bytes, *, alpha: bool) -> None:
    """Put Exif into a WebP file that has none (RFC 9649, 2.7)."""
    parts = list(_riff_chunks(file.read_bytes()))
    if parts[0][0] != b"VP8X":
        image = pyvips.Image.webpload(str(file))
        size = (image.width - 1).to_bytes(3, "little") + (image.height - 1).to_bytes(3, "little")
        parts.insert(0, (b"VP8X", bytes((alpha * _ALPHA_FLAG, 0, 0, 0)) + size))
    header = parts[0][1]
    parts[0] = b"VP8X", bytes((header[0] | _EXIF_FLAG,)) + header[1:]
    before_xmp = len(parts) - (parts[-1][0] == b"XMP ")
    parts.insert(before_xmp, (b"EXIF", exif))
    body = b"WEBP" + b"".join(
        name + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2) for name, data in parts
    )
    file.write_bytes(b"RIFF" + struct.pack("<I", len(body)) + body)


def _riff_chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = 12
    while at + 8 <= len(data):
        name, length = struct.unpack_from("<4sI", data, at)
        yield name, data[at + 8 : at + 8 + length]
        at += 8 + length + length % 2


def into_avif(file: Path, exif: bytes) -> None:
    """Let the Exif item of an AVIF file, which libvips made up, be ``exif``, put at the end (ISO/IEC 14496-12, 8.11)."""
    with file.open("r+b") as out:
        data = out.read()
        meta = _box(data, 0, len(data), b"meta")
        inside = meta[0] + 4, meta[1]
        item = _item(data, *_box(data, *inside, b"iinf"), b"Exif")
        stored = b"\0\0\0\0" + exif  # the first four bytes: how far into it the structure begins
        out.write(struct.pack(">I4s", len(stored) + 8, b"mdat") + stored)
        fields = _extent(data, _box(data, *inside, b"iloc")[0], item)
        for (position, size), value in zip(fields, (0, len(data) + 8, len(stored)), strict=True):
            out.seek(position)
            out.write(value.to_bytes(size, "big"))


def _box(data: bytes, at: int, end: int, wanted: bytes) -> tuple[int, int]:
    """Where what is in a box begins and ends."""
    while at + 8 <= end:
        length, name = struct.unpack_from(">I4s", data, at)
        if name == wanted:
            return at + 8, at + length
        at += length or end
    raise ValueError(f"the encoder wrote no {wanted.decode()} box")


def _item(data: bytes, at: int, end: int, kind: bytes) -> int:
    """The number of the item of a kind, among the entries of ``iinf``."""
    at += 6 if data[at] == 0 else 8
    while at < end:
        length = struct.unpack_from(">I", data, at)[0]
        number, _, name = struct.unpack_from(">HH4s" if data[at + 8] == 2 else ">IH4s", data, at + 12)
        if name == kind:
            return int(number)
        at += length
    raise ValueError(f"the encoder wrote no item {kind.decode()}")


def _extent(data: bytes, at: int, item: int) -> list[tuple[int, int]]:
    """Where ``iloc`` has base, offset and length of an item of one piece, each as (position, bytes)."""
    version, sizes = data[at], struct.unpack_from(">H", data, at + 4)[0]
    offset, length, base, index = (sizes >> shift & 15 for shift in (12, 8, 4, 0))
    index *= version > 0
    wide = 4 if version == 2 else 2
    count = int.from_bytes(data[at + 6 : at + 6 + wide], "big")
    at += 6 + wide
    for _ in range(count):
        number = int.from_bytes(data[at : at + wide], "big")
        base_at = at + wide + 2 * (version > 0) + 2
        pieces = struct.unpack_from(">H", data, base_at + base)[0]
        at = base_at + base + 2
        if number == item and pieces == 1:
            return [(base_at, base), (at + index, offset), (at + index + offset, length)]
        at += pieces * (index + offset + length)
    raise ValueError("the encoder's Exif is not in one piece")
