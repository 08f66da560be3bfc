"""Decoding, and what cannot be decoded."""

from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import given
from PIL import Image
from strategies import pictures

import srkit
import srkit_io
from srkit_datasets import PictureError
from srkit_datasets.decode import decode


def encoded(img, kind, **options):
    """The bytes of a file."""
    file = io.BytesIO()
    Image.fromarray(img).save(file, kind, **options)
    return file.getvalue()


@given(pictures(dtypes=("uint8", "uint16")))
def test_values_are_kept(tmp_path_factory, img):
    """8 bits come out as they are, 16 rounded; grey as three equal channels; alpha is dropped."""
    path = tmp_path_factory.mktemp("png") / "a.png"
    srkit_io.write(path, img)
    eight = img if img.dtype == np.uint8 else np.rint(img / 257).astype(np.uint8)
    planes = eight[..., None] if eight.ndim == 2 else eight
    colours = planes[..., :1].repeat(3, 2) if planes.shape[2] < 3 else planes[..., :3]
    assert np.array_equal(decode(path.read_bytes(), "a"), colours)


def test_exif_orientation_is_applied(photo):
    """A picture that lies on its side in the file stands upright."""
    exif = Image.Exif()
    exif[0x0112] = 6
    lying = decode(encoded(photo[:100], "JPEG", exif=exif.tobytes(), quality=95), "a")
    upright = np.asarray(Image.open(io.BytesIO(encoded(photo[:100], "JPEG", quality=95))))
    assert lying.shape == (256, 100, 3)
    # Decoders of JPEG differ by a level or two.
    assert np.abs(np.rot90(upright, -1).astype(int) - lying).max() <= 4


def bad_files(photo):
    """Every way in which a file can be bad, by name."""
    png, jpeg = encoded(photo, "PNG"), encoded(photo, "JPEG")
    damaged = bytearray(png)
    damaged[len(png) // 2] ^= 255
    return {
        "empty": b"",
        "a text": b"no picture at all\n" * 20,
        "PNG cut in the head": png[:20],
        "PNG cut off": png[: len(png) // 2],
        "PNG that lacks its end": png[:-200],
        "PNG with a wrong byte": bytes(damaged),
        "JPEG cut off": jpeg[: len(jpeg) // 2],
        "JPEG cut in the head": jpeg[:100],
        "zeros": bytes(5000),
    }


@pytest.mark.parametrize("kind", [*bad_files(np.zeros((64, 64, 3), np.uint8))])
def test_bad_files_are_told(photo, kind):
    """A bad file raises srkit's own error, an ImageError, which names it."""
    with pytest.raises(PictureError, match=r"pics/0801\.png: ") as caught:
        decode(bad_files(photo)[kind], "pics/0801.png")
    assert caught.value.name == "pics/0801.png"
    assert isinstance(caught.value, srkit.ImageError)


def test_floats_are_refused(tmp_path):
    """Values without a white are no targets."""
    srkit_io.write(tmp_path / "a.tif", np.ones((8, 8, 3), np.float32))
    with pytest.raises(PictureError, match="float32 values"):
        decode((tmp_path / "a.tif").read_bytes(), "a.tif")
