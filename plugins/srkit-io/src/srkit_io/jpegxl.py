"""JPEG XL by imagecodecs (libjxl): 8 and 16 bits and float, each with or without alpha, Exif and XMP.

imagecodecs passes no colour profile on. So a file whose colours an ICC profile tells is refused, one whose colours are
numbered (Display P3, BT.2020) gets a profile made from the numbers, and a picture with a profile other than sRGB is
converted to sRGB when it is written, where colours beyond sRGB become the nearest in it. Animations are refused, for the
times of their frames are not passed on either. Density is kept in Exif, which is made up for it where there is none.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import imagecodecs
import numpy as np

import srkit

from . import jxlheader, profiles
from .alpha import straight
from .boxes import Box, box, boxes, exif_in
from .errors import ImageFileError
from .exif import of_resolution, resolution
from .formats import Format
from .held import data_of, held, widened
from .jxlheader import LINEAR, SRGB, Header
from .light import srgb_decoded
from .options import WriteOptions
from .picture import Metadata, Page, Picture, collected

_SIGNATURE = b"\0\0\0\x0cJXL \r\n\x87\n"
_UNPACKED = 2**24
"""Most bytes that Exif or XMP, compressed with Brotli, may come to."""
_EFFORT = 7
"""Of lossy compression, libjxl's own; without loss, ``compression`` tells it."""


def open_picture(path: Path, kind: Format, limit: int) -> Picture:
    """The picture in a file, upright; what its header tells is checked before it is decoded."""
    data = data_of(path, limit)
    around = list(boxes(data)) if data.startswith(_SIGNATURE) else []
    header = jxlheader.header_of(_codestream(around) if around else data)
    _check_readable(path, header)
    size = header.height, header.width
    channels = (1 if header.grey else 3) + len(header.extra)
    linear = header.curve == LINEAR
    metadata = _metadata(path, header, around).scaled(size, size)

    def decode() -> np.ndarray:
        image = np.asarray(imagecodecs.jpegxl_decode(data))
        if not header.is_float:
            image = widened(image, header.bits)
        return straight(image) if header.premultiplied else image

    layout = srkit.Layout(*size, channels, _dtype(header), channels == 1)
    return held(path, kind, Page(layout, metadata, linear=linear), decode, limit)


def _codestream(around: Sequence[Box]) -> bytes:
    """The codestream in its boxes, whole (``jxlc``) or in parts (``jxlp``), each after its number."""
    parts = [bytes(each.data)[4 * (each.type == b"jxlp") :] for each in around if each.type in {b"jxlc", b"jxlp"}]
    return b"".join(parts)


def _check_readable(path: Path, header: Header) -> None:
    if header.animated:
        raise ImageFileError("is an animation, of which srkit cannot tell the times; convert it to PNG with djxl", path)
    if header.icc:
        raise ImageFileError(
            "tells its colours by an ICC profile, which srkit cannot get at in JPEG XL; convert it to PNG with djxl",
            path,
        )
    if len(header.extra) > 1 or any(header.extra):
        raise ImageFileError("holds channels beyond colour and alpha; convert it to PNG with djxl", path)
    if header.bits not in ({16, 32} if header.is_float else range(1, 17)):
        raise ImageFileError(f"holds samples of {header.bits} bits; srkit reads up to 16, or float of 16 or 32", path)


def _dtype(header: Header) -> np.dtype[np.generic]:
    if header.is_float:
        return np.dtype(np.float16 if header.bits == 16 else np.float32)
    return np.dtype(np.uint8 if header.bits <= 8 else np.uint16)


def _metadata(path: Path, header: Header, around: Sequence[Box]) -> Metadata:
    usual = header.primaries == jxlheader.SRGB_PRIMARIES and header.curve in {SRGB, LINEAR}
    icc = None if usual else profiles.numbered(header.primaries, header.curve, grey=header.grey)
    if header.white != jxlheader.D65 or not (usual or icc):
        raise ImageFileError(
            f"holds colours numbered {header.white}, {header.primaries}, {header.curve} (white, primaries, curve), of which "
            f"srkit has no profile; convert it to PNG with djxl",
            path,
        )
    told: dict[bytes, bytes] = {}
    for each in around:
        packed = each.type == b"brob"
        name, data = (bytes(each.data[:4]), each.data[4:]) if packed else (each.type, each.data)
        if name in {b"Exif", b"xml "}:
            told[name] = bytes(imagecodecs.brotli_decode(bytes(data), out=_UNPACKED) if packed else data)
    # Before what Exif has stands where in it the TIFF structure begins, counted from here.
    stored = told.get(b"Exif", b"")
    exif = exif_in(stored[4 + int.from_bytes(stored[:4]) :])
    return Metadata(icc=icc, exif=exif, xmp=told.get(b"xml "), dpi=resolution(exif) if exif else None)


def write(file: Path, kind: Format, picture: Picture, options: WriteOptions) -> None:  # noqa: ARG001 -- one format
    """Write a picture: without loss at a quality of 100, else with the loss that cjxl chooses for it."""
    page = picture.pages[0]
    image = _in_srgb(collected(picture)[0], page)
    curve = LINEAR if page.linear else SRGB
    if page.linear and image.dtype == np.uint8:
        image = image.astype(np.uint16) * 257  # of 8 bits, the encoder always says that they are sRGB
    lossless = options.quality == 100
    # The encoder takes all but 8 bits for light, which matters to what it may lose; afterwards they are called what they are.
    given = image if lossless or page.linear or image.dtype == np.uint8 else _as_light(image)
    encoded = imagecodecs.jpegxl_encode(
        given,
        lossless=lossless,
        distance=None if lossless else distance_of(options.quality),
        effort=max(1, options.compression) if lossless else _EFFORT,
        usecontainer=True,
    )
    with file.open("wb") as out:
        out.write(_SIGNATURE)
        for each in boxes(encoded, len(_SIGNATURE)):
            data = bytes(each.data)
            if each.type in {b"jxlc", b"jxlp"}:
                head = 4 * (each.type == b"jxlp")
                if data[head:].startswith(jxlheader.MARK):
                    out.writelines(_described(page.metadata.scaled(page.size, page.size)))
                    data = data[:head] + jxlheader.with_curve(data[head:], curve)
            out.write(box(each.type, data))


def distance_of(quality: int) -> float:
    """The distance, 1 being just noticeable, that cjxl takes for a quality (JxlEncoderDistanceFromQuality)."""
    if quality >= 30:
        return 0.1 + (100 - quality) * 0.09
    return 53 / 3000 * quality**2 - 23 / 20 * quality + 25


def _in_srgb(image: np.ndarray, page: Page) -> np.ndarray:
    icc, colours = page.metadata.icc, page.layout.channels - page.layout.has_alpha
    if icc is None or page.linear or profiles.channels_of(icc) != colours or profiles.is_srgb(icc):
        return image
    if not page.layout.has_alpha:
        return profiles.to_srgb(image, icc)
    colour = profiles.to_srgb(image[..., 0] if colours == 1 else image[..., :3], icc)
    return np.concatenate((colour.reshape(*image.shape[:2], colours), image[..., colours:]), axis=-1)


def _as_light(image: np.ndarray) -> np.ndarray:
    """Values as sRGB has them → proportional to light, of the same dtype; alpha stays."""
    white = float(np.iinfo(image.dtype).max) if image.dtype.kind == "u" else 1.0
    colours = image.shape[2] - (image.shape[2] in {2, 4}) if image.ndim == 3 else None
    out = image.copy()
    colour = out[..., :colours] if colours else out
    light = srgb_decoded(colour.astype(np.float32) / white) * white
    colour[...] = np.rint(light) if image.dtype.kind == "u" else light
    return out


def _described(metadata: Metadata) -> list[bytes]:
    parts = []
    exif = metadata.exif or (metadata.dpi and of_resolution(metadata.dpi))
    if exif:
        parts.append(box(b"Exif", bytes(4), exif))
    if metadata.xmp:
        parts.append(box(b"xml ", metadata.xmp))
    return parts
