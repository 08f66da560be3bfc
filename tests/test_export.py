"""Networks written for others to use."""

# ruff: noqa: E402 -- where torch is not installed this file is skipped before it imports it

from __future__ import annotations

import json
import sys

import numpy as np
import pytest
from click.testing import CliRunner

torch = pytest.importorskip("torch")
pytest.importorskip("srkit_archs_realesrgan")

from safetensors.torch import load_file, save_file

import srkit
from srkit import onnx_export, plugins
from srkit.cli import program
from srkit.errors import SettingsError, UnknownName, WeightsError, WeightsNotFound
from srkit.export import export
from srkit.weights.locate import cache_directory
from srkit.weights.read import CARD_KEY, CONFIG_KEY, read_file
from srkit_archs_realesrgan.rrdb import RRDBNet
from srkit_archs_realesrgan.srvgg import SRVGGNetCompact

CARD = {
    "architecture": "srvgg",
    "scale": 2,
    "training": {
        "recipe": "net",
        "losses": [{"name": "l1", "weight": 1.0}],
        "metrics": {"psnr": 27.5},
        "data": ["a", "b"],
    },
    "versions": {"torch": "2.13.0"},
}
SRVGG = {"num_feat": 4, "num_conv": 1, "upscale": 2}
RRDB = {"num_feat": 4, "num_block": 1, "num_grow_ch": 2}


def compact(seed=0, **config):
    torch.manual_seed(seed)
    return SRVGGNetCompact(**{**SRVGG, **config}).eval()


def run(network, picture):
    with torch.inference_mode():
        return network(picture)


@pytest.fixture
def checkpoint(tmp_path):
    """A training checkpoint of a leaky relu network, whose kind its tensors do not tell; the average is ``compact(1)``."""
    path = tmp_path / "checkpoint.pth"
    states = {
        "params": compact(0, act_type="leakyrelu").state_dict(),
        "params_ema": compact(1, act_type="leakyrelu").state_dict(),
    }
    training = {"iteration": 7, "optimizer": {"state": {0: {"exp_avg": torch.ones(3)}}}}
    texts = {CONFIG_KEY: json.dumps({**SRVGG, "act_type": "leakyrelu"}), CARD_KEY: json.dumps(CARD)}
    torch.save({**states, **texts, "training": training}, path)
    return path


@pytest.fixture
def source(tmp_path):
    """A weight file that says nothing of itself."""
    path = tmp_path / "net.safetensors"
    save_file(compact().state_dict(), path)
    return path


@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
def test_checkpoints_give_their_average_and_all_that_is_told(checkpoint, tmp_path, suffix):
    """What a checkpoint is exported to has the averaged weights, equal to the bit, its configuration and its card."""
    target = tmp_path / f"out{suffix}"
    done = export(checkpoint, target)
    assert done.network.architecture == "srvgg"
    stored = read_file(target)
    wanted = compact(1, act_type="leakyrelu").state_dict()
    assert stored.tensors.keys() == wanted.keys()
    assert all(torch.equal(stored.tensors[name], wanted[name]) for name in wanted)
    assert stored.card == CARD
    assert srkit.load_network(weights=target).config["act_type"] == "leakyrelu"


def test_safetensors_upscale_at_once(checkpoint, tmp_path):
    """The file is all that srkit.upscale needs, and gives what the network does."""
    export(checkpoint, tmp_path / "net.safetensors")
    img = np.random.default_rng(0).integers(0, 256, (5, 7, 3), dtype=np.uint8)
    picture = torch.from_numpy(img).permute(2, 0, 1)[None] / 255
    wanted = run(compact(1, act_type="leakyrelu"), picture)[0].permute(1, 2, 0).clamp(0, 1) * 255
    big = srkit.upscale(img, weights=tmp_path / "net.safetensors")
    assert big.shape == (10, 14, 3)
    assert np.abs(big - wanted.numpy()).max() <= 0.5 + 1e-3


def test_pth_is_what_real_esrgan_reads(source, tmp_path):
    """The state dict stands under params_ema, with the network's own keys, float32, beside text only."""
    export(source, tmp_path / "net.pth")
    loaded = torch.load(tmp_path / "net.pth", weights_only=True)
    SRVGGNetCompact(**SRVGG).load_state_dict(loaded["params_ema"], strict=True)
    assert {type(loaded[key]) for key in loaded.keys() - {"params_ema"}} == {str}


def test_half_rounds_convolutions_and_nothing_else(source, tmp_path):
    """Convolution weights are float16 in the file and read as their rounded values; the rest stays as it is."""
    export(source, tmp_path / "half.safetensors", half=True)
    raw, stored, wanted = load_file(tmp_path / "half.safetensors"), read_file(tmp_path / "half.safetensors"), compact()
    for name, tensor in wanted.state_dict().items():
        rounded = tensor.half() if tensor.dim() == 4 else tensor
        assert raw[name].dtype == rounded.dtype
        assert torch.equal(stored.tensors[name], rounded.float())
    assert srkit.upscale(np.zeros((3, 4, 3), np.uint8), weights=tmp_path / "half.safetensors").shape == (6, 8, 3)


def test_half_refuses_what_float16_cannot_hold(tmp_path):
    """A weight that would become infinite is named, and nothing is written."""
    tensors = compact().state_dict()
    tensors["body.0.weight"][0, 0, 0, 0] = 1e5
    save_file(tensors, tmp_path / "net.safetensors")
    with pytest.raises(SettingsError, match=r"body\.0\.weight holds 100000.*without --half"):
        export(tmp_path / "net.safetensors", tmp_path / "half.safetensors", half=True)
    assert not (tmp_path / "half.safetensors").exists()


def test_cards_are_made_of_what_is_known(source, tmp_path):
    """A file without a card gets one that names it, not the folder it was in."""
    export(source, tmp_path / "out.safetensors")
    card = read_file(tmp_path / "out.safetensors").card
    assert card["architecture"] == "srvgg"
    assert card["configuration"]["num_feat"] == 4
    assert (card["scale"], card["source"]) == (2, "net.safetensors")
    assert str(tmp_path) not in json.dumps(card)


def test_cards_say_what_they_are_told_to(source, tmp_path):
    """What is given stands in the card, over what is known; without a value it is refused, and nothing is written."""
    arguments = ["models", "export", str(source), str(tmp_path / "out.safetensors")]
    refused = CliRunner().invoke(program, [*arguments, "--card", "licence"])
    assert (refused.exit_code, "licence: write it as KEY=VALUE" in refused.output) == (2, True)
    assert not (tmp_path / "out.safetensors").exists()
    CliRunner().invoke(program, [*arguments, "--card", "licence=MIT", "--card", "source=photos a=b"])
    card = read_file(tmp_path / "out.safetensors").card
    assert (card["licence"], card["source"], card["scale"]) == ("MIT", "photos a=b", 2)


def test_cards_of_the_catalogue_name_their_licence(install, tmp_path):
    """A model's name is a source, and the card says which model and under which licence."""
    fields = "name='toy', architecture='srvgg', scale=2, licence='CC0-1.0', summary='A toy.'"
    code = f"@srkit.hookimpl\ndef srkit_register_models(register):\n    register(srkit.ModelCard({fields}))"
    install("fake-models", f"import srkit\n{code}")
    plugins.reload()
    (cache_directory() / "models").mkdir()
    save_file(compact().state_dict(), cache_directory() / "models" / "toy.safetensors")
    card = export("toy", tmp_path / "toy.pth").network.card
    assert (card["model"], card["licence"]) == ("toy", "CC0-1.0")
    with pytest.raises(UnknownName, match="did you mean 'toy'"):
        export("tyo", tmp_path / "tyo.pth")


NETWORKS = {
    "srvgg": lambda: SRVGGNetCompact(**SRVGG),
    "srvgg ×3": lambda: SRVGGNetCompact(num_feat=4, num_conv=1, upscale=3),
    "rrdb ×4": lambda: RRDBNet(**RRDB),
    "rrdb ×2": lambda: RRDBNet(scale=2, **RRDB),
    "rrdb ×1": lambda: RRDBNet(scale=1, **RRDB),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_onnx_is_the_network_at_every_size(name, tmp_path):
    """ONNX Runtime gives what the network does at sizes and batches that neither tracing nor the check has seen."""
    onnx, runtime = pytest.importorskip("onnx"), pytest.importorskip("onnxruntime")
    torch.manual_seed(0)
    network = NETWORKS[name]().eval()
    save_file(network.state_dict(), tmp_path / "net.safetensors")
    done = export(tmp_path / "net.safetensors", tmp_path / "net.onnx")
    traits = done.network.traits
    assert done.agreement.difference <= onnx_export.TOLERANCE
    assert (traits.multiple_of, traits.multiple_of) in done.agreement.sizes
    session = runtime.InferenceSession(tmp_path / "net.onnx", providers=["CPUExecutionProvider"])
    for batch, height, width in ((1, 9, 4), (3, 2, 11)):
        picture = torch.rand(batch, 3, height * traits.multiple_of, width * traits.multiple_of)
        given = session.run(["upscaled"], {"picture": picture.numpy()})[0]
        torch.testing.assert_close(torch.from_numpy(given), run(network, picture), rtol=1e-4, atol=1e-5)
    model = onnx.load(tmp_path / "net.onnx")
    stored = {entry.key: json.loads(entry.value) for entry in model.metadata_props}
    assert stored[CONFIG_KEY] == done.network.config
    assert stored[CARD_KEY]["scale"] == traits.scale
    assert (f"multiples of {traits.multiple_of}" in model.doc_string) == (traits.multiple_of > 1)


BAKED = """
import torch

class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.gain = torch.nn.Parameter(torch.ones(1))

    def forward(self, x):
        return x * self.gain * FACTOR

class Arch:
    name = "baked"
    def build(self): return Net()
    def traits(self): return srkit.Traits(scale=1)
    def recognise(self, shapes): return srkit.Recognition({}, {"gain": "gain"}) if set(shapes) == {"gain"} else None

arch = Arch()

@srkit.hookimpl
def srkit_register_architectures(register):
    register(srkit.ArchitectureSpec(name="baked", target=f"{__name__}:arch", summary="A network that no trace can keep."))
"""


@pytest.fixture
def baked(install, tmp_path):
    """The weights of a network that multiplies its input by a Python expression."""

    def baked(factor):
        install("fake-baked", f"import srkit\n{BAKED.replace('FACTOR', factor)}")
        plugins.reload()
        save_file({"gain": torch.ones(1)}, tmp_path / "baked.safetensors")
        return tmp_path / "baked.safetensors"

    return baked


@pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning")
def test_onnx_that_differs_is_not_kept(baked, tmp_path):
    """A network whose Python code depends on the size is found out by the check; what was there before stays."""
    pytest.importorskip("onnxruntime")
    source, target = baked("float(int(x.shape[2]))"), tmp_path / "net.onnx"
    target.write_text("before")
    with pytest.raises(WeightsError, match=r"off by .* picture of 1×1.*not kept.*--no-check"):
        export(source, target, force=True)
    assert target.read_text() == "before"
    assert export(source, target, force=True, check=False).agreement is None
    assert sorted(path.name for path in tmp_path.glob("*")) == ["baked.safetensors", "net.onnx", "site-packages"]


def test_onnx_that_cannot_be_traced_is_told(baked, tmp_path):
    """An operator without a counterpart is an error that names the network and a way out."""
    pytest.importorskip("onnxruntime")
    source = baked("torch.linalg.eigvals(x[..., :1, :1]).real")
    with pytest.raises(WeightsError, match=r"baked.*cannot be written as ONNX.*\.safetensors"):
        export(source, tmp_path / "net.onnx")


@pytest.mark.parametrize("name", ["onnx", "onnxruntime"])
def test_missing_packages_are_named(name, source, tmp_path, monkeypatch):
    """Without a package of the extra the error says how to get it; the runtime is wanted for the check only."""
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(SettingsError, match=rf'the package {name}, .*pip install "srkit\[onnx\]"'):
        export(source, tmp_path / "net.onnx")
    if name == "onnxruntime":
        pytest.importorskip("onnx")
        export(source, tmp_path / "net.onnx", check=False)


def test_refusals_leave_nothing(source, tmp_path):
    """A target that exists, of an unknown kind, in no folder, or halved for nothing, is refused with the way out."""
    (tmp_path / "there.pth").write_text("before")
    refused = {
        "there.pth": (SettingsError, "--force", {}),
        "net.onnx": (SettingsError, r"--half .*\.safetensors", {"half": True}),
        "net.bin": (SettingsError, r"ends in '\.bin'.*\.onnx", {}),
        "net": (SettingsError, "ends in 'nothing'", {}),
        "no/net.pth": (WeightsError, "No such file.*another place", {}),
    }
    before = sorted(path.name for path in tmp_path.rglob("*"))
    for name, (error, match, options) in refused.items():
        with pytest.raises(error, match=match):
            export(source, tmp_path / name, **options)
    with pytest.raises(WeightsNotFound, match=r"weight files in .*: net\.safetensors"):
        export(tmp_path / "ner.safetensors", tmp_path / "new.pth")
    assert sorted(path.name for path in tmp_path.rglob("*")) == before
    assert (tmp_path / "there.pth").read_text() == "before"


def test_the_command_exports_and_inspect_prints_the_card(checkpoint, tmp_path):
    """'srkit models export' writes, tells what, and overwrites only if told; 'inspect' prints the card a fact a line."""
    arguments = ["models", "export", str(checkpoint), str(tmp_path / "net.safetensors")]
    done = CliRunner().invoke(program, arguments)
    assert (done.exit_code, "(srvgg, ×2)" in done.output) == (0, True)
    assert isinstance(CliRunner().invoke(program, arguments).exception, SettingsError)
    assert CliRunner().invoke(program, [*arguments, "--force", "--half"]).exit_code == 0
    told = CliRunner().invoke(program, ["models", "inspect", str(tmp_path / "net.safetensors")]).output
    for line in ("    recipe: net", "      1:", "        name: l1", "      psnr: 27.5", "    data: a, b"):
        assert line in told.splitlines()


def test_the_command_tells_what_the_check_found(source, tmp_path):
    """The difference and the sizes are printed after an ONNX file is written."""
    pytest.importorskip("onnxruntime")
    done = CliRunner().invoke(program, ["models", "export", str(source), str(tmp_path / "net.onnx")])
    assert "within" in done.output
    assert "1×1" in done.output
