"""A run that could begin: a small photo in a folder, and a trainer that takes two options."""

from __future__ import annotations

import pytest

import srkit_io

TRAINER = """
import srkit

class Trainer:
    name = "plain"
    def __init__(self, *, losses=None, sharpened=None, discriminator=None):
        for loss, options in (losses or {}).items():
            if loss != "l1":
                raise srkit.UnknownName("loss", loss, ["l1"])
            if options.get("weight", 1) < 0:
                raise srkit.SettingsError(f"losses.{loss}.weight={options['weight']!r}; expected a number of at least 0")
    def networks(self, network, traits):
        return {"generator": network}
    def step(self, batch, learner):
        raise AssertionError

@srkit.hookimpl
def srkit_register_trainers(register):
    register(srkit.TrainerSpec(name="plain", target=f"{__name__}:Trainer", summary="Nothing but losses."))
"""

CONFIG = """
name: my-run
trainer:
  name: plain
  options: {losses: {l1: {weight: 1.0}}}
network: {arch: srvgg, options: {num_feat: 8, num_conv: 2}}
data:
  dataset: realesrgan
  options: {targets: photos, degradation: second-order, sharpen: true, crop: 64, gt_size: 32, pool: 24}
  batch_size: 12
train:
  iterations: 1000
  lr: 2e-4
validation: {gt: photos}
"""


@pytest.fixture
def here(tmp_path, monkeypatch, install, photo):
    """A folder to run in, with ``photos/`` and ``my-run.yml``, which is right."""
    install("acme-trainer", TRAINER)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photos").mkdir()
    srkit_io.write(tmp_path / "photos" / "astronaut.png", photo[:64, :64])
    (tmp_path / "my-run.yml").write_text(CONFIG, "utf-8")
    return tmp_path
