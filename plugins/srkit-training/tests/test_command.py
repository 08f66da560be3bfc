"""``srkit train``: what it prints, refuses, begins and goes on with."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import yaml
from click.testing import CliRunner

import srkit_io
from srkit.cli import program
from srkit_training.checkpoints import read_checkpoint

CONFIG = """
name: mine
trainer: {name: realesrnet}
network: {arch: srvgg, options: {num_feat: 4, num_conv: 1}}
data:
  dataset: realesrgan
  options: {targets: photos, degradation: [{resize: {of: goal}}], crop: 32, gt_size: 32, pool: 0}
  batch_size: 2
  workers: 0
train: {iterations: 3}
log: {every: 1, tensorboard: false}
"""


@pytest.fixture
def mine(tmp_path, monkeypatch):
    """A folder to run in, with ``photos/`` and ``mine.yml``."""
    monkeypatch.chdir(tmp_path)
    Path("photos").mkdir()
    srkit_io.write("photos/grey.png", np.full((40, 40, 3), 128, np.uint8))
    Path("mine.yml").write_text(CONFIG, "utf-8")


def _train(*arguments, code=0):
    result = CliRunner().invoke(program, ["train", "--cpu", *arguments], catch_exceptions=True)
    told = result.output if result.exception is None or code == 2 else f"{result.output}{result.exception}"
    assert (result.exit_code == code) or code == 1, told
    assert (result.exception is None) == (code == 0) or code == 2, told
    return told


def _iteration(folder="runs/mine"):
    return read_checkpoint(Path(folder, "checkpoints/latest.pt"))["learner"]["iteration"]


def test_recipes_are_listed_and_printed_with_their_comments():
    """The list has each with a line of its own; what is printed says why."""
    listed = _train("--recipes")
    assert "tiny" in listed
    assert "realesrgan-x4" in listed
    printed = _train("tiny", "--print")
    assert printed.startswith("# ")
    assert yaml.safe_load(printed)["name"] == "tiny"


def test_another_configuration_is_printed_whole(mine):
    """With every key, and with what was overridden."""
    printed = yaml.safe_load(_train("mine.yml", "--print", "--set", "train.ema=0.5"))
    assert printed["train"]["ema"] == 0.5
    assert printed["checkpoints"] == {"every": 5000, "keep": 3}
    assert not Path("runs").exists()


def test_checking_does_nothing_else(mine):
    """What is right is said to be, what is wrong is told with the file, and no run begins."""
    assert "nothing is wrong" in _train("mine.yml", "--check")
    told = _train("mine.yml", "--check", "--set", "data.options.targets=nowhere", code=1)
    assert "mine.yml: data.options.targets='nowhere': " in told
    assert not Path("runs").exists()


def test_one_configuration_has_to_be_named(mine):
    """None, or two, is a mistake of usage that says what to name."""
    for arguments in ((), ("mine.yml", "--from-basicsr", "mine.yml")):
        assert "name a configuration" in _train(*arguments, code=2)


def test_a_run_begins_and_a_longer_one_goes_on(mine):
    """The folder holds the configuration; more iterations go on; as many as are done are done."""
    told = _train("mine.yml")
    assert f"mine begins in {Path('runs/mine')}" in told
    assert "srkit models export runs/mine/checkpoints/latest.pt mine.safetensors" in told.replace("\\", "/")
    assert yaml.safe_load(Path("runs/mine/config.yml").read_text("utf-8"))["train"]["iterations"] == 3
    assert "goes on from" in _train("mine.yml", "--set", "train.iterations=5")
    assert _iteration() == 5
    again = _train("mine.yml", "--set", "train.iterations=5")
    assert "done after iteration 5" in again


def test_a_run_of_another_configuration_is_not_gone_on_with(mine):
    """The differences are told; --allow-changes goes on, --restart begins anew beside what is there."""
    _train("mine.yml")
    told = _train("mine.yml", "--set", "train.lr=1e-5", code=1)
    assert "train.lr: 0.0001 then, 1e-05 now" in told
    assert "--allow-changes" in told
    assert _iteration() == 3
    _train("mine.yml", "--set", "train.lr=1e-5", "--set", "train.iterations=4", "--allow-changes")
    assert _iteration() == 4
    _train("mine.yml", "--set", "train.lr=1e-5", "--set", "train.iterations=2", "--restart")
    assert _iteration() == 2
    assert _iteration("runs/mine-1") == 4


def test_resuming_from_a_certain_checkpoint(mine):
    """--resume takes that one; what is none is refused with its name."""
    _train("mine.yml", "--set", "checkpoints.every=1")
    _train("mine.yml", "--resume", "runs/mine/checkpoints/00000001.pt", "-o", "others")
    assert _iteration("others/mine") == 3
    assert "photos/grey.png is no checkpoint of srkit" in _train("mine.yml", "--resume", "photos/grey.png", code=1)
    assert "there is no checkpoint gone.pt" in _train("mine.yml", "--resume", "gone.pt", code=1)


def test_what_cannot_be_written_is_told(mine):
    """Where the folder of runs is a file, the error names it."""
    Path("file").write_text("")
    assert f"{Path('file/deeper/mine')} cannot be written" in _train("mine.yml", "-o", "file/deeper", code=1)
