"""Animated PNG: frames taken out as PNGs of one picture each, which libvips decodes, and put in as it encodes them.

Chunks of animation are those of PNG, 3rd edition, 11.3.7. What is kept of it is what is seen: frames of the whole size,
each with its time, and how often they are shown.
"""

from __future__ import annotations

import struct
import tempfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import attrs
import numpy as np
import pyvips

import srkit

from . import vips
from .errors import ImageFileError
from .exif import orientation
from .formats import PNG, Format
from .options import WriteOptions
from .picture import Metadata, Page, Picture, bytes_of, cut
from .turned import turned, turned_size

_MARK = b"\x89PNG\r\n\x1a\n"
_CONTROL = ">4I2H2B"
_TO_NOTHING, _TO_BEFORE = 1, 2
_OVER = 1
_USUAL = 100
"""Milliseconds that pages without times are shown."""
_AT_ONCE = 4
"""Pictures in memory while one is drawn: what was there before, what is new, and what is given away."""
# Colour type → channels (PNG, 11.2.1).
_CHANNELS = {0: 1, 2: 3, 3: 3, 4: 2, 6: 4}


@attrs.frozen
class _Frame:
    """What is drawn anew, ``box`` of the picture; its chunks are from ``start`` to ``end`` in the file."""

    width: int
    height: int
    left: int = 0
    top: int = 0
    delay: int = 0
    disposal: int = 0
    blend: int = 0
    start: int = 0
    end: int = 0

    @classmethod
    def of(cls, control: bytes) -> _Frame:
        width, height, left, top, delay, by, disposal, blend = struct.unpack(_CONTROL, control[4:])
        return cls(width, height, left, top, round(1000 * delay / (by or 100)), disposal, blend)

    @property
    def box(self) -> tuple[slice, slice]:
        return slice(self.top, self.top + self.height), slice(self.left, self.left + self.width)


@attrs.frozen
class _Film:
    """A file: its header, the palette and transparent colour all frames share, and the frames."""

    path: Path
    header: bytes
    shared: dict[bytes, bytes]
    frames: tuple[_Frame, ...]
    loop: int

    @classmethod
    def of(cls, path: Path) -> _Film:
        header, shared, loop = b"", dict[bytes, bytes](), 0
        frames: list[_Frame] = []
        still: _Frame | None = None
        with path.open("rb") as file:
            for name, length, at in _chunks(file, len(_MARK)):
                if name == b"IHDR":
                    header = _contents(file, name, length)
                    still = _Frame(*struct.unpack_from(">2I", header))
                elif name in {b"PLTE", b"tRNS"} and length <= 768:
                    shared[name] = _contents(file, name, length)
                elif name == b"acTL":
                    _, loop = struct.unpack(">2I", _contents(file, name, length))
                elif name == b"fcTL":
                    frames.append(attrs.evolve(_Frame.of(_contents(file, name, length)), start=at))
                elif name == b"IDAT" and still is not None and not still.end:
                    still = attrs.evolve(still, start=at, end=at + length + 12)
                if name in {b"IDAT", b"fdAT"} and frames:
                    frames[-1] = attrs.evolve(frames[-1], end=at + length + 12)
        if not frames and still is not None:
            frames = [still]
        film = cls(path, header, shared, tuple(frames), loop)
        film.check()
        return film

    def check(self) -> None:
        """Raise ImageFileError for frames that are not within the picture, or without pixels."""
        height, width = self.size
        for frame in self.frames:
            right, bottom = frame.left + frame.width, frame.top + frame.height
            if not (frame.end and frame.left < right <= width and frame.top < bottom <= height):
                raise ImageFileError("is damaged: a frame is not within the picture, or has no pixels", self.path)

    @property
    def size(self) -> srkit.Size:
        width, height = struct.unpack_from(">2I", self.header)
        return height, width

    @property
    def stored_channels(self) -> int:
        """Channels of what libvips makes of a frame."""
        return _CHANNELS[self.header[9]] + (b"tRNS" in self.shared)

    @property
    def shows_through(self) -> bool:
        """Whether parts are, or may be, transparent: by their samples, or since nothing was drawn there."""
        if self.stored_channels in {2, 4}:
            return True
        first, *later = self.frames
        after = zip(self.frames, later, strict=False)
        return not self._fills(first) or any(
            frame.disposal == _TO_NOTHING or (frame is first and frame.disposal == _TO_BEFORE)
            for frame, following in after
            if not self._fills(following)
        )

    def _fills(self, frame: _Frame) -> bool:
        return (frame.height, frame.width) == self.size

    @property
    def is_grey(self) -> bool:
        """Whether the colours of a palette all are greys."""
        palette = np.frombuffer(self.shared.get(b"PLTE", b""), np.uint8)
        colours = palette[: len(palette) // 3 * 3].reshape(-1, 3)
        return self.header[9] == 3 and bool((colours == colours[:, :1]).all())

    @property
    def layout(self) -> srkit.Layout:
        colours = 1 if self.is_grey else (self.stored_channels - 1) // 2 * 2 + 1
        dtype = np.dtype(np.uint16 if self.header[8] == 16 else np.uint8)
        return srkit.Layout(*self.size, colours + self.shows_through, dtype, flat=False)

    def pictures(self) -> Iterator[np.ndarray]:
        """What is seen after each frame, (H, W, C); the next call changes it."""
        layout = self.layout
        canvas = np.zeros((*self.size, layout.channels), layout.dtype)
        with self.path.open("rb") as file:
            for index, frame in enumerate(self.frames):
                part = canvas[frame.box]
                before = part.copy() if frame.disposal == _TO_BEFORE and index else None
                _draw(part, self._decoded(file, frame), over=frame.blend == _OVER)
                yield canvas
                if before is not None:
                    part[...] = before
                elif frame.disposal in {_TO_NOTHING, _TO_BEFORE}:
                    part[...] = 0

    def _decoded(self, file: BinaryIO, frame: _Frame) -> np.ndarray:
        size = struct.pack(">2I", frame.width, frame.height)
        parts = [_MARK, _chunk(b"IHDR", size + self.header[8:])]
        parts += [_chunk(name, self.shared[name]) for name in (b"PLTE", b"tRNS") if name in self.shared]
        for name, length, _ in _chunks(file, frame.start, frame.end):
            if name in {b"IDAT", b"fdAT"}:
                parts.append(_chunk(b"IDAT", _contents(file, name, length)[4 * (name == b"fdAT") :]))
        parts.append(_chunk(b"IEND", b""))
        with vips.told(self.path):
            image = pyvips.Image.pngload_buffer(b"".join(parts), fail_on="error")
            values = np.frombuffer(image.write_to_memory(), self.layout.dtype)
        image = values.reshape(frame.height, frame.width, self.stored_channels)
        return image[..., [0, 3][: self.stored_channels - 2]] if self.is_grey else image


def open_picture(path: Path, kind: Format, limit: int) -> Picture:
    """The frames of a file, each as it is seen; one at a time is decoded."""
    film = _Film.of(path)
    needed = _AT_ONCE * bytes_of(film.layout)
    if needed > limit:
        raise ImageFileError(
            f"is an animated {kind.name}: drawing {film.size[1]}×{film.size[0]} pixels takes {needed / 1e9:.1f} GB, and "
            f"{limit / 1e9:.1f} GB may be used; raise --memory",
            path,
        )
    metadata = vips.metadata_of(vips.load(path, PNG), PNG)
    turn = orientation(metadata.exif or b"")
    size = turned_size(film.size, turn)
    layout = attrs.evolve(film.layout, height=size[0], width=size[1], flat=film.layout.channels == 1)
    page = Page(layout, metadata.scaled(size, size))

    def strips() -> Iterator[np.ndarray]:
        for seen in film.pictures():
            image = turned(seen.copy(), turn)
            yield from cut(image[..., 0] if layout.flat else image)

    count = len(film.frames)
    delays = tuple(frame.delay for frame in film.frames) if count > 1 else ()
    return Picture((page,) * count, strips, delays, film.loop)


def _draw(part: np.ndarray, image: np.ndarray, *, over: bool) -> None:
    """Put a frame in its place, or over what is there (PNG, 13.16); a picture with alpha takes frames without."""
    if part.shape[2] == image.shape[2] and over and image.shape[2] in {2, 4}:
        white = float(np.iinfo(image.dtype).max)
        alpha, below = image[..., -1:] / white, part[..., -1:] / white
        covered = alpha + below * (1 - alpha)
        colours = image[..., :-1] * alpha + part[..., :-1] * (below * (1 - alpha))
        colours = np.divide(colours, covered, out=np.zeros_like(colours), where=covered > 0)
        part[..., :-1], part[..., -1:] = np.rint(colours), np.rint(covered * white)
    else:
        part[..., : image.shape[2]] = image
        part[..., image.shape[2] :] = np.iinfo(image.dtype).max


def _chunks(file: BinaryIO, at: int, end: int | None = None) -> Iterator[tuple[bytes, int, int]]:
    """Name, length and place of the chunks from ``at`` to ``end``, or to the last; the file stands at their contents."""
    while end is None or at < end:
        file.seek(at)
        head = file.read(8)
        if len(head) < 8:
            raise ValueError("ends before its last chunk")
        length, name = struct.unpack(">I4s", head)
        yield name, length, at
        if name == b"IEND":
            return
        at += length + 12


def _contents(file: BinaryIO, name: bytes, length: int) -> bytes:
    data, check = file.read(length), file.read(4)
    if len(check) < 4 or zlib.crc32(data, zlib.crc32(name)) != int.from_bytes(check):
        raise ValueError(f"the chunk {name.decode('latin-1')} is not what its checksum tells")
    return data


def _chunk(name: bytes, *parts: bytes) -> bytes:
    data = b"".join(parts)
    return b"".join((struct.pack(">I", len(data)), name, data, struct.pack(">I", zlib.crc32(data, zlib.crc32(name)))))


def write(file: Path, kind: Format, picture: Picture, options: WriteOptions) -> None:
    """Write frames of the whole size, each replacing the one before."""
    delays = picture.delays or (_USUAL,) * len(picture.pages)
    strips = picture.strips()
    with tempfile.TemporaryDirectory() as folder, file.open("wb") as out:
        still = Path(folder) / "frame.png"
        number = 0
        for index, (page, delay) in enumerate(zip(picture.pages, delays, strict=True)):
            # What is said of the picture stands once, before the first frame.
            said = page if not index else attrs.evolve(page, metadata=Metadata())
            vips.write(still, kind, Picture((said,), lambda page=page: _rows(strips, page)), options)  # type: ignore[misc]
            control = _control(page, delay)
            if not index:
                number = _write_first(out, still, struct.pack(">2I", len(picture.pages), picture.loop), control)
                continue
            out.write(_chunk(b"fcTL", struct.pack(">I", number), control))
            for data in _pixels(still):
                number += 1
                out.write(_chunk(b"fdAT", struct.pack(">I", number), data))
            number += 1
        out.write(_chunk(b"IEND"))


def _write_first(out: BinaryIO, still: Path, animation: bytes, control: bytes) -> int:
    """The first frame as any PNG has its picture, and around it what makes it one of several; gives the next's number."""
    out.write(_MARK)
    told = False
    with still.open("rb") as file:
        for name, length, _ in _chunks(file, len(_MARK)):
            if name == b"IDAT" and not told:
                out.write(_chunk(b"acTL", animation) + _chunk(b"fcTL", bytes(4), control))
                told = True
            if name != b"IEND":
                out.write(_chunk(name, _contents(file, name, length)))
    return 1


def _pixels(still: Path) -> Iterator[bytes]:
    with still.open("rb") as file:
        for name, length, _ in _chunks(file, len(_MARK)):
            if name == b"IDAT":
                yield _contents(file, name, length)


def _control(page: Page, delay: int) -> bytes:
    """A frame's chunk of control: all of the picture, for ``delay`` milliseconds, in whatever part of a second holds it."""
    by = next((by for by in (1000, 100, 10) if delay * by // 1000 < 2**16), 1)
    return struct.pack(">4I2H2B", page.size[1], page.size[0], 0, 0, min(delay * by // 1000, 2**16 - 1), by, 0, 0)


def _rows(strips: Iterator[np.ndarray], page: Page) -> Iterator[np.ndarray]:
    left = page.layout.height
    while left:
        strip = next(strips)
        left -= len(strip)
        yield strip
