"""Distillation: srkit's contract, and that the pupil comes nearer to the teacher."""

from __future__ import annotations

import pytest
import torch
from srkit_distil.trainer import Distil

import srkit
from srkit.testing import parametrise


@parametrise(Distil())
def test_conforms(check):
    """Each of srkit's contracts for trainers holds."""
    check()


def test_teachers_of_too_small_a_scale_are_refused():
    """A teacher that enlarges less is told with both scales."""
    with pytest.raises(srkit.SettingsError, match=r"4 times, the network 8 times"):
        Distil().networks(torch.nn.Identity(), srkit.Traits(scale=8))


def test_targets_alone_are_refused():
    """A batch without inputs is told with the option that makes them."""
    batch = srkit.Batch(gt=torch.zeros(1, 3, 8, 8), lq=None, names=("a",))
    with pytest.raises(srkit.SettingsError, match="name a degradation"):
        Distil().step(batch, {})


@pytest.mark.parametrize("share", [-0.1, 1.1, float("nan")])
def test_wrong_shares_are_told(share):
    """A share outside [0, 1] is refused with its value."""
    with pytest.raises(srkit.SettingsError, match="share="):
        Distil(share=share)


def test_training_brings_the_pupil_nearer(tmp_path, monkeypatch):
    """A run by srkit's own loop: after it, the pupil is nearer to the teacher than before."""
    import numpy as np

    import srkit_io
    from srkit_training.reading import parse
    from srkit_training.runs import Start, start

    monkeypatch.chdir(tmp_path)
    (tmp_path / "photos").mkdir()
    rng = np.random.default_rng(0)
    for number in range(4):
        coarse = rng.integers(0, 256, (8, 8, 3), np.uint8)
        srkit_io.write(tmp_path / "photos" / f"{number}.png", np.kron(coarse, np.ones((8, 8, 1), np.uint8)))
    config = parse(
        """
        name: pupil
        trainer: {name: distil, options: {share: 1}}
        network: {arch: srvgg, options: {num_feat: 8, num_conv: 1, upscale: 4}}
        data:
          dataset: realesrgan
          options: {targets: photos, degradation: {steps: [{resize: {of: goal}}]}, scale: 4, crop: 64, gt_size: 64, pool: 0}
          batch_size: 4
          workers: 0
        train: {iterations: 60, lr: 5e-3, ema: 0}
        log: {every: 10, tensorboard: false}
        """
    )
    start(config, Start(tmp_path / "runs", cpu=True))
    lines = (tmp_path / "runs" / "pupil" / "log.csv").read_text().splitlines()
    column = lines[0].split(",").index("likeness")
    likeness = [float(line.split(",")[column]) for line in lines[1:]]
    assert likeness[-1] < likeness[0]
