"""srkit_io.tiffpages and tiff: the many kinds of TIFF come as the values they mean, and are written as asked."""

from __future__ import annotations

import itertools
import math
import struct

import numpy as np
import pytest
import tifffile
from PIL import Image, ImageOps

import srkit_io
from srkit_io import ImageFileError, Metadata, Picture, WriteOptions

HEIGHT, WIDTH = 37, 53


def noise(depth, channels=3):
    shape = (HEIGHT, WIDTH) if channels == 1 else (HEIGHT, WIDTH, channels)
    rng = np.random.default_rng(channels)
    dtype = np.dtype(depth)
    return (
        rng.integers(0, np.iinfo(dtype).max + 1, shape).astype(dtype)
        if dtype.kind == "u"
        else rng.random(shape).astype(dtype)
    )


def put(path, img, **options):
    """Written by tifffile, contiguous unless told."""
    channels = img.shape[2] if img.ndim == 3 else 1
    given = {"photometric": "rgb" if channels > 2 else "minisblack", "metadata": None}
    if channels in {2, 4}:
        given |= {"extrasamples": ["unassalpha"], "planarconfig": "contig"}
    tifffile.imwrite(path, img, **{**given, **options})


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("depth", ["uint8", "uint16", "float16", "float32", "float64"])
def test_depths_channels_and_byte_orders(tmp_path, depth, channels, order):
    """Every depth, layout and byte order gives its values in its own depth."""
    img = noise(depth, channels)
    put(tmp_path / "a.tif", img, byteorder=order)
    back = srkit_io.read(tmp_path / "a.tif")
    assert back.dtype == img.dtype
    np.testing.assert_array_equal(back, img)


NEED = {"lzw", "zstd", "lzma", "lerc", "jpegxl", "jpeg2000", "png", "webp"}
LAYOUTS = {
    "one strip": {"rowsperstrip": HEIGHT},
    "strips": {"rowsperstrip": 5},
    "tiles": {"tile": (16, 32)},
    "one tile": {"tile": (64, 64)},
    "BigTIFF": {"bigtiff": True},
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize(
    "compression",
    [None, "zlib", "lzw", "packbits", "zstd", "lzma", "lerc", "jpegxl", "jpeg2000", "png", "webp"],
)
def test_compressions_and_layouts(tmp_path, compression, layout):
    """Every lossless compression in strips and in tiles gives the values that went in, in 8 and 16 bits."""
    if compression in NEED:
        pytest.importorskip("imagecodecs")
    lossless = {"jpegxl": {"lossless": True}, "jpeg2000": {"level": 0}, "webp": {"level": 101}}.get(compression)
    for depth in ("uint8", "uint16") if compression != "webp" else ("uint8",):
        img = noise(depth)
        put(tmp_path / "a.tif", img, compression=compression, compressionargs=lossless, **LAYOUTS[layout])
        np.testing.assert_array_equal(srkit_io.read(tmp_path / "a.tif"), img)


@pytest.mark.parametrize("compression", ["zlib", "lzw"])
@pytest.mark.parametrize("depth", ["uint8", "uint16", "float32"])
def test_predictors(tmp_path, depth, compression):
    """Differences between neighbours are undone, of integers and of floats."""
    pytest.importorskip("imagecodecs")
    put(tmp_path / "a.tif", noise(depth), compression=compression, predictor=True)
    np.testing.assert_array_equal(srkit_io.read(tmp_path / "a.tif"), noise(depth))


@pytest.mark.parametrize(
    "options", [{}, {"tile": (16, 16)}, {"compression": "zlib"}, {"tile": (32, 16), "byteorder": ">"}]
)
@pytest.mark.parametrize(("depth", "channels"), [("uint8", 3), ("uint16", 4), ("float32", 3)])
def test_separate_planes(tmp_path, depth, channels, options):
    """Colours stored one after the other come together again."""
    img = noise(depth, channels)
    more = {"extrasamples": ["unassalpha"]} if channels == 4 else {}
    planes = np.moveaxis(img, 2, 0)
    put(tmp_path / "a.tif", planes, planarconfig="separate", photometric="rgb", **more, **options)
    np.testing.assert_array_equal(srkit_io.read(tmp_path / "a.tif"), img)


@pytest.mark.parametrize("depth", ["uint8", "uint16", "float32"])
def test_white_is_zero(tmp_path, depth):
    """Pictures whose zero is white come with white as the greatest value."""
    img = noise(depth, 1)
    white = np.iinfo(depth).max if depth != "float32" else np.float32(1)
    put(tmp_path / "a.tif", white - img, photometric="miniswhite")
    np.testing.assert_allclose(srkit_io.read(tmp_path / "a.tif"), img, atol=1e-6)


def packed(values, bits):
    """A TIFF of one strip with grey values of ``bits`` bits, one after the other, each row padded to bytes."""
    rows = [np.unpackbits(row.astype(">u2")[:, None].view(np.uint8), axis=1)[:, 16 - bits :].ravel() for row in values]
    data = b"".join(np.packbits(row).tobytes() for row in rows)
    height, width = values.shape
    tags = [(256, width), (257, height), (258, bits), (259, 1), (262, 1), (273, 122), (277, 1), (278, height)]
    tags.append((279, len(data)))
    entries = b"".join(struct.pack("<HHLL", tag, 4, 1, value) for tag, value in tags)
    return b"II*\0" + struct.pack("<LH", 8, len(tags)) + entries + bytes(4) + data


@pytest.mark.parametrize("bits", [1, 2, 4, 8, 10, 12, 14])
def test_bits_of_grey(tmp_path, bits):
    """Grey of 1 to 14 bits fills the range of 8 or 16: white is white, and the steps are even."""
    if bits in {10, 12, 14}:
        pytest.importorskip("imagecodecs")
    values = np.random.default_rng(bits).integers(0, 2**bits, (HEIGHT, WIDTH))
    values[0, :2] = 0, 2**bits - 1
    (tmp_path / "a.tif").write_bytes(packed(values, bits))
    white = 255 if bits <= 8 else 65535
    back = srkit_io.read(tmp_path / "a.tif")
    assert back.dtype == (np.uint8 if bits <= 8 else np.uint16)
    np.testing.assert_array_equal(back, (values * white * 2 + 2**bits - 1) // (2 * (2**bits - 1)))


@pytest.mark.parametrize("compression", [None, "group3", "group4", "packbits", "tiff_lzw"])
def test_bilevel(tmp_path, compression):
    """Black and white come as 0 and 255, fax or not."""
    img = noise("uint8", 1) > 100
    Image.fromarray(img).save(tmp_path / "a.tif", compression=compression)
    np.testing.assert_array_equal(srkit_io.read(tmp_path / "a.tif"), img * np.uint8(255))


def test_palettes(tmp_path):
    """A palette of colours comes as RGB, one of greys as grey."""
    colours = Image.fromarray(noise("uint8")).quantize(17)
    colours.save(tmp_path / "a.tif")
    np.testing.assert_array_equal(srkit_io.read(tmp_path / "a.tif"), np.asarray(colours.convert("RGB")))
    greys = Image.fromarray(noise("uint8", 1)).quantize(9)
    greys.save(tmp_path / "a.tif")
    np.testing.assert_array_equal(srkit_io.read(tmp_path / "a.tif"), np.asarray(greys.convert("L")))


def test_jpeg_in_tiff(tmp_path):
    """JPEG in strips gives the colours Pillow sees."""
    y, x = np.mgrid[0:64, 0:80]
    img = np.dstack((x * 3, y * 3, 255 - x - y)).astype(np.uint8)
    Image.fromarray(img).save(tmp_path / "a.tif", compression="jpeg", quality=95)
    with Image.open(tmp_path / "a.tif") as seen:
        assert np.abs(srkit_io.read(tmp_path / "a.tif").astype(int) - np.asarray(seen)).max() <= 4


@pytest.mark.parametrize("compression", [None, "zstd"])
def test_premultiplied_alpha_is_divided(tmp_path, compression):
    """Colours that were multiplied by alpha come as they were before, whichever library decodes."""
    if compression:
        pytest.importorskip("imagecodecs")
    img = noise("uint8", 4)
    alpha = img[..., 3:].astype(int)
    stored = np.concatenate(((img[..., :3] * alpha + 127) // 255, alpha), 2).astype(np.uint8)
    put(tmp_path / "a.tif", stored, extrasamples=["assocalpha"], compression=compression)
    seen = alpha[..., 0] > 128
    assert np.abs(srkit_io.read(tmp_path / "a.tif").astype(int)[seen] - img[seen]).max() <= 1


@pytest.mark.parametrize("compression", [None, "zstd"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_is_applied(tmp_path, orientation, compression):
    """Pictures come upright, whichever library decodes; density goes with its axis."""
    if compression:
        pytest.importorskip("imagecodecs")
    put(
        tmp_path / "a.tif",
        noise("uint8"),
        compression=compression,
        resolution=(300, 150),
        resolutionunit="inch",
        extratags=[(274, "H", 1, orientation, True)],
    )
    image = Image.fromarray(noise("uint8"))
    image.getexif()[274] = orientation
    np.testing.assert_array_equal(srkit_io.read(tmp_path / "a.tif"), np.asarray(ImageOps.exif_transpose(image)))
    dpi = srkit_io.open_picture(tmp_path / "a.tif").pages[0].metadata.dpi
    assert dpi == ((150, 300) if orientation > 4 else (300, 150))


def test_pages_of_any_size_and_kind(tmp_path):
    """Each page has its own size, depth and metadata; smaller versions and masks are no pages."""
    pages = [noise("uint8"), noise("uint16", 1)[:20, :10], noise("float32", 4)[:8]]
    with tifffile.TiffWriter(tmp_path / "a.tif") as writer:
        for index, page in enumerate(pages):
            rgb = page.ndim == 3
            more = {"extrasamples": ["unassalpha"]} if page.shape[2:] == (4,) else {}
            writer.write(
                page, photometric="rgb" if rgb else "minisblack", metadata=None, description=f"page {index}", **more
            )
            writer.write(
                page[::2, ::2], photometric="rgb" if rgb else "minisblack", subfiletype=1, metadata=None, **more
            )
    for name in ("a.tif", "b.tif"):
        picture = srkit_io.open_picture(tmp_path / name)
        assert [page.size for page in picture.pages] == [page.shape[:2] for page in pages]
        assert [f"page {index}".encode() in page.metadata.exif for index, page in enumerate(picture.pages)] == [
            True
        ] * 3
        strips = picture.strips()
        for page in pages:
            rows = []
            while sum(map(len, rows)) < len(page):
                rows.append(next(strips))
            np.testing.assert_array_equal(np.concatenate(rows), page)
        if name == "a.tif":
            srkit_io.save(tmp_path / "b.tif", picture)


@pytest.mark.parametrize("tile", [None, 16, 64])
@pytest.mark.parametrize(("depth", "channels"), [("uint8", 3), ("uint16", 1), ("float32", 4)])
def test_pyramids(tmp_path, depth, channels, tile):
    """A pyramid has the picture and its halves, means of 2×2, in tiles, and is read as the one picture it is."""
    img = np.tile(noise(depth, channels), (8, 7, 1)[: 2 + (channels > 1)])
    srkit_io.save(tmp_path / "a.tif", Picture.of([img]), WriteOptions(tile=tile, pyramid=True))
    np.testing.assert_array_equal(srkit_io.read(tmp_path / "a.tif"), img)
    with tifffile.TiffFile(tmp_path / "a.tif") as file:
        levels = [level.asarray() for level in file.series[0].levels]
        assert all(level.keyframe.is_tiled for level in file.series[0].levels)
    assert len(levels) == 1 + math.ceil(math.log2(max(img.shape[:2]) / (tile or 256)))
    for larger, smaller in itertools.pairwise(levels):
        even = larger[: larger.shape[0] // 2 * 2, : larger.shape[1] // 2 * 2].astype(float)
        means = (even[::2, ::2] + even[1::2, ::2] + even[::2, 1::2] + even[1::2, 1::2]) / 4
        assert np.abs(smaller[: means.shape[0], : means.shape[1]] - means).max() <= 0.5 + 1e-6


@pytest.mark.parametrize(
    "options",
    [WriteOptions(), WriteOptions(tile=32), WriteOptions(compression=0), WriteOptions(tile=16, compression=0)],
)
@pytest.mark.parametrize("depth", ["uint8", "uint16", "float32"])
def test_other_programs_read_what_is_written(tmp_path, depth, options):
    """tifffile finds the very values, in tiles or strips as asked, with alpha declared as not premultiplied."""
    for channels in (1, 2, 3, 4):
        img = noise(depth, channels)
        srkit_io.save(tmp_path / "a.tif", Picture.of([img]), options)
        with tifffile.TiffFile(tmp_path / "a.tif") as file:
            page = file.pages[0]
            assert page.is_tiled == bool(options.tile)
            assert tuple(page.extrasamples) == ((2,) if channels in {2, 4} else ())
            np.testing.assert_array_equal(page.asarray(), img)


@pytest.mark.parametrize("big", [False, True])
@pytest.mark.parametrize("order", ["<", ">"])
def test_exif_directories_of_every_page(tmp_path, exif_of, order, big, monkeypatch):
    """Camera, maker note and place lie in directories where other programs find them, in BigTIFF, too."""
    if big:
        monkeypatch.setattr("srkit_io.tiff._BIG", 0)
    metadata = Metadata(exif=exif_of(order))
    srkit_io.save(tmp_path / "a.tif", Picture.of([noise("uint8")] * 2, metadata), WriteOptions(pyramid=True, tile=16))
    with tifffile.TiffFile(tmp_path / "a.tif") as file:
        assert file.is_bigtiff == big
        assert len(file.pages) == 2
        for page in file.pages:
            assert page.tags.valueof(34853)["GPSLatitude"] == (52, 1, 31, 1, 12, 1)
            assert page.tags.valueof(34665)["MakerNote"].startswith(b"Maker")
            assert page.tags.valueof(271) == "Maker"
    for page in srkit_io.open_picture(tmp_path / "a.tif").pages:
        told = Image.Exif()
        told.load(b"Exif\0\0" + page.metadata.exif)
        assert told.get_ifd(0x8825)[2] == (52.0, 31.0, 12.0)


def test_damaged_exif_does_not_keep_a_picture_from_being_saved(tmp_path):
    """What cannot be understood of Exif is left out of a TIFF."""
    for exif in (b"II*\0\xff\xff\0\0", b"MM\0*", b"II*\0\x08\0\0\0\xff\xff" + bytes(40)):
        srkit_io.write(tmp_path / "a.tif", noise("uint8"), metadata=Metadata(exif=exif))
        np.testing.assert_array_equal(srkit_io.read(tmp_path / "a.tif"), noise("uint8"))


@pytest.mark.parametrize("unit", [1, 2, 3])
def test_density_in_its_unit(tmp_path, unit):
    """Pixels an inch and pixels a centimetre are told apart; a ratio without a unit is no density."""
    put(tmp_path / "a.tif", noise("uint8"), resolution=(100, 100), resolutionunit=unit)
    dpi = srkit_io.open_picture(tmp_path / "a.tif").pages[0].metadata.dpi
    assert dpi == {1: None, 2: (100, 100), 3: pytest.approx((254, 254))}[unit]


@pytest.mark.parametrize(
    ("img", "options", "words"),
    [
        (noise("uint8", 1).astype(np.uint32), {}, "which srkit does not read; save it with 8 or 16 bits"),
        (noise("uint8", 1).astype(np.int16), {}, "which srkit does not read; save it with 8 or 16 bits"),
        (noise("uint8"), {"photometric": "cielab"}, r"CIELAB.*save it as grey or RGB"),
        (np.zeros((8, 8, 6), np.uint8), {"planarconfig": "contig", "extrasamples": [0, 0, 0]}, "6 channels"),
    ],
)
def test_what_has_no_clear_meaning_is_refused(tmp_path, img, options, words):
    """Integers beyond 16 bits, other colour spaces and more channels are refused with what to do."""
    put(tmp_path / "a.tif", img, **options)
    with pytest.raises(ImageFileError, match=words):
        srkit_io.read(tmp_path / "a.tif")


@pytest.mark.parametrize("compression", [None, "zlib", "zstd"])
def test_memory_bounds_strips(tmp_path, compression):
    """A picture in one strip is read within the memory allowed, or refused, not held regardless."""
    if compression == "zstd":
        pytest.importorskip("imagecodecs")
    img = np.random.default_rng(0).integers(0, 256, (4000, 1000, 3), dtype=np.uint8)
    put(tmp_path / "a.tif", img, compression=compression, rowsperstrip=4000)
    if compression is None:
        rows = np.concatenate(list(srkit_io.open_picture(tmp_path / "a.tif", memory="2MB").strips()))
        np.testing.assert_array_equal(rows, img)
    else:
        with pytest.raises(ImageFileError, match="GB may be used; raise --memory"):
            srkit_io.open_picture(tmp_path / "a.tif", memory="2MB")
        assert srkit_io.open_picture(tmp_path / "a.tif", memory="20MB").nbytes == img.nbytes


def test_large_strips_are_no_damage(tmp_path):
    """A compressed strip beyond 50 MB, which libtiff refuses unless told, is read."""
    img = np.random.default_rng(0).integers(0, 256, (6000, 4000, 3), dtype=np.uint8)
    put(tmp_path / "a.tif", img, compression="zlib", compressionargs={"level": 1}, rowsperstrip=6000)
    np.testing.assert_array_equal(srkit_io.read(tmp_path / "a.tif"), img)
