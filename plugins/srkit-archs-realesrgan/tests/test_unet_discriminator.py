"""UNetDiscriminatorSN: names, values and recognition."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch")

from torch.nn import functional as F  # noqa: E402

import srkit  # noqa: E402
from srkit_archs_realesrgan.unet_discriminator import UNetDiscriminatorSN, architecture  # noqa: E402

NORMALISED = [f"conv{i}" for i in range(1, 9)]
configs = st.fixed_dictionaries({"num_in_ch": st.integers(1, 4), "num_feat": st.integers(1, 6)})


def shapes_of(network):
    """Names and shapes of a network's tensors."""
    return {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}


def reference(state, x, skip):
    """The forward as its description has it: each normalised weight is divided by its spectral norm u·W·v."""

    def conv(i, x):
        stride = 2 if i in {1, 2, 3} else 1
        if i in {0, 9}:
            return F.conv2d(x, state[f"conv{i}.weight"], state[f"conv{i}.bias"], padding=1)
        weight, u, v = (state[f"conv{i}.weight_{part}"] for part in ("orig", "u", "v"))
        return F.conv2d(x, weight / (u @ weight.flatten(1) @ v), stride=stride, padding=1)

    def act(x):
        return torch.where(x > 0, x, x * 0.2)

    def double(x):
        # Bilinear, half-pixel centres: each new sample lies a quarter of a pixel beside an old one.
        for axis in (2, 3):
            before = torch.cat((x.narrow(axis, 0, 1), x.narrow(axis, 0, x.shape[axis] - 1)), axis)
            after = torch.cat((x.narrow(axis, 1, x.shape[axis] - 1), x.narrow(axis, x.shape[axis] - 1, 1)), axis)
            x = torch.stack((0.25 * before + 0.75 * x, 0.75 * x + 0.25 * after), axis + 1).flatten(axis, axis + 1)
        return x

    full = act(conv(0, x))
    half = act(conv(1, full))
    quarter = act(conv(2, half))
    eighth = act(conv(3, quarter))
    x = act(conv(4, double(eighth))) + skip * quarter
    x = act(conv(5, double(x))) + skip * half
    x = act(conv(6, double(x))) + skip * full
    return conv(9, act(conv(8, act(conv(7, x)))))


def test_published_configuration():
    """The published discriminator's tensors have their published names; 64 features make 4,376,897 parameters."""
    network = UNetDiscriminatorSN()
    plain = {f"conv{i}.{kind}" for i in (0, 9) for kind in ("weight", "bias")}
    assert network.state_dict().keys() == plain | {
        f"{name}.weight_{part}" for name in NORMALISED for part in ("orig", "u", "v")
    }
    assert sum(p.numel() for p in network.parameters()) == 4_376_897
    assert network.conv3.weight_orig.shape == (512, 256, 4, 4)
    assert network.conv4.weight_orig.shape == (256, 512, 3, 3)


@pytest.mark.parametrize("skip", [True, False])
def test_forward(skip):
    """The forward equals an independent computation, with skips and without: one logit per pixel."""
    torch.manual_seed(0)
    network = UNetDiscriminatorSN(num_feat=4, skip_connection=skip)
    x = torch.rand(2, 3, 16, 24)
    with torch.no_grad():
        for _ in range(10):
            network(x)  # in training mode the norms come near their true values, and so the logits to 1
        network.eval()
        logits = network(x)
        assert logits.shape == (2, 1, 16, 24)
        torch.testing.assert_close(logits, reference(network.state_dict(), x, skip), rtol=0, atol=1e-6)
        network.skip_connection = not skip
        assert not torch.allclose(network(x), logits)


def test_spectral_norm_converges_in_training():
    """Each forward in training improves the estimate of the norm, until the greatest singular value of a weight is 1."""
    torch.manual_seed(0)
    network = UNetDiscriminatorSN(num_feat=2)
    with torch.no_grad():
        for _ in range(100):
            network(torch.rand(1, 3, 8, 8))
    for name in NORMALISED:
        norm = torch.linalg.matrix_norm(getattr(network, name).weight.flatten(1), 2)
        torch.testing.assert_close(norm, torch.tensor(1.0), rtol=0, atol=1e-3)


@given(configs, st.randoms())
@settings(max_examples=25)
def test_recognised_from_names_and_shapes(config, random):
    """Names and shapes alone, in any order, give the configuration back."""
    shapes = list(shapes_of(architecture.build(**config)).items())
    random.shuffle(shapes)
    recognition = architecture.recognise(dict(shapes))
    assert recognition.config == config
    assert recognition.names == {name: name for name, _ in shapes}


@given(configs, st.data())
@settings(max_examples=50)
def test_foreign_tensors(config, data):
    """A tensor missing, added or of another shape makes it no network of ours; no file is so odd that asking fails."""
    original = shapes_of(architecture.build(**config))
    shapes = dict(original)
    name = data.draw(st.one_of(st.sampled_from(list(shapes)), st.sampled_from(["", "conv10.weight", "conv1.weight"])))
    if data.draw(st.booleans()):
        shapes.pop(name, None)
    else:
        shape = list(shapes.get(name, (4,)))[: data.draw(st.integers(0, 5))]
        for axis in range(len(shape)):
            shape[axis] = data.draw(st.sampled_from([shape[axis], 0, 7]))
        shapes[name] = tuple(shape)
    recognition = architecture.recognise(shapes)
    assert (recognition is not None) == (shapes == original)


def test_traits():
    """The object follows the protocol; it judges pixels, and halves three times."""
    assert isinstance(architecture, srkit.Architecture)
    traits = architecture.traits(num_in_ch=3, num_feat=4)
    assert (traits.scale, traits.in_channels, traits.out_channels, traits.multiple_of) == (1, 3, 1, 8)


def test_it_upscales_nothing():
    """A discriminator given as weights to upscale with is refused, and why."""
    network = UNetDiscriminatorSN(num_feat=4)
    with pytest.raises(srkit.SettingsError, match="turns 3 channels into 1"):
        srkit.Upscaler.from_network(network, architecture.traits())
