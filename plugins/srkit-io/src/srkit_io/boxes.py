"""Boxes: what files of JPEG 2000, JPEG XL and HEIF consist of (ISO/IEC 14496-12, 4.2; ISO/IEC 15444-1, I.4)."""

from __future__ import annotations

import struct
from collections.abc import Iterator

import attrs


@attrs.frozen
class Box:
    """A box in a file: its type, where its contents begin, and they."""

    type: bytes
    at: int
    data: memoryview


def boxes(data: bytes | bytearray | memoryview, at: int = 0) -> Iterator[Box]:
    """The boxes one after another, from ``at`` on; raises ValueError where one reaches beyond the end."""
    view = memoryview(data)
    while len(view) - at >= 8:
        size, kind = struct.unpack_from(">I4s", view, at)
        begin = at + 8
        if size == 1:
            if len(view) - at < 16:
                raise ValueError("ends within the head of a box")
            size = struct.unpack_from(">Q", view, begin)[0]
            begin += 8
        end = at + size if size else len(view)
        if not begin <= end <= len(view):
            raise ValueError(f"ends within the box {kind!r}, of {size} bytes")
        yield Box(kind, begin, view[begin:end])
        at = end


def box(kind: bytes, *parts: bytes | bytearray | memoryview) -> bytes:
    """A box of these contents."""
    size = 8 + sum(map(len, parts))
    head = struct.pack(">I4s", size, kind) if size < 2**32 else struct.pack(">I4sQ", 1, kind, size + 8)
    return b"".join((head, *parts))


def exif_in(data: bytes) -> bytes | None:
    """The TIFF structure in what a box has of Exif, without the mark that JPEG puts before it; None if it is none."""
    exif = data.removeprefix(b"Exif\0\0")
    return exif if exif[:4] in {b"II*\0", b"MM\0*"} else None
