"""srkit_io.turned: pictures made upright."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageOps

from srkit_io.turned import turned, turned_size


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("channels", [None, 3])
def test_as_pillow_turns(orientation, channels):
    """Every orientation of Exif is undone as Pillow undoes it."""
    img = np.random.default_rng(0).integers(0, 256, (4, 7) if channels is None else (4, 7, channels), dtype=np.uint8)
    image = Image.fromarray(img)
    image.getexif()[274] = orientation
    upright = turned(img, orientation)
    np.testing.assert_array_equal(upright, np.asarray(ImageOps.exif_transpose(image)))
    assert turned_size(img.shape[:2], orientation) == upright.shape[:2]
