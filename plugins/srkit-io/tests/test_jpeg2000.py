"""srkit_io.jpeg2000: JP2 files and codestreams."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from hypothesis import given
from PIL import Image, ImageCms
from strategies import pictures

from srkit_io import ImageFileError, Metadata, Picture, open_picture, read, save, write
from srkit_io.boxes import box

imagecodecs = pytest.importorskip("imagecodecs")

IMG = np.random.default_rng(0).integers(0, 256, (6, 9, 3), dtype=np.uint8)


def encoded(img, **options):
    """A bare codestream, without loss."""
    return imagecodecs.jpeg2k_encode(img, level=0, reversible=True, codecformat="j2k", mct=False, **options)


def jp2(path, codestream, size, channels, *more, colour=b"\1\0\0\0\0\0\x10", bits=8):
    """A JP2 file around a codestream; ``more`` goes into its header."""
    header = box(b"ihdr", struct.pack(">IIHBBBB", *size, channels, bits - 1, 7, 0, 0))
    path.write_bytes(
        b"\0\0\0\x0cjP  \r\n\x87\n"
        + box(b"ftyp", b"jp2 \0\0\0\0jp2 ")
        + box(b"jp2h", header, box(b"colr", colour), *more)
        + box(b"jp2c", codestream)
    )
    return path


@given(img=pictures(dtypes=("uint8", "uint16")))
def test_round_trip(tmp_path_factory, img):
    """Every value of every layout of 8 and 16 bits comes back."""
    path = tmp_path_factory.mktemp("jp2") / "a.jp2"
    write(path, img)
    back = read(path)
    assert back.dtype == img.dtype
    np.testing.assert_array_equal(back, img[..., 0] if img.shape[2:] == (1,) else img)


def test_pillow_reads_what_is_written(tmp_path):
    """Another reader sees the same picture, and alpha as alpha."""
    img = np.dstack((IMG, IMG[..., 0]))
    write(tmp_path / "a.jp2", img)
    with Image.open(tmp_path / "a.jp2") as image:
        assert image.mode == "RGBA"
        np.testing.assert_array_equal(np.asarray(image), img)


def test_metadata(tmp_path, exif_of):
    """Profile, Exif, XMP and density are kept; Exif's orientation becomes 1, for the picture is upright."""
    icc = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    exif = exif_of(orientation=6)
    save(tmp_path / "a.jp2", Picture.of([IMG], Metadata(icc=icc, exif=exif, xmp=b"<x:xmpmeta/>", dpi=(300, 72))))
    page = open_picture(tmp_path / "a.jp2").pages[0]
    assert page.size == IMG.shape[:2]
    assert (page.metadata.icc, page.metadata.xmp) == (icc, b"<x:xmpmeta/>")
    told, was = Image.Exif(), Image.Exif()
    told.load(page.metadata.exif)
    was.load(exif)
    assert (told[274], was[274]) == (1, 6)
    assert told.get_ifd(0x8769)[0x927C] == was.get_ifd(0x8769)[0x927C]
    assert page.metadata.dpi == pytest.approx((300, 72), rel=1e-4)


def test_orientation_is_applied(tmp_path, exif_of):
    """A file whose Exif tells a turn is turned, and its density with it."""
    path = jp2(tmp_path / "a.jp2", encoded(IMG), IMG.shape[:2], 3, box(b"res ", box(b"resc", _DENSITY)))
    path.write_bytes(path.read_bytes() + box(b"uuid", b"JpgTiffExif->JP2", exif_of(orientation=6)))
    np.testing.assert_array_equal(read(path), np.rot90(IMG, -1))
    assert open_picture(path).pages[0].metadata.dpi == pytest.approx((300, 72), rel=1e-4)


# 300 pixels an inch down, 72 across, as pixels a metre.
_DENSITY = struct.pack(">4H2b", 11811, 1, 28346, 10, 0, 0)


def test_bare_codestream(tmp_path):
    """A codestream without a file around it is read, under any name."""
    (tmp_path / "a.j2k").write_bytes(encoded(IMG))
    np.testing.assert_array_equal(read(tmp_path / "a.j2k"), IMG)


@pytest.mark.parametrize("bits", [1, 4, 7, 10, 12, 15])
def test_depths(tmp_path, bits):
    """Samples of other than 8 and 16 bits are spread over the range of the next of these: white is white."""
    img = np.arange(2**bits, dtype=np.uint16).reshape(2 ** (bits // 2), -1)
    (tmp_path / "a.j2k").write_bytes(encoded(img if bits > 8 else img.astype(np.uint8), bitspersample=bits))
    back = read(tmp_path / "a.j2k")
    white = 255 if bits <= 8 else 65535
    assert back.dtype == (np.uint8 if bits <= 8 else np.uint16)
    np.testing.assert_array_equal(back, np.floor(img * (white / (2**bits - 1)) + 0.5))
    assert back.max() == white


def test_palette(tmp_path):
    """A palette becomes the colours in it."""
    numbers = IMG[..., 0] % 3
    palette = np.array([[10, 20, 30], [40, 50, 60], [255, 0, 7]], np.uint8)
    more = (
        box(b"pclr", struct.pack(">HB3B", 3, 3, 7, 7, 7), palette.tobytes()),
        box(b"cmap", *(struct.pack(">HBB", 0, 1, column) for column in range(3))),
    )
    np.testing.assert_array_equal(
        read(jp2(tmp_path / "a.jp2", encoded(numbers), IMG.shape[:2], 1, *more)), palette[numbers]
    )


def test_channel_order_and_alpha(tmp_path):
    """Channels are put in order as defined, and colours multiplied by alpha divided by it."""
    alpha = np.full((6, 9, 1), 128, np.uint8)
    stored = np.concatenate((alpha, IMG // 2), axis=-1)
    channels = ((0, 2, 0), (1, 0, 1), (2, 0, 2), (3, 0, 3))
    defined = box(b"cdef", struct.pack(">H", 4), *(struct.pack(">HHH", *each) for each in channels))
    back = read(jp2(tmp_path / "a.jp2", encoded(stored), IMG.shape[:2], 4, defined))
    np.testing.assert_array_equal(back[..., 3:], alpha)
    np.testing.assert_allclose(back[..., :3], np.minimum(IMG // 2 * (255 / 128), 255), atol=0.51)


@pytest.mark.parametrize(("space", "name"), [(12, "CMYK"), (18, "YCC")])
def test_other_colours_are_refused(tmp_path, space, name):
    """Colours that are not grey or RGB are refused by name."""
    path = jp2(tmp_path / "a.jp2", encoded(IMG), IMG.shape[:2], 3, colour=struct.pack(">BBBI", 1, 0, 0, space))
    with pytest.raises(ImageFileError, match=f"holds {name} colours"):
        open_picture(path)


def test_cmyk_by_its_profile_is_refused(tmp_path):
    """Four channels with a profile of CMYK are not RGB with alpha."""
    img = np.zeros((4, 4, 4), np.uint8)
    path = jp2(tmp_path / "a.jp2", encoded(img), (4, 4), 4, colour=b"\2\0\0" + bytes(16) + b"CMYK" + bytes(108))
    with pytest.raises(ImageFileError, match="holds CMYK colours"):
        open_picture(path)


def _with_size(data, at, value, form=">I"):
    """The codestream with a number in its SIZ segment another."""
    out = bytearray(data)
    struct.pack_into(form, out, at, value)
    return bytes(out)


@pytest.mark.parametrize(
    ("at", "form", "value", "words"),
    [
        (8, ">I", 10**6, "need"),
        (42, "B", 0x87, "signed"),
        (43, "B", 2, "subsampling"),
        (42, "B", 9, "channels of 10, 8, 8 bits"),
        (40, ">H", 0, "holds 0 channels"),
    ],
)
def test_lying_and_odd_headers(tmp_path, at, form, value, words):
    """More than memory may take, signed, subsampled and uneven samples are refused before anything is decoded."""
    (tmp_path / "a.j2k").write_bytes(_with_size(encoded(IMG), at, value, form))
    with pytest.raises(ImageFileError, match=words):
        open_picture(tmp_path / "a.j2k", memory="10MB")


def test_truncation(tmp_path):
    """A file that ends early is an ImageFileError, wherever it ends, or a picture if only the end mark is missing."""
    write(tmp_path / "a.jp2", IMG)
    data = (tmp_path / "a.jp2").read_bytes()
    for end in range(13, len(data) - 2, 5):
        (tmp_path / "b.jp2").write_bytes(data[:end])
        with pytest.raises(ImageFileError):
            read(tmp_path / "b.jp2")
