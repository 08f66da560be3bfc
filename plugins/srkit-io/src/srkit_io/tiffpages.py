"""The pages of a TIFF file: found by tifffile; decoded by libvips, or by tifffile where libvips does not know the kind."""

from __future__ import annotations

import importlib.util
import io
import logging
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, cast

import attrs
import numpy as np
import tifffile

import srkit

from . import directories, vips
from .alpha import straight
from .errors import ImageFileError
from .formats import Format
from .held import held, widened
from .picture import Metadata, Page, Picture
from .turned import turned, turned_size

_REDUCED, _MASK = 1, 4
_XMP, _ICC, _ORIENTATION = 700, 34675, 274
_X_RESOLUTION, _Y_RESOLUTION, _RESOLUTION_UNIT = 282, 283, 296
_INCHES = {1: 0.0, 2: 1.0, 3: 2.54}
# None, CCITT (2 to 4), LZW, JPEG, deflate (8 and 32946), packbits, WebP.
_LIBVIPS = {1, 2, 3, 4, 5, 7, 8, 32946, 32773, 50001}
_ZLIB = {1, 8, 32946}
_JPEGS = {6, 7}
_WHITE_IS_ZERO, _BLACK_IS_ZERO, _RGB, _PALETTE, _CMYK, _YCBCR = 0, 1, 2, 3, 5, 6
_KINDS = {_WHITE_IS_ZERO, _BLACK_IS_ZERO, _RGB, _PALETTE, _CMYK, _YCBCR}
_ASSOCIATED = 1
# What pixels cannot be understood without: sizes, samples, where they are, palette, predictor, JPEG tables and the like.
_ESSENTIAL = {*range(256, 260), 262, 266, 273, *range(277, 280), 284, 317, *range(320, 326), 338, 339, 347, 530, 532}

# What it logs of damage is raised, if it matters; without a handler it would also be printed.
logging.getLogger("tifffile").addHandler(logging.NullHandler())
_SEPARATE = 2


def open_picture(path: Path, kind: Format, limit: int) -> Picture:
    """The pages of a file; smaller versions of a page and masks, which also are pages to TIFF, are left out."""
    try:
        with path.open("rb") as raw, tifffile.TiffFile(raw) as file:
            parts = [
                _page(path, kind, index, page, raw, limit)
                for index, page in enumerate(file.pages)
                if isinstance(page, tifffile.TiffPage) and not int(page.subfiletype) & (_REDUCED | _MASK)
            ]
            if file.pages and directories.listed(raw, file.pages[len(file.pages) - 1].offset)[1]:
                raise ImageFileError("is damaged: it tells of more pages than there are", path)
    except tifffile.TiffFileError as error:
        raise ImageFileError(f"is damaged: {error}", path) from error
    if not parts:
        raise ImageFileError("is damaged: a TIFF without a picture", path)

    def strips() -> Iterator[np.ndarray]:
        for part in parts:
            yield from part.strips()

    pages = tuple(page for part in parts for page in part.pages)
    # Each page alone was held against the limit; pages that are held are decoded one after another.
    return Picture(pages, strips, streams=len(parts) > 1 or parts[0].streams)


def _page(path: Path, kind: Format, index: int, page: tifffile.TiffPage, raw: BinaryIO, limit: int) -> Picture:
    _check_whole(path, page, raw)
    _check_pieces(path, page, limit)
    metadata = _metadata(page, raw)
    if page.photometric not in _KINDS or (page.photometric == _YCBCR and page.compression not in _JPEGS):
        raise ImageFileError(
            f"holds pixels of a kind srkit does not read ({_named(page.photometric)}); save it as grey or RGB", path
        )
    if not _for_libvips(page):
        return _by_tifffile(path, kind, index, page, metadata, limit)
    options: dict[str, Any] = {"page": index, "unlimited": True}  # pieces of more than 50 MB are refused else
    image = vips.load(path, kind, **options)
    decoded = vips.Decoded.of(path, kind, options, image, 1, limit)
    if image.interpretation == "cmyk":
        metadata = attrs.evolve(metadata, icc=None)
    picture = Picture((Page(decoded.layout, metadata),), decoded.strips, streams=decoded.streams)
    return _halved(picture) if page.dtype == np.float16 else picture


def _halved(picture: Picture) -> Picture:
    """Half floats, which libvips gives as floats, as what they are."""
    layout = attrs.evolve(picture.pages[0].layout, dtype=np.dtype(np.float16))
    pages = (attrs.evolve(picture.pages[0], layout=layout),)
    return attrs.evolve(picture, pages=pages, strips=lambda: (strip.astype(np.float16) for strip in picture.strips()))


def _for_libvips(page: tifffile.TiffPage) -> bool:
    kind = np.dtype(page.dtype) if page.dtype is not None else None
    return (
        page.compression in _LIBVIPS
        and not (page.is_tiled and page.planarconfig == _SEPARATE)
        and page.bitspersample in {1, 2, 4, 8, 16, 32}
        and kind != np.float64
        and not (page.photometric == _WHITE_IS_ZERO and kind is not None and kind.kind == "f")
    )


def _check_whole(path: Path, page: tifffile.TiffPage, raw: BinaryIO) -> None:
    """Refuse what lies beyond the file's end: libtiff gives zeros for tiles there, tifffile leaves out tags."""
    lost = (directories.listed(raw, page.offset)[0] & _ESSENTIAL) - {tag.code for tag in page.tags}
    if lost:
        raise ImageFileError(f"is damaged: the values of its tags {sorted(lost)} are not there", path)
    size = raw.seek(0, io.SEEK_END)
    if any(count and at + count > size for at, count in zip(page.dataoffsets, page.databytecounts, strict=True)):
        raise ImageFileError("is damaged: it is cut off, or tells of pixels beyond its end", path)


def _check_pieces(path: Path, page: tifffile.TiffPage, limit: int) -> None:
    """Refuse strips and tiles that take more memory than may be used: no decoder has less than one of them."""
    if page.is_tiled:
        width, rows = math.ceil(page.imagewidth / max(1, page.tilewidth)) * page.tilewidth, page.tilelength
    else:
        width, rows = page.imagewidth, min(page.imagelength, int(page.rowsperstrip or 1))
    piece = width * rows * page.samplesperpixel * page.bitspersample // 8
    if page.is_tiled:
        needed = 3 * piece  # the row of tiles, the one before, and what is made of it: as measured
    elif page.compression in _JPEGS or page.planarconfig == _SEPARATE:
        needed = 2 * piece
    elif page.compression == 1:
        needed = 0  # read row by row
    else:
        needed = max(page.databytecounts, default=0)
    if needed > limit:
        raise ImageFileError(
            f"has strips or tiles that take {needed / 1e9:.1f} GB, and {limit / 1e9:.1f} GB may be used; raise --memory, or "
            f"save it with smaller ones",
            path,
        )


def _metadata(page: tifffile.TiffPage, raw: BinaryIO) -> Metadata:
    icc, xmp = page.tags.valueof(_ICC), page.tags.valueof(_XMP)
    dpi = tuple(_density(page, tag) for tag in (_X_RESOLUTION, _Y_RESOLUTION))
    if _orientation(page) > 4:
        dpi = dpi[::-1]
    return Metadata(
        icc=icc if isinstance(icc, bytes) else None,
        exif=directories.exif_of(raw, page.offset),
        xmp=xmp if isinstance(xmp, bytes) else None,
        dpi=cast("tuple[float, float]", dpi) if all(dpi) else None,
    )


def _density(page: tifffile.TiffPage, tag: int) -> float | None:
    value = page.tags.valueof(tag)
    inch = _INCHES.get(page.tags.valueof(_RESOLUTION_UNIT, default=2), 0.0)
    if not isinstance(value, tuple) or len(value) != 2 or not value[1]:
        return None
    return float(value[0] / value[1] * inch) or None


def _orientation(page: tifffile.TiffPage) -> int:
    value = page.tags.valueof(_ORIENTATION)
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def _by_tifffile(
    path: Path, kind: Format, index: int, page: tifffile.TiffPage, metadata: Metadata, limit: int
) -> Picture:
    """The page, decoded whole."""
    bits, samples = int(page.bitspersample), int(page.samplesperpixel)
    dtype = np.dtype(page.dtype) if page.dtype is not None else None
    if page.photometric not in {_WHITE_IS_ZERO, _BLACK_IS_ZERO, _RGB} or page.imagedepth != 1 or samples > 4:
        raise ImageFileError(
            f"holds pixels of a kind srkit does not read ({_named(page.photometric)}, {samples} samples, compression "
            f"{_named(page.compression)}); save it as grey or RGB, uncompressed or with LZW, deflate or JPEG",
            path,
        )
    if dtype is None or not (dtype.kind == "f" or (dtype.kind == "u" and bits <= 16)):
        raise ImageFileError(
            f"holds samples of {bits} bits ({dtype}), which srkit does not read; save it with 8 or 16 bits or as float",
            path,
        )
    packed = dtype.kind == "u" and bits not in {8, 16}
    if (page.compression not in _ZLIB or packed) and importlib.util.find_spec("imagecodecs") is None:
        raise ImageFileError(
            f"is TIFF with {bits} bits and compression {_named(page.compression)}, which needs the package imagecodecs: "
            f'pip install "srkit-io[formats]"',
            path,
        )
    size = turned_size((page.imagelength, page.imagewidth), _orientation(page))
    layout = srkit.Layout(*size, samples, dtype.newbyteorder("="), samples == 1)
    return held(path, kind, Page(layout, metadata), _decoder(path, index), limit)


def _decoder(path: Path, index: int) -> Callable[[], np.ndarray]:
    def decode() -> np.ndarray:
        with tifffile.TiffFile(path) as file:
            page = cast(tifffile.TiffPage, file.pages[index])
            planes, _, height, width, samples = page.shaped
            stored = page.asarray().reshape(planes, height, width, samples)
            image: np.ndarray = np.moveaxis(stored, 0, 2).reshape(height, width, planes * samples)
            bits = page.bitspersample
            if image.dtype.kind == "u":
                image = widened(image, bits)
            if page.photometric == _WHITE_IS_ZERO:
                image = (np.iinfo(image.dtype).max if image.dtype.kind == "u" else 1) - image
            if image.shape[2] in {2, 4} and page.extrasamples[:1] == (_ASSOCIATED,):
                image = straight(image)
            image = turned(image, _orientation(page))
            return image[..., 0] if image.shape[2] == 1 else image

    return decode


def _named(value: Any) -> str:
    return str(getattr(value, "name", value))
