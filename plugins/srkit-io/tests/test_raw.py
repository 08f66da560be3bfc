"""srkit_io.raw: camera raw, from a small DNG made here."""

from __future__ import annotations

import numpy as np
import pytest
import tifffile
from PIL import Image

from srkit_io import ImageFileError, open_picture, read, write

pytest.importorskip("rawpy")

# sRGB → XYZ (IEC 61966-2-1); its inverse as ColorMatrix1 makes a camera whose colours are sRGB's.
TO_XYZ = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
)
PATCHES = ((8000, 16000, 4000), (30000, 30000, 30000))


def ratios(values):
    """As numerators and denominators."""
    return tuple(int(part) for value in np.ravel(values) for part in (round(value * 10_000), 10_000))


def dng(path, *, neutral=(1, 1, 1), orientation=1, size=(64, 96)):
    """A DNG of two flat patches side by side, behind a Bayer filter RG/GB; gives the path."""
    mosaic = np.zeros(size, np.uint16)
    half = size[1] // 2
    for patch, colour in zip((mosaic[:, :half], mosaic[:, half:]), PATCHES, strict=True):
        seen = np.array(colour) * neutral
        for row in (0, 1):
            for column in (0, 1):
                patch[row::2, column::2] = seen[row + column]
    tags = [
        (271, "s", 0, "srkit", True),
        (272, "s", 0, "Test", True),
        (274, "H", 1, orientation, True),
        (33421, "H", 2, (2, 2), True),
        (33422, "B", 4, bytes([0, 1, 1, 2]), True),
        (50706, "B", 4, bytes([1, 4, 0, 0]), True),
        (50708, "s", 0, "srkit Test", True),
        (50717, "I", 1, 65535, True),
        (50721, "2i", 9, ratios(np.linalg.inv(TO_XYZ)), True),
        (50728, "2I", 3, ratios(neutral), True),
        (50778, "H", 1, 21, True),
    ]
    tifffile.imwrite(path, mosaic, photometric=32803, extratags=tags, metadata=None, software=False)
    return path


def srgb(values):
    """Light in 16 bits → as sRGB has it."""
    light = np.array(values) / 65535
    return 65535 * (1.055 * light ** (1 / 2.4) - 0.055)


def test_patches(tmp_path):
    """Flat colours come out in sRGB, 16 bits, with no automatic brightness."""
    img = read(dng(tmp_path / "a.dng"))
    assert (img.shape, img.dtype) == ((64, 96, 3), np.uint16)
    np.testing.assert_allclose(img[16:48, 10:38], np.broadcast_to(srgb(PATCHES[0]), (32, 28, 3)), atol=40)
    np.testing.assert_allclose(img[16:48, 58:86], np.broadcast_to(srgb(PATCHES[1]), (32, 28, 3)), atol=40)


def test_white_balance(tmp_path):
    """The camera's white balance is applied: what it saw of grey comes out grey."""
    img = read(dng(tmp_path / "a.dng", neutral=(0.5, 1, 0.7)))
    grey = img[16:48, 58:86].reshape(-1, 3).mean(axis=0)
    assert np.ptp(grey) < 60
    colour = img[16:48, 10:38].reshape(-1, 3).mean(axis=0)
    np.testing.assert_allclose(colour / grey, srgb(PATCHES[0]) / srgb(PATCHES[1]), rtol=0.01)


@pytest.mark.parametrize("orientation", [3, 6, 8])
def test_upright(tmp_path, orientation):
    """A camera held on its side gives upright pictures, of the size that was told."""
    upright = read(dng(tmp_path / "a.dng"))
    path = dng(tmp_path / "b.dng", orientation=orientation)
    turned = np.rot90(upright, {3: 2, 6: -1, 8: 1}[orientation])
    assert open_picture(path).pages[0].size == turned.shape[:2]
    np.testing.assert_array_equal(read(path), turned)


def test_exif(tmp_path):
    """The camera is told, and no turn."""
    exif = Image.Exif()
    exif.load(open_picture(dng(tmp_path / "a.dng", orientation=6)).pages[0].metadata.exif)
    assert (exif[271], exif[272]) == ("srkit", "Test")
    assert 274 not in exif


def test_raw_is_not_written(tmp_path):
    """Raw is read only, which is said with the formats that are written."""
    with pytest.raises(ImageFileError, match=r"'\.dng' is not a format srkit writes; it writes PNG"):
        write(tmp_path / "a.dng", np.zeros((4, 4), np.uint8))


def test_limits_and_damage(tmp_path):
    """More pixels than memory may take are refused before they are developed; damage is an ImageFileError."""
    path = dng(tmp_path / "a.dng")
    with pytest.raises(ImageFileError, match="is camera raw and so must be decoded whole: 96×64 pixels"):
        open_picture(path, memory=30_000)
    data = path.read_bytes()
    for end in (40, 200, 400):
        (tmp_path / "b.dng").write_bytes(data[:end])
        with pytest.raises(ImageFileError):
            read(tmp_path / "b.dng")
