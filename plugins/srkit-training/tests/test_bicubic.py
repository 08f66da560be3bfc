"""Bicubic resizing."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional as F

from srkit_training.bicubic import bicubic, to_8_bit

sides = st.integers(1, 24)


def keys(x):
    """The kernel, as it is published."""
    x = abs(x)
    if x <= 1:
        return 1.5 * x**3 - 2.5 * x**2 + 1
    return -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2 if x < 2 else 0


def defined(row, after):
    """imresize of a row by its definition: a weighted mean around each place, of the row mirrored about its edges."""
    scale = after / len(row)
    shrink = min(scale, 1)
    far = math.ceil(4 / shrink) + 4
    mirrored = np.pad(row, far, "symmetric")
    out = []
    for place in range(1, after + 1):
        middle = place / scale + (1 - 1 / scale) / 2  # counted from 1
        weights = [keys(shrink * (middle - tap)) for tap in range(1 - far, len(row) + far + 1)]
        out.append(np.dot(weights, mirrored) / sum(weights))
    return np.array(out)


@given(sides, sides, st.integers(0, 99))
def test_is_the_definition(before, after, seed):
    """Up and down, to any size, each row is what MATLAB's imresize is defined as."""
    row = np.random.default_rng(seed).random(before) * 255
    np.testing.assert_allclose(bicubic(row[None], (1, after))[0], defined(row, after), atol=1e-9)
    np.testing.assert_allclose(bicubic(row[:, None], (after, 1))[:, 0], defined(row, after), atol=1e-9)


@pytest.mark.parametrize("factor", [2, 3, 4])
def test_inside_it_is_torchs(photo, factor):
    """Away from the border it is torch's, with antialiasing, which cuts the kernel off there."""
    small = bicubic(photo[:240, :228], (240 // factor, 228 // factor))
    assert small.shape == (240 // factor, 228 // factor, 3)
    planes = torch.from_numpy(photo[:240, :228].copy()).permute(2, 0, 1)[None].double()
    expected = F.interpolate(planes, small.shape[:2], mode="bicubic", antialias=True)[0].permute(1, 2, 0).numpy()
    np.testing.assert_allclose(small[3:-3, 3:-3], expected[3:-3, 3:-3], atol=1e-6)


@given(sides, sides, sides, st.integers(0, 255))
def test_flat_stays_flat(height, width, after, level):
    """A flat picture keeps its level, at the border, too."""
    flat = np.full((height, width, 3), level, np.uint8)
    np.testing.assert_allclose(bicubic(flat, (after, 5)), level, atol=1e-9)


def test_half_the_size_is_exact():
    """Halving levels is free of rounding: the weights are sums of powers of two, and flat areas come out exactly flat."""
    halved = bicubic(np.full((96, 64), 173.0), (48, 32))
    assert (halved == 173).all()
    weights = bicubic(np.eye(16), (8, 16))[4] * 256
    assert weights[5:13].tolist() == [-3, -9, 29, 111, 111, 29, -9, -3]


def test_rounding():
    """Levels are rounded to nearest and bounded."""
    assert to_8_bit(np.array([-9.0, 0.4, 0.6, 254.51, 300.0])).tolist() == [0, 0, 1, 255, 255]
