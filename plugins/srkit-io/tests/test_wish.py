"""srkit_io.wish and srkit_io.light: depth, light and transparency on the way through a network."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import compact, nearest

import srkit
from srkit_io import Metadata, Page, Picture, Wish, upscaled
from srkit_io.light import Curve, srgb_decoded, srgb_encoded, survey
from srkit_io.picture import collected, cut
from srkit_io.wish import parse_background


def _through(image, upscaler, wish=None, *, linear=False):
    page = Page(srkit.layout_of(image), linear=linear)
    result = upscaled(Picture((page,), lambda: iter([image[:2], image[2:]])), upscaler, wish)
    (made,) = collected(result)
    assert srkit.layout_of(made) == result.pages[0].layout
    return made


@given(st.booleans(), st.floats(1, 1e5), st.lists(st.floats(0, 1e5), min_size=1))
def test_the_curve_is_undone(linear, peak, values):
    """Values up to the peak go into [0, 1] and come back, within float32's rounding of the logarithm."""
    curve = Curve(linear, peak)
    given_ = np.minimum(np.asarray(values, np.float32), np.float32(peak))
    coded = curve.encode(given_)
    assert coded.min() >= 0
    assert coded.max() <= 1
    np.testing.assert_allclose(curve.decode(coded), given_, rtol=2e-4, atol=1e-5)


def test_srgb():
    """The transfer function has the standard's fixed points (IEC 61966-2-1) and its inverse."""
    light = np.linspace(0, 4, 1001, dtype=np.float32)
    np.testing.assert_allclose(srgb_decoded(srgb_encoded(light)), light, atol=2e-6)
    np.testing.assert_allclose(srgb_encoded(np.float32([0, 0.0031308, 0.2140411, 1])), [0, 0.04045, 0.5, 1], atol=1e-5)


@pytest.mark.parametrize("linear", [False, True])
def test_values_above_one_survive(linear):
    """A picture with a light a hundred times white comes back so bright, and black stays black."""
    image = np.zeros((6, 5, 3), np.float32)
    image[2:4, 1:3] = (0.5, 1.0, 100.0)
    result = _through(image, nearest(2), linear=linear)
    np.testing.assert_allclose(result, image.repeat(2, 0).repeat(2, 1), rtol=1e-4, atol=1e-6)


def test_floats_in_the_usual_range_are_as_an_array_is():
    """Without light above 1 nothing bends the values: the result is upscale()'s, bit for bit."""
    image = np.random.default_rng(0).random((7, 9, 3), dtype=np.float32)
    upscaler = compact()
    np.testing.assert_array_equal(_through(image, upscaler), upscaler(image))


@pytest.mark.parametrize(
    ("depth", "dtype"), [("8", "uint8"), ("16", "uint16"), ("half", "float16"), ("float", "float32")]
)
def test_another_depth(depth, dtype):
    """A wished depth is rounded to from the network's own result, not from the file's depth."""
    image = np.random.default_rng(1).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    upscaler = compact()
    result = _through(image, upscaler, Wish(depth))
    assert result.dtype == dtype
    (exact,) = upscaler.strips(iter([image]), srkit.layout_of(image), (12, 16), dtype="float32")
    white = {"uint8": 255, "uint16": 65535}.get(dtype, 1)
    tolerance = 0.5 / white + 1e-6 if white > 1 else 1e-3
    assert np.abs(result.astype(np.float64) / white - exact).max() <= tolerance
    if depth == "16":
        assert len(np.unique(result % 257)) > 1


def test_light_for_a_format_of_light():
    """8 bits become light where a format wants that, and light what the eye sees where it does not."""
    image = np.full((4, 4, 3), 188, np.uint8)
    light = _through(image, nearest(1), Wish(linear=True))
    assert light.dtype == np.float32
    np.testing.assert_allclose(light, srgb_decoded(np.float32(188 / 255)), rtol=1e-5)
    back = _through(light, nearest(1), Wish("8", linear=False), linear=True)
    np.testing.assert_array_equal(back, image)


def test_a_background():
    """Transparency goes away over a colour: fully where there was nothing, by half where there was half."""
    image = np.zeros((4, 6, 4), np.uint8)
    image[:, 2:4] = (255, 0, 0, 128)
    image[:, 4:] = (0, 255, 0, 255)
    result = _through(image, nearest(1), Wish(background=parse_background("#0000ff")))
    assert result.shape == (4, 6, 3)
    np.testing.assert_array_equal(result[0, [0, 2, 5]], [(0, 0, 255), (128, 0, 127), (0, 255, 0)])
    grey = np.zeros((4, 4, 2), np.uint8)
    assert (_through(grey, nearest(1), Wish(background=(1.0, 1.0, 1.0))) == 255).all()


def test_pages_of_any_kind():
    """Pages are upscaled one after another, each in its own size, depth and channels."""
    rng = np.random.default_rng(2)
    images = [
        rng.integers(0, 256, (5, 6, 3), dtype=np.uint8),
        rng.integers(0, 65536, (9, 4)).astype(np.uint16),
        rng.random((3, 3, 3), dtype=np.float32) * 3,
    ]
    upscaler = nearest(2)
    results = collected(upscaled(Picture.of(images), upscaler))
    for image, result in zip(images, results, strict=True):
        assert result.dtype == image.dtype
        assert result.shape == (image.shape[0] * 2, image.shape[1] * 2, *image.shape[2:])
    np.testing.assert_array_equal(results[0], upscaler(images[0]))
    np.testing.assert_allclose(results[2], images[2].repeat(2, 0).repeat(2, 1), rtol=1e-4)


def test_opaque_pictures_are_seen_beforehand():
    """Alpha that is white everywhere is found out, so that the network need not run over it."""
    opaque = np.full((300, 5, 4), 255, np.uint8)
    partly = opaque.copy()
    partly[-1, -1, 3] = 254
    assert survey(Picture.of([opaque]))[0].opaque
    assert not survey(Picture.of([partly]))[0].opaque


def test_metadata_is_of_the_new_size():
    """Resolution grows with the picture."""
    page = Page(srkit.layout_of(np.zeros((4, 5), np.uint8)), Metadata(dpi=(300, 150)))
    assert Wish().of(page, (16, 10)).metadata.dpi == (600, 600)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_no_numbers_are_refused(value):
    """NaN and infinity in a float picture are an error of the picture."""
    image = np.zeros((4, 4, 3), np.float32)
    image[1, 2, 0] = value
    with pytest.raises(srkit.ImageError, match="NaN or infinite"):
        _through(image, nearest(1))


def test_wishes_that_cannot_be_meant():
    """Unknown depths and colours are refused by name."""
    with pytest.raises(srkit.SettingsError, match="depth='12' is unknown; choose from 8, 16"):
        Wish("12")
    with pytest.raises(srkit.SettingsError, match="background='mauve' is no colour"):
        parse_background("mauve")
    assert parse_background("white") == (1, 1, 1)


@given(st.integers(1, 5000), st.integers(1, 3000))
def test_strips_of_an_array_are_its_rows(height, width):
    """An array is cut into strips that are views of it, of about a megabyte."""
    image = np.broadcast_to(np.uint8(0), (height, width))
    strips = list(cut(image))
    assert sum(map(len, strips)) == height
    assert all(len(strip) == 1 or strip.size <= 2**20 for strip in strips)
