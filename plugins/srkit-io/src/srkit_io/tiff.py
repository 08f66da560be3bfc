"""TIFF and BigTIFF, written by tifffile."""

from __future__ import annotations

import math
import tempfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs
import numpy as np
import tifffile

import srkit

from . import directories
from .formats import Format
from .options import WriteOptions
from .picture import Metadata, Page, Picture
from .tiffpages import open_picture

__all__ = ["open_picture", "write"]

_REDUCED = 1
_XMP = 700
_BIG = 2**32 - 2**25
"""Bytes of pixels from which on a file is BigTIFF: the other kind's positions have 32 bits."""
_ROWS = 64
"""Rows of a strip: enough for the compressor, few enough for whoever reads row by row."""


def write(file: Path, kind: Format, picture: Picture, options: WriteOptions) -> None:  # noqa: ARG001
    """Write every page, in strips or tiles, compressed with deflate; BigTIFF where 32 bits cannot tell positions."""
    strips = picture.strips()
    total = picture.nbytes * (4 / 3 if options.pyramid else 1)
    with file.open("w+b") as handle, tifffile.TiffWriter(handle, bigtiff=total > _BIG) as writer:
        for page in picture.pages:
            rows = _Rows(strips, page.layout.height)
            if options.pyramid:
                _write_pyramid(writer, page, rows, options)
            else:
                _write_level(writer, page, rows, options.tile, options, page.size)
    directories.put(file, [_inner(page.metadata) for page in picture.pages])


def _inner(metadata: Metadata) -> dict[int, directories.Tags]:
    return directories.inner_of(metadata.exif) if metadata.exif else {}


def _write_level(
    writer: tifffile.TiffWriter,
    page: Page,
    rows: _Rows,
    tile: int | None,
    options: WriteOptions,
    size: srkit.Size,
    **more: Any,
) -> None:
    layout, metadata = page.layout, page.metadata
    rgb = layout.channels > 2
    integers = layout.dtype.kind == "u"
    writer.write(
        (_encoded(part, options.compression) for part in (rows.tiles(tile) if tile else rows.strips(_ROWS))),
        shape=size if layout.flat else (*size, layout.channels),
        dtype=layout.dtype,
        photometric="rgb" if rgb else "minisblack",
        planarconfig="contig" if layout.channels > 1 else None,
        extrasamples=["unassalpha"] if layout.has_alpha else None,
        **({"tile": (tile, tile)} if tile else {"rowsperstrip": _ROWS}),
        compression="zlib" if options.compression else None,
        predictor=integers and bool(options.compression),
        resolution=metadata.dpi or None,
        resolutionunit="inch" if metadata.dpi else None,
        iccprofile=metadata.icc,
        extratags=_extra(metadata, big=writer.tiff.is_bigtiff),
        metadata=None,
        software=False,
        **more,
    )


def _encoded(part: np.ndarray, level: int) -> bytes:
    """A strip or tile: differences along rows (TIFF 6.0, section 14) for integers, and deflate."""
    if not level:
        return np.ascontiguousarray(part).tobytes()
    if part.dtype.kind == "u":
        part = np.concatenate((part[:, :1], np.diff(part, axis=1)), axis=1)
    return zlib.compress(np.ascontiguousarray(part).data, level)


def _extra(metadata: Metadata, *, big: bool) -> list[tuple[int, str, int, Any, bool]]:
    tags: list[tuple[int, str, int, Any, bool]] = []
    if metadata.exif:
        tags += [(tag, "s", 0, value.data, True) for tag, value in directories.texts_of(metadata.exif).items()]
        tags += [(directories.PLACE[tag], "Q" if big else "I", 1, 0, True) for tag in _inner(metadata)]
    if metadata.xmp:
        tags.append((_XMP, "B", len(metadata.xmp), metadata.xmp, True))
    return tags


class _Rows:
    """The next ``height`` rows of strips, cut as a TIFF wants them."""

    def __init__(self, strips: Iterator[np.ndarray], height: int) -> None:
        self._strips, self._left = strips, height

    def __iter__(self) -> Iterator[np.ndarray]:
        while self._left:
            strip = next(self._strips)
            self._left -= len(strip)
            yield strip

    def strips(self, rows: int) -> Iterator[np.ndarray]:
        """Strips of ``rows`` rows, the last of what is left."""
        kept: list[np.ndarray] = []
        count = 0
        for strip in self:
            kept.append(strip)
            count += len(strip)
            if count < rows:
                continue
            joined = np.concatenate(kept) if len(kept) > 1 else strip
            whole = count - count % rows
            for top in range(0, whole, rows):
                yield joined[top : top + rows]
            kept, count = [joined[whole:]] if whole < count else [], count - whole
        if count:
            yield np.concatenate(kept)

    def tiles(self, side: int) -> Iterator[np.ndarray]:
        """Tiles, left to right and top to bottom; zeros beyond the picture."""
        for strip in self.strips(side):
            for left in range(0, strip.shape[1], side):
                tile = strip[:, left : left + side]
                below, right = side - tile.shape[0], side - tile.shape[1]
                if below or right:
                    tile = np.pad(tile, ((0, below), (0, right), *((0, 0),) * (tile.ndim - 2)))
                yield np.ascontiguousarray(tile)


def _write_pyramid(writer: tifffile.TiffWriter, page: Page, rows: _Rows, options: WriteOptions) -> None:
    """A page in tiles, and below it (SubIFDs) the halves, means of 2×2, down to what fits into a tile.

    While the page is written, its first half goes into a file without a name; the smaller ones are made from it.
    """
    side = options.tile or 256
    height, width = page.size
    levels = max(0, math.ceil(math.log2(max(height, width) / side)))
    if not levels:
        _write_level(writer, page, rows, side, options, page.size)
        return
    with tempfile.TemporaryFile() as file:
        half = _memory(file, page, (math.ceil(height / 2), math.ceil(width / 2)))
        halving = _Rows(_halved_into(rows.strips(_ROWS), half), height)
        _write_level(writer, page, halving, side, options, page.size, subifds=levels)
        for level in range(levels):
            bare = attrs.evolve(page, metadata=Metadata())
            size = half.shape[0], half.shape[1]
            with tempfile.TemporaryFile() as smaller:
                after = _memory(smaller, page, (math.ceil(size[0] / 2), math.ceil(size[1] / 2)))
                bands = (half[top : top + _ROWS] for top in range(0, size[0], _ROWS))
                counted = _Rows(_halved_into(bands, after), size[0])
                _write_level(writer, bare, counted, side, options, size, subfiletype=_REDUCED)
                half = np.array(after) if level == levels - 1 else after


def _memory(file: Any, page: Page, size: srkit.Size) -> np.ndarray:
    shape = size if page.layout.flat else (*size, page.layout.channels)
    return np.memmap(file, page.layout.dtype, "w+", shape=shape)


def _halved_into(strips: Iterator[np.ndarray], half: np.ndarray) -> Iterator[np.ndarray]:
    """The strips as they are, each of an even number of rows but the last; their halves go into ``half``."""
    top = 0
    for strip in strips:
        even = np.pad(strip, ((0, len(strip) % 2), (0, strip.shape[1] % 2), *((0, 0),) * (strip.ndim - 2)), "edge")
        parts: list[Any] = [
            even[y::2, x::2].astype(np.float64 if even.dtype.kind == "f" else np.uint32) for y in (0, 1) for x in (0, 1)
        ]
        total = parts[0] + parts[1] + parts[2] + parts[3]
        rows = total / 4 if even.dtype.kind == "f" else (total + 2) // 4
        half[top : top + len(rows)] = rows
        top += len(rows)
        yield strip
