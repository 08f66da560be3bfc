"""srkit_io.pil: BMP of all kinds."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from hypothesis import given
from strategies import pictures

import srkit_io
from srkit_io import ImageFileError, Metadata, Picture, open_picture, read, save, write

COLOURS = ((0, 0, 0), (200, 30, 40), (0, 255, 0), (255, 255, 255))
GREYS = ((7, 7, 7), (0, 0, 0), (255, 255, 255), (90, 90, 90))


def bmp(path, bits, rows, width, palette=(), compression=0, masks=(), header=40):
    """A BMP file, rows from top to bottom; masks make it one with bit fields."""
    colours = b"".join(struct.pack("<4B", *reversed(colour), 0)[: 3 if header == 12 else 4] for colour in palette)
    if header == 12:
        head = struct.pack("<IHHHH", 12, width, len(rows), 1, bits)
    else:
        head = struct.pack(
            "<IiiHHIIiiII", header, width, len(rows), 1, bits, compression, 0, 0, 0, len(palette), 0
        ) + struct.pack(f"<{len(masks)}I", *masks)
        head = head.ljust(header, b"\0") if header > 40 else head
    data = b"".join(row + bytes(-len(row) % 4) for row in reversed(rows))
    begin = 14 + len(head) + len(colours)
    path.write_bytes(struct.pack("<2sIHHI", b"BM", begin + len(data), 0, 0, begin) + head + colours + data)
    return path


def packed(values, bits):
    """Samples of 1, 4 or 8 bits as bytes, the first in the highest bits."""
    if bits == 8:
        return bytes(map(int, values))
    each = 8 // bits
    values = [*values, *[0] * (-len(values) % each)]
    return bytes(
        sum(value << bits * (each - 1 - k) for k, value in enumerate(values[i : i + each]))
        for i in range(0, len(values), each)
    )


@given(img=pictures(dtypes=("uint8",), channels=(None, 1, 3)))
def test_round_trip(tmp_path_factory, img):
    """Grey and colour come back, every value."""
    path = tmp_path_factory.mktemp("bmp") / "a.bmp"
    write(path, img)
    np.testing.assert_array_equal(read(path), img[:, :, 0] if img.shape[2:] == (1,) else img)


@pytest.mark.parametrize("header", [12, 40])
@pytest.mark.parametrize("bits", [1, 4, 8])
@pytest.mark.parametrize("palette", [COLOURS, GREYS], ids=["colours", "greys"])
def test_palettes(tmp_path, header, bits, palette):
    """A palette of greys is a grey picture, any other one of RGB, at 1, 4 and 8 bits, old header or new."""
    palette = palette[:2] if bits == 1 else palette
    rng = np.random.default_rng(bits)
    numbers = rng.integers(0, len(palette), (3, 7))
    if header == 12:
        palette = [*palette, *[(9, 9, 9)] * (2**bits - len(palette))]
    img = read(bmp(tmp_path / "a.bmp", bits, [packed(row, bits) for row in numbers], 7, palette, header=header))
    expected = np.array(palette, np.uint8)[numbers]
    grey = len({len(set(colour)) for colour in palette} - {1}) == 0
    np.testing.assert_array_equal(img, expected[..., 0] if grey else expected)


@pytest.mark.parametrize(
    ("bits", "greys"),
    [(1, (0, 255)), (1, (255, 0)), (4, range(16)), (4, (0, 255)), (8, (0, 255)), (8, range(256)), (8, (0,))],
)
def test_palettes_that_are_scales(tmp_path, bits, greys):
    """A palette of black and white, or that is the scale of greys itself, is taken for what it is in any number of bits."""
    numbers = np.random.default_rng(0).integers(0, len(greys), (3, 7))
    palette = [(grey,) * 3 for grey in greys]
    img = read(bmp(tmp_path / "a.bmp", bits, [packed(row, bits) for row in numbers], 7, palette))
    np.testing.assert_array_equal(img, np.array(greys, np.uint8)[numbers])


def test_run_lengths(tmp_path):
    """Palettes compressed by run lengths (RLE8, RLE4) are read, black and white ones too."""
    rle8 = b"\x03\x01\x02\x00\0\0" + b"\x05\x02\0\0" + b"\0\1"
    path = bmp(tmp_path / "a.bmp", 8, [rle8, b""], 5, COLOURS, compression=1)
    np.testing.assert_array_equal(read(path), np.array(COLOURS, np.uint8)[[[2] * 5, [1, 1, 1, 0, 0]]])
    path = bmp(tmp_path / "b.bmp", 8, [b"\x03\x01\x02\x00\0\0\x05\x01\0\0\0\1", b""], 5, ((0,) * 3, (255,) * 3), 1)
    np.testing.assert_array_equal(read(path), [[255] * 5, [255, 255, 255, 0, 0]])
    path = bmp(tmp_path / "c.bmp", 4, [b"\x05\x12\0\0\x05\x30\0\1", b""], 5, COLOURS, compression=2)
    np.testing.assert_array_equal(read(path), np.array(COLOURS, np.uint8)[[[3, 0, 3, 0, 3], [1, 2, 1, 2, 1]]])


def test_five_and_six_bits(tmp_path):
    """16-bit pixels, 5-5-5 or 5-6-5, become 8 bits a channel, white staying white."""
    fives = np.array([[0, 31, 16], [31, 31, 31], [1, 2, 3]])
    row = (fives[:, 0] << 10 | fives[:, 1] << 5 | fives[:, 2]).astype("<u2").tobytes()
    img = read(bmp(tmp_path / "a.bmp", 16, [row], 3))
    np.testing.assert_allclose(img[0], fives * 255 / 31, atol=1)
    assert (img[0, 1] == 255).all()
    sixes = np.array([[0, 63, 16], [31, 63, 31], [1, 2, 3]])
    row = (sixes[:, 0] << 11 | sixes[:, 1] << 5 | sixes[:, 2]).astype("<u2").tobytes()
    img = read(bmp(tmp_path / "b.bmp", 16, [row], 3, compression=3, masks=(0xF800, 0x7E0, 0x1F)))
    np.testing.assert_allclose(img[0], sixes * 255 / [31, 63, 31], atol=1)


def test_32_bits(tmp_path):
    """The fourth byte of 32-bit pixels is alpha where the header's mask says so, else nothing."""
    pixels = np.random.default_rng(0).integers(0, 256, (2, 3, 4), dtype=np.uint8)
    rows = [row[:, [2, 1, 0, 3]].tobytes() for row in pixels]
    np.testing.assert_array_equal(read(bmp(tmp_path / "a.bmp", 32, rows, 3)), pixels[..., :3])
    masks = (0xFF0000, 0xFF00, 0xFF, 0xFF000000)
    path = bmp(tmp_path / "b.bmp", 32, rows, 3, compression=3, masks=masks, header=108)
    np.testing.assert_array_equal(read(path), pixels)


def test_from_the_top(tmp_path):
    """A negative height means rows from top to bottom."""
    pixels = np.random.default_rng(0).integers(0, 256, (3, 4, 3), dtype=np.uint8)
    path = bmp(tmp_path / "a.bmp", 24, [row[:, ::-1].tobytes() for row in pixels[::-1]], 4)
    data = bytearray(path.read_bytes())
    data[22:26] = struct.pack("<i", -3)
    path.write_bytes(data)
    np.testing.assert_array_equal(read(path), pixels)


def test_density(tmp_path):
    """Density is kept, and none is made up."""
    img = np.zeros((2, 2), np.uint8)
    save(tmp_path / "a.bmp", Picture.of([img], Metadata(dpi=(300, 150))))
    assert open_picture(tmp_path / "a.bmp").pages[0].metadata.dpi == pytest.approx((300, 150), rel=1e-3)
    write(tmp_path / "b.bmp", img)
    assert open_picture(tmp_path / "b.bmp").pages[0].metadata.dpi is None


def test_a_lying_header_takes_no_memory(tmp_path):
    """More pixels than memory may take are refused before any is decoded; truncated ones when they are missed."""
    path = bmp(tmp_path / "a.bmp", 24, [bytes(12)] * 3, 4)
    data = bytearray(path.read_bytes())
    data[18:26] = struct.pack("<ii", 100_000, 100_000)
    path.write_bytes(data)
    with pytest.raises(ImageFileError, match="100000×100000 pixels need 30.0 GB"):
        open_picture(path, memory="1GB")
    data[18:26] = struct.pack("<ii", 40, 40)
    path.write_bytes(data)
    with pytest.raises(ImageFileError):
        read(path)


@pytest.mark.filterwarnings("error")
def test_pillow_keeps_its_limit_to_itself(tmp_path, monkeypatch):
    """Pillow's own limit of pixels neither warns nor refuses."""
    from PIL import Image

    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    img = np.random.default_rng(0).integers(0, 256, (50, 60, 3), dtype=np.uint8)
    write(tmp_path / "a.bmp", img)
    np.testing.assert_array_equal(srkit_io.read(tmp_path / "a.bmp"), img)
