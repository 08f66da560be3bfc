"""The formats: what each can hold, how it is told from others, and who reads and writes it."""

from __future__ import annotations

from pathlib import Path

import attrs

from .errors import ImageFileError

_U8, _U16, _HALF, _FLOAT = "uint8", "uint16", "float16", "float32"
_ANY = (_U8, _U16, _HALF, _FLOAT, "float64")


@attrs.frozen
class Format:
    """A file format.

    ``codec``: the module of this package that has ``open_picture`` and ``write`` for it; ``depths``: the dtypes it can be
    written with, none if it is only read. ``pages``: whether it holds several pictures, ``"pages"`` of any size or
    ``"frames"`` of one. ``streams``: whether it is written row by row. ``linear``: whether its values are proportional to
    light. ``needs``: the distribution its codec needs beyond what srkit-io always installs.
    """

    name: str
    suffixes: tuple[str, ...]
    codec: str
    depths: tuple[str, ...] = ()
    alpha: bool = False
    pages: str = ""
    longest_side: int = 2**31 - 1
    streams: bool = False
    linear: bool = False
    needs: str = ""

    @property
    def writable(self) -> bool:
        """Whether srkit writes it."""
        return bool(self.depths)


PNG = Format("PNG", (".png", ".apng"), "vips", (_U8, _U16), alpha=True, pages="frames", streams=True)
JPEG = Format("JPEG", (".jpg", ".jpeg", ".jpe", ".jfif"), "vips", (_U8,), longest_side=65500, streams=True)
TIFF = Format("TIFF", (".tif", ".tiff"), "tiff", _ANY, alpha=True, pages="pages", streams=True)
WEBP = Format("WebP", (".webp",), "vips", (_U8,), alpha=True, pages="frames", longest_side=16383)
GIF = Format("GIF", (".gif",), "vips", (_U8,), alpha=True, pages="frames", longest_side=65535)
AVIF = Format("AVIF", (".avif",), "vips", (_U8, _U16), alpha=True, longest_side=16384)
BMP = Format("BMP", (".bmp", ".dib"), "pil", (_U8,))
HEIC = Format(
    "HEIC",
    (".heic", ".heif", ".hif"),
    "heic",
    (_U8, _U16),
    alpha=True,
    longest_side=16384,
    needs="pillow-heif",
)
JPEG2000 = Format(
    "JPEG 2000", (".jp2", ".j2k", ".jpx", ".j2c"), "jpeg2000", (_U8, _U16), alpha=True, needs="imagecodecs"
)
JXL = Format("JPEG XL", (".jxl",), "jpegxl", (_U8, _U16, _HALF, _FLOAT), alpha=True, needs="imagecodecs")
HDR = Format("Radiance HDR", (".hdr", ".rgbe", ".pic"), "radiance", (_FLOAT,), linear=True, needs="imagecodecs")
EXR = Format("OpenEXR", (".exr",), "exr", (_HALF, _FLOAT), alpha=True, linear=True, needs="OpenEXR")
RAW = Format(
    "camera raw",
    (".dng", ".cr2", ".cr3", ".nef", ".arw", ".raf", ".orf", ".rw2", ".pef", ".srw"),
    "raw",
    needs="rawpy",
)
NPY = Format("NumPy array", (".npy",), "arrays", _ANY, alpha=True, streams=True)
ZARR = Format(
    "Zarr array",
    (".zarr",),
    "arrays",
    _ANY,
    alpha=True,
    streams=True,
    needs="zarr",
)

ALL = (PNG, JPEG, TIFF, WEBP, GIF, AVIF, BMP, HEIC, JPEG2000, JXL, HDR, EXR, RAW, NPY, ZARR)
FORMATS = {suffix: format_ for format_ in ALL for suffix in format_.suffixes}
"""By suffix, the formats that are read; those with ``writable`` are written, too."""

HEAD = 32
"""Bytes at the beginning of a file that tell its format."""

_AVIF_BRANDS = {b"avif", b"avis"}
_HEIC_BRANDS = {b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"mif1", b"msf1"}
_TIFF_MARKS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_MARKS: tuple[tuple[bytes, Format], ...] = (
    (b"\x89PNG\r\n\x1a\n", PNG),
    (b"\xff\xd8\xff", JPEG),
    *((mark, TIFF) for mark in _TIFF_MARKS),
    (b"GIF8", GIF),
    (b"BM", BMP),
    (b"\0\0\0\x0cjP  \r\n\x87\n", JPEG2000),
    (b"\xff\x4f\xff\x51", JPEG2000),
    (b"\0\0\0\x0cJXL \r\n\x87\n", JXL),
    (b"\xff\x0a", JXL),
    (b"#?RADIANCE", HDR),
    (b"#?RGBE", HDR),
    (b"\x76\x2f\x31\x01", EXR),
    (b"FUJIFILMCCD-RAW", RAW),
    (b"IIRO", RAW),
    (b"IIRS", RAW),
    (b"MMOR", RAW),
    (b"IIU\0", RAW),
    (b"\x93NUMPY", NPY),
)


def recognise(path: Path, head: bytes) -> Format:
    """The format of a file that begins with ``head``, by what is in it; the name only tells raw files from other TIFFs."""
    named = FORMATS.get(path.suffix.lower())
    if head[4:8] == b"ftyp":
        brand = head[8:12]
        if brand in _AVIF_BRANDS:
            return AVIF
        if brand in _HEIC_BRANDS:
            return AVIF if any(other in head[16:HEAD] for other in _AVIF_BRANDS) else HEIC
        if brand == b"crx ":
            return RAW
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return WEBP
    if named is RAW and head.startswith(_TIFF_MARKS):
        return RAW
    for mark, format_ in _MARKS:
        if head.startswith(mark):
            return format_
    named_so = f", though it is named like {_an(named.name)} file" if named else ""
    raise ImageFileError(f"is not a picture srkit reads{named_so}; it reads {listing()}", path)


def listing(*, written: bool = False) -> str:
    """The names of the formats that are read, or written."""
    return ", ".join(format_.name for format_ in ALL if format_.writable or not written)


def _an(name: str) -> str:
    return f"{'an' if name[0] in 'AEO' else 'a'} {name}"
