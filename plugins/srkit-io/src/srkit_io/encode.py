"""PNG, JPEG, WebP, GIF and AVIF written by libvips, which encodes rows as they come.

libvips pulls; the pipeline here pushes. Between them stands a PNG stream of stored (not compressed) blocks, the one kind of
stream that libvips reads from top to bottom out of any source: it carries the bytes of the rows, and libvips turns bytes into
samples again without touching them.
"""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyvips

import srkit

from . import embed
from .exif import of_resolution
from .formats import AVIF, GIF, JPEG, PNG, WEBP, Format
from .options import WriteOptions
from .picture import Metadata, Page, Picture

_TYPES = {"uint8": "uchar", "uint16": "ushort"}
_INCH = 25.4
"""In millimetres, in which libvips counts."""


def write(file: Path, kind: Format, picture: Picture, options: WriteOptions) -> None:
    """Encode a picture, taking its strips as they come."""
    if kind is PNG and len(picture.pages) > 1:
        from . import apng

        apng.write(file, kind, picture, options)
        return
    page = picture.pages[0]
    layout = page.layout
    count = len(picture.pages)
    failed: list[BaseException] = []
    feed = _Feed(_carried(picture), failed)
    source = pyvips.SourceCustom()
    source.on_read(feed.read)
    try:
        image = pyvips.Image.pngload_source(source, access="sequential", fail_on="error", unlimited=True)
        image = image.bandfold(factor=layout.channels * layout.dtype.itemsize)
        image = image.copy(
            format=_TYPES[layout.dtype.name],
            bands=layout.channels,
            interpretation=_interpretation(layout),
            **_resolution(page.metadata),
        )
        _set_fields(image, picture, count, layout.height)  # a copy, which nobody else has
        _encode(image, file, kind, page, {**_saving(kind, layout, options), "keep": _KEPT}, failed)
    except pyvips.Error as error:
        if failed:
            raise failed[0] from None
        raise OSError(str(error.detail or error.message).strip().replace("\n", "; ")) from error
    if failed:  # and libvips made do with what had come
        raise failed[0]


def _encode(
    image: Any, file: Path, kind: Format, page: Page, saving: dict[str, Any], failed: list[BaseException]
) -> None:
    exif = page.metadata.exif
    if kind in {PNG, JPEG}:
        target = embed.Spliced(file, *embed.before_pixels(kind, page.metadata), failed)
        try:
            getattr(image, _SAVERS[kind] + "_target")(target, **saving)
        finally:
            target.close()
        return
    if exif is None and kind is not GIF and page.metadata.dpi:
        exif = of_resolution(page.metadata.dpi)  # the only place these formats have for it
    if exif and kind is AVIF:
        saving["keep"] += "|exif"
    if kind is GIF and page.layout.channels < 3:
        image = image.colourspace("srgb")  # greys would get a palette with steps
    getattr(image, _SAVERS[kind])(os.fsencode(file), **saving)
    if exif and kind is AVIF:
        embed.into_avif(file, exif)
    elif exif and kind is WEBP:
        embed.into_webp(file, exif, alpha=page.layout.has_alpha)


_SAVERS = {PNG: "pngsave", JPEG: "jpegsave", WEBP: "webpsave", GIF: "gifsave", AVIF: "heifsave"}
_KEPT = "icc|xmp|other"


def _saving(kind: Format, layout: srkit.Layout, options: WriteOptions) -> dict[str, Any]:
    if kind is JPEG:
        # Optimised codes would hold the whole picture's coefficients.
        return {"Q": options.quality, "subsample_mode": "off", "optimize_coding": False}
    if kind is WEBP:
        return {"Q": options.quality}
    if kind is AVIF:
        bits = 12 if layout.dtype == np.uint16 else 8
        return {"Q": options.quality, "compression": "av1", "bitdepth": bits, "effort": 4, "subsample_mode": "off"}
    if kind is PNG:
        # One filter for all rows: for photos smaller by a third than none, and as fast; trying all takes twice the time.
        return {"compression": options.compression, "filter": "up"}
    return {}


def _interpretation(layout: srkit.Layout) -> str:
    names = {1: ("b-w", "srgb"), 2: ("grey16", "rgb16")}.get(layout.dtype.itemsize, ("b-w", "scrgb"))
    return names[layout.channels > 2]


def _resolution(metadata: Metadata) -> dict[str, float]:
    if metadata.dpi is None:
        return {}
    return {"xres": metadata.dpi[0] / _INCH, "yres": metadata.dpi[1] / _INCH}


def _set_fields(image: Any, picture: Picture, count: int, height: int) -> None:
    types, metadata = pyvips.GValue, picture.pages[0].metadata
    image.remove("bits-per-sample")  # of the carrier
    if metadata.dpi is not None:
        image.set_type(types.gstr_type, "resolution-unit", "in")
    for name, data in (("icc-profile-data", metadata.icc), ("xmp-data", metadata.xmp)):
        if data:
            image.set_type(types.blob_type, name, data)
    for index, (key, value) in enumerate(metadata.text):
        image.set_type(types.gstr_type, f"png-comment-{index}-{key}", value)
    if count > 1:
        image.set_type(types.gint_type, "page-height", height)
        image.set_type(types.gint_type, "n-pages", count)
        image.set_type(types.array_int_type, "delay", list(picture.delays))
        image.set_type(types.gint_type, "loop", picture.loop)


class _Feed:
    """Bytes as libvips asks for them; what the strips raise is kept, since it cannot pass through C."""

    def __init__(self, parts: Iterator[bytes], failed: list[BaseException]) -> None:
        self._parts, self._failed, self._left = parts, failed, memoryview(b"")

    def read(self, size: int) -> bytes:
        try:
            while not self._left:
                self._left = memoryview(next(self._parts))
        except StopIteration:
            return b""
        except BaseException as error:  # noqa: BLE001 -- raised again by whoever started libvips
            self._failed.append(error)
            return b""
        some, self._left = self._left[:size], self._left[size:]
        return bytes(some)


def _carried(picture: Picture) -> Iterator[bytes]:
    """The PNG stream that carries the bytes of all rows, one grey pixel each (PNG 3rd edition; RFC 1950, RFC 1951)."""
    layout = picture.pages[0].layout
    width = layout.width * layout.channels * layout.dtype.itemsize
    height = layout.height * len(picture.pages)
    yield b"\x89PNG\r\n\x1a\n" + embed.chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    yield embed.chunk(b"IDAT", b"\x78\x01")
    check = 1
    for strip in picture.strips():
        rows = np.zeros((len(strip), width + 1), np.uint8)  # each row after its filter, none
        rows[:, 1:] = np.ascontiguousarray(strip).view(np.uint8).reshape(len(strip), width)
        data = rows.data.cast("B")
        check = zlib.adler32(data, check)
        parts: list[bytes | memoryview] = []
        for start in range(0, len(data), 65535):
            block = data[start : start + 65535]
            parts += [struct.pack("<BHH", 0, len(block), len(block) ^ 0xFFFF), block]
        yield embed.chunk(b"IDAT", b"".join(parts))
    yield embed.chunk(b"IDAT", struct.pack("<BHH", 1, 0, 0xFFFF) + struct.pack(">I", check))
    yield embed.chunk(b"IEND", b"")
