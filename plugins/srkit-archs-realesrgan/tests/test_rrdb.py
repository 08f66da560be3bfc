"""RRDBNet: names, values, and recognition in every layout its weights are published in."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch")

from torch.nn import functional as F  # noqa: E402

import srkit  # noqa: E402
from srkit_archs_realesrgan.rrdb import RRDBNet, architecture  # noqa: E402

UNSHUFFLE = {4: 1, 2: 2, 1: 4}
configs = st.fixed_dictionaries(
    {
        "num_in_ch": st.sampled_from([1, 3]),
        "scale": st.sampled_from([1, 2, 4]),
        "num_feat": st.integers(1, 6),
        "num_block": st.integers(0, 3),
        "num_grow_ch": st.integers(1, 5),
    }
).map(
    # Nothing tells the growth of dense blocks that are not there.
    lambda c: {**c, "num_out_ch": c["num_in_ch"], "num_grow_ch": c["num_grow_ch"] if c["num_block"] else 32}
)


def shapes_of(network):
    """Names and shapes of a network's tensors."""
    return {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}


def to_2019(name):
    """A name as ESRGAN's release of 2019 writes it."""
    name = re.sub(r"^body\.(\d+)\.rdb", r"RRDB_trunk.\1.RDB", name)
    for ours, theirs in (("conv_body", "trunk_conv"), ("conv_up", "upconv"), ("conv_hr", "HRconv")):
        name = name.replace(ours, theirs)
    return name


def to_2018(name, num_block):
    """A name as ESRGAN's first release writes it: places in one sequence."""
    places = {"conv_first": "0", "conv_body": f"1.sub.{num_block}"}
    places |= {"conv_up1": "3", "conv_up2": "6", "conv_hr": "8", "conv_last": "10"}
    module, kind = name.rsplit(".", 1)
    if module in places:
        return f"model.{places[module]}.{kind}"
    _, block, dense, conv = module.split(".")
    return f"model.1.sub.{block}.{dense.upper()}.{conv}.0.{kind}"


def reference(state, x, scale):
    """The network's forward as its description has it, step by step on the state dict."""

    def conv(name, x):
        return F.conv2d(x, state[f"{name}.weight"], state[f"{name}.bias"], padding=1)

    def act(x):
        return torch.where(x > 0, x, x * 0.2)

    def double(x):
        return x.repeat_interleave(2, 2).repeat_interleave(2, 3)

    factor = UNSHUFFLE[scale]
    batch, channels, height, width = x.shape
    x = x.view(batch, channels, height // factor, factor, width // factor, factor).permute(0, 1, 3, 5, 2, 4)
    start = conv("conv_first", x.reshape(batch, -1, height // factor, width // factor))
    x = start
    for n in sorted({int(name.split(".")[1]) for name in state if name.startswith("body.")}):
        block = x
        for d in (1, 2, 3):
            dense, seen = x, x
            for c in (1, 2, 3, 4):
                seen = torch.cat((seen, act(conv(f"body.{n}.rdb{d}.conv{c}", seen))), 1)
            x = dense + 0.2 * conv(f"body.{n}.rdb{d}.conv5", seen)
        x = block + 0.2 * x
    x = start + conv("conv_body", x)
    x = act(conv("conv_up2", double(act(conv("conv_up1", double(x))))))
    return conv("conv_last", act(conv("conv_hr", x)))


@pytest.mark.parametrize(
    ("config", "parameters"),
    [({}, 16_697_987), ({"num_block": 6}, 4_467_779), ({"scale": 2}, 16_703_171)],
)
def test_published_configurations(config, parameters):
    """The published networks have the published number of parameters, under the published names."""
    with torch.device("meta"):
        network = RRDBNet(**config)
    assert sum(p.numel() for p in network.parameters()) == parameters
    modules = {"conv_first", "conv_body", "conv_up1", "conv_up2", "conv_hr", "conv_last"}
    blocks = range(config.get("num_block", 23))
    modules |= {f"body.{n}.rdb{d}.conv{c}" for n in blocks for d in (1, 2, 3) for c in (1, 2, 3, 4, 5)}
    shapes = shapes_of(network)
    assert shapes.keys() == {f"{module}.{kind}" for module in modules for kind in ("weight", "bias")}
    assert shapes["conv_first.weight"] == (64, 12 if config.get("scale") == 2 else 3, 3, 3)
    assert shapes["body.0.rdb2.conv4.weight"] == (32, 160, 3, 3)
    assert shapes["body.0.rdb3.conv5.weight"] == (64, 192, 3, 3)


@pytest.mark.parametrize("scale", [1, 2, 4])
@pytest.mark.parametrize("num_block", [0, 2])
def test_forward(scale, num_block):
    """The forward equals an independent computation, at each scale."""
    torch.manual_seed(scale)
    network = RRDBNet(scale=scale, num_feat=8, num_block=num_block, num_grow_ch=4)
    for parameter in network.parameters():
        if parameter.ndim == 4:
            torch.nn.init.kaiming_normal_(parameter, nonlinearity="linear")  # so that no branch fades away
    x = torch.rand(2, 3, 8, 12)
    with torch.inference_mode():
        out = network(x)
        assert out.shape == (2, 3, 8 * scale, 12 * scale)
        torch.testing.assert_close(out, reference(network.state_dict(), x, scale), rtol=0, atol=1e-6)


def test_unknown_scale():
    """A scale that the network does not have is refused, with those it has."""
    with pytest.raises(ValueError, match="scale=3 is not one RRDBNet has; choose from 1, 2, 4"):
        RRDBNet(scale=3)


@given(configs, st.randoms())
def test_recognised_from_names_and_shapes(config, random):
    """Names and shapes alone, in any order, give the configuration back, in the layout of today and both older ones."""
    shapes = shapes_of(architecture.build(**config))
    for rename in (str, to_2019, lambda name: to_2018(name, config["num_block"])):
        stored = {rename(name): name for name in random.sample(list(shapes), len(shapes))}
        recognition = architecture.recognise({theirs: shapes[ours] for theirs, ours in stored.items()})
        assert recognition.config == config
        assert recognition.names == stored


@pytest.mark.parametrize("num_block", [0, 1, 2])
@pytest.mark.parametrize("layout", ["2018", "2019"])
def test_old_layouts_give_the_same_network(tmp_path, num_block, layout):
    """A file with names of old gives, bit for bit, the network that the same tensors make under today's names."""
    network = RRDBNet(num_feat=6, num_block=num_block, num_grow_ch=32).eval()
    names = {name: to_2019(name) if layout == "2019" else to_2018(name, num_block) for name in network.state_dict()}
    assert names["conv_body.weight"] in {"trunk_conv.weight", f"model.1.sub.{num_block}.weight"}
    torch.save({names[n]: t for n, t in network.state_dict().items()}, tmp_path / "old.pth")
    loaded = srkit.load_network(weights=tmp_path / "old.pth")
    assert loaded.architecture == "rrdb"
    x = torch.rand(1, 3, 9, 7)
    with torch.inference_mode():
        assert torch.equal(loaded.network(x), network(x))


def ncnn_shapes(network):
    """Names and shapes as an ncnn file has them, activations fused."""
    shapes = {}
    for i, name in enumerate(name for name in network.state_dict() if name.endswith("weight")):
        activated = re.search(r"conv[1-4]\.|conv_up|conv_hr", name) is not None
        operator = "conv+leakyrelu0.2" if activated else "conv"
        shapes[f"ncnn.{i:04d}.{operator}.weight"] = tuple(network.get_parameter(name).shape)
        shapes[f"ncnn.{i:04d}.{operator}.bias"] = (network.get_parameter(name).shape[0],)
    return shapes


@given(configs)
def test_recognised_from_an_ncnn_file(config):
    """The tensors of an ncnn file get their names from the order they stand in."""
    network = architecture.build(**config)
    recognition = architecture.recognise(ncnn_shapes(network))
    assert recognition.config == config
    assert list(recognition.names.values()) == list(network.state_dict())


@pytest.mark.parametrize(
    "change", [("+leakyrelu0.2", "+relu"), ("+leakyrelu0.2", "+leakyrelu0.1"), ("0.conv.", "0.conv+relu.")]
)
def test_ncnn_file_with_other_activations(change):
    """An ncnn file of the right shapes is not taken for this network if its activations are not this network's."""
    shapes = ncnn_shapes(RRDBNet(num_feat=4, num_block=1, num_grow_ch=2))
    changed = {name.replace(*change): shape for name, shape in shapes.items()}
    assert changed.keys() != shapes.keys()
    assert architecture.recognise(changed) is None


odd_names = st.sampled_from(
    ["", "body.0.rdb1.conv1.weight", "body.7.rdb1.x", "model.0.weight", "ncnn.x.weight", "ncnn.x"]
)


@given(configs, st.sampled_from(["now", "2019", "2018", "ncnn"]), st.data())
@settings(max_examples=100)
def test_foreign_tensors(config, layout, data):
    """A tensor missing, added or of another shape makes another network or none; no file is so odd that asking fails."""
    network = architecture.build(**config)
    rename = {"2019": to_2019, "2018": lambda name: to_2018(name, config["num_block"])}.get(layout, str)
    shapes = {rename(name): shape for name, shape in shapes_of(network).items()}
    if layout == "ncnn":
        shapes = ncnn_shapes(network)
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


@pytest.mark.parametrize("name", ["conv_first.weight", "conv_last.weight", "body.0.rdb1.conv1.weight"])
@pytest.mark.parametrize("shape", [(), (0,), (0, 0, 3, 3), (1, 0, 0, 0)])
def test_odd_shapes(name, shape):
    """Shapes that no convolution has are declined, not choked on."""
    shapes = shapes_of(RRDBNet(num_feat=4, num_block=1, num_grow_ch=2))
    assert architecture.recognise(shapes | {name: shape}) is None


@pytest.mark.parametrize(("scale", "multiple_of"), [(4, 1), (2, 2), (1, 4)])
def test_traits(scale, multiple_of):
    """The object follows the protocol; scales 2 and 1 want sides that can be unshuffled."""
    assert isinstance(architecture, srkit.Architecture)
    traits = architecture.traits(scale=scale, num_feat=8)
    assert (traits.scale, traits.in_channels, traits.out_channels, traits.multiple_of) == (scale, 3, 3, multiple_of)
