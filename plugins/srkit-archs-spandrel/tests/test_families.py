"""Every family: recognised, built, and run as spandrel itself runs it."""

# ruff: noqa: E402 -- where spandrel cannot be imported this file is skipped before it imports more

from __future__ import annotations

import json

import attrs
import pytest

torch = pytest.importorskip("torch")
bridge = pytest.importorskip(
    "srkit_archs_spandrel.bridge",
    reason="spandrel cannot be imported; pip install --no-deps spandrel",
    exc_type=ImportError,
)

from safetensors.torch import save_file

import srkit
import srkit.testing
from srkit.networks import load_network
from srkit_archs_realesrgan.rrdb import RRDBNet
from srkit_archs_spandrel.calls import masked
from srkit_archs_spandrel.families import FAMILIES
from srkit_archs_spandrel.samples import SAMPLES

pytestmark = pytest.mark.filterwarnings("ignore:torch.meshgrid:UserWarning")

ARCHITECTURES = {family.name: getattr(bridge, family.attribute) for family in FAMILIES}
DRAWING = {family.name for family in FAMILIES if family.draws}
SMALL = [(name, kind) for name, kinds in SAMPLES.items() for kind in kinds]
# The other contracts are about pictures of 16×24 times what the network wants to be aligned by, which takes long; they are
# part of test_runs_as_in_spandrel.
CONTRACTS = {"builds_without_arguments", "any_aligned_size", "recognises_its_own", "leaves_others_alone"}


@attrs.frozen
class Small:
    """An architecture whose network without arguments is a small one."""

    architecture: srkit.Architecture
    config: dict
    name: str = "small"

    def build(self, **config):
        return self.architecture.build(**(config or self.config))

    def traits(self, **config):
        return self.architecture.traits(**(config or self.config))

    def recognise(self, shapes):
        return self.architecture.recognise(shapes)


def checks():
    for name, kind in SMALL:
        architecture = Small(ARCHITECTURES[name], dict(SAMPLES[name][kind]))
        for check in srkit.testing.checks_for(architecture):
            if check.name in CONTRACTS and kind == "":
                yield pytest.param(check, id=f"{name}-{check.name}")


def shapes_of(network):
    return {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}


def spread(network):
    """Weights that let signals through, so that no branch is without effect; the same for the same network."""
    torch.manual_seed(0)
    for parameter in network.parameters():
        if parameter.ndim > 1:
            torch.nn.init.normal_(parameter, std=(2 / max(1, parameter[0].numel())) ** 0.5)
    return network.eval().requires_grad_(False)


def test_a_sample_of_each():
    """There is a small network of every family."""
    assert list(SAMPLES) == [family.name for family in FAMILIES]


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_without_arguments(name):
    """What a family builds without arguments is for RGB, with a mask for LaMa; this is told without weights being made."""
    traits = ARCHITECTURES[name].traits()
    assert (traits.in_channels, traits.out_channels) == (4 if name == "lama" else 3, 3)
    assert traits.scale in {1, 2, 3, 4}


@pytest.mark.parametrize("check", list(checks()))
def test_conforms(check):
    """A small network of every family keeps srkit's contracts."""
    check()


@pytest.mark.parametrize(("name", "kind"), SMALL)
def test_runs_as_in_spandrel(name, kind, tmp_path):
    """From a file, srkit gives to the bit what spandrel gives for the same tensors, but for its clamping to [0, 1].

    The picture is not written to, and comes out of a batch, and of the pipeline, as it does alone.
    """
    network = spread(ARCHITECTURES[name].build(**SAMPLES[name][kind]))
    file = tmp_path / "net.safetensors"
    tensors = {name: tensor.contiguous() for name, tensor in network.state_dict().items()}
    save_file(tensors, file)
    loaded = load_network(weights=file, arch=name)
    json.dumps(loaded.config)
    descriptor = bridge.spandrel.MAIN_REGISTRY.load(dict(tensors))
    side = loaded.traits.padded(48)
    picture = torch.rand(1, loaded.traits.in_channels, side, side)
    given = (picture[:, :3].clone(), picture[:, 3:].clone()) if masked(descriptor) else (picture.clone(),)
    torch.manual_seed(0)  # AuraSR and GFPGAN draw noise, which is the same each time here
    theirs = descriptor.eval()(*given)
    kept = picture.clone()
    with torch.inference_mode():
        ours = loaded.network(picture)
        assert torch.equal(picture, kept)
        two = loaded.network(torch.cat((picture, 1 - picture)))
        torch.testing.assert_close(two[:1], ours, rtol=1e-4, atol=1e-2 * float(ours.abs().max()))
    assert theirs.shape == ours.shape == (1, loaded.traits.out_channels, *(2 * [side * loaded.traits.scale]))
    assert torch.equal(ours.clamp(0, 1), theirs)
    if len(given) == 1:
        upscaler = srkit.Upscaler.from_network(loaded, engine="whole", device="cpu")
        (whole,) = upscaler.stream([picture], (side, side))
        assert whole.shape == ours.shape
        if name not in DRAWING:  # in the order of memory, which in the pipeline is another
            with torch.inference_mode():  # with random weights some networks make much of the last bit
                slack = float((loaded.network(picture + 1e-6) - ours).abs().max())
            torch.testing.assert_close(whole, ours, rtol=1e-4, atol=1e-2 * float(ours.abs().max()) + slack)


def test_own_architectures_come_first(tmp_path):
    """A file that srkit's own architecture recognises is that one's; spandrel's gets it by name, and gives the same."""
    network = RRDBNet(num_feat=8, num_block=1, num_grow_ch=32).eval()
    save_file(network.state_dict(), tmp_path / "net.safetensors")
    assert load_network(weights=tmp_path / "net.safetensors").architecture == "rrdb"
    loaded = load_network(weights=tmp_path / "net.safetensors", arch="spandrel-esrgan")
    picture = torch.rand(1, 3, 9, 7)
    with torch.inference_mode():
        assert torch.equal(loaded.network(picture), network(picture))


def test_stored_under_other_names():
    """A prefix that spandrel strips is stripped, and what the network has no use for is left out."""
    architecture = ARCHITECTURES["grl"]
    network = architecture.build(**SAMPLES["grl"][""])
    stored = {f"model.{name}": shape for name, shape in shapes_of(network).items()} | {"model.table_w": (1, 15, 15, 2)}
    recognition = architecture.recognise(stored)
    assert recognition.names == {f"model.{name}": name for name in network.state_dict()}


def test_layers_beyond_reason():
    """A name that speaks of a hundred million layers is not believed."""
    shapes = {"body.0.weight": (4, 3, 3, 3), "body.1.weight": (4,), "body.99999999.bias": (12,)}
    assert ARCHITECTURES["spandrel-compact"].recognise(shapes) is None


@pytest.mark.parametrize("name", ["dat", "fdat", "ipt", "moesr", "swinir", "spandrel-compact"])
def test_tensors_of_other_shapes(name):
    """Where a tensor has another number of dimensions, is missing or is one too many, the network is not recognised."""
    architecture = ARCHITECTURES[name]
    shapes = shapes_of(architecture.build(**SAMPLES[name][""]))
    first = next(iter(shapes))
    for changed in ({**shapes, first: ()}, {**shapes, first: (3, 3)}, {**shapes, "one.more": (2,)}):
        assert architecture.recognise(changed) is None


def test_rows_and_columns_of_uformer():
    """Uformer, which takes squares alone, takes any size that is aligned."""
    network = ARCHITECTURES["uformer"].build(**SAMPLES["uformer"][""]).eval()
    with torch.inference_mode():
        assert network(torch.rand(1, 3, 128, 256)).shape == (1, 3, 128, 256)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"variant": "PLK"}, "variant='PLK' is not one of plksr; choose from PLKSR, RealPLKSR"),
        ({"dims": 3}, "spandrel's PLKSR cannot be built with {'dims': 3}: .*dims"),
        ({"dim": -1}, "spandrel's PLKSR cannot be built with {'dim': -1}"),
    ],
)
def test_configurations_that_mean_nothing(config, message):
    """What spandrel's class cannot be built with is refused with its name and its reason."""
    with pytest.raises(ValueError, match=message):
        ARCHITECTURES["plksr"].build(**config)
