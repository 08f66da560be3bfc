"""What several tests of picture files need: Exif structures made byte by byte."""

from __future__ import annotations

import struct

import pytest

SHORT, LONG, RATIONAL, ASCII, UNDEFINED, BYTE = 3, 4, 5, 2, 7, 1
MAKER = b"Maker\0" + bytes(range(200))


def packed(order, tags, at, after=0):
    """A directory that lies at ``at``; tags: {number: (type, count, bytes)}, long values put behind it."""
    out = struct.pack(f"{order}H", len(tags))
    behind = b""
    start = at + 2 + 12 * len(tags) + 4
    for tag, (kind, count, value) in sorted(tags.items()):
        where = value.ljust(4, b"\0")
        if len(value) > 4:
            where = struct.pack(f"{order}L", start + len(behind))
            behind += value + b"\0" * (len(value) % 2)
        out += struct.pack(f"{order}HHL", tag, kind, count) + where
    return out + struct.pack(f"{order}L", after) + behind


def exif_structure(order="<", *, orientation=1, size=(60, 80), thumbnail=b""):
    """Exif as cameras write it: orientation, resolution, dimensions, a maker note that points at itself, GPS, thumbnail."""

    def short(value):
        return SHORT, 1, struct.pack(f"{order}H", value)

    def long(value):
        return LONG, 1, struct.pack(f"{order}L", value)

    def ratios(*values):
        return RATIONAL, len(values), b"".join(struct.pack(f"{order}LL", value, 1) for value in values)

    def directories(exif_at, gps_at, thumb_at, image_at):
        first = {
            0x010F: (ASCII, 6, b"Maker\0"),
            0x0112: short(orientation),
            0x011A: ratios(300),
            0x011B: ratios(300),
            0x0128: short(2),
            0x8769: long(exif_at),
            0x8825: long(gps_at),
        }
        # The note holds its own position, as many makers' notes do: moved, it would be wrong.
        inner = {0x927C: (UNDEFINED, len(MAKER) + 4, MAKER + struct.pack(f"{order}L", exif_at))}
        inner |= {0xA002: long(size[1]), 0xA003: short(size[0])}
        gps = {1: (ASCII, 2, b"N\0"), 2: ratios(52, 31, 12), 3: (ASCII, 2, b"E\0"), 4: ratios(13, 24, 36)}
        small = {0x0103: short(6), 0x0112: short(orientation), 0x0201: long(image_at), 0x0202: long(len(thumbnail))}
        return first, inner, gps, small

    positions = (0, 0, 0, 0)
    for _ in range(2):  # first for the lengths, then with the positions that follow from them
        first, inner, gps, small = directories(*positions)
        exif_at = 8 + len(packed(order, first, 8))
        gps_at = exif_at + len(packed(order, inner, 0))
        thumb_at = gps_at + len(packed(order, gps, 0))
        positions = (exif_at, gps_at, thumb_at, thumb_at + len(packed(order, small, 0)))
    head = {"<": b"II*\0", ">": b"MM\0*"}[order] + struct.pack(f"{order}L", 8)
    parts = [head, packed(order, first, 8, thumb_at if thumbnail else 0)]
    parts += [packed(order, inner, exif_at), packed(order, gps, gps_at)]
    if thumbnail:
        parts += [packed(order, small, thumb_at), thumbnail]
    return b"".join(parts)


@pytest.fixture(scope="session")
def exif_of():
    """``exif_of(order, orientation=…, size=…, thumbnail=…)``: an Exif structure as cameras write it."""
    return exif_structure
