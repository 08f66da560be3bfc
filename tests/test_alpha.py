"""Transparency: nothing hidden shows, opaque stays opaque, empty stays empty."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import INTEGERS, compact, nearest, pictures, scales

torch = pytest.importorskip("torch")

from srkit.pixels import layout_of  # noqa: E402

MODES = ("network", "resize")
modes = st.sampled_from(MODES)
with_alpha = pictures(channels=(2, 4))


def white(img):
    """The value of full alpha."""
    return np.iinfo(img.dtype).max if img.dtype.kind == "u" else 1


def upscaled(upscaler, img, scale, alpha):
    """The pipeline without the shortcut that Upscaler takes for a picture of one alpha."""
    new_size = tuple(max(1, round(side * scale)) for side in img.shape[:2])
    return np.concatenate(list(upscaler.strips(iter((img,)), layout_of(img), new_size, alpha=alpha)))


def noisy(channels=3):
    """A network whose alpha is far from its input's, so that only the bounds keep it in place."""
    return compact(channels=channels, gain=8)


@given(with_alpha, scales, modes, st.sampled_from((1, 3)), st.booleans())
def test_uniform_alpha_stays_exactly_that(img, scale, alpha, channels, shortcut):
    """Where alpha is the same everywhere, it stays so in every float32 bit: opaque, empty or in between."""
    for value in (0, white(img), img[0, 0, -1]):
        img[..., -1] = value
        upscaler = noisy(channels)
        out = upscaler(img, scale=scale, alpha=alpha) if shortcut else upscaled(upscaler, img, scale, alpha)
        assert (out[..., -1] == np.float32(value)).all()
        assert value or not out.any()


@given(pictures(INTEGERS, channels=(2, 4)), scales, modes)
def test_alpha_stays_in_the_local_range(img, scale, alpha):
    """Alpha lies between the least and greatest of the 3×3 input pixels around, or of those a smaller pixel covers."""
    out = noisy()(img, scale=scale, alpha=alpha)
    reach = [max(1, math.ceil(img.shape[axis] / out.shape[axis])) for axis in (0, 1)]
    for y, x in np.ndindex(out.shape[:2]):
        inside = [math.floor((i + 0.5) * img.shape[a] / out.shape[a]) for a, i in enumerate((y, x))]
        near = img[tuple(slice(max(0, i - r), i + r + 1) for i, r in zip(inside, reach, strict=True))][..., -1]
        assert near.min() <= out[y, x, -1] <= near.max()


@given(with_alpha, scales, modes, st.integers(0, 2**32 - 1))
def test_hidden_colours_make_no_difference(img, scale, alpha, seed):
    """Other colours under zero alpha change not one bit of the result."""
    img[np.random.default_rng(seed).random(img.shape[:2]) < 0.4, -1] = 0
    hidden = img[..., -1] == 0
    other = img.copy()
    other[hidden, :-1] = white(img) - other[hidden, :-1]
    upscaler = compact()
    assert np.array_equal(upscaler(img, scale=scale, alpha=alpha), upscaler(other, scale=scale, alpha=alpha))


@pytest.mark.parametrize("alpha", MODES)
@pytest.mark.parametrize("scale", [0.5, 1, 2, 2.7, 4])
def test_hidden_green_does_not_bleed_into_red(alpha, scale):
    """Opaque red beside invisible green gives red, and no green at all."""
    img = np.zeros((12, 12, 4), np.uint8)
    img[:, :6] = (255, 0, 0, 255)
    img[:, 6:] = (0, 255, 0, 0)
    out = nearest(2)(img, scale=scale, alpha=alpha)
    assert not out[..., 1].any()
    # Far from the edge only Lanczos' ringing is left.
    assert (out[:, 0, 0] >= 250).all()
    assert (out[:, 0, 3] == 255).all()
    assert not out[:, -1].any()


@pytest.mark.parametrize("alpha", MODES)
@pytest.mark.parametrize("scale", [0.5, 1, 2, 2.7, 4])
def test_one_colour_keeps_its_colour_up_to_the_edge(alpha, scale):
    """A grey disc on nothing has no dark or bright fringe: where it shows, it is that grey, but for Lanczos' ringing."""
    y, x = np.mgrid[:24, :24]
    disc = np.clip((8 - np.hypot(y - 12, x - 12)) * 255, 0, 255)
    img = np.stack([np.full_like(disc, 128), disc], -1).astype(np.uint8)
    out = nearest(2)(img, scale=scale, alpha=alpha)
    shown = out[..., 0][out[..., 1] >= 128]
    assert 108 <= shown.min() <= shown.max() <= 148


@pytest.mark.parametrize("scale", [1, 2])
@given(img=pictures(dtypes=("uint8", "uint16", ">u2", "bool"), channels=(2, 4)))
def test_colours_survive_premultiplication(scale, img):
    """A network that repeats pixels gives back alpha, and every colour that shows, to the last code value."""
    expected = img.repeat(scale, 0).repeat(scale, 1)
    expected[expected[..., -1] == 0] = 0
    assert np.array_equal(nearest(scale)(img), expected)


def test_every_colour_survives_the_least_alpha():
    """In 16 bits even alpha 1 of 65535 keeps all values of its colour."""
    img = np.ones((256, 256, 2), np.uint16)
    img[..., 0] = np.arange(65536).reshape(256, 256)
    img[0, 0, 1] = 65535
    assert np.array_equal(nearest(2)(img), img.repeat(2, 0).repeat(2, 1))


@given(pictures(dtypes=("float32",), channels=(2, 4)))
def test_float_colours_survive_premultiplication(img):
    """In float32 alpha is exact, and the colours that show are within three roundings."""
    out = nearest()(img)
    shown = img[..., -1] > 0
    assert np.array_equal(out[..., -1], img[..., -1])
    np.testing.assert_allclose(out[shown], img[shown], rtol=3 * 2.0**-24)
    assert not out[~shown].any()


@given(pictures(channels=(2, 4)), scales, modes)
def test_opaque_colours_are_those_of_the_picture_without_alpha(img, scale, alpha):
    """Full alpha changes no colour: the result is that of the same picture without alpha."""
    img[..., -1] = white(img)
    upscaler = compact()
    colours = upscaler(img[..., :-1], scale=scale)
    assert np.array_equal(upscaler(img, scale=scale, alpha=alpha)[..., :-1], colours)


@given(pictures(dtypes=("float32", "uint16"), channels=(2,)), scales, modes)
def test_grey_and_colour_with_alpha_agree(img, scale, alpha):
    """Grey and alpha is the same picture as three equal colours and alpha."""
    colour = img[..., [0, 0, 0, 1]]
    out = nearest(2)(img, scale=scale, alpha=alpha)
    assert np.array_equal(nearest(2)(colour, scale=scale, alpha=alpha), out[..., [0, 0, 0, 1]])


@given(pictures(dtypes=("float32", "uint8"), channels=(2, 4)), scales)
def test_resized_alpha_is_the_resampled_one(img, scale):
    """With alpha="resize" the network's alpha makes no difference."""
    ours = noisy()(img, scale=scale, alpha="resize")
    assert np.array_equal(ours[..., -1], nearest(2)(img, scale=scale, alpha="resize")[..., -1])


@pytest.mark.parametrize("alpha", MODES)
def test_alpha_next_to_nothing_gives_no_infinity(alpha):
    """Dividing by the least positive numbers keeps colours in [0, 1]."""
    img = np.full((4, 4, 4), 0.5, np.float32)
    img[1, :, 3] = np.finfo(np.float32).tiny
    img[2, :, 3] = np.nextafter(np.float32(0), np.float32(1))
    out = nearest(2)(img, scale=3, alpha=alpha)
    assert ((out >= 0) & (out <= 1)).all()
