"""What the plugin registers, and what becomes of srkit where spandrel cannot be imported."""

from __future__ import annotations

import subprocess
import sys

import pytest

pytest.importorskip("torch")
pytest.importorskip("srkit_archs_realesrgan")

import torch
from safetensors.torch import save_file

import srkit
from srkit import plugins
from srkit.networks import load_network
from srkit_archs_realesrgan.srvgg import SRVGGNetCompact
from srkit_archs_spandrel.families import FAMILIES


@pytest.fixture
def without_spandrel(monkeypatch):
    """As if spandrel were not installed."""
    for name in [name for name in sys.modules if name.partition(".")[0] == "spandrel"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.delitem(sys.modules, "srkit_archs_spandrel.bridge", raising=False)
    monkeypatch.setitem(sys.modules, "spandrel", None)


def test_all_are_registered():
    """Every family is registered under its name, without a clash with any other plugin's."""
    found = plugins.current()
    (report,) = (report for report in found.reports if report.distribution == "srkit-archs-spandrel")
    assert not report.problems
    assert [name for _, name in report.registered] == [family.name for family in FAMILIES]
    assert len({family.id for family in FAMILIES}) == 42


def test_registering_imports_neither_torch_nor_spandrel():
    """Listing what there is costs nothing."""
    code = (
        "import sys; from srkit import plugins; assert 'swinir' in plugins.current().architectures;"
        "assert not {'torch', 'spandrel', 'torchvision', 'einops'} & sys.modules.keys()"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_network_without_spandrel(without_spandrel):
    """Whoever asks for a network gets an error that says what to install, caused by the original one."""
    entry = plugins.current().architectures.find("swinir")
    with pytest.raises(srkit.PluginError, match="pip install --no-deps spandrel") as caught:
        entry.load()
    assert isinstance(caught.value.__cause__, ModuleNotFoundError)


def test_own_files_need_no_spandrel(without_spandrel, tmp_path):
    """A file that an architecture of srkit's recognises is that one's, and spandrel is not asked."""
    save_file(SRVGGNetCompact(num_feat=4, num_conv=1).state_dict(), tmp_path / "net.safetensors")
    assert load_network(weights=tmp_path / "net.safetensors").architecture == "srvgg"
    assert "srkit_archs_spandrel.bridge" not in sys.modules


def test_unknown_files_without_spandrel(without_spandrel, tmp_path):
    """A file that nobody recognises is told to be so; the cause is that spandrel could not be asked."""
    save_file({"strange": torch.zeros(2)}, tmp_path / "net.safetensors")
    with pytest.raises(srkit.UnrecognisedWeights) as caught:
        load_network(weights=tmp_path / "net.safetensors")
    assert "pip install --no-deps spandrel" in str(caught.value.__cause__)
