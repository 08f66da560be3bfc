"""LDL, against the formula pixel by pixel."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import srkit
from srkit_training.losses.ldl import LDL


def slow(output, target, average, window):
    """The loss of pictures (B, 3, H, W) in float64, from the paper's equations."""
    total, count = 0.0, output.numel()
    for out, goal, ema in zip(*(t.double().numpy() for t in (output, target, average)), strict=True):
        residual, settled = np.abs(goal - out).sum(0), np.abs(goal - ema).sum(0)
        overall = residual.var(ddof=1) ** (1 / 5)
        padded = np.pad(residual, window // 2, mode="reflect")
        for y, x in np.ndindex(*residual.shape):
            if residual[y, x] >= settled[y, x]:
                local = padded[y : y + window, x : x + window].var(ddof=1)
                total += overall * local * np.abs(out[:, y, x] - goal[:, y, x]).sum()
    return total / count


@pytest.mark.parametrize("window", [3, 7])
def test_it_is_the_formula(window, pictures):
    """The value is that of the equations, of each picture by itself."""
    output, target, average = (pictures(2, 3, 11, 9, seed=seed) for seed in range(3))
    found = LDL(window=window)(output, target, average).item()
    assert found == pytest.approx(slow(output, target, average, window), rel=1e-4)


def test_only_what_the_average_does_better_counts(pictures):
    """Where the average is further off there is no artefact; where it is exact, every restless pixel is one."""
    output, target = pictures(1, 3, 16, 16), pictures(1, 3, 16, 16, seed=1)
    worse = target + 2 * (output - target)
    assert LDL()(output, target, worse).item() == 0
    assert (LDL().artefacts(output, target, target) > 0).all()


def test_even_residuals_are_no_artefacts(pictures):
    """A picture that is off by the same everywhere has none; noise in one corner makes artefacts there alone."""
    target = pictures(1, 3, 32, 32) / 2
    output = target + 0.25
    assert LDL().artefacts(output, target, target).max() < 1e-6
    output[..., :8, :8] += pictures(1, 3, 8, 8, seed=1) / 4
    artefacts = LDL().artefacts(output, target, target)[0, 0]
    assert artefacts[:8, :8].min() > 100 * artefacts[12:, 12:].max()


def test_gradients_are_those_of_the_formula(pictures):
    """They go through the map too: differences of the slow formula say the same."""
    output, target, average = (pictures(1, 3, 8, 8, seed=seed) for seed in range(3))
    output.requires_grad_()
    LDL(window=3)(output, target, average).backward()
    for where in [(0, 0, 0, 0), (0, 1, 4, 4), (0, 2, 7, 3)]:
        ends = []
        for step in (1e-4, -1e-4):
            moved = output.detach().double().clone()
            moved[where] += step
            ends.append(slow(moved, target, average, 3))
        assert output.grad[where].item() == pytest.approx((ends[0] - ends[1]) / 2e-4, rel=1e-2, abs=1e-6)


def test_equal_pictures(pictures):
    """0, with finite gradients, though the root of their variance has none."""
    output = pictures(1, 3, 8, 8).requires_grad_()
    value = LDL()(output, output.detach(), output.detach())
    value.backward()
    assert value.item() == 0
    assert torch.isfinite(output.grad).all()


@pytest.mark.parametrize("window", [2, 1, 4, 7.0, True, 101])
def test_the_window_is_checked(window):
    """It is an odd number of pixels."""
    with pytest.raises(srkit.SettingsError, match=r"window=.*an odd number within \[3, 99\], such as 7"):
        LDL(window=window)


def test_small_pictures_are_refused(pictures):
    """They must be larger than what is mirrored at their sides."""
    LDL()(*[pictures(1, 3, 4, 4)] * 3)
    with pytest.raises(srkit.ImageError, match="3×4 pixels; this loss needs at least 4×4"):
        LDL()(*[pictures(1, 3, 3, 4)] * 3)


def test_the_average_is_checked(pictures):
    """The third argument is held to the shape of the others."""
    with pytest.raises(srkit.ImageError, match="differ in shape"):
        LDL()(pictures(1, 3, 8, 8), pictures(1, 3, 8, 8), pictures(1, 3, 8, 9))
