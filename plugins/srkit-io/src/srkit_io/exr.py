"""OpenEXR: half and float, grey or RGB, values proportional to light.

Alpha is multiplied into colours there, and not in srkit's pictures: it is divided out when a file is read and multiplied
in when one is written. Light where alpha is 0 (glows) is read as it is, and is gone once written with alpha. The size is
the data window's; the display window, chromaticities and other attributes are not kept, but for the density.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import attrs
import numpy as np
import OpenEXR

import srkit

from .alpha import multiplied, straight
from .errors import ImageFileError
from .formats import Format
from .held import held
from .options import WriteOptions
from .picture import Metadata, Page, Picture, collected

_MOST = 2**24
"""Bytes that headers may have; only previews make them long."""
_MULTIPART = 0x1000
_UINT, _HALF, _FLOAT = 0, 1, 2
_NAMES = {1: "Y", 2: "YA", 3: "RGB", 4: "RGBA"}
_BYTES = {_UINT: 4, _HALF: 2, _FLOAT: 4}


def open_picture(path: Path, kind: Format, limit: int) -> Picture:
    """The picture in a file; if it has several parts, that of the only one with colours."""
    parts = _parts(path)
    index = _wanted(path, parts)
    part = parts[index]
    names = _names(path, part)
    dtype = np.dtype(np.float16 if set(part.channels.values()) == {_HALF} else np.float32)
    layout = srkit.Layout(*part.size, len(names), dtype, len(names) == 1)
    metadata = Metadata(dpi=(part.density, part.density * part.aspect) if part.density > 0 < part.aspect else None)

    def decode() -> np.ndarray:
        file = OpenEXR.File(str(path), separate_channels=True)
        if len(file.parts) != len(parts):  # it says why on standard output, and leaves out what it cannot decode
            raise ImageFileError("is damaged: its pixels cannot be decoded", path)
        planes = [file.channels(index)[name].pixels for name in names]
        image = planes[0].astype(dtype) if len(planes) == 1 else np.stack(planes, axis=-1).astype(dtype)
        return straight(image) if layout.has_alpha else image

    # The library decodes all parts.
    beside = sum(other.nbytes for other in parts if other is not part)
    return held(path, kind, Page(layout, metadata, linear=True), decode, limit, beside)


@attrs.frozen
class _Part:
    """What the header of a part tells: channels with their types, the data window, the density."""

    attributes: Mapping[str, bytes]
    channels: Mapping[str, int]
    sampled: bool

    @classmethod
    def of(cls, attributes: Mapping[str, bytes]) -> _Part:
        channels, sampled = {}, True
        left = attributes["channels"]
        while left and left[0]:
            name, _, left = left.partition(b"\0")
            kind, across, down = struct.unpack_from("<i4x2i", left)
            channels[name.decode("utf-8", "replace")] = kind
            sampled = sampled and across == down == 1
            left = left[16:]
        return cls(attributes, channels, sampled)

    @property
    def size(self) -> srkit.Size:
        left, top, right, bottom = struct.unpack("<4i", self.attributes["dataWindow"])
        return bottom - top + 1, right - left + 1

    @property
    def nbytes(self) -> int:
        return self.size[0] * self.size[1] * sum(_BYTES.get(kind, 4) for kind in self.channels.values())

    @property
    def is_deep(self) -> bool:
        return self.attributes.get("type", b"").startswith(b"deep")

    @property
    def density(self) -> float:
        return self._number("xDensity", 0.0)

    @property
    def aspect(self) -> float:
        return self._number("pixelAspectRatio", 1.0)

    def _number(self, name: str, default: float) -> float:
        value = self.attributes.get(name, b"")
        return float(struct.unpack("<f", value)[0]) if len(value) == 4 else default


def _parts(path: Path) -> list[_Part]:
    """The parts as the headers tell them (OpenEXR File Layout): the library tells no types without decoding."""
    with path.open("rb") as file:
        data = memoryview(file.read(_MOST))
    (flags,) = struct.unpack_from("<I", data, 4)
    parts = []
    at = 8
    while data[at]:
        attributes, at = _attributes(data, at)
        parts.append(_Part.of(attributes))
        if not flags & _MULTIPART:
            break
    return parts


def _attributes(data: memoryview, at: int) -> tuple[dict[str, bytes], int]:
    """The attributes of the header ``at``, and where it ends: name, type, length and value each, and a zero after all."""
    attributes = {}
    while data[at]:
        name, at = _name(data, at)
        _, at = _name(data, at)
        (length,) = struct.unpack_from("<I", data, at)
        attributes[name] = bytes(data[at + 4 : at + 4 + length])
        at += 4 + length
    return attributes, at + 1


def _name(data: memoryview, at: int) -> tuple[str, int]:
    text = bytes(data[at : at + 256]).partition(b"\0")[0]
    return text.decode("utf-8", "replace"), at + len(text) + 1


def _wanted(path: Path, parts: list[_Part]) -> int:
    """The index of the part with a picture."""
    pictures = [index for index, part in enumerate(parts) if {"R", "Y"} & part.channels.keys()]
    if len(pictures) != 1:
        channels = "; ".join(", ".join(part.channels) for part in parts)
        how_many = "none" if not pictures else f"{len(pictures)}"
        raise ImageFileError(
            f"has {len(parts)} parts, {how_many} of them with a picture (channels {channels}); srkit reads files with one",
            path,
        )
    return pictures[0]


def _names(path: Path, part: _Part) -> str:
    """The channels in srkit's order; raises ImageFileError for what is no picture, or more than one."""
    others = set(part.channels) - set("YA" if "Y" in part.channels else "RGBA")
    names = next((names for names in _NAMES.values() if set(names) == set(part.channels)), None)
    why = ""
    if part.is_deep:
        why = "deep samples"
    elif others or names is None:
        why = f"the channels {', '.join(sorted(others or part.channels))}"
    elif not part.sampled:
        why = "channels of fewer pixels than others (subsampling)"
    elif _UINT in part.channels.values():
        why = "whole numbers (uint), which have no white"
    elif min(part.size) < 1:
        raise ImageFileError(f"is damaged: its data window has {part.size[1]}×{part.size[0]} pixels", path)
    if why or names is None:
        raise ImageFileError(f"holds {why}; srkit reads R, G, B or Y of half or float, each with or without A", path)
    return names


def write(file: Path, kind: Format, picture: Picture, options: WriteOptions) -> None:  # noqa: ARG001 -- no choices
    """Write scan lines, compressed without loss (ZIP); half stays half."""
    page = picture.pages[0]
    image = collected(picture)[0]
    if page.layout.has_alpha:
        image = multiplied(image)
    planes = image.reshape(*image.shape[:2], page.layout.channels)
    header: dict[str, Any] = {"compression": OpenEXR.ZIP_COMPRESSION, "type": OpenEXR.scanlineimage}
    if page.metadata.dpi and min(page.metadata.dpi) > 0:
        across, down = page.metadata.dpi
        header |= {"xDensity": float(across), "pixelAspectRatio": float(down / across)}
    named = dict(zip(_NAMES[page.layout.channels], _planes(planes), strict=True))
    OpenEXR.File(header, named).write(str(file))


def _planes(image: np.ndarray) -> Iterator[np.ndarray]:
    for index in range(image.shape[2]):
        yield np.ascontiguousarray(image[..., index])
