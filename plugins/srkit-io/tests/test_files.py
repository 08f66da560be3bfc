"""srkit_io.files: what goes to disk comes back."""

from __future__ import annotations

import errno
import io
import os
from pathlib import Path

import attrs
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from strategies import pictures

import srkit
import srkit_io
from srkit_io import ImageFileError, read, write
from srkit_io.files import FORMATS, saving

LOSSLESS = (".png", ".tif", ".tiff")


@given(img=pictures(dtypes=("uint8", "uint16")), suffix=st.sampled_from(LOSSLESS))
def test_lossless_round_trip(tmp_path_factory, img, suffix):
    """PNG and TIFF give back every value of every layout and depth."""
    path = tmp_path_factory.mktemp("files") / f"Ünïcödé 图{suffix}"
    write(path, img)
    back = read(path)
    expected = img[:, :, 0] if img.ndim == 3 and img.shape[2] == 1 else img
    assert back.dtype == img.dtype
    np.testing.assert_array_equal(back, expected)


@given(img=pictures(dtypes=("uint8",), channels=(None, 1, 3)))
def test_bmp_round_trip(tmp_path_factory, img):
    """BMP gives back every value of grey and colour."""
    path = tmp_path_factory.mktemp("files") / "a.bmp"
    write(path, img)
    np.testing.assert_array_equal(read(path), img[:, :, 0] if img.shape[2:] == (1,) else img)


@pytest.mark.parametrize("suffix", [".jpg", ".jpeg", ".webp", ".JPG"])
def test_lossy_formats_stay_close(tmp_path, photo, suffix):
    """JPEG and WebP at the default quality stay within an RMS of 6 levels, in colour and order."""
    path = tmp_path / f"a{suffix}"
    write(path, photo)
    back = read(path)
    assert back.shape == photo.shape
    assert np.sqrt(np.mean((back.astype(float) - photo) ** 2)) < 6


def test_grey_jpeg_stays_grey(tmp_path, photo):
    """A grey picture is a grey JPEG, of one channel."""
    write(tmp_path / "a.jpg", photo[:, :, 1])
    assert read(tmp_path / "a.jpg").ndim == 2


def test_webp_keeps_alpha(tmp_path, photo):
    """WebP holds transparency."""
    alpha = np.zeros(photo.shape[:2], np.uint8)
    alpha[50:200, 60:180] = 255
    write(tmp_path / "a.webp", np.dstack((photo, alpha)))
    np.testing.assert_array_equal(read(tmp_path / "a.webp")[:, :, 3], alpha)


@pytest.mark.parametrize(
    ("suffix", "img", "words"),
    [
        (".jpg", np.zeros((4, 4, 4), np.uint8), "JPEG cannot hold transparency; write PNG"),
        (".bmp", np.zeros((4, 4, 2), np.uint8), "BMP cannot hold transparency"),
        (".jpg", np.zeros((4, 4, 3), np.uint16), "JPEG cannot hold 16 bits"),
        (".webp", np.zeros((4, 4), np.uint16), "WebP cannot hold 16 bits"),
        (".bmp", np.zeros((4, 4), np.uint16), "BMP cannot hold 16 bits"),
        (".dng", np.zeros((4, 4), np.uint8), "'.dng' is not a format srkit writes; it writes PNG, JPEG"),
        ("", np.zeros((4, 4), np.uint8), "'no suffix' is not a format"),
        (
            ".png",
            np.zeros((4, 4), np.float32),
            "PNG cannot hold float samples; choose --depth, or write one that can: tif",
        ),
        (".webp", np.zeros((1, 20000), np.uint8), "WebP cannot hold 20000×1 pixels"),
    ],
)
def test_what_a_format_cannot_hold_is_refused(tmp_path, suffix, img, words):
    """A format that cannot hold the picture is an error that names the file and formats that can; no file appears."""
    path = tmp_path / f"a{suffix}"
    with pytest.raises(ImageFileError, match=words) as caught:
        write(path, img)
    assert str(path) in str(caught.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize(("suffix", "depth"), [("jpg", 8), ("png", 8), ("png", 16), ("webp", 8), ("tiff", 8)])
def test_exif_orientation_is_applied(tmp_path, orientation, suffix, depth):
    """A picture comes out as Pillow's exif_transpose shows it, in 8 and 16 bit."""
    from PIL import ImageOps

    corner = np.full((16, 24), 20, np.uint8)
    corner[:8, :8] = 220
    exif = Image.Exif()
    exif[0x0112] = orientation
    image = Image.fromarray(corner)
    if depth == 16:
        image = Image.fromarray(corner.astype(np.uint16) * 257)
    buffer = io.BytesIO()
    image.save(buffer, suffix.replace("jpg", "jpeg"), exif=exif)
    path = tmp_path / f"a.{suffix}"
    path.write_bytes(buffer.getvalue())
    with Image.open(buffer) as saved:
        expected = np.asarray(ImageOps.exif_transpose(saved).convert("I")) // (257 if depth == 16 else 1)
    back = read(path)
    back = (back if back.ndim == 2 else back[:, :, 0]) // (257 if depth == 16 else 1)
    assert back.shape == expected.shape
    assert np.abs(back.astype(int) - expected).max() < 40


@pytest.mark.parametrize(
    ("mode", "options", "shape"),
    [
        ("P", {}, (6, 7, 3)),
        ("P", {"transparency": 0}, (6, 7, 4)),
        ("1", {}, (6, 7)),
        ("LA", {}, (6, 7, 2)),
        ("L", {"transparency": 10}, (6, 7, 2)),
        ("RGB", {"transparency": (1, 2, 3)}, (6, 7, 4)),
    ],
)
def test_png_kinds(tmp_path, mode, options, shape):
    """Palette, bilevel, grey + alpha and keyed transparency come as the channels they mean."""
    values = np.arange(6 * 7 * 3, dtype=np.uint8).reshape(6, 7, 3)
    image = Image.fromarray(values).convert("L" if mode == "LA" else mode).convert(mode)
    image.save(tmp_path / "a.png", **options)
    back = read(tmp_path / "a.png")
    assert back.shape == shape
    if mode == "LA":
        assert (back[:, :, 1] == 255).all()


def _png(img):
    buffer = io.BytesIO()
    Image.fromarray(img).save(buffer, "PNG")
    return buffer.getvalue()


@given(cut=st.integers(0, 2000), kind=st.sampled_from(["PNG", "JPEG", "WEBP", "TIFF", "BMP"]))
def test_truncated_files_are_refused_by_name(tmp_path_factory, cut, kind):
    """A file cut off anywhere gives an ImageFileError that names it, or, where nothing is missing, the picture."""
    buffer = io.BytesIO()
    noise = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)
    Image.fromarray(noise).save(buffer, kind)
    data = buffer.getvalue()
    path = tmp_path_factory.mktemp("cut") / "a.picture"
    path.write_bytes(data[: min(cut, len(data) - 1)])
    try:
        img = read(path)
    except ImageFileError as error:
        assert str(path) in str(error)
    else:
        assert img.shape == (20, 30, 3)


@given(
    data=st.binary(max_size=200), head=st.sampled_from([b"", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"II*\0", b"BM"])
)
def test_random_bytes_are_refused_by_name(tmp_path_factory, data, head):
    """Bytes that are no picture give an ImageFileError that names the file."""
    path = tmp_path_factory.mktemp("noise") / "a.png"
    path.write_bytes(head + data)
    with pytest.raises(ImageFileError, match="a.png"):
        read(path)


def test_truncated_16_bit_png_is_refused(tmp_path):
    """The 16-bit path refuses damage as the 8-bit one does."""
    write(tmp_path / "a.png", np.random.default_rng(0).integers(0, 65536, (30, 30, 3)).astype(np.uint16))
    data = (tmp_path / "a.png").read_bytes()
    (tmp_path / "a.png").write_bytes(data[:400])
    with pytest.raises(ImageFileError, match="damaged"):
        read(tmp_path / "a.png")


def test_sixteen_bit_grey_alpha_png_from_elsewhere(tmp_path):
    """A 16-bit grey + alpha PNG has two channels, and their values."""
    import struct
    import zlib

    values = np.random.default_rng(0).integers(0, 65536, (3, 4, 2)).astype(">u2")

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = b"".join(b"\0" + row.tobytes() for row in values)
    header = struct.pack(">IIBBBBB", 4, 3, 16, 4, 0, 0, 0)
    data = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    (tmp_path / "a.png").write_bytes(data)
    np.testing.assert_array_equal(read(tmp_path / "a.png"), values)


def test_sixteen_bit_grey_with_a_transparent_value(tmp_path):
    """In a 16-bit grey PNG the value that is keyed out is transparent, and only that."""
    values = np.arange(12, dtype=np.uint16).reshape(3, 4) * 5000
    Image.fromarray(values).save(tmp_path / "a.png", transparency=15000)
    back = read(tmp_path / "a.png")
    np.testing.assert_array_equal(back[:, :, 0], values)
    np.testing.assert_array_equal(back[:, :, 1], np.where(values == 15000, 0, 65535))


@pytest.mark.parametrize("suffix", ["tif", "webp", "png"])
def test_files_of_several_pictures_are_refused(tmp_path, suffix):
    """Frames and pages beyond the first are not dropped in silence."""
    frames = [Image.new("RGB", (8, 8), (i * 90, 0, 0)) for i in range(3)]
    frames[0].save(tmp_path / f"a.{suffix}", save_all=True, append_images=frames[1:])
    with pytest.raises(ImageFileError, match="holds 3 pictures"):
        read(tmp_path / f"a.{suffix}")


def test_no_other_decoder_is_tried(tmp_path):
    """What the error says is read is all that is: no program is run for PostScript in disguise."""
    Image.new("RGB", (8, 8)).save(tmp_path / "a.eps")
    (tmp_path / "a.eps").rename(tmp_path / "a.png")
    with pytest.raises(ImageFileError, match="not a picture srkit reads"):
        read(tmp_path / "a.png")


def test_unsupported_samples_are_named(tmp_path):
    """A TIFF of 32-bit integers is refused with what to do, not reduced in silence."""
    Image.new("I", (4, 4)).save(tmp_path / "a.tif")
    with pytest.raises(ImageFileError, match="8 or 16 bits"):
        read(tmp_path / "a.tif")


def test_missing_empty_and_directory(tmp_path):
    """A missing file, an empty one and a folder are each told for what they are."""
    (tmp_path / "empty.png").touch()
    with pytest.raises(ImageFileError, match="empty.png: is empty"):
        read(tmp_path / "empty.png")
    with pytest.raises(ImageFileError, match="No such file"):
        read(tmp_path / "nowhere.png")
    with pytest.raises(ImageFileError, match="directory"):
        read(tmp_path)


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".tif", ".webp", ".gif", ".avif", ".bmp", ".npy"])
def test_a_failed_write_keeps_the_old_file(tmp_path, suffix):
    """When rows fail half-way the old file stays as it was, nothing half-written is left, and the failure is raised."""
    path = tmp_path / f"a{suffix}"
    write(path, np.zeros((600, 40, 3), np.uint8))
    before = path.read_bytes()

    def rows():
        yield np.ones((300, 40, 3), np.uint8)
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    picture = attrs.evolve(srkit_io.Picture.of([np.ones((600, 40, 3), np.uint8)]), strips=rows)
    with pytest.raises(OSError, match="Input/output error"):
        srkit_io.save(path, picture)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("suffix", [".png", ".jpg"])
def test_files_a_decoder_errs_on_say_only_what_concerns_them(tmp_path, suffix):
    """What libvips said of one file is not told of the next."""
    write(tmp_path / "a.tif", np.zeros((40, 40, 3), np.uint8))
    write(tmp_path / f"b{suffix}", np.random.default_rng(0).integers(0, 256, (40, 40, 3), dtype=np.uint8))
    for name in ("a.tif", f"b{suffix}"):
        path = tmp_path / name
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
        with pytest.raises(ImageFileError, match=name) as caught:
            read(path)
    assert "tiff" not in str(caught.value).replace(str(path), "")


def test_full_disk_for_real(tmp_path):
    """On a tmpfs of 64 kB a picture that does not fit is refused, and one that fits is still written after it."""
    import subprocess

    place = tmp_path / "small"
    place.mkdir()
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(place)], capture_output=True, check=False
    )
    if made.returncode:
        pytest.skip("mounting a tmpfs is not allowed here")
    try:
        with pytest.raises(ImageFileError, match="No space left"):
            write(place / "a.png", np.random.default_rng(0).integers(0, 256, (300, 300, 3), dtype=np.uint8))
        assert list(place.iterdir()) == []
        write(place / "b.png", np.zeros((8, 8), np.uint8))
        assert read(place / "b.png").shape == (8, 8)
    finally:
        subprocess.run(["umount", str(place)], check=True)


def test_public_names():
    """Every public name resolves, and every format has a suffix."""
    assert all(hasattr(srkit_io, name) for name in srkit_io.__all__)
    assert all(Path(f"a{suffix}").suffix == suffix for suffix in FORMATS)


def test_memory_for_encoders_that_hold_a_picture(tmp_path, monkeypatch):
    """What an encoder may hold is what was given, also where it is more than the default would be."""
    monkeypatch.setattr(srkit, "free_memory", lambda: 1000)
    picture = srkit_io.Picture.of([np.zeros((20, 30, 3), np.uint8)])
    with pytest.raises(ImageFileError, match="is encoded whole.*raise --memory"):
        saving(tmp_path / "a.webp", picture)
    with saving(tmp_path / "a.webp", picture, memory="1MB") as drain:
        for strip in picture.strips():
            drain.put(strip)
    assert (tmp_path / "a.webp").exists()
