"""Arrays ↔ planes: every layout and depth keeps its shape, its dtype and its values."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import DTYPES, INTEGERS, compact, nearest, pictures, scales

torch = pytest.importorskip("torch")

from srkit.errors import ImageError  # noqa: E402
from srkit.pixels import from_planes, layout_of, to_planes  # noqa: E402

LAYOUTS = (None, 1, 2, 3, 4)
orders = st.sampled_from(("rgb", "bgr"))


def scaled(side, scale):
    """The output side that is promised."""
    return max(1, round(side * scale))


def every_value(dtype, channels):
    """All values of an integer dtype in every colour channel, under full alpha: (256, N, C), or (256, N) for None."""
    white = np.iinfo(dtype).max
    ramp = np.arange(white + 1, dtype=dtype).reshape(-1, 256).T
    if channels is None:
        return ramp
    picture = np.stack([np.roll(ramp, 7 * c, axis=0) for c in range(channels)], -1)
    if channels in {2, 4}:
        picture[..., -1] = white
    return picture


@given(pictures(), scales, st.sampled_from((1, 2)), st.sampled_from((1, 3)), orders)
def test_shape_dtype_and_channels_are_kept(img, scale, network_scale, channels, order):
    """The result has the input's dtype, byte order and channels, and round(scale · size) pixels."""
    out = nearest(network_scale, channels)(img, scale=scale, order=order)
    assert out.shape == (scaled(img.shape[0], scale), scaled(img.shape[1], scale), *img.shape[2:])
    assert out.dtype == img.dtype
    if out.dtype.kind == "f":
        assert ((out >= 0) & (out <= 1)).all()


def test_size_may_be_given_instead_of_a_scale():
    """size=(height, width) is met exactly, whatever the proportions."""
    img = np.random.default_rng(0).integers(0, 256, (5, 6, 3), np.uint8)
    assert nearest(2)(img, size=(7, 31)).shape == (7, 31, 3)
    assert np.array_equal(nearest(2)(img, size=(15, 18)), nearest(2)(img, scale=3))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("channels", LAYOUTS)
def test_one_pixel_upscales(dtype, channels):
    """A picture of 1×1 gives a flat one, in every layout and depth."""
    img = np.ones((1, 1) if channels is None else (1, 1, channels), dtype)
    assert np.array_equal(nearest(2)(img), np.ones((2, 2, *img.shape[2:]), dtype))


@pytest.mark.parametrize("scale", [1, 2])
@pytest.mark.parametrize("in_channels", [1, 3])
@pytest.mark.parametrize("channels", LAYOUTS)
@pytest.mark.parametrize("dtype", [*INTEGERS, ">u2"])
def test_every_integer_value_survives(dtype, channels, in_channels, scale):
    """A network that repeats pixels gives back every 8-bit and 16-bit value, in every layout."""
    img = every_value(dtype, channels)
    expected = img.repeat(scale, 0).repeat(scale, 1)
    assert np.array_equal(nearest(scale, in_channels)(img), expected)


@pytest.mark.parametrize("scale", [1, 2])
@given(img=pictures(dtypes=("float32", ">f4", "float16", "bool"), channels=(None, 1, 3)), order=orders)
def test_floats_survive(scale, img, order):
    """A network that repeats pixels gives back floats of up to 32 bits exactly."""
    assert np.array_equal(nearest(scale)(img, order=order), img.repeat(scale, 0).repeat(scale, 1))


@given(pictures(dtypes=("float64",), channels=(None, 1, 3)))
def test_doubles_survive_as_floats(img):
    """A float64 picture comes back as its float32 rounding."""
    assert np.array_equal(nearest()(img), img.astype("float32").astype("float64"))


@given(pictures(channels=(None,)), scales)
def test_grey_of_two_and_three_axes_agree(img, scale):
    """(H, W) and (H, W, 1) are the same picture."""
    upscaler = compact()
    assert np.array_equal(upscaler(img, scale=scale), upscaler(img[:, :, None], scale=scale)[:, :, 0])


@given(pictures(channels=(None,)), scales)
def test_grey_as_colour_stays_grey(img, scale):
    """Three equal channels come out equal, and equal to the grey picture's."""
    upscaler = nearest(2)
    colour = upscaler(np.stack([img] * 3, -1), scale=scale)
    assert np.array_equal(colour, np.stack([upscaler(img, scale=scale)] * 3, -1))


@given(pictures(), scales, st.sampled_from(("network", "resize")))
def test_bgr_and_rgb_agree(img, scale, alpha):
    """Swapping red and blue before and after makes no difference; alpha keeps its place."""
    upscaler = compact()
    swap = [2, 1, 0, 3][: img.shape[2]] if img.ndim == 3 and img.shape[2] > 2 else slice(None)
    bgr = img[..., swap] if img.ndim == 3 else img
    out = upscaler(bgr, scale=scale, order="bgr", alpha=alpha)
    assert np.array_equal(out[..., swap], upscaler(img, scale=scale, alpha=alpha))


@given(pictures())
def test_any_memory_layout_is_taken_and_left_untouched(img):
    """Read-only, reversed, strided, transposed and Fortran arrays give what a plain copy gives, and are not changed."""
    upscaler, before = compact(), img.copy()
    img.flags.writeable = False
    spread = np.zeros((2 * img.shape[0], 3 * img.shape[1], *img.shape[2:]), img.dtype)[::2, ::3]
    spread[:] = img
    transposed = img.swapaxes(0, 1)
    for odd in (img, img[::-1], img[:, ::-1], spread, transposed, np.asfortranarray(img), img[..., ::-1]):
        assert np.array_equal(upscaler(odd), upscaler(np.array(odd, order="C")))
    assert np.array_equal(img, before)


@given(pictures(dtypes=("uint8", "uint16", "float32", "bool")), orders)
def test_planes_are_the_picture_in_unit_range(img, order):
    """Planes are (C, h, W) float32, RGB, value over white; and turn back into the picture."""
    layout = layout_of(img)
    planes = to_planes(img, layout, order)
    white = np.iinfo(img.dtype).max if img.dtype.kind == "u" else 1
    expected = img.astype("float64").reshape(*img.shape[:2], -1).transpose(2, 0, 1) / white
    if order == "bgr" and len(expected) > 2:
        expected = expected[[2, 1, 0, 3][: len(expected)]]
    assert planes.dtype == torch.float32
    np.testing.assert_allclose(planes, expected, rtol=1e-7)
    assert np.array_equal(from_planes(planes, layout, order), img)


def test_quantisation_rounds_to_nearest_and_clips():
    """Values between two codes go to the nearer one; values outside [0, 1] to black and white."""
    values = torch.tensor([[[-0.5, 0.4 / 255, 0.6 / 255, 1.5]]])
    layout = layout_of(np.zeros((1, 4), np.uint8))
    assert from_planes(values, layout, "rgb").tolist() == [[0, 0, 1, 255]]


BAD = {
    "list": ([[0.5]], r"not list; convert it with numpy\.asarray"),
    "tensor": (torch.zeros(3, 4, 4), r"not Tensor; .*Upscaler\.stream"),
    "one axis": (np.zeros(5, np.uint8), r"not \(5,\)"),
    "four axes": (np.zeros((1, 3, 4, 4), np.uint8), r"not \(1, 3, 4, 4\); pass one picture at a time"),
    "no rows": (np.zeros((0, 4, 3), np.uint8), r"empty: its shape is \(0, 4, 3\)"),
    "no channels": (np.zeros((4, 4, 0), np.uint8), r"empty"),
    "five channels": (np.zeros((4, 4, 5), np.uint8), r"1 to 4 channels, but its shape is \(4, 4, 5\)"),
    "channels first": (np.zeros((3, 64, 48), np.uint8), r"channels-first: use img\.transpose\(1, 2, 0\)"),
    "int32": (np.zeros((4, 4), np.int32), r"dtype int32 has no defined white; convert it to .*uint8"),
    "complex": (np.zeros((4, 4), np.complex64), r"dtype complex64"),
    "object": (np.zeros((4, 4), object), r"dtype object"),
    "white 255": (np.full((4, 4), 255.0), r"must lie in \[0, 1\].*\[255, 255\]; divide by its white"),
    "negative": (np.full((4, 4), -0.5, np.float16), r"must lie in \[0, 1\].*\[-0\.5, -0\.5\]"),
    "beyond float32": (np.full((4, 4), 1e300), r"must lie in \[0, 1\]"),
}


@pytest.mark.parametrize(("img", "message"), BAD.values(), ids=BAD)
def test_a_picture_that_cannot_be_taken_is_told_what_to_do(img, message):
    """Wrong type, shape, dtype or range raises ImageError with the value and the way out."""
    with pytest.raises(ImageError, match=message):
        nearest()(img)


def test_five_channels_are_not_called_channels_first():
    """The hint is given only where it can help."""
    with pytest.raises(ImageError) as caught:
        layout_of(np.zeros((64, 48, 5), np.uint8))
    assert "channels-first" not in str(caught.value)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("order", ["rgb", "bgr"])
@pytest.mark.parametrize("dtype", ["float16", "float32", ">f4", "float64"])
def test_a_value_that_is_no_number_is_located(dtype, order, value):
    """NaN or infinity in the picture is told with row, column and channel of the array as it was passed."""
    img = np.zeros((5, 6, 3), dtype)
    img[3, 4, 2] = value
    with pytest.raises(ImageError, match=r"has 1 values .* row 3, column 4, channel 2; .*nan_to_num"):
        nearest()(img, order=order)


def test_a_value_that_is_no_number_is_located_in_the_picture():
    """Fed as strips, the row told is the picture's, not the strip's."""
    img = np.zeros((5, 6, 3), np.float32)
    img[3, 4, 2] = np.nan
    with pytest.raises(ImageError, match="row 3, column 4, channel 2"):
        list(nearest().strips(iter((img[:2], img[2:])), layout_of(img), (5, 6)))


def test_rounding_beyond_the_range_is_forgiven():
    """A float picture that overshoots [0, 1] by a rounding error is clipped, not refused."""
    img = np.array([[-1e-4, 0.5, 1 + 1e-4]], np.float32)
    assert np.array_equal(nearest()(img), np.array([[0, 0.5, 1]], np.float32))
