"""TIFF's directories of tags, which Exif is made of, too: read from one file and put into another (TIFF 6.0, section 2)."""

from __future__ import annotations

import io
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

import attrs

# ImageDescription, Make, Model, DateTime, Artist, HostComputer, Copyright: what Exif shares with TIFF and is text.
TEXTS = (270, 271, 272, 306, 315, 316, 33432)
EXIF, GPS, _INTEROPERABILITY = 0x8769, 0x8825, 0xA005
PLACE = {EXIF: EXIF - 1, GPS: GPS - 1}
"""Unused tags next to these two, which tifffile does not write."""
_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
_HALVES = {5, 10}
"""Types of two numbers each."""
_LONG, _LONG8 = 4, 16
_LARGEST = 2**24
"""Bytes of a value; more is no value but damage."""


@attrs.frozen
class Value:
    """What a tag has: its type, count and bytes; ``at``: where in the file the bytes, or their position, stand."""

    type: int
    count: int
    data: bytes
    at: int = 0


Tags = dict[int, Value]


@attrs.frozen
class Form:
    """How a file writes numbers: ``order`` is ``<`` or ``>``, ``big`` whether it is BigTIFF."""

    order: str
    big: bool

    @classmethod
    def of(cls, file: BinaryIO) -> Form:
        """As the file's head tells."""
        file.seek(0)
        head = file.read(4)
        return cls(">" if head[:2] == b"MM" else "<", b"+" in head)

    def numbers(self, form: str, file: BinaryIO) -> tuple[int, ...]:
        """The next numbers of a file; struct.error at its end."""
        form = self.order + form
        return struct.unpack(form, file.read(struct.calcsize(form)))

    @property
    def pointer(self) -> int:
        """The type of a tag that says where something is."""
        return _LONG8 if self.big else _LONG

    @property
    def head(self) -> int:
        """Bytes before the first directory."""
        return 16 if self.big else 8


def exif_of(file: BinaryIO, at: int) -> bytes | None:
    """What the directory ``at`` of a TIFF file says that Exif says, too, as an Exif structure; None if that is nothing."""
    form = Form.of(file)
    first, _ = _read(file, at, form)
    texts = {
        tag: value for tag, value in first.items() if tag in TEXTS and value.type == 2 and value.data.strip(b"\0 ")
    }
    inner = {tag: _tags_at(file, first, tag, form) for tag in (EXIF, GPS)}
    inner = {tag: tags for tag, tags in inner.items() if tags}
    return _structure(texts, inner, form.order) if texts or inner else None


def listed(file: BinaryIO, at: int) -> tuple[set[int], int]:
    """The tags that the directory ``at`` of a TIFF file lists, with good values or not, and where the next directory is."""
    form = Form.of(file)
    file.seek(at)
    (entries,) = form.numbers("Q" if form.big else "H", file)
    size = 20 if form.big else 12
    data = file.read(size * min(entries, 2**16))
    after = form.numbers("Q" if form.big else "L", file)[0] if entries < 2**16 else 0
    return {struct.unpack_from(form.order + "H", data, start)[0] for start in range(0, len(data) - 1, size)}, after


def texts_of(exif: bytes) -> Tags:
    """The texts of an Exif structure's first directory; none of what is damaged."""
    file = io.BytesIO(exif)
    try:
        tags, _ = _read(file, _first(file), Form.of(file))
    except struct.error:
        return {}
    return {tag: value for tag, value in tags.items() if tag in TEXTS and value.type == 2}


def inner_of(exif: bytes) -> dict[int, Tags]:
    """The Exif and GPS directories of an Exif structure, in little-endian order."""
    file = io.BytesIO(exif)
    try:
        form = Form.of(file)
        first, _ = _read(file, _first(file), form)
    except struct.error:
        return {}
    found = {tag: _tags_at(file, first, tag, form) for tag in (EXIF, GPS)}
    return {
        tag: {key: _little(value, form.order) for key, value in tags.items()} for tag, tags in found.items() if tags
    }


def put(path: Path, wanted: Sequence[dict[int, Tags]]) -> None:
    """Append each page's directories to a TIFF file, and turn the page's tags ``PLACE[tag]`` into what points there."""
    with path.open("r+b") as file:
        form = Form.of(file)
        next_page = _first(file)
        for inner in wanted:
            page, next_page = _read(file, next_page, form)
            for tag, tags in inner.items():
                end = file.seek(0, io.SEEK_END)
                at = end + end % 2
                file.write(b"\0" * (at - end) + _packed(tags, at, form))
                file.seek(page[PLACE[tag]].at - (12 if form.big else 8))
                file.write(struct.pack(form.order + ("HHQQ" if form.big else "HHLL"), tag, form.pointer, 1, at))


def _first(file: BinaryIO) -> int:
    form = Form.of(file)
    file.seek(8 if form.big else 4)
    return form.numbers("Q" if form.big else "L", file)[0]


def _tags_at(file: BinaryIO, tags: Tags, tag: int, form: Form) -> Tags:
    """The directory a tag points at, without what points further; nothing if it is damaged."""
    value = tags.get(tag)
    if value is None or len(value.data) not in {4, 8}:
        return {}
    try:
        found, _ = _read(file, int.from_bytes(value.data, "little" if form.order == "<" else "big"), form)
    except struct.error:
        return {}
    found.pop(_INTEROPERABILITY, None)
    return found


def _read(file: BinaryIO, at: int, form: Form) -> tuple[Tags, int]:
    """The directory ``at``, and where the next one is."""
    count_form, entry_form, inline = ("Q", "HHQ", 8) if form.big else ("H", "HHL", 4)
    file.seek(at)
    (entries,) = form.numbers(count_form, file)
    tags: Tags = {}
    for index in range(min(entries, 2**16)):
        here = at + struct.calcsize(count_form) + index * (20 if form.big else 12)
        file.seek(here)
        tag, kind, count = form.numbers(entry_form, file)
        length = count * _SIZES.get(kind, 0)
        value_at = file.tell()
        if length > inline:
            file.seek(form.numbers("Q" if form.big else "L", file)[0])
        data = file.read(length) if length <= _LARGEST else b""
        if length and len(data) == length:
            tags[tag] = Value(kind, count, data, value_at)
    file.seek(at + struct.calcsize(count_form) + entries * (20 if form.big else 12))
    return tags, form.numbers("Q" if form.big else "L", file)[0]


def _packed(tags: Tags, at: int, form: Form) -> bytes:
    """A directory that will lie at ``at``, long values after it; no other follows."""
    count_form, entry_form, inline = ("Q", "HHQ", 8) if form.big else ("H", "HHL", 4)
    out = struct.pack(form.order + count_form, len(tags))
    start = at + len(out) + len(tags) * (20 if form.big else 12) + inline
    behind = b""
    for tag, value in sorted(tags.items()):
        out += struct.pack(form.order + entry_form, tag, value.type, value.count)
        if len(value.data) <= inline:
            out += value.data.ljust(inline, b"\0")
        else:
            out += struct.pack(form.order + ("Q" if form.big else "L"), start + len(behind))
            behind += value.data + b"\0" * (len(value.data) % 2)
    return out + b"\0" * inline + behind


def _structure(texts: Tags, inner: dict[int, Tags], order: str) -> bytes:
    """Exif: a head, the texts and what points to the other directories, and these."""
    form = Form(order, big=False)
    pointers = dict.fromkeys(inner, Value(_LONG, 1, b"\0" * 4))
    at = form.head + len(_packed({**texts, **pointers}, form.head, form))
    parts = []
    for tag, tags in inner.items():
        pointers[tag] = Value(_LONG, 1, struct.pack(order + "L", at))
        parts.append(_packed(tags, at, form))
        at += len(parts[-1])
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "L", form.head)
    return head + _packed({**texts, **pointers}, form.head, form) + b"".join(parts)


def _little(value: Value, order: str) -> Value:
    """The value with its numbers in little-endian order."""
    if order == "<":
        return value
    unit = _SIZES[value.type] // (2 if value.type in _HALVES else 1)
    return attrs.evolve(value, data=b"".join(value.data[i : i + unit][::-1] for i in range(0, len(value.data), unit)))
