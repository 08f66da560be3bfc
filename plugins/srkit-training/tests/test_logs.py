"""Logs."""

from __future__ import annotations

import csv
import sys
import types

import pytest
import torch

import srkit
from srkit_training.config import LogConfig
from srkit_training.logs import Logs, peak_memory

QUIET = LogConfig(tensorboard=False)


def rows(path, *times):
    """Of a CSV file, without what depends on time and machine."""
    with path.open(newline="") as file:
        return [{key: cell for key, cell in row.items() if key not in times} for row in csv.DictReader(file)]


TIMES = ("time", "iterations_per_second", "memory_gb")


def run(folder, start, end, config=QUIET):
    """A run of 1000 iterations, from one iteration to another: a row each 100, a validation each 200."""
    with Logs(config, folder, 1000, resume_at=start) as logs:
        for iteration in range(start + 100, end + 1, 100):
            values = {"l1": 1 / iteration, "lr": 2e-4} | ({"gan": iteration / 7} if iteration > 300 else {})
            logs.log(iteration, values)
            if iteration % 200 == 0:
                logs.validated(iteration, {"psnr": 20 + iteration / 100})


def test_files(tmp_path, capsys):
    """Every number is in log.csv, with time, rate and memory; every validation in validation.csv; all is told."""
    with Logs(QUIET, tmp_path / "new", 1000) as logs:
        logs.log(100, {"l1": 0.5, "lr": 2e-4})
        logs.validated(100, {"psnr": 28.12345, "ssim": 0.8}, baseline={"psnr": 27.5, "ssim": 0.75})
        logs.say("saved")
    (row,) = rows(tmp_path / "new" / "log.csv")
    assert list(row) == ["iteration", *TIMES, "l1", "lr"]
    assert (row["iteration"], row["l1"], row["lr"]) == ("100", "0.5", "0.0002")
    assert float(row["iterations_per_second"]) > 0
    assert float(row["memory_gb"]) > 0.01
    (row,) = rows(tmp_path / "new" / "validation.csv", "time")
    assert row == {"iteration": "100", "psnr": "28.12345", "ssim": "0.8"}
    first, second, third = capsys.readouterr().err.splitlines()
    assert first.startswith("100/1000: l1 0.5, lr 0.0002, ")
    assert second == "validation after 100: psnr 28.12, ssim 0.8; bicubic: psnr 27.5, ssim 0.75"
    assert third == "saved"
    assert not (tmp_path / "new" / "tensorboard").exists()


def test_resumed_logs_are_those_of_one_run(tmp_path):
    """Interrupted at 700 and resumed at 400, both files are those of an uninterrupted run, but for times."""
    run(tmp_path / "one", 0, 1000)
    run(tmp_path / "two", 0, 700)
    run(tmp_path / "two", 400, 1000)
    for name in ("log.csv", "validation.csv"):
        assert rows(tmp_path / "two" / name, *TIMES) == rows(tmp_path / "one" / name, *TIMES)
    assert len(rows(tmp_path / "two" / "log.csv")) == 10


def test_rate_leaves_validations_out(tmp_path, monkeypatch):
    """Iterations a second are those since the last row, without the time that a validation took."""
    clock = [0.0]
    monkeypatch.setattr("time.perf_counter", lambda: clock[0])
    with Logs(QUIET, tmp_path, 1000, resume_at=100) as logs:
        clock[0] = 50.0
        logs.log(200, {})
        clock[0] = 90.0
        logs.validated(200, {"psnr": 20.0})
        clock[0] = 100.0
        logs.log(300, {})
    assert [row["iterations_per_second"] for row in rows(tmp_path / "log.csv")] == ["2.0", "10.0"]


def test_time_left_is_by_all_iterations(tmp_path, monkeypatch, capsys):
    """It is reckoned from the time since the run was begun or resumed, validations and all."""
    clock = [0.0]
    monkeypatch.setattr("time.perf_counter", lambda: clock[0])
    with Logs(QUIET, tmp_path, 1000, resume_at=400) as logs:
        clock[0] = 500.0
        logs.log(500, {"l1": 1.0})
    assert capsys.readouterr().err.endswith("0.2 it/s, 41 min 40 s left\n")


def scalars(folder):
    """What TensorBoard shows: name → [(step, value)]."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    found = EventAccumulator(str(folder))
    found.Reload()
    return {
        tag: [(event.step, event.value) for event in found.Scalars(tag)]
        for tag in found.Tags()["scalars"]
        if not tag.endswith(TIMES)
    }


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of what TensorBoard imports
def test_curves_of_tensorboard(tmp_path):
    """All numbers are curves; those of a resumed run are the curves of an uninterrupted one."""
    pytest.importorskip("tensorboard")
    config = LogConfig()
    run(tmp_path / "one", 0, 1000, config)
    run(tmp_path / "two", 0, 700, config)
    run(tmp_path / "two", 400, 1000, config)
    found = scalars(tmp_path / "two" / "tensorboard")
    assert found == scalars(tmp_path / "one" / "tensorboard")
    assert list(found) == ["train/l1", "train/lr", "validation/psnr", "train/gan"]
    assert found["validation/psnr"] == [(step, 20 + step / 100) for step in range(200, 1001, 200)]


def test_without_tensorboard(tmp_path, monkeypatch):
    """Not installed, it is left out, unless it is asked for: then the error names the extra."""
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    run(tmp_path, 0, 200, LogConfig())
    assert not (tmp_path / "tensorboard").exists()
    with pytest.raises(srkit.SettingsError, match=r"pip install 'srkit-training\[tensorboard\]'"):
        Logs(LogConfig(tensorboard=True), tmp_path, 1000)


class FakeRun:
    """A run of Weights & Biases."""

    def __init__(self, given):
        self.given, self.logged, self.finished = given, [], 0
        self.id = given["id"] or "abc123"

    def log(self, values, step):
        self.logged.append((step, values))

    def finish(self):
        self.finished += 1


@pytest.fixture
def runs(monkeypatch):
    """The runs that are begun."""
    found = []

    def init(**given):
        found.append(FakeRun(given))
        return found[-1]

    module = types.ModuleType("wandb")
    module.init = init
    monkeypatch.setitem(sys.modules, "wandb", module)
    monkeypatch.delenv("WANDB_MODE", raising=False)
    return found


def test_weights_and_biases(tmp_path, runs):
    """A run of the project, called like the folder; a resumed one goes on with it, another begins anew."""
    config = LogConfig(tensorboard=False, wandb="upscaling")
    folder = tmp_path / "my-run"
    run(folder, 0, 200, config)
    run(folder, 200, 300, config)
    run(folder, 0, 100, config)
    first, second, third = runs
    assert first.given["project"] == "upscaling"
    assert first.given["name"] == "my-run"
    assert first.given["dir"] == str(folder)
    assert [(made.given["id"], made.given["resume"]) for made in runs] == [
        (None, None),
        ("abc123", "allow"),
        (None, None),
    ]
    steps = [(step, sorted(name for name in values if not name.endswith(TIMES))) for step, values in first.logged]
    assert steps == [(100, ["train/l1", "train/lr"]), (200, ["train/l1", "train/lr"]), (200, ["validation/psnr"])]
    assert second.logged[0][0] == 300
    assert [made.finished for made in runs] == [1, 1, 1]
    assert third.logged[0][0] == 100


def test_nothing_is_sent_offline(tmp_path, runs, monkeypatch):
    """SRKIT_OFFLINE, which tests set, makes runs offline; what WANDB_MODE says comes first."""
    config = LogConfig(tensorboard=False, wandb="upscaling")
    modes = []
    for offline, mode in (("1", None), ("0", None), ("1", "disabled")):
        monkeypatch.setenv("SRKIT_OFFLINE", offline)
        if mode:
            monkeypatch.setenv("WANDB_MODE", mode)
        Logs(config, tmp_path, 100).close()
        modes.append(runs[-1].given["mode"])
    assert modes == ["offline", None, None]


def test_without_weights_and_biases(tmp_path, monkeypatch):
    """Asked for and not installed, the error says how to get it."""
    monkeypatch.setitem(sys.modules, "wandb", None)
    with pytest.raises(srkit.SettingsError, match="wandb='upscaling', and .* pip install wandb"):
        Logs(LogConfig(tensorboard=False, wandb="upscaling"), tmp_path, 100)


def test_closed_when_the_run_fails(tmp_path, runs):
    """What was begun is ended whatever happens, once."""
    logs = Logs(LogConfig(tensorboard=False, wandb="upscaling"), tmp_path, 100)
    with pytest.raises(ZeroDivisionError), logs:
        raise ZeroDivisionError
    logs.close()
    assert runs[0].finished == 1


def test_peak_memory_is_no_less_than_what_is_held():
    """It grows with what the process takes."""
    before = peak_memory()
    held = torch.ones(2**26)
    assert peak_memory() >= 0.25 if not torch.cuda.is_initialized() else peak_memory() >= before
    assert held.sum() > 0
