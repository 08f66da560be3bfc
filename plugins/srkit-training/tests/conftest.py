"""Small pictures and small runs."""

from __future__ import annotations

import numpy as np
import pytest

import srkit_io
from srkit_training.config import (
    CheckpointConfig,
    Config,
    DataConfig,
    LogConfig,
    NetworkConfig,
    TrainConfig,
    TrainerConfig,
    ValidationConfig,
)


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
