"""Runs: what they leave, that they stop and go on to the same bits, what they refuse."""

from __future__ import annotations

import csv
import json
import os
import random
import signal
import subprocess
import sys
import time

import attrs
import numpy as np
import pytest
import torch

import srkit
import srkit_io
from srkit_training.checkpoints import read_checkpoint
from srkit_training.config import (
    CheckpointConfig,
    Config,
    DataConfig,
    LogConfig,
    NetworkConfig,
    OptimiserConfig,
    ScheduleConfig,
    StopConfig,
    TrainConfig,
    TrainerConfig,
    ValidationConfig,
)
from srkit_training.loop import Run
from srkit_training.reading import dump


@pytest.fixture
def pictures(tmp_path, monkeypatch):
    """A folder with ``photos/``, six smooth pictures; it is the current one."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photos").mkdir()
    rng = np.random.default_rng(0)
    for number in range(6):
        y, x = np.mgrid[0:64, 0:72] / 12
        waves = [np.sin(a * x + b * y + c) for a, b, c in rng.uniform(-2, 2, (3, 3))]
        srkit_io.write(f"photos/{number}.png", np.uint8(127 + 120 * np.stack(waves, -1)))
    return tmp_path


def small(**changes):
    """A run of a few iterations of a small network over ``photos/``, degraded to the second order, with a pool."""
    parts = {
        "name": "small",
        "trainer": TrainerConfig(name="realesrnet"),
        "network": NetworkConfig(arch="srvgg", options={"num_feat": 8, "num_conv": 1, "upscale": 2}),
        "data": DataConfig(
            dataset="realesrgan",
            options={
                "targets": "photos",
                "degradation": "second-order",
                "scale": 2,
                "crop": 48,
                "gt_size": 32,
                "pool": 8,
            },
            batch_size=4,
            workers=0,
        ),
        "train": TrainConfig(iterations=6, lr=1e-3),
        "validation": None,
        "checkpoints": CheckpointConfig(every=3),
        "log": LogConfig(every=2, tensorboard=False),
        "seed": 7,
    }
    return Config(**{**parts, **changes})


def validated(**changes):
    """A validation over ``photos/``."""
    return ValidationConfig(**{"gt": "photos", "every": 3, "samples": 1, **changes})


CLEAN = {**small().data.options, "pool": 0, "degradation": [{"resize": {"of": "goal", "modes": ["bicubic"]}}]}
GAN = TrainerConfig(
    name="realesrgan",
    options={
        "losses": {"l1": {"weight": 1.0}},
        "discriminator": {"arch": "unet-discriminator", "options": {"num_feat": 4}},
        "penalties": {"r1": {"weight": 1.0, "every": 2}},
    },
)


def _weights(folder, name="latest"):
    return read_checkpoint(folder / "checkpoints" / f"{name}.pt")["learner"]


def _assert_equal(one, other, path=""):
    """Two states, tensor by tensor, to the bit."""
    assert type(one) is type(other), path
    if isinstance(one, dict):
        assert one.keys() == other.keys(), path
        for key, value in one.items():
            _assert_equal(value, other[key], f"{path}.{key}")
    elif isinstance(one, list | tuple):
        assert len(one) == len(other), path
        for number, (a, b) in enumerate(zip(one, other, strict=True)):
            _assert_equal(a, b, f"{path}[{number}]")
    elif isinstance(one, torch.Tensor):
        assert torch.equal(one, other), path
    else:
        assert one == other, path


def _rows(file):
    with file.open(encoding="utf-8") as opened:
        return list(csv.DictReader(opened))


def test_a_run_learns_and_leaves_everything(pictures):
    """The loss falls; checkpoints, logs, validation and samples are there."""
    config = small(
        data=attrs.evolve(small().data, options=CLEAN),
        train=TrainConfig(iterations=30, lr=3e-3, ema=0.9),
        validation=validated(every=10, border=0),
        checkpoints=attrs.evolve(small().checkpoints, every=10, keep=2),
    )
    folder = pictures / "run"
    outcome = Run(config, folder, cpu=True)()
    assert (outcome.iteration, outcome.signal, outcome.early) == (30, None, False)
    rows = _rows(folder / "log.csv")
    assert [int(row["iteration"]) for row in rows] == [*range(2, 31, 2)]
    losses = [float(row["l1"]) for row in rows]
    assert np.mean(losses[-4:]) < np.mean(losses[:4])
    assert {path.name for path in (folder / "checkpoints").iterdir()} == {
        "00000020.pt",
        "00000030.pt",
        "latest.pt",
        "best.pt",
    }
    checked = _rows(folder / "validation.csv")
    assert [int(row["iteration"]) for row in checked] == [10, 20, 30]
    assert float(checked[-1]["psnr"]) == pytest.approx(outcome.metrics["psnr"], abs=1e-3)
    assert sorted(path.name for path in (folder / "samples").iterdir()) == ["00000010", "00000020", "00000030"]


def test_a_checkpoint_upscales(pictures):
    """A checkpoint is a weight file: the average of the weights, with configuration and card."""
    folder = pictures / "run"
    Run(small(train=TrainConfig(iterations=2, ema=0.5)), folder, cpu=True)()
    path = folder / "checkpoints" / "latest.pt"
    out = srkit.upscale(np.zeros((10, 12, 3), np.uint8), weights=path, engine="whole")
    assert out.shape == (20, 24, 3)
    loaded = srkit.load_network(weights=path).network.state_dict()
    average = _weights(folder)["average"]
    assert all(torch.equal(value, average[f"module.{name}"]) for name, value in loaded.items())
    card = json.loads(torch.load(path, weights_only=True)["srkit.card"])
    assert card["architecture"] == "srvgg"
    assert card["training"]["iterations"] == 2
    assert card["versions"]["torch"] == torch.__version__


@pytest.mark.parametrize("stop_at", [1, 3, 4])
@pytest.mark.parametrize("trainer", [small().trainer, GAN], ids=["realesrnet", "realesrgan"])
def test_resuming_gives_the_same_bits(pictures, stop_at, trainer):
    """Stopped anywhere and taken up again, all weights, averages and optimisers are those of a run that never stopped."""
    train = TrainConfig(iterations=6, lr=1e-3, accumulate=2, schedule=ScheduleConfig(name="cosine", periods=(6,)))
    config = small(trainer=trainer, train=train)
    Run(config, pictures / "whole", cpu=True)()
    Run(attrs.evolve(config, train=attrs.evolve(train, iterations=stop_at)), pictures / "parts", cpu=True)()
    torch.rand(3)
    latest = pictures / "parts" / "checkpoints" / "latest.pt"
    Run(config, pictures / "parts", resume=latest, cpu=True)()
    _assert_equal(_weights(pictures / "whole"), _weights(pictures / "parts"))


def test_logs_of_a_resumed_run_are_those_of_a_whole_one(pictures):
    """Means over iterations before and after the stop are told together; rows after the checkpoint are not kept twice."""
    config = small(
        train=TrainConfig(iterations=8), log=attrs.evolve(small().log, every=4), validation=validated(every=4)
    )
    Run(config, pictures / "whole", cpu=True)()
    Run(attrs.evolve(config, train=TrainConfig(iterations=5)), pictures / "parts", cpu=True)()
    Run(config, pictures / "parts", resume=pictures / "parts" / "checkpoints" / "00000003.pt", cpu=True)()
    for file, columns in (
        ("log.csv", ("iteration", "l1", "lr", "epoch")),
        ("validation.csv", ("iteration", "psnr", "ssim")),
    ):
        whole, parts = (_rows(pictures / name / file) for name in ("whole", "parts"))
        assert [[row[key] for key in columns] for row in whole] == [[row[key] for key in columns] for row in parts]


def test_accumulated_parts_give_the_gradient_of_the_whole_batch(pictures):
    """One SGD step of a batch of 4 is that of two parts of 2, but for rounding."""
    data = attrs.evolve(small().data, options=CLEAN)
    weights = []
    for parts in (1, 2):
        train = TrainConfig(
            iterations=1,
            lr=1.0,
            accumulate=parts,
            optimiser=OptimiserConfig(name="sgd", options={}),
        )
        Run(small(data=data, train=train), pictures / str(parts), cpu=True)()
        weights.append(_weights(pictures / str(parts))["networks"]["generator"])
    for name, value in weights[0].items():
        torch.testing.assert_close(value, weights[1][name], rtol=1e-4, atol=1e-6)


def test_stops_early(pictures):
    """When a metric was no better for as many validations as it may, the run ends, and says so."""
    config = small(
        train=TrainConfig(iterations=50, lr=1e-30, ema=0.0),
        validation=validated(every=2, stop=StopConfig(metric="psnr", patience=2)),
    )
    outcome = Run(config, pictures / "run", cpu=True)()
    assert (outcome.iteration, outcome.early) == (6, True)
    assert _weights(pictures / "run")["iteration"] == 6
    again = Run(config, pictures / "run", resume=pictures / "run" / "checkpoints" / "latest.pt", cpu=True)()
    assert (again.iteration, again.early) == (6, True)


class _Poison:
    """A trainer whose loss is no number in the second iteration."""

    name = "poison"

    def networks(self, network, traits):
        return {"generator": network}

    def step(self, batch, learner):
        loss = (learner["generator"](batch.lq) - batch.gt).abs().mean() / (0 if learner.iteration == 1 else 1)
        learner.update("generator", loss)
        return {"loss": loss.detach()}


def test_a_loss_that_is_no_number_ends_the_run_with_the_batch_kept(pictures, monkeypatch):
    """The error says where the batch is, and the checkpoint is that of before."""
    monkeypatch.setattr("srkit_training.loop.make_trainer", lambda config: _Poison())
    config = small(checkpoints=attrs.evolve(small().checkpoints, every=1))
    with pytest.raises(srkit.NonFiniteLoss, match="iteration 1") as caught:
        Run(config, pictures / "run", cpu=True)()
    (kept,) = (pictures / "run").glob("nonfinite-*.pt")
    assert str(kept) in caught.value.__notes__[0]
    assert torch.load(kept, weights_only=True)["gt"].shape == (4, 3, 32, 32)
    assert _weights(pictures / "run")["iteration"] == 1


def test_processes_must_share_a_batch(pictures):
    """A batch that cannot be cut into equal parts is refused with the numbers."""
    with pytest.raises(
        srkit.SettingsError, match="batch_size=4 cannot be shared among 1 processes and 3 accumulated parts"
    ):
        Run(small(train=TrainConfig(iterations=1, accumulate=3)), pictures / "run", cpu=True)


def test_sharpened_targets_that_are_not_there(pictures):
    """The error names the key of the data set that gives them."""
    config = small(trainer=TrainerConfig(name="realesrnet", options={"sharpened": {"l1": True}}))
    with pytest.raises(srkit.SettingsError, match=r"data.options.sharpen: true"):
        Run(config, pictures / "run", cpu=True)()


def test_weights_to_begin_with(pictures):
    """A run begins with the weights that the configuration names; those of another network are refused."""
    Run(small(), pictures / "first", cpu=True)()
    path = str(pictures / "first" / "checkpoints" / "latest.pt")
    network = attrs.evolve(small().network, weights=path)
    run = Run(small(network=network, train=TrainConfig(iterations=1, lr=1e-30)), pictures / "second", cpu=True)
    run()
    for name, value in _weights(pictures / "second")["networks"]["generator"].items():
        assert torch.equal(value, _weights(pictures / "first")["average"][f"module.{name}"])
    other = attrs.evolve(network, options={"num_feat": 12, "num_conv": 1, "upscale": 2})
    with pytest.raises(srkit.MismatchedWeights, match=r"num_feat=8.*do not fit srvgg\(num_feat=12"):
        Run(small(network=other), pictures / "third", cpu=True)


def _train(folder, config, *more, **kwargs):
    (folder / "config.yml").write_text(dump(config), "utf-8")
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        [sys.executable, *more, "-m", "srkit", "train", "config.yml", "--cpu"],
        cwd=folder,
        env=environment,
        stderr=subprocess.PIPE,
        text=True,
        **kwargs,
    )


def test_killed_runs_go_on_to_the_same_bits(pictures):
    """Killed at random moments (SRKIT_KILLS of them) and run again, the weights are those of an uninterrupted run."""
    data = attrs.evolve(small().data, workers=1)
    config = small(
        data=data, train=TrainConfig(iterations=120, lr=1e-3), checkpoints=attrs.evolve(small().checkpoints, every=2)
    )
    (pictures / "whole").mkdir()
    (pictures / "whole" / "photos").symlink_to(pictures / "photos")
    assert _end(_train(pictures / "whole", config)) == 0
    rng = random.Random(0)
    for _ in range(int(os.environ.get("SRKIT_KILLS", "1"))):
        running = _train(pictures, config)
        latest = pictures / "runs" / "small" / "checkpoints" / "latest.pt"
        before = latest.stat().st_mtime_ns if latest.exists() else None
        while running.poll() is None and (latest.stat().st_mtime_ns if latest.exists() else None) == before:
            time.sleep(0.01)
        time.sleep(rng.uniform(0, 0.3))
        running.kill()
        running.communicate()
    assert _end(_train(pictures, config)) == 0
    _assert_equal(_weights(pictures / "whole" / "runs" / "small"), _weights(pictures / "runs" / "small"))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_leaves_a_checkpoint(pictures, number):
    """Ctrl-C and SIGTERM end a run after the update at hand; it says how to go on, and does."""
    config = small(train=TrainConfig(iterations=100_000), data=attrs.evolve(small().data, workers=1))
    running = _train(pictures, config, start_new_session=True)
    latest = pictures / "runs" / "small" / "checkpoints" / "latest.pt"
    while running.poll() is None and not latest.exists():
        time.sleep(0.02)
    os.killpg(running.pid, number)  # as a terminal does, or whoever ends a job: the workers, too
    _, told = running.communicate()
    assert running.returncode == 128 + number, told
    assert "the same command goes on where it was" in told
    assert "Traceback" not in told
    stopped_at = _weights(pictures / "runs" / "small")["iteration"]
    assert stopped_at >= 3
    again = Run(
        attrs.evolve(config, train=TrainConfig(iterations=stopped_at + 1)), pictures / "again", resume=latest, cpu=True
    )
    assert again().iteration == stopped_at + 1


def test_two_processes_have_the_gradients_of_one(pictures):
    """A step of plain descent by two processes of half the batch each is that of one process, but for rounding."""
    train = TrainConfig(iterations=1, lr=1.0, optimiser=OptimiserConfig(name="sgd", options={}))
    config = small(trainer=GAN, data=attrs.evolve(small().data, options=CLEAN), train=train)
    begun = attrs.evolve(config, train=attrs.evolve(train, lr=1e-30))
    one, start, two = (
        Run(config, pictures / "one", cpu=True),
        Run(begun, pictures / "start", cpu=True),
        _launch(pictures, config),
    )
    one()
    start()
    assert _end(two) == 0
    states = [
        _weights(folder)["networks"] for folder in (pictures / "start", pictures / "one", pictures / "runs" / "small")
    ]
    for network, before in states[0].items():
        for name, value in before.items():
            moved, likewise = (state[network][name] - value for state in states[1:])
            bound = 1e-5 * float(moved.abs().max()) + 1e-9
            torch.testing.assert_close(moved, likewise, rtol=1e-4, atol=bound, msg=f"{network}.{name}")


def test_two_processes_log_validate_and_stop_together(pictures):
    """What two processes log are the means of both; a run ended early by the metric of one ends in both."""
    config = small(
        data=attrs.evolve(small().data, options=CLEAN),
        train=TrainConfig(iterations=50, lr=1e-30, ema=0.0),
        validation=validated(every=2, stop=StopConfig(metric="psnr", patience=1)),
    )
    Run(config, pictures / "one", cpu=True)()
    assert _end(_launch(pictures, config)) == 0
    together = pictures / "runs" / "small"
    assert _weights(together)["iteration"] == 4
    for ours, theirs in zip(_rows(pictures / "one" / "log.csv"), _rows(together / "log.csv"), strict=True):
        assert float(ours["l1"]) == pytest.approx(float(theirs["l1"]), rel=1e-4)
    (ours,), (theirs,) = (_rows(folder / "validation.csv")[-1:] for folder in (pictures / "one", together))
    assert ours["psnr"] == theirs["psnr"]


def _launch(folder, config):
    return _train(folder, config, "-m", "torch.distributed.run", "--nproc-per-node", "2", "--standalone")


def _end(running):
    """The exit status; what was told is shown where it is not 0."""
    _, told = running.communicate()
    if running.returncode:
        print(told)
    return running.returncode
