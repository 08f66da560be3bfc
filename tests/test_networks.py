"""From the arguments of ``srkit.load`` to a network with its weights in it."""

# ruff: noqa: E402 -- where torch is not installed this file is skipped before it imports it

from __future__ import annotations

from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("srkit_archs_realesrgan")

from safetensors.torch import save_file

import srkit
from srkit import plugins
from srkit.errors import (
    MismatchedWeights,
    PluginError,
    SettingsError,
    SrkitError,
    UnknownName,
    UnrecognisedWeights,
    WeightsNotFound,
)
from srkit.networks import load_network
from srkit.weights import locate
from srkit.weights.locate import Located, cache_directory
from srkit_archs_realesrgan.rrdb import RRDBNet
from srkit_archs_realesrgan.srvgg import SRVGGNetCompact


def compact(seed=0, **config):
    torch.manual_seed(seed)
    return SRVGGNetCompact(**{"num_feat": 4, "num_conv": 1, "upscale": 2, **config}).eval()


@pytest.fixture
def save(tmp_path):
    """Save a network, or tensors; gives the file."""

    def save(network, name="net.safetensors"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        save_file(network.state_dict() if isinstance(network, torch.nn.Module) else network, path)
        return path

    return save


@pytest.fixture
def plugin(install):
    """Install a plugin of this source, without problems."""

    def plugin(source):
        install("fake-networks", f"import srkit\n{source}")
        (report,) = (report for report in plugins.reload().reports if report.distribution == "fake-networks")
        assert not report.problems

    return plugin


@pytest.fixture
def tiny(plugin, save):
    """A catalogue of two small models in the cache, "tiny" with a denoise control whose partner is "tiny-wdn"."""
    plugin("""
@srkit.hookimpl
def srkit_register_models(register):
    common = dict(architecture="srvgg", scale=2, licence="MIT", summary="A test's model.")
    control = srkit.Control(partner="tiny-wdn", summary="less noise")
    register(srkit.ModelCard(name="tiny", controls={"denoise": control}, **common))
    register(srkit.ModelCard(name="tiny-wdn", **common))
""")
    (cache_directory() / "models").mkdir()
    found = {"tiny": compact(1), "tiny-wdn": compact(2)}
    for name, network in found.items():
        save(network).rename(cache_directory() / "models" / f"{name}.safetensors")
    return found


@pytest.fixture
def located(monkeypatch, save):
    """Every model of the catalogue is a small file of its architecture; gives the names that were asked for."""
    rrdb = RRDBNet(num_feat=8, num_block=1, num_grow_ch=4)
    asked, paths = [], {"srvgg": save(compact(), "srvgg.pth"), "rrdb": save(rrdb, "rrdb.pth")}

    def find(card):
        asked.append(card.name)
        return Located(paths[card.architecture], "a test")

    monkeypatch.setattr(locate, "find_local", find)
    return asked


def check_same(loaded, *shares):
    """The loaded network's tensors are Σ share · tensor of (network, share)."""
    for key, tensor in loaded.network.state_dict().items():
        wanted = sum(network.state_dict()[key] * share for network, share in shares)
        torch.testing.assert_close(tensor, wanted, rtol=1e-6, atol=1e-7)


def test_one_file(save):
    """A weight file alone gives the network it was saved from, ready to run, with its traits and where it came from."""
    original = compact(act_type="prelu")
    path = save(original, "photo.safetensors")
    loaded = load_network(weights=path)
    picture = torch.rand(1, 3, 5, 7)
    assert torch.equal(loaded.network(picture), original(picture))
    assert not loaded.network.training
    assert not any(parameter.requires_grad for parameter in loaded.network.parameters())
    assert (loaded.architecture, loaded.name, loaded.sources) == ("srvgg", "photo", {str(path): 1.0})
    assert (loaded.traits.scale, loaded.config["num_feat"]) == (2, 4)


def test_mixing(save):
    """Two files with shares give the mixture, named and accounted for."""
    first, second = compact(1), compact(2)
    a, b = save(first, "a.safetensors"), save(second, "b.safetensors")
    loaded = load_network(weights={a: 0.25, str(b): 0.75})
    check_same(loaded, (first, 0.25), (second, 0.75))
    assert loaded.name == "0.25 × a + 0.75 × b"
    assert loaded.sources == {str(a): 0.25, str(b): 0.75}


def test_mixing_equal_file_names(save):
    """Files of one name in two folders can be mixed."""
    a, b = save(compact(1), "one/net.safetensors"), save(compact(2), "two/net.safetensors")
    check_same(load_network(weights={a: 0.5, b: 0.5}), (compact(1), 0.5), (compact(2), 0.5))


def test_mixing_a_model_with_a_file(tiny, save):
    """A model of the catalogue mixes with a file of the same network."""
    loaded = load_network(weights={"tiny": 0.5, save(compact(3)): 0.5})
    check_same(loaded, (tiny["tiny"], 0.5), (compact(3), 0.5))


@pytest.mark.parametrize(
    "other", [compact(num_feat=6), compact(upscale=4), RRDBNet(num_feat=4, num_block=1, num_grow_ch=2)]
)
def test_mixing_different_networks(save, other):
    """Different networks are not mixed; the error names both files and what they are."""
    a, b = save(compact(), "photo.safetensors"), save(other, "anime.safetensors")
    with pytest.raises(MismatchedWeights, match=r"photo and anime .*srvgg\(.* against (srvgg|rrdb)\("):
        load_network(weights={a: 0.5, b: 0.5})


@pytest.mark.parametrize("shares", [{}, {"a": 0.5}, {"a": 0.5, "b": 0.6}])
def test_shares(shares):
    """Shares that do not sum to 1 are refused before any file is looked for."""
    with pytest.raises(SettingsError):
        load_network(weights=shares)


def test_arch_with_weights(save):
    """``arch`` beside a file must be the file's, by name or alias in any case; another is refused with the file's name."""
    path = save(compact())
    for arch in ("srvgg", "SRVGGNetCompact", "COMPACT"):
        assert load_network(weights=path, arch=arch).architecture == "srvgg"
    with pytest.raises(MismatchedWeights, match=r"net.safetensors holds weights of 'srvgg'.*, not of 'rrdb'") as caught:
        load_network(weights=path, arch="RRDBNet")
    assert caught.value.path == path


def test_unrecognised(save):
    """Tensors that no architecture claims are told with the file, a few of them, and who was asked."""
    path = save({"layer.weight": torch.zeros(2, 3)}, "strange.safetensors")
    with pytest.raises(
        UnrecognisedWeights, match=r"1 tensors of strange.safetensors \(layer.weight \(2, 3\).*rrdb, .*srvgg"
    ):
        load_network(weights=path)


ALMOST = {
    "no channels in": {"body.0.weight": (4, 0, 3, 3), "body.2.weight": (12, 4, 3, 3)},
    "no channels out": {"body.0.weight": (4, 3, 3, 3), "body.2.weight": (0, 4, 3, 3)},
    "vectors": {"body.0.weight": (4,), "body.2.weight": (12,)},
    "a number": {"body.0.weight": (), "body.2.weight": ()},
    "names like ncnn's": {"ncnn.weight": (4, 3, 3, 3)},
    "rrdb without channels": {"conv_first.weight": (0, 0, 3, 3), "conv_last.weight": (0, 0, 3, 3)},
    "discriminator without channels": {"conv0.weight": (0, 0, 3, 3), "conv1.weight_orig": (0, 0, 4, 4)},
}


@pytest.mark.parametrize("case", ALMOST)
def test_almost_a_network(save, case):
    """Tensors that only look like a network's are unrecognised, not an error of some other kind."""
    tensors = {name: torch.zeros(shape) for name, shape in ALMOST[case].items()}
    tensors |= {f"{name.removesuffix('weight')}bias": torch.zeros(shape[:1]) for name, shape in ALMOST[case].items()}
    with pytest.raises(UnrecognisedWeights):
        load_network(weights=save(tensors))


def test_plugin_that_cannot_be_asked(plugin, save):
    """An architecture that fails to load or to answer is passed over; where nobody else knows, its error is the cause."""
    plugin("""
class Net:
    name = "b-rude"
    def build(self, **config): ...
    def traits(self, **config): ...
    def recognise(self, shapes): raise RuntimeError("boom")

net = Net()

@srkit.hookimpl
def srkit_register_architectures(register):
    register(srkit.ArchitectureSpec(name="a-absent", target="not_there:net", summary="cannot be imported"))
    register(srkit.ArchitectureSpec(name="b-rude", target=f"{__name__}:net", summary="raises"))
""")
    assert load_network(weights=save(compact())).architecture == "srvgg"
    with pytest.raises(UnrecognisedWeights) as caught:
        load_network(weights=save({"w": torch.zeros(1)}))
    assert isinstance(caught.value.__cause__, PluginError)


@pytest.mark.parametrize(("denoise", "share"), [(None, 1), (1, 1), (0.25, 0.25), (0, 0)])
def test_denoise(tiny, denoise, share):
    """``denoise`` is the model's share, the rest its partner's; left out, 1 and 0 read no file that has no share."""
    loaded = load_network(model="tiny", denoise=denoise)
    check_same(loaded, (tiny["tiny"], share), (tiny["tiny-wdn"], 1 - share))
    assert sorted(loaded.sources.values()) == sorted(value for value in (share, 1 - share) if value)


@pytest.mark.parametrize("denoise", [-0.1, 1.1, float("nan")])
def test_denoise_out_of_range(tiny, denoise):
    """A denoise outside [0, 1] is refused with its value."""
    with pytest.raises(SettingsError, match=f"denoise={denoise}"):
        load_network(model="tiny", denoise=denoise)


def test_denoise_where_there_is_none(tiny, save):
    """Without the control, denoise is refused with the models that have it; beside files, with how to mix them."""
    having = "realesr-general-x4v3, srkit-compact-x4-restoring, tiny"
    with pytest.raises(SettingsError, match=f"'tiny-wdn' has no denoise.*{having}"):
        load_network(model="tiny-wdn", denoise=0.5)
    with pytest.raises(SettingsError, match="weights={FILE: share"):
        load_network(weights=save(compact()), denoise=0.5)


def test_model_and_weights(tiny, save):
    """A model and weights at once contradict each other, and so do a model and another architecture."""
    with pytest.raises(SettingsError, match="model='tiny' and weights=.* give one"):
        load_network(model="tiny", weights=save(compact()))
    with pytest.raises(SettingsError, match="'tiny' is of architecture 'srvgg', not 'rrdb'"):
        load_network(model="tiny", arch="rrdb")
    assert load_network(model="tiny", arch="SRVGGNetCompact").name == "tiny"


@pytest.mark.parametrize(
    ("wrong", "meant"),
    [({"model": "RealESRGAN_x4pluss"}, "RealESRGAN_x4plus"), ({"model": "tinny"}, "tiny"), ({"arch": "srvg"}, "srvgg")],
)
def test_unknown_name(tiny, wrong, meant):
    """A misspelt model or architecture is told with the one that was probably meant."""
    with pytest.raises(UnknownName, match=f"unknown (model|architecture) .*did you mean '{meant}'"):
        load_network(**wrong)


def test_missing_file(tmp_path):
    """A file that is not there is told by its path."""
    with pytest.raises(WeightsNotFound, match=str(tmp_path / "none.pth")):
        load_network(weights=tmp_path / "none.pth")


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        ({"arch": "srvgg"}, "srkit-compact-x4-faithful"),
        ({"arch": "SRVGGNETCOMPACT"}, "srkit-compact-x4-faithful"),
        ({"model": "realesrgan_X4PLUS"}, "RealESRGAN_x4plus"),
        ({"model": "RealESRGAN-x4plus-anime-6B"}, "RealESRGAN_x4plus_anime_6B"),
        ({"model": "srkit-compact-x4"}, "srkit-compact-x4-faithful"),
        ({}, "srkit-compact-x4-faithful"),
    ],
)
def test_which_model(located, arguments, name):
    """An architecture alone means its default model, nothing at all the default of all; names know no case."""
    assert load_network(**arguments).name == name
    assert located == [name]


def test_a_model_whose_file_is_another_network(tiny, save, monkeypatch):
    """A file in a model's place that holds another architecture is refused, not taken for the model."""
    rrdb = RRDBNet(num_feat=8, num_block=1, num_grow_ch=4)
    monkeypatch.setattr(locate, "find_local", lambda card: Located(save(rrdb), "a test"))
    with pytest.raises(MismatchedWeights, match="holds weights of 'rrdb', not of 'srvgg'"):
        load_network(model="tiny")


def test_a_word_is_a_model(tiny):
    """A bare word in weights= that is neither file nor model is told with the models there are."""
    with pytest.raises(UnknownName, match="unknown model 'tinny'; did you mean 'tiny'") as caught:
        load_network(weights="tinny")
    assert "nor is there a file" in caught.value.__notes__[0]


def test_no_default(monkeypatch):
    """Without a default model the error says what to name, also where no plugin is installed."""
    with pytest.raises(SettingsError, match="'unet-discriminator' has no default model.*weights=FILE"):
        load_network(arch="unet-discriminator")
    monkeypatch.setenv("SRKIT_PLUGINS", "")
    plugins.reload()
    with pytest.raises(SettingsError, match="say which network.*none installed"):
        load_network()


def test_model_beside_a_folder_of_its_name(tiny, tmp_path, monkeypatch):
    """``model=`` means the catalogue, even where the working directory holds something of that name."""
    monkeypatch.chdir(tmp_path)
    Path("tiny").mkdir()
    check_same(load_network(model="tiny"), (tiny["tiny"], 1))


def test_nothing_installed(save, monkeypatch):
    """Without any architecture the error says what to install."""
    path = save(compact())
    monkeypatch.setenv("SRKIT_PLUGINS", "")
    plugins.reload()
    with pytest.raises(SrkitError, match="pip install srkit-archs-realesrgan"):
        load_network(weights=path)


@pytest.mark.parametrize(
    "arguments",
    [
        {"model": ["a"]},
        {"arch": 3},
        {"weights": 5},
        {"weights": {5: 1.0}},
        {"denoise": "0.5"},
        {"weights": ""},
        {"denoise": True},
    ],
)
def test_arguments_of_another_type(arguments):
    """What is no name, file or number is told with the argument it was given for."""
    with pytest.raises(SettingsError, match=next(iter(arguments))):
        load_network(**arguments)


def test_arch_chooses_between_two_that_claim_the_same(install, save):
    """Where two architectures recognise a file, the one that is named gets it."""
    install(
        "greedy",
        """
import srkit
class Greedy:
    name = "aaa"
    def recognise(self, shapes): return srkit.Recognition({}, {name: name for name in shapes})
    def build(self): raise RuntimeError("cannot")
    def traits(self): return srkit.Traits(scale=2)
greedy = Greedy()
@srkit.hookimpl
def srkit_register_architectures(register):
    register(srkit.ArchitectureSpec(name="aaa", target=__name__ + ":greedy", summary="Claims everything."))
""",
    )
    plugins.reload()
    assert load_network(weights=save(compact()), arch="srvgg").architecture == "srvgg"
    with pytest.raises(
        srkit.PluginError, match="greedy 1.2 recognised net, but could not build it .RuntimeError: cannot"
    ):
        load_network(weights=save(compact()))


@pytest.mark.parametrize(("preference", "gets_it"), [(-1, "srvgg"), (0, "aaa"), (1, "aaa")])
def test_preference_decides_between_two_that_claim_the_same(plugin, save, preference, gets_it):
    """Where several architectures recognise a file, the one with the highest preference gets it; of equals, by name."""
    plugin(f"""
from srkit_archs_realesrgan.srvgg import SRVGG
class Same(SRVGG):
    name = "aaa"
same = Same()
@srkit.hookimpl
def srkit_register_architectures(register):
    register(srkit.ArchitectureSpec(name="aaa", target=__name__ + ":same", summary="", preference={preference}))
""")
    assert load_network(weights=save(compact())).architecture == gets_it


def test_tensors_of_no_use(plugin, save):
    """Tensors that an architecture knows, and refuses, are refused with its reason and the file, whoever is asked for."""
    plugin("""
class Knows:
    name = "aaa"
    def recognise(self, shapes): raise srkit.WeightsError("they are a face's")
    def build(self): ...
    def traits(self): ...
knows = Knows()
@srkit.hookimpl
def srkit_register_architectures(register):
    register(srkit.ArchitectureSpec(name="aaa", target=__name__ + ":knows", summary="Faces."))
""")
    for arch in (None, "srvgg"):
        with pytest.raises(UnrecognisedWeights, match="net.safetensors: they are a face's") as caught:
            load_network(weights=save(compact()), arch=arch)
        assert caught.value.path.name == "net.safetensors"


def test_loading_leaves_the_random_state_alone(save):
    """A seeded program draws the same numbers whether it loads a network in between or not."""
    path = save(compact())
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    load_network(weights=path)
    assert torch.equal(torch.rand(3), expected)
