"""srkit_io.jpegxl, and what its headers and profiles tell."""

from __future__ import annotations

import io
import struct

import attrs
import numpy as np
import pytest
from hypothesis import given
from PIL import Image, ImageCms
from strategies import pictures

import srkit
from srkit_io import ImageFileError, Metadata, Page, Picture, WriteOptions, open_picture, read, save, write
from srkit_io.boxes import box, boxes

imagecodecs = pytest.importorskip("imagecodecs")

from srkit_io import jxlheader, profiles  # noqa: E402 -- need imagecodecs
from srkit_io.jpegxl import distance_of  # noqa: E402

LOSSLESS = WriteOptions(quality=100)
RNG = np.random.default_rng(0)
IMG = RNG.integers(0, 256, (6, 9, 3), dtype=np.uint8)


def header(path):
    """The header of a file's codestream."""
    data = path.read_bytes()
    return jxlheader.header_of(next(bytes(each.data) for each in boxes(data) if each.type == b"jxlc"))


class Bits:
    """A codestream's header, bit by bit, the lowest first."""

    def __init__(self):
        self.value, self.count = 0, 0

    def put(self, *fields):
        """(bits, value) each."""
        for bits, value in fields:
            self.value |= value << self.count
            self.count += bits
        return self

    def bytes(self):
        return jxlheader.MARK + self.value.to_bytes(self.count // 8 + 100, "little")


# A size of 8×16, and then not all as usual.
SIZE = ((1, 1), (5, 0), (3, 0), (5, 1), (1, 0))
NO_MORE, EIGHT_BITS = ((1, 0),), ((1, 0), (2, 0))
NO_EXTRA = ((1, 1), (2, 0), (1, 1))


@given(img=pictures(dtypes=("uint8", "uint16", "float16", "float32")))
def test_round_trip(tmp_path_factory, img):
    """At a quality of 100, every value of every layout and depth comes back, and is not called proportional to light."""
    path = tmp_path_factory.mktemp("jxl") / "a.jxl"
    save(path, Picture.of([img]), LOSSLESS)
    back = read(path)
    assert back.dtype == img.dtype
    np.testing.assert_array_equal(back, img[..., 0] if img.shape[2:] == (1,) else img)
    assert not open_picture(path).pages[0].linear


@pytest.mark.parametrize("dtype", ["float32", "float16", "uint16", "uint8"])
@pytest.mark.parametrize("quality", [90, 100])
def test_light(tmp_path, dtype, quality):
    """Values proportional to light are called so, with loss and without, and those of float may be beyond 1."""
    img = np.linspace(0, 1, 32 * 48 * 3, dtype=np.float32).reshape(32, 48, 3)
    img = (img * np.iinfo(dtype).max).astype(dtype) if dtype[0] == "u" else (4 * img).astype(dtype)
    page = Page(srkit.layout_of(img), linear=True)
    save(tmp_path / "a.jxl", attrs.evolve(Picture.of([img]), pages=(page,)), WriteOptions(quality=quality))
    assert open_picture(tmp_path / "a.jxl").pages[0].linear
    back = read(tmp_path / "a.jxl").astype(float)
    if dtype == "uint8":
        back = back / 257
    np.testing.assert_allclose(back, img.astype(float), atol=0 if quality == 100 else 0.05 * img.max())


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float16", "float32"])
@pytest.mark.parametrize("channels", [None, 2, 3, 4])
def test_with_loss(tmp_path, dtype, channels):
    """Below 100, a smooth picture stays close in every depth, in darkness, too, which the eye sees and light does not."""
    down, across = np.mgrid[0:1:64j, 0:1:80j]
    img = np.stack((down, across, down * across, 1 - down / 2), axis=-1)[..., -channels if channels == 2 else 0 :]
    img = img[..., 0] if channels is None else img[..., :channels]
    white = np.iinfo(dtype).max if dtype[0] == "u" else 1.0
    img = (img * white).astype(dtype)
    write(tmp_path / "a.jxl", img, quality=90)
    back = read(tmp_path / "a.jxl")
    assert (back.dtype, back.shape) == (img.dtype, img.shape)
    assert np.sqrt(np.mean((back.astype(float) - img) ** 2)) < 0.01 * white


def test_sizes(tmp_path):
    """A lower quality makes a smaller file, and the distances are cjxl's."""
    sizes = []
    for quality in (30, 60, 90, 100):
        img = RNG.integers(0, 256, (64, 64, 3), dtype=np.uint8)
        write(tmp_path / "a.jxl", img, quality=quality)
        sizes.append((tmp_path / "a.jxl").stat().st_size)
    assert sizes == sorted(sizes)
    assert [distance_of(quality) for quality in (90, 30, 1)] == pytest.approx([1.0, 6.4, 23.8677], abs=1e-3)


def test_metadata(tmp_path, exif_of):
    """Exif and XMP are kept, Exif's orientation becoming 1, for the picture is upright; density stands in Exif."""
    exif = exif_of(orientation=6)
    save(tmp_path / "a.jxl", Picture.of([IMG], Metadata(exif=exif, xmp=b"<x:xmpmeta/>")), LOSSLESS)
    page = open_picture(tmp_path / "a.jxl").pages[0]
    assert (page.size, page.metadata.xmp) == (IMG.shape[:2], b"<x:xmpmeta/>")
    told, was = Image.Exif(), Image.Exif()
    told.load(page.metadata.exif)
    was.load(exif)
    assert (told[274], was[274]) == (1, 6)
    assert told.get_ifd(0x8769)[0x927C] == was.get_ifd(0x8769)[0x927C]
    save(tmp_path / "b.jxl", Picture.of([IMG], Metadata(dpi=(300, 150))), LOSSLESS)
    assert open_picture(tmp_path / "b.jxl").pages[0].metadata.dpi == (300, 150)
    np.testing.assert_array_equal(read(tmp_path / "b.jxl"), IMG)


def test_compressed_metadata(tmp_path):
    """XMP compressed with Brotli, as cjxl puts it, is read; a bomb of it is an ImageFileError."""
    write(tmp_path / "a.jxl", IMG, quality=100)
    data = (tmp_path / "a.jxl").read_bytes()
    xmp = b"<x:xmpmeta/>" * 100
    (tmp_path / "b.jxl").write_bytes(data + box(b"brob", b"xml ", imagecodecs.brotli_encode(xmp)))
    assert open_picture(tmp_path / "b.jxl").pages[0].metadata.xmp == xmp
    (tmp_path / "c.jxl").write_bytes(data + box(b"brob", b"xml ", imagecodecs.brotli_encode(bytes(2**25))))
    with pytest.raises(ImageFileError):
        open_picture(tmp_path / "c.jxl")


def test_bare_and_split_codestreams(tmp_path):
    """A codestream is read without a file around it, and in parts."""
    code = bytes(imagecodecs.jpegxl_encode(IMG, lossless=True, usecontainer=False))
    (tmp_path / "a.jxl").write_bytes(code)
    np.testing.assert_array_equal(read(tmp_path / "a.jxl"), IMG)
    parts = box(b"jxlp", bytes(4), code[:5]), box(b"jxlp", struct.pack(">I", 0x80000001), code[5:])
    around = b"\0\0\0\x0cJXL \r\n\x87\n" + box(b"ftyp", b"jxl \0\0\0\0jxl ")
    (tmp_path / "b.jxl").write_bytes(around + b"".join(parts))
    np.testing.assert_array_equal(read(tmp_path / "b.jxl"), IMG)


@pytest.mark.parametrize("bits", [10, 12])
def test_depths(tmp_path, bits):
    """Samples of 10 and 12 bits are spread over 16: white is white."""
    img = np.linspace(0, 2**bits - 1, 6 * 9 * 3).reshape(6, 9, 3).astype(np.uint16)
    (tmp_path / "a.jxl").write_bytes(imagecodecs.jpegxl_encode(img, lossless=True, bitspersample=bits))
    np.testing.assert_array_equal(read(tmp_path / "a.jxl"), np.floor(img * (65535 / (2**bits - 1)) + 0.5))


def test_other_profiles_become_srgb(tmp_path):
    """A picture with a profile other than sRGB is written with the values that sRGB has for its colours; alpha stays."""
    p3 = profiles.numbered(11, 13, grey=False)
    img = np.dstack((IMG // 2 + 60, IMG[..., 0]))
    save(tmp_path / "a.jxl", Picture.of([img], Metadata(icc=p3)), LOSSLESS)
    expected = ImageCms.profileToProfile(
        Image.fromarray(img[..., :3]), io.BytesIO(p3), ImageCms.createProfile("sRGB"), renderingIntent=1
    )
    back = read(tmp_path / "a.jxl")
    np.testing.assert_allclose(back[..., :3], np.asarray(expected), atol=1)
    np.testing.assert_array_equal(back[..., 3], img[..., 3])
    assert np.abs(back[..., :3].astype(int) - img[..., :3]).max() > 5


def test_srgb_profiles_change_nothing(tmp_path):
    """A profile of sRGB is dropped, for the file says sRGB itself, and no value changes; so is one of other channels."""
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    for img in (IMG, IMG[..., 0]):
        save(tmp_path / "a.jxl", Picture.of([img], Metadata(icc=srgb)), LOSSLESS)
        np.testing.assert_array_equal(read(tmp_path / "a.jxl"), img)
        assert open_picture(tmp_path / "a.jxl").pages[0].metadata.icc is None


def test_grey_profiles_become_srgb(tmp_path):
    """So do profiles of grey."""
    power = profiles.numbered(1, -10_000_000, grey=True)
    img = np.arange(256, dtype=np.uint8).reshape(16, 16)
    save(tmp_path / "a.jxl", Picture.of([img], Metadata(icc=power)), LOSSLESS)
    light = img / 255
    expected = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055) * 255
    np.testing.assert_allclose(read(tmp_path / "a.jxl"), expected, atol=1)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(("height", "width"), [(8, 16), (256, 256), (7, 9), (513, 3), (1, 1), (240, 320), (9000, 1)])
def test_headers_tell_the_size(tmp_path, height, width, channels):
    """Sizes are read as libjxl writes them, short, long and as ratios."""
    img = np.zeros((height, width, channels)[: 2 + (channels > 1)], np.uint16)
    write(tmp_path / "a.jxl", img, quality=100)
    found = header(tmp_path / "a.jxl")
    assert (found.height, found.width, found.bits, found.grey) == (height, width, 16, channels == 1)
    assert (found.is_float, found.extra, found.curve) == (False, (), jxlheader.SRGB)


def test_headers_tell_colours():
    """Numbered colours are read: Display P3 with a curve of sRGB, and a power of 1/2.2."""
    start = SIZE + NO_MORE + EIGHT_BITS + NO_EXTRA
    p3 = Bits().put(*start, (1, 0), (1, 0), (2, 0), (2, 1), (2, 2), (4, 9), (1, 0), (2, 2), (4, 11), (2, 1))
    found = jxlheader.header_of(p3.bytes())
    assert (found.height, found.width, found.white, found.primaries, found.curve) == (8, 16, 1, 11, 13)
    power = Bits().put(*start, (1, 0), (1, 0), (2, 1), (2, 1), (1, 1), (24, 4545455))
    found = jxlheader.header_of(power.bytes())
    assert (found.grey, found.curve) == (True, -4545455)


def test_headers_tell_extra_channels():
    """Alpha that colours are multiplied by, and a channel with a name, are told."""
    alpha = ((1, 0), (2, 0), *EIGHT_BITS, (2, 0), (2, 0), (1, 1))
    depth = ((1, 0), (2, 1), *EIGHT_BITS, (2, 0), (2, 1), (4, 2), (8, 65), (8, 66))
    found = jxlheader.header_of(
        Bits().put(*SIZE, *NO_MORE, *EIGHT_BITS, (1, 1), (2, 2), (4, 0), *alpha, *depth, (1, 1), (1, 1)).bytes()
    )
    assert (found.extra, found.premultiplied, found.curve) == ((0, 1), True, jxlheader.SRGB)


def test_headers_tell_the_turn():
    """A picture on its side has the size it is seen in."""
    fields = ((1, 1), (3, 5), (1, 0), (1, 0), (1, 0), *EIGHT_BITS, *NO_EXTRA, (1, 1))
    found = jxlheader.header_of(Bits().put(*SIZE, *fields).bytes())
    assert (found.height, found.width) == (16, 8)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        (((1, 1), (3, 0), (1, 0), (1, 0), (1, 1)), "is an animation"),
        ((*NO_MORE, *EIGHT_BITS, *NO_EXTRA, (1, 0), (1, 1), (2, 0)), "ICC profile"),
        ((*NO_MORE, *EIGHT_BITS, *NO_EXTRA, (1, 0), (1, 0), (2, 1), (2, 1), (1, 0), (2, 2), (4, 14)), "no profile"),
        ((*NO_MORE, (1, 0), (2, 3), (6, 23), *NO_EXTRA, (1, 1)), "24 bits"),
        (
            (*NO_MORE, *EIGHT_BITS, (1, 1), (2, 1), (1, 0), (2, 1), *EIGHT_BITS, (2, 0), (2, 0), (1, 1), (1, 1)),
            "beyond",
        ),
    ],
    ids=["animation", "profile", "hdr", "24 bits", "depth channel"],
)
def test_what_is_refused(tmp_path, fields, words):
    """What srkit could only show wrong is refused, with the way out, before it is decoded."""
    (tmp_path / "a.jxl").write_bytes(Bits().put(*SIZE, *fields).bytes())
    with pytest.raises(ImageFileError, match=words):
        open_picture(tmp_path / "a.jxl")


def test_animations_are_refused(tmp_path):
    """So is an animation that libjxl wrote."""
    (tmp_path / "a.jxl").write_bytes(imagecodecs.jpegxl_encode(np.stack((IMG, IMG + 1)), lossless=True))
    with pytest.raises(ImageFileError, match="animation.*djxl"):
        open_picture(tmp_path / "a.jxl")


def test_a_lying_header_takes_no_memory(tmp_path):
    """More pixels than memory may take are refused before any is decoded, and damage when it is met."""
    sides = ((1, 0), (2, 3), (30, 2**29), (3, 1), (1, 1))
    (tmp_path / "a.jxl").write_bytes(Bits().put(*sides).bytes())
    with pytest.raises(ImageFileError, match="must be decoded whole"):
        open_picture(tmp_path / "a.jxl")
    write(tmp_path / "b.jxl", IMG, quality=100)
    data = (tmp_path / "b.jxl").read_bytes()
    for end in range(13, len(data), 5):
        (tmp_path / "c.jxl").write_bytes(data[:end])
        with pytest.raises(ImageFileError):
            read(tmp_path / "c.jxl")
