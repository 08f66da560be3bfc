"""Sixteen JPEG files, a landscape and a portrait in each of the eight Exif orientations, come out upright.

Their folder is ``$SRKIT_TEST_PICTURES/orientation``; ``scripts/fetch_test_pictures.py`` fills it.
"""

from __future__ import annotations

import io
import os
import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

import srkit_io

PLACE = os.environ.get("SRKIT_TEST_PICTURES", "")
FILES = sorted(Path(PLACE, "orientation").rglob("*_[1-8].jpg")) if PLACE else []
pytestmark = pytest.mark.skipif(not FILES, reason="SRKIT_TEST_PICTURES names no folder with orientation/ in it")
every_file = pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)


def upright(path):
    """As Pillow shows it."""
    with Image.open(path) as image:
        return np.asarray(ImageOps.exif_transpose(image))


def test_the_files_are_complete():
    """Nothing passes because pictures are missing: there are sixteen."""
    assert len(FILES) == 16


@every_file
def test_files_come_out_upright(path):
    """The picture is the one Pillow's exif_transpose shows, within what two JPEG decoders differ by."""
    actual, expected = srkit_io.read(path).astype(int), upright(path)
    assert actual.shape == expected.shape
    assert np.abs(actual - expected).max() <= 4


@every_file
def test_all_show_the_same_picture(path):
    """Whatever the orientation, it is the picture of the file with orientation 1, compressed once more."""
    first = srkit_io.read(path.with_name(path.stem[:-1] + "1.jpg")).astype(float)
    assert np.sqrt(np.mean((srkit_io.read(path) - first) ** 2)) < 12


@every_file
@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".tif"])
def test_what_is_saved_is_upright_everywhere(path, suffix, tmp_path):
    """After save() the file shows the same to who applies the orientation as to who does not, and tells its true size."""
    copy = tmp_path / f"copy{suffix}"
    picture = srkit_io.open_picture(path)
    srkit_io.save(copy, picture)
    with Image.open(copy) as image:
        exif = image.getexif()
        assert exif.get(0x0112, 1) == 1
        inner = exif.get_ifd(0x8769)
        if 0xA002 in inner:
            assert (inner[0xA003], inner[0xA002]) == picture.pages[0].size
        assert image.size[::-1] == picture.pages[0].size
    difference = srkit_io.read(copy).astype(float) - upright(path)
    assert np.sqrt(np.mean(difference**2)) < 4


def with_exif(path, exif):
    """The file's bytes, with another Exif."""
    data = path.read_bytes()
    start = data.index(b"\xff\xe1")
    end = start + 2 + int.from_bytes(data[start + 2 : start + 4])
    segment = b"Exif\0\0" + exif
    return data[:start] + b"\xff\xe1" + (len(segment) + 2).to_bytes(2) + segment + data[end:]


def thumbnail_of(exif, order):
    """(orientation, position, length) as the directory after the first tells them."""
    count = struct.unpack_from(f"{order}H", exif, 8)[0]
    at = struct.unpack_from(f"{order}L", exif, 10 + 12 * count)[0]
    tags = {}
    for entry in range(at + 2, at + 2 + 12 * struct.unpack_from(f"{order}H", exif, at)[0], 12):
        tag, kind, _ = struct.unpack_from(f"{order}HHL", exif, entry)
        tags[tag] = struct.unpack_from(order + ("H" if kind == 3 else "L"), exif, entry + 8)[0]
    return tags[0x0112], tags[0x0201], tags[0x0202]


@every_file
@pytest.mark.parametrize("order", ["<", ">"])
def test_thumbnails_and_dimensions(path, order, tmp_path, exif_of):
    """With a camera's Exif: the thumbnail is turned with its picture, dimensions are true, and the rest stays in place."""
    with Image.open(path) as image:
        small = io.BytesIO()
        image.resize((image.width // 12, image.height // 12)).save(small, "JPEG", quality=95)
    exif = exif_of(order, orientation=int(path.stem[-1]), size=image.size[::-1], thumbnail=small.getvalue())
    (tmp_path / "a.jpg").write_bytes(with_exif(path, exif))
    picture = srkit_io.open_picture(tmp_path / "a.jpg")
    srkit_io.save(tmp_path / "b.jpg", picture)
    with Image.open(tmp_path / "b.jpg") as image:
        told, stored = image.getexif(), image.info["exif"].removeprefix(b"Exif\0\0")
    height, width = picture.pages[0].size
    inner = told.get_ifd(0x8769)
    assert (told[0x0112], inner[0xA003], inner[0xA002]) == (1, height, width)
    assert told.get_ifd(0x8825)[2] == (52.0, 31.0, 12.0)
    note = exif.index(b"Maker\0\0\1")
    assert stored[note : note + 210] == exif[note : note + 210]
    orientation, place, length = thumbnail_of(stored, order)
    assert orientation == 1
    with Image.open(io.BytesIO(stored[place : place + length])) as small:
        seen = np.asarray(small.convert("L"), float)
    whole = Image.fromarray(upright(path)).convert("L").resize(seen.shape[::-1])
    assert np.sqrt(np.mean((seen - np.asarray(whole, float)) ** 2)) < 12
