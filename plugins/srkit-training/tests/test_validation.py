"""Validation of networks."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import nn

import srkit
import srkit_io
from srkit_training.bicubic import bicubic, to_8_bit
from srkit_training.config import StopConfig, ValidationConfig
from srkit_training.metrics import METRICS, NaturalModel, psnr, ssim
from srkit_training.validation import Validation

TRAITS = srkit.Traits(scale=4)
CPU = torch.device("cpu")


class Nearest(nn.Module):
    """Each pixel 4×4 times, times a weight, with what training changes: dropout and batch statistics."""

    def __init__(self, weight=1.0):
        super().__init__()
        self.weight = nn.Parameter(torch.tensor(weight))
        self.fixed = nn.Parameter(torch.zeros(()), requires_grad=False)
        self.dropout = nn.Dropout(0.5)
        self.norm = nn.BatchNorm2d(3, affine=False)
        self.seen = []

    def forward(self, x):
        if self.training:
            x = self.norm(x)
        return nn.functional.interpolate(self.dropout(x), scale_factor=4, mode="nearest") * self.weight


@pytest.fixture
def folder(tmp_path, photo):
    """Two photos, one of them in a sub-folder."""
    (tmp_path / "gt" / "sub").mkdir(parents=True)
    srkit_io.write(tmp_path / "gt" / "one.png", photo[:128, :96])
    srkit_io.write(tmp_path / "gt" / "sub" / "two.png", photo[100:, 60:])  # 156 × 196
    return tmp_path / "gt"


def validation(folder, **config):
    """Of the photos, with samples beside them."""
    return Validation(ValidationConfig(gt=str(folder), **config), TRAITS, folder.parent / "samples", CPU)


def test_means_of_what_the_network_gives(folder, photo):
    """Each metric is the mean over pictures of the result, rounded to 8 bits once, without the border."""
    found = validation(folder, metrics=["ssim", "psnr"], border=3, channel="y")(Nearest(0.7), 10)
    expected = {"ssim": [], "psnr": []}
    for gt in (photo[:128, :96], photo[100:, 60:]):
        lq = to_8_bit(bicubic(gt, (gt.shape[0] // 4, gt.shape[1] // 4)))
        output = np.round(lq / 255 * 0.7 * 255).repeat(4, 0).repeat(4, 1).astype(np.uint8)
        expected["ssim"].append(ssim(output, gt, border=3, channel="y"))
        expected["psnr"].append(psnr(output, gt, border=3, channel="y"))
    assert list(found) == ["ssim", "psnr"]
    for name, values in expected.items():
        assert found[name] == pytest.approx(np.mean(values), abs=2e-3)  # .7 may be rounded either way


def test_border_is_the_scale(folder):
    """Unless it is told otherwise."""
    network = Nearest()
    assert validation(folder)(network, 1) == validation(folder, border=4)(network, 1)
    assert validation(folder)(network, 1) != validation(folder, border=5)(network, 1)


@pytest.mark.parametrize("training", [True, False])
def test_network_and_chance_are_left_alone(folder, training):
    """Mode, weights, gradients, buffers, devices and all random states are afterwards what they were."""
    network = Nearest().train(training)
    network.weight.grad = torch.tensor(3.0)
    state = {name: value.clone() for name, value in network.state_dict().items()}
    torch.manual_seed(5)
    before = torch.get_rng_state(), np.random.get_state()[1].copy()
    found = validation(folder, degradation="second-order")
    values = [found(network, 1), found(network, 2)]
    found.baseline()
    assert torch.equal(torch.get_rng_state(), before[0])
    assert (np.random.get_state()[1] == before[1]).all()
    assert values[0] == values[1]
    assert [module.training for module in network.modules()] == [training] * 3
    assert network.weight.requires_grad
    assert not network.fixed.requires_grad
    assert network.weight.grad == 3
    assert all(torch.equal(value, state[name]) for name, value in network.state_dict().items())
    assert torch.is_grad_enabled()


def test_chance_of_the_network_is_its_own(folder):
    """Even a network that draws while it is validated leaves the random state as it was."""

    class Drawing(Nearest):
        def forward(self, x):
            return super().forward(x) + torch.rand(())

    found = validation(folder)
    torch.manual_seed(5)
    expected = torch.rand(())
    torch.manual_seed(5)
    found(Drawing(), 1)
    assert torch.rand(()) == expected


def test_a_better_network_is_better(folder):
    """By every metric's own direction a network that dims the picture is worse, and bicubic better than repetition."""
    found = validation(folder, metrics=["psnr", "ssim"])
    plain, dim, smooth = found(Nearest(), 1), found(Nearest(0.5), 2), found.baseline()
    for name in ("psnr", "ssim"):
        assert METRICS[name].improves(plain[name], dim[name])
        assert METRICS[name].improves(smooth[name], plain[name])


def test_baseline_is_bicubic(folder, photo):
    """It measures the inputs, enlarged by bicubic interpolation, and writes no samples."""
    found = validation(folder, crop=64)
    values = []
    for gt in (photo[32:96, 16:80], photo[144:208, 124:188]):
        lq = to_8_bit(bicubic(gt, (16, 16)))
        values.append(psnr(to_8_bit(bicubic(lq, (64, 64))), gt, border=4))
    assert found.baseline()["psnr"] == pytest.approx(np.mean(values), abs=1e-9)
    assert not (folder.parent / "samples").exists()


def test_samples(folder, photo):
    """As many results as are asked for are kept as sheets, in a folder for each iteration."""
    validation(folder, samples=1)(Nearest(), 5000)
    found = validation(folder, samples=9)
    for iteration in (1, 123456789):
        found(Nearest(), iteration)
    files = sorted(path.relative_to(folder.parent / "samples").as_posix() for path in folder.parent.glob("samples/*/*"))
    assert files == [
        "00000001/one.png",
        "00000001/two.png",
        "00005000/one.png",
        "123456789/one.png",
        "123456789/two.png",
    ]
    sheet = srkit_io.read(folder.parent / "samples" / "00005000" / "one.png")
    left = 8 + 2 * (sheet.shape[1] - 8) // 3
    assert (sheet[8:136, left : left + 96] == photo[:128, :96]).all()
    validation(folder, samples=0)(Nearest(), 7)
    assert not (folder.parent / "samples" / "00000007").exists()


def test_bad_pictures_are_told_once(folder, photo, capsys):
    """Those that cannot be read, or are too small for a metric, are left out of all metrics; the rest is measured."""
    expected = validation(folder)(Nearest(), 1)
    (folder / "broken.png").write_bytes(b"nothing")
    srkit_io.write(folder / "small.png", photo[:17, :40])
    capsys.readouterr()
    found = validation(folder)
    told = capsys.readouterr().err
    assert f"left out of the validation: {folder / 'broken.png'}: is damaged" in told
    assert f"{folder / 'small.png'}: 40×16 pixels are too few: ssim needs 11×11 pixels without a border of 4" in told
    assert {path.rpartition("/")[2] for path in found.bad} == {"broken.png", "small.png"}
    assert found(Nearest(), 1) == expected
    assert "left out" not in capsys.readouterr().err
    # PSNR alone takes the small one.
    assert len(validation(folder, metrics=["psnr"]).bad) == 1


def test_nothing_to_validate_with(folder):
    """Without a picture that can be used, the run does not begin."""
    for path in folder.rglob("*.png"):
        path.write_bytes(b"nothing")
    with pytest.raises(srkit.DatasetError, match="none of the 2 pictures for validation"):
        validation(folder)


def test_large_pictures_go_to_another_engine(folder, monkeypatch):
    """Where memory is too small for a whole picture, the engine that is preferred runs, with the same result."""
    pytest.importorskip("srkit_engine_tiled")
    from srkit import whole

    network = nn.Upsample(scale_factor=4, mode="nearest")
    found = validation(folder)
    expected = found(network, 1)
    monkeypatch.setattr(whole, "free_memory", lambda device: 1000)
    with pytest.raises(srkit.OutOfMemory):
        srkit.Upscaler.from_network(network, TRAITS, engine="whole")(np.zeros((32, 32, 3), np.uint8))
    assert found(network, 2) == expected


def test_networks_that_broke_are_told(folder):
    """NaN is no picture."""
    with pytest.raises(srkit.NonFiniteOutput):
        validation(folder)(Nearest(math.nan), 1)


def test_models_of_metrics_are_read_once(folder, monkeypatch):
    """They are had before training begins, and a result that NIQE can say nothing of is NaN, not the end of the run."""
    with pytest.raises(srkit.Offline):
        validation(folder, metrics=["niqe"], best="niqe")
    calls = []

    def official():
        calls.append(1)
        return NaturalModel(np.zeros(36), np.eye(36))

    monkeypatch.setattr(NaturalModel, "official", official)
    found = validation(folder, metrics=["niqe"], best="niqe", border=0)
    assert [path.rpartition("/")[2] for path in found.bad] == ["one.png"]
    assert found(Nearest(), 1)["niqe"] > 0
    assert math.isnan(found(Nearest(0.0), 2)["niqe"])
    assert calls == [1]


@pytest.mark.parametrize(
    ("config", "error", "match"),
    [
        ({"metrics": ["psnr", "sim"]}, srkit.UnknownName, "did you mean 'ssim'"),
        ({"metrics": ["ssim"]}, srkit.SettingsError, r"best='psnr' is not among metrics=\['ssim'\]"),
        ({"stop": StopConfig(metric="niqe")}, srkit.SettingsError, "stop: metric='niqe' is not among"),
    ],
)
def test_what_means_nothing(folder, config, error, match):
    """Metrics, directions and numbers that mean nothing are refused before any picture is read."""
    with pytest.raises(error, match=match):
        validation(folder, **config)
