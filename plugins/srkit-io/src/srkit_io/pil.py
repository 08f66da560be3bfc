"""BMP by Pillow."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import BmpImagePlugin, Image, ImagePalette

import srkit

from .errors import ImageFileError
from .formats import Format
from .held import held
from .options import WriteOptions
from .picture import Metadata, Page, Picture, collected

_CHANNELS = {"L": 1, "RGB": 3, "RGBA": 4}


def open_picture(path: Path, kind: Format, limit: int) -> Picture:
    """The picture in a file: palettes become grey if all their colours are, else RGB; 5 and 6 bits become 8."""
    with path.open("rb") as file:
        image = _opened(file)
    mode = _mode(image)
    if mode not in _CHANNELS:
        raise ImageFileError(f"holds pixels of the kind {image.mode}; srkit reads grey and RGB", path)
    across, down = image.info.get("dpi", (0, 0))
    metadata = Metadata(dpi=(across, down) if across > 0 < down else None)
    layout = srkit.Layout(image.height, image.width, _CHANNELS[mode], np.dtype(np.uint8), mode == "L")

    def decode() -> np.ndarray:
        with path.open("rb") as file:
            return np.asarray(_opened(file).convert(mode))

    return held(path, kind, Page(layout, metadata), decode, limit)


def _opened(file: BinaryIO) -> _Bmp:
    """Not decoded yet; by the decoder itself, since Image.open has a limit of its own."""
    return _Bmp(file)


class _Bmp(BmpImagePlugin.BmpImageFile):
    """Pillow's reader, but for grey palettes in more bits than they need.

    It forgets a palette that is black and white, or in which each colour is the grey of its number, and then takes samples
    of 8 bits for such of 1, or those of 4 for such of 8.
    """

    def _open(self) -> None:
        super()._open()
        file = self.fp
        assert file is not None  # noqa: S101 -- for the type checker
        file.seek(14)
        header = file.read(16)
        (size,) = struct.unpack_from("<I", header)
        (bits,) = struct.unpack_from("<H", header, 10 if size == 12 else 14)
        if (self.mode, bits) not in {("1", 4), ("1", 8), ("L", 4)}:
            return
        greys = (0, 255) if self.mode == "1" else range(16)
        self.palette = ImagePalette.raw("RGB", b"".join(bytes([grey] * 3) for grey in greys))
        self._mode = "P"
        tile = self.tile[0]
        if tile.codec_name == "raw" and isinstance(tile.args, tuple):
            self.tile = [tile._replace(args=("P;4" if bits == 4 else "P", *tile.args[1:]))]


def _mode(image: Image.Image) -> str:
    if image.mode == "1":
        return "L"
    if image.mode != "P" or image.palette is None:
        return image.mode
    layout, data = image.palette.getdata()
    colours = np.frombuffer(bytes(data)[: len(data) // len(layout) * len(layout)], np.uint8).reshape(-1, len(layout))
    return "L" if (colours[:, :3] == colours[:, :1]).all() else "RGB"


def write(file: Path, kind: Format, picture: Picture, options: WriteOptions) -> None:  # noqa: ARG001
    """Write grey, as a palette of greys, or RGB."""
    image = Image.fromarray(collected(picture)[0])
    image.save(file, format="BMP", dpi=picture.pages[0].metadata.dpi or (0, 0))
