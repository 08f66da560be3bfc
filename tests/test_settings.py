"""Where and how a network runs: what is understood, and what is refused with the way out."""

import numpy as np
import pytest
from strategies import compact

torch = pytest.importorskip("torch")

import srkit  # noqa: E402
from srkit.errors import SettingsError, UnknownName  # noqa: E402
from srkit.settings import parse_devices, parse_memory, parse_precision  # noqa: E402

CPU = torch.device("cpu")


def make(channels=3, **options):
    """An upscaler of a network that changes nothing, on the whole-image engine unless told otherwise."""
    traits = srkit.Traits(scale=1, in_channels=channels, out_channels=channels)
    return srkit.Upscaler.from_network(torch.nn.Identity(), traits, **{"engine": "whole", "device": "cpu", **options})


@pytest.mark.parametrize(
    ("memory", "expected"),
    [
        (None, None),
        (1, 1),
        (2**40, 2**40),
        ("4GiB", 4 * 2**30),
        ("500 MB", 500 * 10**6),
        (" 1.5kib ", 1536),
        ("64b", 64),
        ("1e", SettingsError),
        ("lots", SettingsError),
        ("", SettingsError),
        ("4 bananas", SettingsError),
        ("-1GiB", SettingsError),
        ("0", SettingsError),
        (0, SettingsError),
        (-1, SettingsError),
        (True, SettingsError),
    ],
)
def test_memory_is_an_amount_with_a_unit(memory, expected):
    """Bytes, or a number with a decimal or binary unit; anything else is refused with examples."""
    if expected is SettingsError:
        with pytest.raises(SettingsError, match="is not an amount of memory; write '4GiB'") as caught:
            parse_memory(memory)
        assert repr(memory) in str(caught.value)
    else:
        assert parse_memory(memory) == expected


def test_device_is_the_best_there_is_unless_named():
    """Names and torch.device objects are taken as they are; several are separated by commas."""
    assert parse_devices("cpu") == parse_devices(CPU) == (CPU,)
    assert parse_devices("cpu, cpu") == (CPU, CPU)


@pytest.mark.parametrize(
    ("there", "expected"),
    [(("cuda", "xpu", "mps"), "cuda"), (("xpu", "mps"), "xpu"), (("mps",), "mps"), ((), "cpu")],
)
def test_device_prefers_cuda_then_xpu_then_mps(monkeypatch, there, expected):
    """None picks an accelerator where there is one."""
    for kind, module in (("cuda", torch.cuda), ("xpu", torch.xpu), ("mps", torch.backends.mps)):
        monkeypatch.setattr(module, "is_available", lambda kind=kind: kind in there)
    assert parse_devices(None) == (torch.device(expected),)


@pytest.mark.parametrize("device", ["cuda", "cuda:99", "nonsense", "cpu:x", ""])
def test_a_device_that_is_not_there_is_refused(device):
    """The error lists what is available here."""
    if device == "cuda" and torch.cuda.is_available():
        pytest.skip("this machine has CUDA")
    with pytest.raises(SettingsError, match=rf"device='{device}' cannot be used .* here; available: cpu"):
        make(device=device)


@pytest.mark.parametrize("name", ["float32", "float16", "bfloat16"])
def test_precision_is_a_name_of_torch(name):
    """Each precision is the torch dtype of that name."""
    assert parse_precision(name, CPU) is getattr(torch, name)


@pytest.mark.parametrize("precision", ["float16", "bfloat16"])
def test_lower_precision_comes_close(precision):
    """Half precision runs on the CPU too, in its own dtype, and is off by its rounding only."""
    image = torch.from_numpy(np.random.default_rng(0).random((1, 3, 20, 30), dtype=np.float32))
    (exact,) = compact().stream([image], (20, 30))
    (rounded,) = compact(precision=precision).stream([image], (20, 30))
    assert rounded.dtype == getattr(torch, precision)
    difference = (rounded.float() - exact).abs().max()
    assert 0 < difference < (0.004 if precision == "float16" else 0.03)
    out = compact(precision=precision)(np.full((4, 4, 4), 255, np.uint8))
    assert out.dtype == np.uint8
    assert (out[..., 3] == 255).all()


def test_a_precision_the_device_cannot_compute_is_refused(monkeypatch):
    """Where a device has no convolution in a precision, the error says so and names the one that works."""

    def unsupported(*_):
        raise RuntimeError("not implemented for 'Half'")

    monkeypatch.setattr(torch.nn.functional, "conv2d", unsupported)
    with pytest.raises(SettingsError, match="'float16' is not supported on cpu; use precision='float32'"):
        parse_precision("float16", CPU)
    assert parse_precision("float32", CPU) is torch.float32


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"scale": 0}, r"scale=0 is not a factor; it must be a number greater than 0"),
        ({"scale": -1}, r"scale=-1 "),
        ({"scale": float("nan")}, r"scale=nan "),
        ({"scale": float("inf")}, r"scale=inf "),
        ({"scale": True}, r"scale=True "),
        ({"scale": "x"}, r"scale='x' "),
        ({"alpha": "x"}, r"alpha='x' is unknown; choose from 'network', 'resize'"),
        ({"order": "rbg"}, r"order='rbg' is unknown; choose from 'rgb', 'bgr'"),
        ({"precision": "fp12"}, r"precision='fp12' is unknown; choose from float32, float16, bfloat16"),
        ({"memory": "lots"}, r"memory='lots' is not an amount of memory"),
        ({"rows": 0}, r"rows=0 is not a number of rows; it must be 1 or more"),
        ({"rows": -3}, r"rows=-3 "),
        ({"rows": "many"}, r"rows='many' "),
        ({"pre_pad": -1}, r"pre_pad=-1 is not a number of pixels; it must be 0 or more"),
        ({"pre_pad": 0.5}, r"pre_pad=0.5 "),
        ({"memory": "4GiB"}, r"memory=.*leave memory out, or choose an engine that streams"),
        ({"rows": 8}, r"rows=.* leave rows out, or choose an engine that streams"),
    ],
    ids=lambda value: str(value) if isinstance(value, dict) else "",
)
def test_a_bad_setting_is_refused_when_the_upscaler_is_made(options, message):
    """The error carries the value and says what would do; the whole-image engine refuses what it cannot honour."""
    with pytest.raises(SettingsError, match=message):
        make(**options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"scale": 0}, "scale=0 "),
        ({"scale": "x"}, "scale='x' "),
        ({"alpha": "x"}, "alpha='x' is unknown"),
        ({"order": "rbg"}, "order='rbg' is unknown"),
        ({"size": (0, 4)}, r"size=\(0, 4\) is not a size"),
        ({"size": (-1, 4)}, r"size=\(-1, 4\) is not a size"),
    ],
    ids=lambda value: str(value) if isinstance(value, dict) else "",
)
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_a_bad_option_of_a_call_is_refused(options, message, channels):
    """Options of a call are checked like the upscaler's own, whatever the picture."""
    with pytest.raises(SettingsError, match=message):
        make()(np.full((4, 4, channels), 255, np.uint8), **options)


def test_a_bad_setting_is_told_before_weights_are_looked_for():
    """srkit.upscale checks the picture and the scale before it loads anything."""
    with pytest.raises(SettingsError, match="scale=0 "):
        srkit.upscale(np.zeros((4, 4), np.uint8), weights="no such file", scale=0)
    with pytest.raises(srkit.ImageError, match="empty"):
        srkit.upscale(np.zeros((0, 4), np.uint8), weights="no such file")


def test_an_unknown_engine_is_answered_with_a_close_one():
    """The error offers the engine that was probably meant, and lists all."""
    with pytest.raises(UnknownName, match=r"unknown upsampler 'hole'; did you mean 'whole'\? Known: .*whole") as caught:
        make(engine="hole")
    assert "whole" in caught.value.known


def test_the_preferred_engine_runs_unless_one_is_named():
    """Without engine= the registered upsampler of highest preference is chosen."""
    best = max(srkit.plugins.current().upsamplers, key=lambda entry: entry.spec.preference)
    assert make(engine=None).engine == best.spec.name
    assert make(engine="whole").engine == "whole"


@pytest.mark.parametrize(("inside", "outside"), [(3, 1), (1, 3), (4, 4), (2, 2)])
def test_a_network_that_is_not_for_pictures_is_refused(inside, outside):
    """Only networks from grey to grey or colour to colour upscale pictures."""
    traits = srkit.Traits(scale=1, in_channels=inside, out_channels=outside)
    with pytest.raises(SettingsError, match=f"turns {inside} channels into {outside}; only networks from 1"):
        srkit.Upscaler.from_network(torch.nn.Identity(), traits)


def test_a_module_without_traits_is_refused():
    """A network of one's own needs its traits, and the error says how to write them."""
    with pytest.raises(SettingsError, match=r"pass srkit\.Traits\(scale=…\)"):
        srkit.Upscaler.from_network(torch.nn.Identity())
