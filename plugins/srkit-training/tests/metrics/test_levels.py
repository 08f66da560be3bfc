"""What metrics see of pictures."""

from __future__ import annotations

import numpy as np
import pytest

import srkit
from srkit_training.metrics.levels import levels, luma, seen


def test_depths_agree(photo):
    """Floats in [0, 1] are the levels of 8 bits, whatever their precision; nothing is rounded."""
    np.testing.assert_array_equal(levels(photo, 0), photo)
    np.testing.assert_allclose(levels(photo / 255, 0), photo, atol=1e-12)
    np.testing.assert_allclose(levels((photo / 255).astype(np.float32), 0), photo, atol=1e-4)
    assert levels(np.full((1, 1, 3), 0.3), 0)[0, 0, 0] == 76.5


def test_border_comes_first(photo):
    """The border is left out at each side."""
    np.testing.assert_array_equal(levels(photo, 7), photo[7:-7, 7:-7])
    assert seen(photo, photo, 7, "y")[0].shape == (242, 242, 1)


def test_luma_is_that_of_matlab():
    """Black is 16, white 235, and the colours those of BT.601."""
    colours = np.array([[[0, 0, 0], [255, 255, 255], [255, 0, 0], [0, 255, 0], [0, 0, 255]]], np.float64)
    np.testing.assert_allclose(luma(colours), [[16, 235, 81.481, 144.553, 40.966]], atol=1e-9)


@pytest.mark.parametrize(
    ("picture", "match"),
    [
        (np.zeros((4, 4), np.uint8), r"shape \(4, 4\).*expected \(H, W, 3\)"),
        (np.zeros((4, 4, 4), np.uint8), r"shape \(4, 4, 4\)"),
        (np.zeros((4, 4, 3), np.uint16), "dtype uint16"),
        (np.full((4, 4, 3), 1.5), r"spans \[1\.5, 1\.5\]; clip it"),
        (np.full((4, 4, 3), np.nan), "must lie in"),
        ("photo.png", "not str"),
    ],
)
def test_what_cannot_be_measured(picture, match):
    """Pictures of other shapes, depths and ranges are refused, with the reason."""
    with pytest.raises(srkit.ImageError, match=match):
        levels(picture, 0)


def test_what_means_nothing():
    """Borders, channels and pairs that mean nothing are refused."""
    grey = np.zeros((8, 9, 3), np.uint8)
    with pytest.raises(srkit.SettingsError, match=r"border=-1 .* 0 or more"):
        levels(grey, -1)
    with pytest.raises(srkit.ImageError, match="border=4 leaves nothing of a picture of 9×8"):
        levels(grey, 4)
    with pytest.raises(srkit.SettingsError, match="channel='Y' is unknown; choose from 'rgb', 'y'"):
        seen(grey, grey, 0, "Y")
    with pytest.raises(srkit.ImageError, match=r"\(8, 9, 3\) and \(9, 8, 3\) cannot be compared"):
        seen(grey, grey.swapaxes(0, 1), 0, "rgb")
