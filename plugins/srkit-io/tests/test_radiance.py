"""srkit_io.radiance: Radiance HDR."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import pictures

from srkit_io import ImageFileError, open_picture, read, write

imagecodecs = pytest.importorskip("imagecodecs")

IMG = (np.random.default_rng(0).random((3, 5, 3)) * 4).astype(np.float32)


@given(img=pictures(dtypes=("float32",), channels=(None, 1, 3)), power=st.integers(-20, 20))
def test_round_trip(tmp_path_factory, img, power):
    """Values of any size come back to an eighth bit of the greatest of their pixel; grey comes back as RGB."""
    path = tmp_path_factory.mktemp("hdr") / "a.hdr"
    img = np.ldexp(img, power)
    write(path, img)
    back = read(path)
    expected = np.repeat(img.reshape(*img.shape[:2], -1), 3, axis=-1)[..., :3] if img.shape[2:] != (3,) else img
    assert back.dtype == np.float32
    assert (np.abs(back - expected) <= expected.max(axis=-1, keepdims=True) / 128).all()
    write(path, back)
    np.testing.assert_array_equal(read(path), back)
    assert open_picture(path).pages[0].linear


def test_what_it_cannot_hold(tmp_path):
    """Values below 0 and no numbers become 0, what is beyond its range the greatest it has."""
    img = np.array([[[-1, np.nan, 1], [np.inf, 1, 1], [3e38, 0, 0]]], np.float32)
    write(tmp_path / "a.hdr", img)
    back = read(tmp_path / "a.hdr")
    np.testing.assert_array_equal(back[0, 0], [0, 0, 1])
    assert back[0, 1, 0] == back[0, 2, 0] == np.float32(np.ldexp(255 / 256, 127))


@pytest.mark.parametrize("width", [7, 8, 300, 33_000])
def test_widths(tmp_path, width):
    """Rows too short or too long for run lengths are read and written, too."""
    img = np.random.default_rng(0).random((2, width, 3), np.float32)
    write(tmp_path / "a.hdr", img)
    np.testing.assert_allclose(read(tmp_path / "a.hdr"), img, atol=1 / 128)


@pytest.mark.parametrize(
    ("size", "upright"),
    [
        (b"-Y 3 +X 5", lambda img: img),
        (b"+Y 3 +X 5", lambda img: img[::-1]),
        (b"-Y 3 -X 5", lambda img: img[:, ::-1]),
        (b"+X 3 -Y 5", lambda img: img.swapaxes(0, 1)),
        (b"-X 3 +Y 5", lambda img: img.swapaxes(0, 1)[::-1, ::-1]),
        (b"+X 3 +Y 5", lambda img: img.swapaxes(0, 1)[::-1]),
    ],
)
def test_orders(tmp_path, size, upright):
    """Pictures stored from any corner, in rows or columns, come out upright."""
    pixels = imagecodecs.rgbe_encode(IMG, header=False)
    (tmp_path / "a.hdr").write_bytes(b"#?RADIANCE\nFORMAT=32-bit_rle_rgbe\nEXPOSURE=1\n\n" + size + b"\n" + pixels)
    expected = upright(imagecodecs.rgbe_decode(imagecodecs.rgbe_encode(IMG)))
    np.testing.assert_array_equal(read(tmp_path / "a.hdr"), expected)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"#?RADIANCE\nFORMAT=32-bit_rle_xyze\n\n-Y 1 +X 1\n\1\1\1\1", "holds XYZ colours"),
        (b"#?RADIANCE\n\n-Y 1 +Y 1\n\1\1\1\1", "no size"),
        (b"#?RADIANCE\nrubbish", "no size"),
        (b"#?RADIANCE\n\n-Y 900000 +X 900000\n\1\1\1\1", "must be decoded whole"),
        (b"#?RADIANCE\n\n-Y 0 +X 5\n", "5×0"),
        (b"#?RADIANCE\n\n-Y 2 +X 2\n\1\1\1\1", "is damaged"),
        (b"#?RADIANCE\n\n-Y 2 +X 9\n\2\2\0\x09\x89\1", "is damaged"),
    ],
)
def test_damage(tmp_path, data, words):
    """Other colours, headers without a size or with a lying one, and files that end early are refused."""
    (tmp_path / "a.hdr").write_bytes(data)
    with pytest.raises(ImageFileError, match=words):
        read(tmp_path / "a.hdr")
