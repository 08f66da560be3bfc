"""The table of metrics."""

from __future__ import annotations

import math
import subprocess
import sys

import cv2
import numpy as np
import pytest

import srkit
from srkit_training.metrics import METRICS, NaturalModel, View, naturalness


@pytest.fixture
def prepared(monkeypatch, photo):
    """All metrics made ready; NIQE's model is that of the photo itself."""
    found = naturalness.features(photo)
    model = NaturalModel(found.mean(0), np.cov(found, rowvar=False))
    monkeypatch.setattr(NaturalModel, "official", lambda: model)
    return {name: METRICS[name].prepare(View(border=4)) for name in ("psnr", "ssim", "niqe")}


def test_directions_are_true(prepared, photo):
    """Each metric finds the less blurred picture better, by its own direction."""
    good, bad = cv2.GaussianBlur(photo, None, 0.6), cv2.GaussianBlur(photo, None, 4)
    for name, measure in prepared.items():
        values = measure(good, photo), measure(bad, photo)
        assert METRICS[name].improves(values[0], values[1]), name
        assert not METRICS[name].improves(values[1], values[0]), name


def test_improves():
    """The first value is an improvement, the same again is none; NaN never, and anything is better than NaN."""
    for name, better, worse in (("psnr", 30, 29), ("ssim", 0.9, 0.8), ("niqe", 3, 4), ("lpips", 0.1, 0.2)):
        metric = METRICS[name]
        assert metric.name == name
        assert metric.improves(better, None)
        assert metric.improves(better, worse)
        assert not metric.improves(worse, better)
        assert not metric.improves(better, better)
        assert metric.improves(worse, math.nan)
        assert not metric.improves(math.nan, worse)
        assert not metric.improves(math.nan, None)


def test_sizes_that_fit_are_those_that_can_be_measured(prepared):
    """A metric takes a picture of a size if and only if it says so."""
    noise = np.random.default_rng(0).integers(0, 256, (300, 300, 3), dtype=np.uint8)
    for name, measure in prepared.items():
        for height, width in ((1, 1), (8, 8), (9, 30), (18, 19), (19, 19), (104, 199), (104, 200), (200, 104)):
            picture = noise[:height, :width]
            if METRICS[name].fits(height - 8, width - 8):
                assert not math.isnan(measure(picture, noise[1 : height + 1, :width]))
            else:
                with pytest.raises(srkit.ImageError):
                    measure(picture, picture)


def test_names_cost_no_torch_kernels():
    """Asking for the metrics' names and directions imports no network code."""
    code = (
        "import sys, srkit_training.metrics; sys.exit('srkit_training.losses' in sys.modules or 'torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
