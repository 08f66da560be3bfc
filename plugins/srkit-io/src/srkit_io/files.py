"""Picture files ↔ arrays (H, W) or (H, W, C), RGB, uint8 or uint16.

Pillow decodes and encodes what has 8 bits, since it tells grey, palette and transparency apart; OpenCV what has 16,
which Pillow cannot hold in colour.
"""

from __future__ import annotations

import contextlib
import io
import os
import secrets
import struct
import warnings
from pathlib import Path
from typing import Any, cast

import attrs
import cv2
import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError
from PIL.TiffImagePlugin import TiffImageFile

import srkit

_EXIF_ORIENTATION = 0x0112
_TIFF_BITS_PER_SAMPLE = 258


class ImageFileError(srkit.ImageError):
    """The picture file ``path`` cannot be read or written."""

    def __init__(self, message: str, path: Path) -> None:
        self.path = path
        super().__init__(f"{path}: {message}")


@attrs.frozen
class Format:
    """What a file format can hold."""

    name: str
    sixteen_bit: bool
    alpha: bool
    longest_side: int = 2**31 - 1


_PNG, _TIFF, _BMP = Format("PNG", True, True), Format("TIFF", True, True), Format("BMP", False, False)
_JPEG, _WEBP = Format("JPEG", False, False, 65500), Format("WEBP", False, True, 16383)
_DECODERS = ("PNG", "JPEG", "WEBP", "TIFF", "BMP")  # and no other: some of Pillow's run programs on what they read
FORMATS = {
    ".png": _PNG,
    ".jpg": _JPEG,
    ".jpeg": _JPEG,
    ".webp": _WEBP,
    ".tif": _TIFF,
    ".tiff": _TIFF,
    ".bmp": _BMP,
}
"""By suffix, the formats that are read and written."""


def read(path: str | os.PathLike[str]) -> np.ndarray:
    """The picture in a file: (H, W), (H, W, 2), (H, W, 3) or (H, W, 4), RGB, uint8 or uint16.

    EXIF orientation is applied; palettes become colours, with alpha if they are transparent. Raises ImageFileError,
    naming the file, for whatever cannot be read.
    """
    path = Path(path)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ImageFileError(f"cannot be read: {error.strerror}", path) from error
    if not data:
        raise ImageFileError("is empty (0 bytes)", path)
    try:
        with warnings.catch_warnings():
            # Pillow warns of large pictures from 90 megapixels on, and refuses from 180 on.
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            return _decode(data, path)
    except (ImageFileError, MemoryError):
        raise
    except UnidentifiedImageError as error:
        raise ImageFileError(f"is not a picture srkit reads; it reads {_listing()}", path) from error
    except Image.DecompressionBombError as error:
        raise ImageFileError(f"is too large to be read at once ({error}); cut it, or save it smaller", path) from error
    except Exception as error:  # decoders fail in their own ways on damaged files, and each is this file's alone
        raise ImageFileError(f"is damaged: {error}", path) from error


def write(path: str | os.PathLike[str], img: np.ndarray, *, quality: int = 95) -> None:
    """Write a picture as its suffix says; the file appears whole or not at all.

    ``img``: (H, W), (H, W, 1 to 4), RGB, uint8 or uint16. ``quality``: 1 to 100, of JPEG (4:4:4) and WebP. Raises
    ImageFileError if the format cannot hold the picture, or the disk does not take it.
    """
    path = Path(path)
    if not 1 <= quality <= 100:
        raise srkit.SettingsError(f"quality={quality} is outside 1 to 100")
    check_can_hold(path, img)
    data = _encode(path, img, quality)
    part = path.with_name(f".{secrets.token_hex(8)}.part")  # short: the name itself may be as long as names can be
    try:
        with part.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except OSError as error:
        raise ImageFileError(f"cannot be written: {error.strerror}", path) from error
    finally:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)


def check_can_hold(path: Path, img: np.ndarray, size: srkit.Size | None = None) -> None:
    """Raise ImageFileError, saying which formats can, unless the format of ``path`` holds the picture's depth and alpha.

    ``size``: (height, width) it will have, if not its own.
    """
    kind = FORMATS.get(path.suffix.lower())
    if kind is None:
        raise ImageFileError(
            f"{path.suffix or 'no suffix'!r} is not a format srkit writes; it writes {_listing()}", path
        )
    if img.dtype not in (np.uint8, np.uint16):
        raise ImageFileError(f"pictures of dtype {img.dtype} cannot be written; convert to uint8 or uint16", path)
    if img.dtype == np.uint16 and not kind.sixteen_bit:
        raise ImageFileError(f"{kind.name} cannot hold 16 bits; write PNG or TIFF (--format png)", path)
    if img.ndim not in {2, 3} or (img.ndim == 3 and not 1 <= img.shape[2] <= 4):
        raise ImageFileError(f"an array of shape {img.shape} is no picture; expected (H, W) or (H, W, 1 to 4)", path)
    height, width = size or img.shape[:2]
    if max(height, width) > kind.longest_side:
        raise ImageFileError(
            f"{kind.name} cannot hold {width}×{height} pixels, only {kind.longest_side} along a side; write PNG or TIFF",
            path,
        )
    if img.ndim == 3 and img.shape[2] in {2, 4} and not kind.alpha:
        raise ImageFileError(f"{kind.name} cannot hold transparency; write PNG, WebP or TIFF (--format png)", path)


def _listing() -> str:
    return ", ".join(sorted({kind.name for kind in FORMATS.values()}))


def _decode(data: bytes, path: Path) -> np.ndarray:
    if data[:4] in {b"II*\0", b"MM\0*"}:
        return _decode_tiff(data, path)
    with Image.open(io.BytesIO(data), formats=_DECODERS) as image:
        if image.format == "PNG" and data[24] == 16:
            pixels = _decode_16(data, path)
            key = image.info.get("transparency")
            if pixels.ndim == 2 and isinstance(key, int):  # one grey is transparent, which OpenCV does not tell
                pixels = np.stack([pixels, np.where(pixels == key, 0, 65535).astype(np.uint16)], -1)
            return _oriented(pixels, image.getexif().get(_EXIF_ORIENTATION, 1))
        return _decode_8(image, path)


def _decode_tiff(data: bytes, path: Path) -> np.ndarray:
    try:
        with Image.open(io.BytesIO(data), formats=_DECODERS) as image:
            # Pillow would open some 16-bit layouts and reduce them to 8 without a word.
            if 16 not in cast(TiffImageFile, image).tag_v2.get(_TIFF_BITS_PER_SAMPLE, ()):
                return _decode_8(image, path)
            grey = image.mode.startswith("I;16")
    except UnidentifiedImageError:  # and does not know others
        grey = False
    # OpenCV applies the orientation of a TIFF itself.
    pixels = _decode_16(data, path)
    if pixels.ndim == 2 and not grey:
        raise ImageFileError("has a layout of samples srkit does not read; save it as grey, RGB or RGBA", path)
    return pixels


def _decode_8(image: Image.Image, path: Path) -> np.ndarray:
    frames = getattr(image, "n_frames", 1)
    if frames > 1 and image.format != "MPO":  # a camera's JPEG with a preview behind it
        raise ImageFileError(f"holds {frames} pictures, and srkit reads files of one; split it first", path)
    oriented = ImageOps.exif_transpose(image)
    if oriented.mode in {"I", "F", "I;16", "I;16B", "I;16L", "I;16N"}:
        raise ImageFileError(
            f"holds {oriented.format or image.format} samples of mode {oriented.mode}, which srkit does not read; save it "
            f"with 8 or 16 bits",
            path,
        )
    grey = oriented.mode in {"1", "L", "LA", "La"}
    mode = {(True, False): "L", (True, True): "LA", (False, False): "RGB", (False, True): "RGBA"}[
        grey, oriented.has_transparency_data
    ]
    return np.asarray(oriented if oriented.mode == mode else oriented.convert(mode))


def _decode_16(data: bytes, path: Path) -> np.ndarray:
    pixels: Any = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if pixels is None:
        raise ImageFileError("is damaged: the decoder gave no picture", path)
    if pixels.dtype not in (np.uint8, np.uint16):
        raise ImageFileError(
            f"holds samples of {pixels.dtype}, which srkit does not read yet; save it with 16 bits", path
        )
    if pixels.ndim == 3 and pixels.shape[2] == 4 and data[:4] == b"\x89PNG" and data[25] == 4:
        return np.ascontiguousarray(pixels[:, :, [0, 3]])  # grey + alpha, which OpenCV spreads over four channels
    return _swapped(pixels)


def _swapped(pixels: np.ndarray) -> np.ndarray:
    """BGR ↔ RGB; grey stays as it is."""
    if pixels.ndim == 2 or pixels.shape[2] < 3:
        return pixels
    return np.ascontiguousarray(pixels[:, :, [2, 1, 0, 3][: pixels.shape[2]]])


def _oriented(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """The picture as EXIF says it is to be seen (Exif 2.3, tag Orientation)."""
    if orientation in {5, 6, 7, 8}:
        pixels = pixels.swapaxes(0, 1)
    if orientation in {3, 4, 7, 8}:
        pixels = pixels[::-1]
    if orientation in {2, 3, 6, 7}:
        pixels = pixels[:, ::-1]
    return np.ascontiguousarray(pixels)


def _encode(path: Path, img: np.ndarray, quality: int) -> bytes:
    kind = FORMATS[path.suffix.lower()].name
    if img.ndim == 3 and img.shape[2] == 1:
        img = img[:, :, 0]
    try:
        if img.dtype == np.uint16:
            if img.ndim == 3 and img.shape[2] == 2:  # the encoder has no grey + alpha of 16 bits: grey thrice
                img = img[:, :, [0, 0, 0, 1]]
            return cv2.imencode(path.suffix.lower(), _swapped(np.ascontiguousarray(img)))[1].tobytes()
        by_format: dict[str, dict[str, Any]] = {
            "JPEG": {"quality": quality, "subsampling": 0},
            "WEBP": {"quality": quality},
            "TIFF": {"compression": "tiff_lzw"},
        }
        buffer = io.BytesIO()
        Image.fromarray(img).save(buffer, kind, **by_format.get(kind, {}))
        return buffer.getvalue()
    except (OSError, ValueError, struct.error, cv2.error) as error:
        height, width = img.shape[:2]
        raise ImageFileError(
            f"{kind} cannot hold {width}×{height} pixels ({error}); write TIFF or PNG", path
        ) from error
