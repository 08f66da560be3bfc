"""PngSuite (Willem van Schaik's pictures of every kind of PNG): exact values, and refusal of the corrupt ones.

Its folder is ``$SRKIT_TEST_PICTURES/pngsuite``; ``scripts/fetch_test_pictures.py`` fills it.
"""

from __future__ import annotations

import os
import struct
import zlib
from pathlib import Path

import attrs
import numpy as np
import pytest

import srkit_io

PLACE = os.environ.get("SRKIT_TEST_PICTURES", "")
FILES = sorted(Path(PLACE, "pngsuite").rglob("*.png")) if PLACE else []
VALID = [path for path in FILES if not path.name.startswith("x")]
CORRUPT = [path for path in FILES if path.name.startswith("x")]
pytestmark = pytest.mark.skipif(not FILES, reason="SRKIT_TEST_PICTURES names no folder with pngsuite/ in it")

GREY, RGB, PALETTE, GREY_ALPHA, RGBA = 0, 2, 3, 4, 6
SAMPLES = {GREY: 1, RGB: 3, PALETTE: 1, GREY_ALPHA: 2, RGBA: 4}
# (first column, first row, column step, row step) of the seven passes of Adam7 (PNG 3rd edition, 8.1).
ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))


@attrs.frozen
class Reference:
    """A decoder of PNG made from the text of the standard, one byte after another; knows nothing of libpng."""

    width: int
    height: int
    depth: int
    colour: int
    interlaced: int
    chunks: dict[bytes, bytes]

    @classmethod
    def of(cls, data):
        at, chunks = 8, {}
        while at < len(data):
            length, name = struct.unpack_from(">I4s", data, at)
            chunks[name] = chunks.get(name, b"") + data[at + 8 : at + 8 + length]
            at += length + 12
        width, height, depth, colour, _, _, interlaced = struct.unpack(">IIBBBBB", chunks[b"IHDR"])
        return cls(width, height, depth, colour, interlaced, chunks)

    def picture(self):
        """(H, W) or (H, W, C): what the file means, in 8 or 16 bit."""
        samples = self.samples()
        key = self.chunks.get(b"tRNS")
        if self.colour == PALETTE:
            return self.coloured(samples[..., 0], key)
        white = 2**self.depth - 1
        out = 65535 if self.depth == 16 else 255
        channels = samples * (out // white)
        if key and self.colour in {GREY, RGB}:
            wanted = np.frombuffer(key, ">u2").astype(np.int64)
            alpha = np.where((samples == wanted).all(-1, keepdims=True), 0, out)
            channels = np.concatenate((channels, alpha), -1)
        channels = channels.astype(np.uint16 if self.depth == 16 else np.uint8)
        return channels[..., 0] if channels.shape[2] == 1 else channels

    def coloured(self, indices, alpha):
        """By the palette; greys, if it has no other colour in use."""
        palette = np.frombuffer(self.chunks[b"PLTE"], np.uint8).reshape(-1, 3)
        colours = palette[indices]
        if (colours == colours[..., :1]).all() and b"iCCP" not in self.chunks:
            colours = colours[..., :1]
        if alpha is not None:
            table = np.full(256, 255, np.uint8)
            table[: len(alpha)] = np.frombuffer(alpha, np.uint8)
            colours = np.concatenate((colours, table[indices][..., None]), -1)
        return colours[..., 0] if colours.shape[2] == 1 else colours

    def samples(self):
        """(H, W, samples a pixel), as they stand in the file."""
        data = zlib.decompress(self.chunks[b"IDAT"])
        out = np.zeros((self.height, self.width, SAMPLES[self.colour]), np.int64)
        at = 0
        for left, top, across, down in ADAM7 if self.interlaced else ((0, 0, 1, 1),):
            target = out[top::down, left::across]
            if target.size:
                rows, at = self.rows(data, at, *target.shape[:2])
                target[:] = rows
        assert at == len(data)
        return out

    def rows(self, data, at, height, width):
        """The rows of one pass from ``at`` on, filters undone, and where they end."""
        bits = self.depth * SAMPLES[self.colour]
        back, length = max(1, bits // 8), (width * bits + 7) // 8
        before, rows = bytes(length), []
        for _ in range(height):
            before = unfiltered(data[at], data[at + 1 : at + 1 + length], before, back)
            rows.append(before)
            at += 1 + length
        packed = np.frombuffer(b"".join(rows), np.uint8).reshape(height, length)
        if self.depth == 16:
            values = packed.view(">u2")
        elif self.depth == 8:
            values = packed
        else:
            each = np.unpackbits(packed, axis=1).reshape(height, -1, self.depth)
            values = each @ (2 ** np.arange(self.depth)[::-1])
        return values[:, : width * SAMPLES[self.colour]].reshape(height, width, -1).astype(np.int64), at


def unfiltered(kind, row, above, back):
    """A row as it was before its filter (PNG 3rd edition, 9.2); ``back``: bytes to the pixel on the left."""
    out = bytearray(row)
    for i, value in enumerate(row):
        left, up, corner = (out[i - back], above[i], above[i - back]) if i >= back else (0, above[i], 0)
        out[i] = (value + (0, left, up, (left + up) // 2, paeth(left, up, corner))[kind]) % 256
    return bytes(out)


def paeth(left, up, corner):
    """Of three neighbours the one nearest to left + up - corner; ties go to the left, then to the one above."""
    guess = left + up - corner
    return min((left, up, corner), key=lambda value: abs(guess - value))


def test_the_suite_is_complete():
    """Nothing passes because pictures are missing: the suite has 14 corrupt files and 160 or more valid ones."""
    assert len(CORRUPT) == 14
    assert len(VALID) >= 160


@pytest.mark.parametrize("path", VALID, ids=lambda path: path.stem)
def test_valid_files_give_the_reference_values(path):
    """Every valid file gives exactly the values the standard says, in the depth and the channels it has."""
    expected = Reference.of(path.read_bytes()).picture()
    actual = srkit_io.read(path)
    assert actual.dtype == expected.dtype
    np.testing.assert_array_equal(actual, expected)


@pytest.mark.parametrize("path", CORRUPT, ids=lambda path: path.stem)
def test_corrupt_files_are_refused_by_name(path):
    """Every corrupt file is an ImageFileError that names it."""
    with pytest.raises(srkit_io.ImageFileError, match=path.name):
        srkit_io.read(path)
