"""srkit_io.heic: HEIC in 8 bits and more."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image, ImageCms

from srkit_io import ImageFileError, Metadata, Picture, open_picture, read, save, write
from srkit_io.boxes import box

pillow_heif = pytest.importorskip("pillow_heif")

DOWN, ACROSS = np.mgrid[0:1:48j, 0:1:64j]
SMOOTH = np.stack((DOWN, ACROSS, DOWN * ACROSS, 1 - DOWN / 2), axis=-1)


def smooth(dtype, channels):
    """A picture of slow changes, which HEVC keeps close."""
    img = SMOOTH[..., [0, 3]] if channels == 2 else SMOOTH[..., :channels]
    return (img * np.iinfo(dtype).max).round().astype(dtype)


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_round_trip(tmp_path, dtype, channels):
    """Grey, colour and alpha come back close, in 8 bits and in 16 by way of 12; grey with alpha comes back as RGB with it."""
    img = smooth(dtype, channels)
    write(tmp_path / "a.heic", img, quality=100)
    back = read(tmp_path / "a.heic")
    assert back.dtype == img.dtype
    expected = {1: img[..., 0], 2: img[..., [0, 0, 0, -1]]}.get(channels, img)
    off = np.abs(back.astype(float) - expected) / np.iinfo(dtype).max
    assert off.max() < 0.015
    assert off.mean() < (0.002 if dtype == "uint8" else 0.001)


@pytest.mark.parametrize("bits", [10, 12])
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_more_bits_stay(tmp_path, bits, mode):
    """10 and 12 bits become 16, in more than 256 steps, and white stays white."""
    values = np.tile(np.linspace(0, 65535, 512).astype(np.uint16), (64, 1))
    img = np.stack((values,) * 3, axis=-1) if mode == "RGB" else values
    coded = pillow_heif.from_bytes(f"{mode};16", (512, 64), img.tobytes())
    coded.save(tmp_path / "a.heic", quality=100, chroma=444, bit_depth=bits)
    back = read(tmp_path / "a.heic")
    assert back.dtype == np.uint16
    assert len(np.unique(back[..., 0] if mode == "RGB" else back)) > 400
    coded = pillow_heif.from_bytes(f"{mode};16", (512, 64), np.full_like(img, 65535).tobytes())
    coded.save(tmp_path / "b.heic", quality=100, chroma=444, bit_depth=bits)
    assert (read(tmp_path / "b.heic") == 65535).all()


def test_quality(tmp_path):
    """A lower quality makes a smaller file."""
    img = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    sizes = []
    for quality in (30, 60, 90):
        write(tmp_path / "a.heic", img, quality=quality)
        sizes.append((tmp_path / "a.heic").stat().st_size)
    assert sizes == sorted(set(sizes))


def test_metadata(tmp_path, exif_of):
    """Profile, Exif and XMP are kept, Exif's orientation becoming 1, and the upright picture is not turned again."""
    icc = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    img, exif = smooth("uint8", 3), exif_of(orientation=6)
    save(tmp_path / "a.heic", Picture.of([img], Metadata(icc=icc, exif=exif, xmp=b"<x:xmpmeta/>")))
    page = open_picture(tmp_path / "a.heic").pages[0]
    assert page.size == img.shape[:2]
    assert (page.metadata.icc, page.metadata.xmp) == (icc, b"<x:xmpmeta/>")
    told, was = Image.Exif(), Image.Exif()
    told.load(page.metadata.exif)
    was.load(exif)
    assert (told[274], was[274]) == (1, 6)
    assert told.get_ifd(0x8769)[0x927C] == was.get_ifd(0x8769)[0x927C]
    assert page.metadata.dpi == (300, 300)
    save(tmp_path / "b.heic", Picture.of([img], Metadata(dpi=(72, 36))))
    assert open_picture(tmp_path / "b.heic").pages[0].metadata.dpi == (72, 36)


@pytest.mark.parametrize("orientation", [3, 6, 8])
def test_turns_are_applied(tmp_path, orientation):
    """What the file turns (irot) comes out upright, and Exif, which tells the same turn, then tells none."""
    img = smooth("uint8", 3)
    exif = Image.Exif()
    exif[274] = orientation
    coded = pillow_heif.from_bytes("RGB", (64, 48), img.tobytes())
    coded.save(tmp_path / "a.heic", quality=95, chroma=444, exif=exif.tobytes())
    turns = {3: 2, 6: -1, 8: 1}[orientation]
    back = read(tmp_path / "a.heic")
    np.testing.assert_allclose(back.astype(float), np.rot90(img, turns), atol=6)
    told = Image.Exif()
    told.load(open_picture(tmp_path / "a.heic").pages[0].metadata.exif)
    assert told[274] == 1


def test_the_primary_picture(tmp_path):
    """Of several pictures, the primary is read."""
    file = pillow_heif.HeifFile()
    for value in (10, 200, 90):
        file.add_frombytes("RGB", (64, 48), bytes([value]) * (64 * 48 * 3))
    file.save(tmp_path / "a.heic", primary_index=1, quality=90)
    img = read(tmp_path / "a.heic")
    assert img.shape == (48, 64, 3)
    assert abs(int(img.mean()) - 200) <= 2


def test_sequences_are_refused(tmp_path):
    """A file with a film in it is refused, and not taken for its first picture."""
    write(tmp_path / "a.heic", smooth("uint8", 3))
    data = (tmp_path / "a.heic").read_bytes()
    (tmp_path / "b.heic").write_bytes(data + box(b"moov", b""))
    with pytest.raises(ImageFileError, match="is a sequence of pictures"):
        open_picture(tmp_path / "b.heic")


def test_multiplied_alpha(tmp_path):
    """Colours multiplied by alpha are divided by it."""
    img = smooth("uint8", 4)
    img[..., :3] = 100
    img[..., 3] = 128
    coded = pillow_heif.from_bytes("RGBa", (64, 48), img.tobytes())
    coded.save(tmp_path / "a.heic", quality=100, chroma=444)
    back = read(tmp_path / "a.heic").astype(int)
    np.testing.assert_allclose(back, np.broadcast_to((199, 199, 199, 128), back.shape), atol=3)


def test_a_lying_size_takes_no_memory(tmp_path):
    """More pixels than memory may take, by what the header says, are refused before any is decoded; so is damage."""
    write(tmp_path / "a.heic", smooth("uint8", 3))
    data = (tmp_path / "a.heic").read_bytes()
    at = data.index(b"ispe") + 8
    lying = data[:at] + (20_000).to_bytes(4) * 2 + data[at + 8 :]
    (tmp_path / "b.heic").write_bytes(lying)
    with pytest.raises(ImageFileError, match="need 1.2 GB"):
        open_picture(tmp_path / "b.heic", memory="100MB")
    with pytest.raises(ImageFileError, match="must be decoded whole"):
        open_picture(tmp_path / "a.heic", memory=8000)
    for end in range(40, len(data), 97):
        (tmp_path / "c.heic").write_bytes(data[:end])
        with pytest.raises(ImageFileError):
            read(tmp_path / "c.heic")


def test_pillow_is_left_as_it_is(tmp_path):
    """Reading HEIC registers nothing with Pillow."""
    write(tmp_path / "a.heic", smooth("uint8", 3))
    read(tmp_path / "a.heic")
    assert "HEIF" not in Image.OPEN
    with pytest.raises(Image.UnidentifiedImageError):
        Image.open(io.BytesIO((tmp_path / "a.heic").read_bytes()))
