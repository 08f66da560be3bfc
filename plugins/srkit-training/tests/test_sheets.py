"""Sheets of results."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

import srkit_io
from srkit_training.sheets import sheet, write_sheet


@pytest.mark.parametrize("size", [(256, 256), (16, 24)])
def test_pictures_stand_side_by_side(photo, size):
    """Input, enlarged by repetition, output and target are on the sheet as they are, in this order; labels lie below."""
    target = photo[: size[0], : size[1]]
    output, lq = 255 - target, target[::4, ::4]
    drawn = sheet(lq, output, target, {"psnr": 27.12345, "ssim": 0.8})
    step = (drawn.shape[1] - 8) // 3
    assert drawn.dtype == np.uint8
    for number, tile in enumerate((lq.repeat(4, 0).repeat(4, 1), output, target)):
        left = 8 + number * step
        np.testing.assert_array_equal(drawn[8 : 8 + size[0], left : left + size[1]], tile)
    labels = drawn[8 + size[0] :]
    for number, lines in enumerate((1, 3, 1)):
        part = labels[:, 8 + number * step : 8 + (number + 1) * step]
        inked = [bool((part[16 * row + 6 : 16 * row + 14] < 128).any()) for row in range(3)]
        assert inked == [row < lines for row in range(3)]


def test_labels_fit_beside_each_other():
    """However small the pictures, no label runs into the next column."""
    tiny = np.full((4, 4, 3), 200, np.uint8)
    drawn = sheet(tiny[::4, ::4], tiny, tiny, {"a-metric-of-a-rather-long-name": 123456.789})
    step = (drawn.shape[1] - 8) // 3
    for number in range(1, 4):
        assert (drawn[:, 8 + number * step - 4 : 8 + number * step] == 255).all()


def test_files_are_whole(tmp_path, photo, monkeypatch):
    """A sheet is written in a folder that may not be there yet, and can be read; what fails leaves nothing behind."""
    path = tmp_path / "new" / "00000010" / "ü.png"
    write_sheet(path, photo)
    with Image.open(path) as image:
        np.testing.assert_array_equal(np.asarray(image), photo)
    write_sheet(path, photo[::-1])
    np.testing.assert_array_equal(srkit_io.read(path), photo[::-1])
    with pytest.raises(Exception, match="int64"):
        write_sheet(path.with_name("other.png"), photo.astype(np.int64))
    assert [file.name for file in path.parent.iterdir()] == ["ü.png"]
