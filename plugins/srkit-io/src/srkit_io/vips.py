"""PNG, JPEG, WebP, GIF and AVIF, and the pixels of TIFF, read by libvips, which decodes rows as they are asked for."""

from __future__ import annotations

import contextlib
import logging
import math
import os
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import attrs
import numpy as np
import pyvips

import srkit

from . import gif
from .encode import write
from .errors import ImageFileError
from .exif import resolution
from .formats import AVIF, GIF, JPEG, PNG, TIFF, WEBP, Format
from .picture import Metadata, Page, Picture, rows_at_once

__all__ = ["open_picture", "write"]

# What libvips warns of is raised, if it matters; without a handler it would also be printed.
logging.getLogger("pyvips").addHandler(logging.NullHandler())

_DTYPES = {"uchar": np.uint8, "ushort": np.uint16, "float": np.float32, "double": np.float64}
_LOADERS = {PNG: "pngload", JPEG: "jpegload", TIFF: "tiffload", WEBP: "webpload", GIF: "gifload", AVIF: "heifload"}
# What libvips tells of a file without a resolution: one pixel a millimetre, or 72 dpi, in PNG with less digits.
_NO_RESOLUTION = (1.0, 2.834, 72 / 25.4)
_LYING = 5
"""Exif's orientations from here on swap width and height."""
_MILLIMETRES = 25.4
_ROWS_HELD = 24
"""Rows that libvips holds of what it decodes row by row, as measured."""


def open_picture(path: Path, kind: Format, limit: int) -> Picture:
    """The picture or the frames in a file; ``limit`` bounds the bytes of what cannot be decoded row by row."""
    if kind is PNG and _is_animated(path):
        from . import apng

        return apng.open_picture(path, kind, limit)
    if kind is GIF:
        gif.check_whole(path)
    animated = kind in {WEBP, GIF}
    options: dict[str, Any] = {"n": -1} if animated else {}
    image = load(path, kind, **options)
    count = int(cast(int, image.get("n-pages"))) if animated and _has(image, "n-pages") else 1
    decoded = Decoded.of(path, kind, options, image, count, limit)
    delays = [int(delay) for delay in _field(image, "delay", [])] if count > 1 else []
    page = Page(decoded.layout, metadata_of(image, kind))
    return Picture(
        (page,) * count,
        decoded.strips,
        tuple((delays + [100] * count)[:count]) if count > 1 else (),
        int(_field(image, "loop", 0)),
        decoded.streams,
    )


def load(path: Path, kind: Format, access: str = "sequential", **options: Any) -> pyvips.Image:
    """The image libvips makes of a file, not decoded yet; raises ImageFileError."""
    pyvips.vips_lib.vips_error_clear()  # what was said of other files and told nobody would be told of this one
    with told(path):
        source = pyvips.Source.new_from_file(os.fsencode(path))
        loader = getattr(pyvips.Image, f"{_LOADERS[kind]}_source")
        # Errors of the decoder end it; what is only odd (a profile with a wrong name) does not.
        return cast(pyvips.Image, loader(source, access=access, fail_on="error", **options))


@attrs.frozen
class Decoded:
    """The pixels of one picture of a file, or of its frames one below the other, as srkit wants them.

    Upright, RGB or grey, of a depth that srkit knows. ``kept``: the channels of those that libvips gives.
    """

    path: Path
    kind: Format
    options: dict[str, Any]
    layout: srkit.Layout
    count: int
    streams: bool
    kept: tuple[int, ...]

    @classmethod
    def of(
        cls, path: Path, kind: Format, options: dict[str, Any], image: pyvips.Image, count: int, limit: int
    ) -> Decoded:
        """``image``: the file, loaded with ``options``; ``count``: frames in it."""
        streams = (
            kind in {PNG, JPEG, TIFF} and not _field(image, "interlaced", 0) and not _field(image, "jpeg-multiscan", 0)
        )
        upright = _upright(image)
        if upright.format not in _DTYPES:
            raise ImageFileError(
                f"holds samples of type {upright.format}, which srkit does not read; save it with 8 or 16 bits or as float",
                path,
            )
        if upright.bands > 4:
            raise ImageFileError(
                f"holds {upright.bands} channels; srkit reads grey or RGB, each with or without alpha", path
            )
        dtype = np.dtype(_DTYPES[upright.format])
        height = upright.height // count
        layout = srkit.Layout(height, upright.width, upright.bands, dtype, upright.bands == 1)
        _check_memory(path, kind, image, dtype.itemsize, limit, streams=streams)
        whole = cls(path, kind, options, layout, count, streams, tuple(range(layout.channels)))
        if layout.channels >= 3 and _field(image, "palette", 0) and not _has(image, "icc-profile-data"):
            return whole.plain()
        return whole

    def plain(self) -> Decoded:
        """Without channels that tell nothing.

        A palette of greys is a grey picture: as three channels, a network would tint it. Of a GIF, libvips gives alpha even
        if nothing is transparent.
        """
        grey, opaque = True, self.kind is GIF and self.layout.has_alpha
        for strip in self.strips():
            grey = grey and bool((strip[..., :1] == strip[..., 1:3]).all())
            opaque = opaque and bool((strip[..., 3] == self.layout.white).all())
            if not grey and not opaque:
                return self
        kept = ((0,) if grey else (0, 1, 2)) + ((3,) if self.layout.has_alpha and not opaque else ())
        layout = attrs.evolve(self.layout, channels=len(kept), flat=len(kept) == 1)
        return attrs.evolve(self, layout=layout, kept=kept)

    def strips(self) -> Iterator[np.ndarray]:
        """The rows, frame by frame."""
        layout = self.layout
        before = _stamp(self.path)
        image = load(self.path, self.kind, **self.options)
        if image.get_typeof("orientation") and int(_field(image, "orientation", 1)) != 1:
            # Turning takes rows in another order: libvips decodes it whole, beyond 100 MB into a file without a name.
            image = load(self.path, self.kind, "random", **self.options)
        image = _upright(image)
        channels = int(image.bands)
        step = rows_at_once(layout.width * channels * layout.dtype.itemsize)
        with told(self.path, before):
            region = pyvips.Region.new(image)
            for frame in range(self.count):
                bottom = (frame + 1) * layout.height
                for top in range(frame * layout.height, bottom, step):
                    rows = min(step, bottom - top)
                    values = np.frombuffer(region.fetch(0, top, layout.width, rows), layout.dtype)
                    strip = values.reshape(rows, layout.width, channels)
                    if len(self.kept) < channels:
                        strip = strip[..., self.kept]
                    yield strip[..., 0] if layout.flat else strip
        if _stamp(self.path) != before:
            raise ImageFileError("changed while it was read; try again when nothing writes to it", self.path)


def _check_memory(path: Path, kind: Format, image: pyvips.Image, itemsize: int, limit: int, *, streams: bool) -> None:
    rows = min(image.height, _ROWS_HELD) if streams else image.height
    needed = image.width * rows * image.bands * itemsize
    if needed <= limit:
        return
    if streams:
        why, way = "has very long rows, of which some must be held", "save it with fewer columns"
    else:
        why = "is interlaced or progressive" if kind in {PNG, JPEG} else f"is {kind.name}"
        why, way = f"{why} and so must be decoded whole", "save it as TIFF or as plain PNG"
    raise ImageFileError(
        f"{why}: {image.width}×{rows} pixels need {needed / 1e9:.1f} GB, and {limit / 1e9:.1f} GB may be used; raise "
        f"--memory, or {way}",
        path,
    )


@contextlib.contextmanager
def told(path: Path, before: tuple[int, int] | None = None) -> Iterator[None]:
    """Turn what libvips raises into an ImageFileError of ``path``."""
    try:
        yield
    except pyvips.Error as error:
        if before is not None and _stamp(path) != before:
            raise ImageFileError("changed or vanished while it was read; try again", path) from error
        lines = [line.strip() for line in str(error.detail or error.message).splitlines()]
        said = "; ".join(dict.fromkeys(line for line in lines if line))  # nothing, for some of libpng's
        raise ImageFileError(f"is damaged, or not what it seems{said and ': '}{said[:300]}", path) from error


def _stamp(path: Path) -> tuple[int, int]:
    try:
        status = path.stat()
    except OSError:
        return (-1, -1)
    return status.st_size, status.st_mtime_ns


def _has(image: pyvips.Image, name: str) -> bool:
    return bool(image.get_typeof(name))


def _field(image: pyvips.Image, name: str, default: Any) -> Any:
    return image.get(name) if _has(image, name) else default


def _upright(image: pyvips.Image) -> pyvips.Image:
    """As it is to be seen, in grey or RGB."""
    sixteen = image.format == "ushort"
    if image.interpretation == "cmyk":
        # By the profile in it, else by libvips's own of common ink.
        image = image.icc_transform("srgb", embedded=True, input_profile="cmyk", depth=16 if sixteen else 8)
    return image.autorot() if int(_field(image, "orientation", 1)) != 1 else image


def metadata_of(image: pyvips.Image, kind: Format) -> Metadata:
    """What libvips tells of a file beside its pixels."""
    exif, xmp = _field(image, "exif-data", None), _field(image, "xmp-data", None)
    exif = bytes(exif).removeprefix(b"Exif\0\0") if exif else None
    icc = None if image.interpretation == "cmyk" else _field(image, "icc-profile-data", None)
    text = tuple(
        (name.split("-", 3)[3], str(image.get(name))) for name in image.get_fields() if name.startswith("png-comment-")
    )
    dpi = _dpi(image) if kind in {PNG, JPEG, TIFF} else exif and resolution(exif)
    if dpi and int(_field(image, "orientation", 1)) >= _LYING:
        dpi = dpi[::-1]
    return Metadata(
        icc=bytes(icc) if icc else None,
        exif=exif,
        xmp=bytes(xmp) if xmp else None,
        dpi=dpi or None,
        text=tuple((key, value) for key, value in text if key != "XML:com.adobe.xmp"),
    )


def _dpi(image: pyvips.Image) -> tuple[float, float] | None:
    density = (float(image.xres), float(image.yres))
    told_so = _has(image, "resolution-unit") or density[0] not in _NO_RESOLUTION
    if not told_so or not all(0 < dots < math.inf for dots in density):
        return None
    return density[0] * _MILLIMETRES, density[1] * _MILLIMETRES


def _is_animated(path: Path) -> bool:
    """Whether a PNG has a control chunk of animation (acTL) before its pixels."""
    try:
        with path.open("rb") as file:
            file.seek(8)
            for _ in range(1000):
                length, name = struct.unpack(">I4s", file.read(8))
                if name in {b"IDAT", b"acTL"}:
                    return bool(name == b"acTL")
                file.seek(length + 4, 1)
    except (OSError, struct.error):
        pass  # told by the decoder
    return False
