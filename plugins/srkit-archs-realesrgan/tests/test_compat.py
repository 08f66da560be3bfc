"""``RealESRGANer``: what programs written against the original count on."""

import inspect

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import srkit  # noqa: E402
from srkit_archs_realesrgan.compat import RealESRGANer  # noqa: E402
from srkit_archs_realesrgan.srvgg import SRVGGNetCompact  # noqa: E402


def save(path, seed=0, **config):
    """A file with a small random network."""
    torch.manual_seed(seed)
    network = SRVGGNetCompact(**{"num_feat": 6, "num_conv": 1, "upscale": 2} | config)
    torch.save({"params": network.state_dict()}, path)
    return str(path)


@pytest.fixture
def weights(tmp_path):
    """A small random ×2 network."""
    return save(tmp_path / "random.pth")


@pytest.fixture
def reddening(tmp_path):
    """A network that repeats each pixel 2×2 and makes it redder, and nothing else: by 0.2 of white."""
    network = SRVGGNetCompact(num_feat=1, num_conv=0, upscale=2)
    for parameter in network.parameters():
        torch.nn.init.zeros_(parameter)
    network.body[-1].bias.data[:4] = 0.2
    torch.save(network.state_dict(), tmp_path / "reddening.pth")
    return tmp_path / "reddening.pth"


def picture(*shape, dtype=np.uint8, top=None):
    """Noise up to ``top``, by default the dtype's white."""
    top = np.iinfo(dtype).max if top is None else top
    return np.round(np.random.default_rng(0).random(shape) * top).astype(dtype)


def test_arguments():
    """Names, order and defaults of the arguments are the original's."""
    defaults = {name: p.default for name, p in inspect.signature(RealESRGANer).parameters.items()}
    empty = inspect.Parameter.empty
    assert list(defaults.items()) == [
        ("scale", empty), ("model_path", empty), ("dni_weight", None), ("model", None), ("tile", 0), ("tile_pad", 10),
        ("pre_pad", 10), ("half", False), ("device", None), ("gpu_id", None),
    ]  # fmt: skip
    call = {name: p.default for name, p in inspect.signature(RealESRGANer.enhance).parameters.items()}
    assert list(call.items())[1:] == [("img", empty), ("outscale", None), ("alpha_upsampler", "realesrgan")]


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_pictures_are_bgr(reddening, dtype):
    """The third channel of a colour picture is its red, going in and coming out; alpha stays alpha."""
    white = np.iinfo(dtype).max
    img = picture(5, 4, 4, dtype=dtype, top=0.5 * white)
    img[..., 3] = white
    expected = img.repeat(2, 0).repeat(2, 1)
    expected[..., 2] += np.array(0.2 * white, dtype)
    upsampler = RealESRGANer(2, reddening)
    for channels, name in ((3, "RGB"), (4, "RGBA")):
        out, mode = upsampler.enhance(img[..., :channels])
        assert mode == name
        np.testing.assert_array_equal(out, expected[..., :channels])


@pytest.mark.parametrize(
    ("shape", "mode"), [((6, 5), "L"), ((6, 5, 1), "L"), ((6, 5, 2), "LA"), ((6, 5, 3), "RGB"), ((6, 5, 4), "RGBA")]
)
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_modes_and_depths(weights, shape, mode, dtype):
    """The mode names the channels; dtype and channels are kept, and the values are srkit's."""
    img = picture(*shape, dtype=dtype)
    out, found = RealESRGANer(2, weights).enhance(img)
    assert found == mode
    assert out.dtype == dtype
    assert out.shape == (12, 10, *shape[2:])
    np.testing.assert_array_equal(out, srkit.upscale(img, weights=weights, order="bgr", pre_pad=10))


@pytest.mark.parametrize(
    ("dtype", "deep"),
    # float16 holds 0 to 255, but not 65535
    [(np.float16, np.uint8), *((d, i) for d in (np.float32, np.float64) for i in (np.uint8, np.uint16))],
)
def test_float_holds_values_of_integers(weights, dtype, deep):
    """A float picture holds 0 to 255, or to 65535 where any is above 256, and comes back as such integers."""
    img = picture(6, 5, 3, dtype=deep)
    given = img.astype(dtype)
    upsampler = RealESRGANer(2, weights)
    out, mode = upsampler.enhance(given)
    assert mode == "RGB"
    assert out.dtype == deep
    np.testing.assert_array_equal(out, upsampler.enhance(img)[0])
    np.testing.assert_array_equal(given, img)


@pytest.mark.parametrize(("low", "high", "white"), [(-0.4, 255.4, 255), (0, 256, 255), (-30, 65600, 65535)])
def test_float_overshoot_is_clipped(weights, low, high, white):
    """Float values a little beyond the range, as any filter leaves them, are taken for black and white."""
    img = picture(6, 5, 3, top=white, dtype=np.float32)
    img[0, 0], img[-1, -1] = low, high
    upsampler = RealESRGANer(2, weights)
    np.testing.assert_array_equal(upsampler.enhance(img)[0], upsampler.enhance(img.clip(0, white))[0])


def test_dark_16_bit_is_16_bit(weights):
    """A 16-bit picture without a value above 256 is not taken for an 8-bit one."""
    img = picture(6, 5, 3, dtype=np.uint16, top=200)
    out, _ = RealESRGANer(2, weights).enhance(img)
    assert out.dtype == np.uint16
    np.testing.assert_array_equal(out, srkit.upscale(img, weights=weights, order="bgr", pre_pad=10))


@pytest.mark.parametrize(
    ("outscale", "size"), [(None, (6, 14)), (2, (6, 14)), (2.5, (7, 17)), (1.3, (3, 9)), (0.1, (1, 1))]
)
def test_outscale_cuts_sizes(weights, outscale, size):
    """The result's size is cut to whole pixels, not rounded, and is never nothing."""
    img = picture(3, 7, 3)
    out, _ = RealESRGANer(2, weights).enhance(img, outscale=outscale)
    assert out.shape == (*size, 3)


def test_two_models(tmp_path):
    """Two files with their shares are one network, mixed weight by weight."""
    one, two = save(tmp_path / "one.pth", 1), save(tmp_path / "two.pth", 2)
    loaded = RealESRGANer(2, [one, two], dni_weight=[0.25, 0.75]).upscaler.loaded
    for name, tensor in loaded.network.state_dict().items():
        parts = [torch.load(path)["params"][name] for path in (one, two)]
        torch.testing.assert_close(tensor, 0.25 * parts[0] + 0.75 * parts[1], rtol=0, atol=1e-7)
    for shares in (None, [1.0], [0.5, 0.25, 0.25]):
        with pytest.raises(srkit.SettingsError, match="names 2 files"):
            RealESRGANer(2, [one, two], dni_weight=shares)


def test_model_is_left_untouched(weights):
    """A network that is passed in gets none of the weights, and stays as trainable as it was."""
    model = SRVGGNetCompact(num_feat=6, num_conv=1, upscale=2)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    img = picture(6, 5, 3)
    out, _ = RealESRGANer(2, weights, model=model).enhance(img)
    np.testing.assert_array_equal(out, RealESRGANer(2, weights).enhance(img)[0])
    assert model.training
    assert all(parameter.requires_grad and parameter.grad is None for parameter in model.parameters())
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, before[name])


def test_model_says_what_the_file_does_not(tmp_path):
    """The network that is passed in is the one that runs, also where a file cannot tell it: leaky activations."""
    path = save(tmp_path / "leaky.pth", act_type="leakyrelu")
    img = picture(6, 5, 3)
    torch.manual_seed(0)
    model = SRVGGNetCompact(num_feat=6, num_conv=1, upscale=2, act_type="leakyrelu")
    loaded = RealESRGANer(2, path, model=model).upscaler.loaded.network
    x = torch.rand(1, 3, 4, 4)
    torch.testing.assert_close(loaded(x), model(x).detach(), rtol=0, atol=1e-6)
    leaky, plain = (RealESRGANer(2, path, model=m).enhance(img)[0] for m in (model, None))
    assert not np.array_equal(leaky, plain)


@pytest.mark.parametrize("with_model", [False, True])
@pytest.mark.parametrize("scale", [1, 3, 4])
def test_wrong_scale(weights, with_model, scale):
    """A scale that is not the network's is refused, not met with a cut or wrongly padded picture."""
    model = SRVGGNetCompact(num_feat=6, num_conv=1, upscale=2) if with_model else None
    with pytest.raises(srkit.SettingsError, match=f"scale={scale}, but random is a ×2 network"):
        RealESRGANer(scale, weights, model=model)


@pytest.mark.parametrize("options", [{"tile": 4}, {"tile": 3, "tile_pad": 0}, {"tile": 64}])
def test_tiles_make_no_difference(weights, options):
    """Tiles of any size, with or without overlap, leave no trace in the result."""
    img = picture(11, 9, 3)
    plain, _ = RealESRGANer(2, weights).enhance(img)
    np.testing.assert_array_equal(RealESRGANer(2, weights, **options).enhance(img)[0], plain)


def test_half_on_the_cpu(weights):
    """half=True, which programs pass everywhere, is no error and no loss where there is no CUDA."""
    img = picture(11, 9, 3)
    plain, _ = RealESRGANer(2, weights, device="cpu").enhance(img)
    np.testing.assert_array_equal(RealESRGANer(2, weights, half=True, device="cpu").enhance(img)[0], plain)


def test_pre_pad(weights):
    """The picture is padded by 10 pixels unless told otherwise, which shows at its lower right edges."""
    img = picture(14, 14, 3)
    default, ten, none = (
        RealESRGANer(2, weights, **options).enhance(img)[0] for options in ({}, {"pre_pad": 10}, {"pre_pad": 0})
    )
    np.testing.assert_array_equal(default, ten)
    np.testing.assert_array_equal(default[:16, :16], none[:16, :16])
    assert not np.array_equal(default[-2:], none[-2:])
    assert not np.array_equal(default[:, -2:], none[:, -2:])


@pytest.mark.parametrize(("name", "alpha"), [("realesrgan", "network"), ("bicubic", "resize")])
def test_alpha_upsampler(weights, name, alpha):
    """alpha_upsampler="realesrgan" sends alpha through the network; any other name resizes it."""
    img = picture(9, 8, 4)
    out, mode = RealESRGANer(2, weights).enhance(img, alpha_upsampler=name)
    assert mode == "RGBA"
    both = {a: srkit.upscale(img, weights=weights, order="bgr", pre_pad=10, alpha=a) for a in ("network", "resize")}
    np.testing.assert_array_equal(out, both[alpha])
    assert not np.array_equal(both["network"], both["resize"])
