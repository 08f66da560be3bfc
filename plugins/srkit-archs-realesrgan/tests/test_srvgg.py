"""SRVGGNetCompact: names, values and recognition."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch")

from torch.nn import functional as F  # noqa: E402

from srkit.protocols import Architecture  # noqa: E402
from srkit_archs_realesrgan.srvgg import SRVGGNetCompact, architecture  # noqa: E402

channels = st.sampled_from([1, 3])
configs = st.fixed_dictionaries(
    {
        "num_in_ch": channels,
        "num_feat": st.integers(1, 9),
        "num_conv": st.integers(0, 4),
        "upscale": st.integers(1, 5),
        "act_type": st.sampled_from(["prelu", "relu"]),
    }
).map(lambda config: {**config, "num_out_ch": config["num_in_ch"]})


def shapes_of(network):
    """Names and shapes of a network's tensors."""
    return {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}


def ncnn_shapes(network, activation):
    """The same as an ncnn file has them: ``activation`` is fused, or None for PReLU layers of their own."""
    shapes, index = {}, -1
    last = len(network.body) - 1
    for name, shape in shapes_of(network).items():
        _, place, kind = name.split(".")
        index += kind == "weight"
        operator = "prelu" if len(shape) == 1 and kind == "weight" else "conv"
        if activation and int(place) != last:
            operator += activation
        shapes[f"ncnn.{index:04d}.{operator}.{kind}"] = shape
    return shapes


def reference(state, x, upscale, act_type):
    """The network's forward as its description has it, step by step on the state dict."""
    y, last = x, max(int(name.split(".")[1]) for name in state)
    for i in range(0, last + 1, 2):
        y = F.conv2d(y, state[f"body.{i}.weight"], state[f"body.{i}.bias"], padding=1)
        if i < last:
            slope = {"relu": 0.0, "leakyrelu": 0.1}.get(act_type)
            if slope is None:
                slope = state[f"body.{i + 1}.weight"].view(-1, 1, 1)
            y = torch.where(y > 0, y, y * slope)
    batch, _, height, width = y.shape
    # Channel c·s² + s·i + j is the pixel (i, j) of the s×s block of channel c.
    y = y.view(batch, -1, upscale, upscale, height, width).permute(0, 1, 4, 2, 5, 3)
    y = y.reshape(batch, -1, height * upscale, width * upscale)
    return y + x.repeat_interleave(upscale, 2).repeat_interleave(upscale, 3)


@pytest.mark.parametrize(("num_conv", "parameters"), [(16, 621_424), (32, 1_213_296)])
def test_published_configurations(num_conv, parameters):
    """The published networks have the published number of parameters, under the published names."""
    with torch.device("meta"):
        network = SRVGGNetCompact(num_conv=num_conv)
    assert sum(p.numel() for p in network.parameters()) == parameters
    convs = {f"body.{i}.{kind}" for i in range(0, 2 * num_conv + 3, 2) for kind in ("weight", "bias")}
    slopes = {f"body.{i}.weight" for i in range(1, 2 * num_conv + 2, 2)}
    shapes = shapes_of(network)
    assert shapes.keys() == convs | slopes
    assert shapes["body.0.weight"] == (64, 3, 3, 3)
    assert shapes["body.1.weight"] == (64,)
    assert shapes[f"body.{2 * num_conv + 2}.weight"] == (48, 64, 3, 3)


@pytest.mark.parametrize("act_type", ["prelu", "relu", "leakyrelu"])
@pytest.mark.parametrize("upscale", [1, 2, 3, 4])
def test_forward(act_type, upscale):
    """The forward equals an independent computation, with each activation and scale."""
    torch.manual_seed(upscale)
    network = SRVGGNetCompact(num_feat=8, num_conv=2, upscale=upscale, act_type=act_type)
    for name, parameter in network.named_parameters():
        if parameter.ndim == 4:
            torch.nn.init.kaiming_normal_(parameter, nonlinearity="linear")  # so that nothing fades away
        elif name.endswith("weight"):
            torch.nn.init.uniform_(parameter, -1, 1)  # slopes of every sign, one for each channel
    x = torch.rand(2, 3, 7, 9)
    with torch.inference_mode():
        torch.testing.assert_close(network(x), reference(network.state_dict(), x, upscale, act_type), rtol=0, atol=1e-6)


def test_unknown_activation():
    """An activation that the network does not have is refused, with those it has."""
    with pytest.raises(ValueError, match="act_type='swish' is unknown; choose from 'prelu', 'relu', 'leakyrelu'"):
        SRVGGNetCompact(act_type="swish")


@given(configs, st.randoms())
def test_recognised_from_names_and_shapes(config, random):
    """Names and shapes alone, in any order, give the configuration back."""
    shapes = list(shapes_of(architecture.build(**config)).items())
    random.shuffle(shapes)
    recognition = architecture.recognise(dict(shapes))
    assert recognition.config == config
    assert recognition.names == {name: name for name, _ in shapes}


@given(configs, st.sampled_from(["+relu", "+leakyrelu0.1"]))
def test_recognised_from_an_ncnn_file(config, activation):
    """The tensors of an ncnn file are named, and the activation is what the file says."""
    if config["act_type"] == "relu":
        config |= {"act_type": activation.removeprefix("+").removesuffix("0.1")}
    network = architecture.build(**config)
    shapes = ncnn_shapes(network, None if config["act_type"] == "prelu" else activation)
    recognition = architecture.recognise(shapes)
    assert recognition.config == config
    assert list(recognition.names) == list(shapes)
    assert list(recognition.names.values()) == list(network.state_dict())


@pytest.mark.parametrize("activation", ["", "+leakyrelu0.2"])
def test_ncnn_file_with_other_activations(activation):
    """An ncnn file of the right shapes is not taken for this network if its activations are not this network's."""
    network = SRVGGNetCompact(num_feat=4, num_conv=1, act_type="relu")
    assert architecture.recognise(ncnn_shapes(network, "+relu")) is not None
    assert architecture.recognise(ncnn_shapes(network, activation)) is None


def test_ncnn_file_with_mixed_activations():
    """An ncnn file whose activations differ from layer to layer is not taken for this network."""
    shapes = ncnn_shapes(SRVGGNetCompact(num_feat=4, num_conv=1, act_type="relu"), "+relu")
    mixed = {name.replace("0001.conv+relu", "0001.conv+leakyrelu0.1"): shape for name, shape in shapes.items()}
    assert mixed.keys() != shapes.keys()
    assert architecture.recognise(mixed) is None


odd_names = st.sampled_from(["", "body.0.weight", "body.9.bias", "body.x.bias", "ncnn.0001.conv.weight", "ncnn.x"])


@given(configs, st.booleans(), st.data())
@settings(max_examples=200)
def test_foreign_tensors(config, from_ncnn, data):
    """A tensor missing, added or of another shape makes another network or none; no file is so odd that asking fails."""
    network = architecture.build(**config)
    activation = None if config["act_type"] == "prelu" else "+relu"
    shapes = ncnn_shapes(network, activation) if from_ncnn else shapes_of(network)
    name = data.draw(st.one_of(st.sampled_from(list(shapes)), odd_names))
    if data.draw(st.booleans()):
        shapes.pop(name, None)
    else:
        shape = list(shapes.get(name, (4,)))[: data.draw(st.integers(0, 5))]
        for axis in range(len(shape)):
            shape[axis] = data.draw(st.sampled_from([shape[axis], 0, 1, 12]))
        shapes[name] = tuple(shape)
    recognition = architecture.recognise(shapes)
    if recognition is not None:
        own = {recognition.names[stored]: shape for stored, shape in shapes.items()}
        assert own == shapes_of(architecture.build(**recognition.config))


@pytest.mark.parametrize("first", [(4, 0, 3, 3), (0, 0, 3, 3), (4,), ()])
def test_odd_shapes(first):
    """Shapes that no convolution has are declined, not choked on."""
    shapes = {"body.0.weight": first, "body.0.bias": (4,), "body.2.weight": (0, 4, 3, 3), "body.2.bias": (0,)}
    assert architecture.recognise(shapes) is None


@pytest.mark.parametrize("names", [[], ["ncnn.x"], ["ncnn.0000.conv.weight"], ["body."], ["body.0.weight", "extra"]])
def test_odd_names(names):
    """Names that only look like ours are declined, not choked on."""
    assert architecture.recognise(dict.fromkeys(names, (4, 3, 3, 3))) is None


def test_traits():
    """The object follows the protocol; it takes any size, and its scale is the configuration's."""
    assert isinstance(architecture, Architecture)
    traits = architecture.traits(upscale=3, num_in_ch=1, num_out_ch=1, num_feat=8)
    assert (traits.scale, traits.in_channels, traits.out_channels, traits.multiple_of) == (3, 1, 1, 1)
    assert architecture.traits().scale == architecture.build().upscale == 4


@pytest.mark.parametrize("act_type", ["prelu", "relu", "leakyrelu"])
def test_random_weights_keep_signals_alive(act_type):
    """However deep, what a random network makes of a picture varies about as much in every layer, but little in the last.

    So does what colour alone makes of it: all layers but the last tell a picture from its grey.
    """
    torch.manual_seed(0)
    y = torch.rand(1, 3, 32, 32)
    y = torch.cat([y, y.mean(1, keepdim=True).expand_as(y)])
    network = SRVGGNetCompact(num_feat=32, num_conv=24, act_type=act_type)
    spread, colour = [], []
    for layer in network.body:
        y = layer(y)
        if isinstance(layer, torch.nn.Conv2d):
            spread.append((y[0] - y[0].mean((1, 2), keepdim=True)).std().item())
            colour.append((y[0] - y[1]).std().item() / spread[-1])
    assert max(spread) / 3 < min(spread[:-1]) < max(spread) < 1
    assert spread[-1] < spread[-2] / 3
    assert min(colour[:-1]) > max(colour) / 3
