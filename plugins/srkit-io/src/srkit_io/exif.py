"""Exif brought up to date in place.

Maker notes point at absolute positions, so nothing is moved: only the values that changed are overwritten, and a thumbnail
is put at the end. The structure is TIFF's (TIFF 6.0, section 2; Exif 2.32, 4.6).
"""

from __future__ import annotations

import contextlib
import io
import struct
from collections.abc import Iterator
from fractions import Fraction

import attrs
from PIL import Image

ORIENTATION = 0x0112
_WIDTH, _HEIGHT = 0x0100, 0x0101
_X_RESOLUTION, _Y_RESOLUTION, _RESOLUTION_UNIT = 0x011A, 0x011B, 0x0128
_THUMBNAIL, _THUMBNAIL_LENGTH = 0x0201, 0x0202
_EXIF = 0x8769
_PIXEL_X, _PIXEL_Y = 0xA002, 0xA003
_SHORT, _LONG, _RATIONAL = 3, 4, 5
_INCH, _CENTIMETRE = 2, 3
_CENTIMETRES = 2.54
"""Of an inch."""
# EXIF orientation → the turn that makes the thumbnail upright.
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


@attrs.frozen
class _Entry:
    """A field of a directory: where its 12 bytes are, and its tag, type, count and value if that is one number."""

    at: int
    tag: int
    type: int
    count: int
    value: int


class _Block:
    """An Exif structure that can be patched; reading outside of it raises struct.error."""

    def __init__(self, data: bytes) -> None:
        self.data = bytearray(data)
        self.order = {b"II": "<", b"MM": ">"}.get(data[:2], "")
        if not self.order or len(data) < 8:
            raise struct.error("no TIFF header")

    def get(self, form: str, at: int) -> tuple[int, ...]:
        return struct.unpack_from(self.order + form, self.data, at)

    def put(self, form: str, at: int, *values: int) -> None:
        struct.pack_into(self.order + form, self.data, at, *values)

    def directory(self, at: int) -> dict[int, _Entry]:
        return {entry.tag: entry for entry in self._entries(at)}

    def after(self, at: int) -> int:
        """Where the directory that follows the one ``at`` is; 0 if none."""
        return self.get("L", at + 2 + 12 * self.get("H", at)[0])[0]

    def _entries(self, at: int) -> Iterator[_Entry]:
        for index in range(self.get("H", at)[0]):
            here = at + 2 + 12 * index
            tag, kind, count = self.get("HHL", here)
            value = self.get("H", here + 8)[0] if kind == _SHORT else self.get("L", here + 8)[0]
            yield _Entry(here, tag, kind, count, value)

    def set_number(self, entry: _Entry | None, value: int) -> None:
        """Make a single SHORT or LONG another number; a LONG if it needs to be."""
        if entry is None or entry.count != 1 or entry.type not in {_SHORT, _LONG}:
            return
        if entry.type == _SHORT and value < 2**16:
            self.put("HH", entry.at + 8, value, 0)
        else:
            self.put("HLL", entry.at + 2, _LONG, 1, value)

    def set_rational(self, entry: _Entry | None, value: float) -> None:
        if entry is not None and entry.count == 1 and entry.type == _RATIONAL:
            self.put("LL", entry.value, *_fraction(value))


def orientation(exif: bytes) -> int:
    """The orientation an Exif structure tells, 1 to 8; 1 where it tells none."""
    try:
        block = _Block(exif)
        entry = block.directory(block.get("L", 4)[0]).get(ORIENTATION)
    except struct.error:
        return 1
    return entry.value if entry is not None and 1 <= entry.value <= 8 else 1


def resolution(exif: bytes) -> tuple[float, float] | None:
    """Pixels an inch, (across, down), as an Exif structure tells them; None where it does not."""
    try:
        block = _Block(exif)
        tags = block.directory(block.get("L", 4)[0])
        (across, below), (down, under) = (block.get("LL", tags[tag].value) for tag in (_X_RESOLUTION, _Y_RESOLUTION))
    except (struct.error, KeyError):
        return None
    unit = tags.get(_RESOLUTION_UNIT)
    inch = _CENTIMETRES if unit is not None and unit.value == _CENTIMETRE else 1.0
    return (across / below * inch, down / under * inch) if across and below and down and under else None


def of_resolution(dpi: tuple[float, float]) -> bytes:
    """An Exif structure that tells pixels an inch, and nothing else."""
    at = 8 + 2 + 3 * 12 + 4
    out = struct.pack("<2sHLH", b"II", 42, 8, 3)
    out += struct.pack("<HHLLHHLL", _X_RESOLUTION, _RATIONAL, 1, at, _Y_RESOLUTION, _RATIONAL, 1, at + 8)
    out += struct.pack("<HHLHHL", _RESOLUTION_UNIT, _SHORT, 1, _INCH, 0, 0)
    return out + b"".join(struct.pack("<LL", *_fraction(dots)) for dots in dpi)


def _fraction(value: float) -> tuple[int, int]:
    fraction = Fraction(min(value, 2.0**31)).limit_denominator(10_000)
    return min(fraction.numerator, 2**32 - 1), fraction.denominator if fraction.numerator < 2**32 else 1


def renewed(exif: bytes, size: tuple[int, int], dpi: tuple[float, float] | None) -> bytes:
    """An Exif structure for the upright picture of ``size`` = (height, width) that ``dpi`` pixels an inch are shown of.

    Orientation becomes 1, the thumbnail upright, and what is there of pixel dimensions and resolution is brought up to
    date. A damaged structure comes back as far as it could be.
    """
    try:
        block = _Block(exif)
    except struct.error:
        return exif
    # Where it is damaged, what could be renewed by then is.
    with contextlib.suppress(struct.error, OverflowError):
        _renew(block, size, dpi, orientation(exif))
    return bytes(block.data)


def _renew(block: _Block, size: tuple[int, int], dpi: tuple[float, float] | None, was: int) -> None:
    height, width = size
    first = block.get("L", 4)[0]
    tags = block.directory(first)
    block.set_number(tags.get(ORIENTATION), 1)
    block.set_number(tags.get(_WIDTH), width)
    block.set_number(tags.get(_HEIGHT), height)
    if dpi is not None:
        unit = tags.get(_RESOLUTION_UNIT)
        inch = _CENTIMETRES if unit is not None and unit.value == _CENTIMETRE else 1.0
        block.set_rational(tags.get(_X_RESOLUTION), dpi[0] / inch)
        block.set_rational(tags.get(_Y_RESOLUTION), dpi[1] / inch)
    if _EXIF in tags:
        inner = block.directory(tags[_EXIF].value)
        block.set_number(inner.get(_PIXEL_X), width)
        block.set_number(inner.get(_PIXEL_Y), height)
    second = block.after(first)
    if second and was != 1:
        _turn_thumbnail(block, block.directory(second), was)


def _turn_thumbnail(block: _Block, tags: dict[int, _Entry], was: int) -> None:
    where, length = tags.get(_THUMBNAIL), tags.get(_THUMBNAIL_LENGTH)
    if where is None or length is None:
        return
    stored = bytes(block.data[where.value : where.value + length.value])
    try:
        with Image.open(io.BytesIO(stored), formats=("JPEG",)) as thumbnail:
            if max(thumbnail.size) > 1024:  # no thumbnail, whatever it says
                return
            stored = _fitting(thumbnail.transpose(_TURNS[was]), length.value)
    except (OSError, ValueError, SyntaxError):
        return
    block.set_number(tags.get(ORIENTATION), 1)
    at = where.value if len(stored) <= length.value else len(block.data)
    block.put("L", where.at + 8, at)
    block.put("L", length.at + 8, len(stored))
    block.data[at : at + len(stored)] = stored


def _fitting(thumbnail: Image.Image, room: int) -> bytes:
    """A JPEG no longer than ``room``, if it can be: a JPEG file has 64 kB for all of Exif, and little is left over."""
    for quality in (90, 80, 65, 50):
        buffer = io.BytesIO()
        thumbnail.save(buffer, "JPEG", quality=quality)
        if buffer.tell() <= room:
            break
    return buffer.getvalue()
