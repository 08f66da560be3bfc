"""Losses of pixels, against numpy."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import srkit
from srkit_training.losses.pixels import L1, MSE, Charbonnier, Checkerboard, Edges

FORMULAS = [
    (L1(), lambda d: np.abs(d)),
    (MSE(), lambda d: d**2),
    (Charbonnier(), lambda d: np.sqrt(d**2 + 1e-12)),
    (Charbonnier(eps=0.01), lambda d: np.sqrt(d**2 + 0.01)),
]


@pytest.mark.parametrize(("loss", "formula"), FORMULAS, ids=lambda value: repr(value)[:20])
@given(size=st.tuples(*[st.integers(1, 3), st.just(3), st.integers(1, 9), st.integers(1, 9)]), seed=st.integers(0, 99))
def test_it_is_the_mean_of_the_formula(loss, formula, size, seed):
    """The value is the formula's mean over all values, also where the output leaves [0, 1]."""
    rng = torch.Generator().manual_seed(seed)
    output, target = torch.randn(size, generator=rng), torch.rand(size, generator=rng)
    expected = formula(output.double().numpy() - target.double().numpy()).mean()
    assert loss(output, target).item() == pytest.approx(expected, rel=1e-5)


def test_known_values():
    """Two values off by 0.3 and 0.4 in one picture of twelve values."""
    output, target = torch.zeros(1, 3, 2, 2), torch.zeros(1, 3, 2, 2)
    output[0, 0, 0, 0], output[0, 2, 1, 1] = 0.3, -0.4
    assert L1()(output, target).item() == pytest.approx(0.7 / 12)
    assert MSE()(output, target).item() == pytest.approx(0.25 / 12)
    assert Charbonnier(eps=0.16)(output, target).item() == pytest.approx((10 * 0.4 + 0.5 + 0.32**0.5) / 12)


def test_charbonnier_is_smooth_at_equal_pictures(pictures):
    """There its value is the root of eps, and its gradient 0, down to the smallest eps."""
    for eps in (1e-30, 1e-12, 1e-4):
        output = pictures(1, 3, 4, 4).requires_grad_()
        value = Charbonnier(eps=eps)(output, output.detach())
        value.backward()
        assert value.item() == pytest.approx(eps**0.5)
        assert output.grad.abs().max() == 0


@pytest.mark.parametrize("eps", [0, -1, 2, "small", None, float("nan")])
def test_eps_is_checked(eps):
    """What cannot be an eps is told, with the range."""
    with pytest.raises(srkit.SettingsError, match=r"eps=.*expected a number within \[1e-30, 1\], such as 1e-12"):
        Charbonnier(eps=eps)


@given(size=st.tuples(*[st.integers(1, 3), st.just(3), st.integers(2, 9), st.integers(2, 9)]), seed=st.integers(0, 99))
def test_edges_are_what_neighbours_differ_by(size, seed):
    """The value is that of numpy's differences, each direction's mean by itself."""
    rng = torch.Generator().manual_seed(seed)
    output, target = torch.randn(size, generator=rng), torch.rand(size, generator=rng)
    off = [np.diff(output.double().numpy(), axis=axis) - np.diff(target.double().numpy(), axis=axis) for axis in (2, 3)]
    assert Edges()(output, target).item() == pytest.approx(sum(np.abs(o).mean() for o in off) / 2, rel=1e-5)


def test_edges_know_no_tint(pictures):
    """A step of 0.5 down the middle of four columns: a third of half of the differences; none for a picture as a whole."""
    target = pictures(1, 3, 4, 4)
    stepped = target.clone()
    stepped[..., 2:] += 0.5
    assert Edges()(stepped, target).item() == pytest.approx(0.5 / 3 / 2)
    assert Edges()(target + 0.5, target).item() == pytest.approx(0, abs=1e-6)


def test_edges_need_neighbours(pictures):
    """A row by itself has none below."""
    with pytest.raises(srkit.ImageError, match="1×4 pixels; this loss needs at least 2×2"):
        Edges()(pictures(1, 3, 1, 4), pictures(1, 3, 1, 4))


def test_checkerboard_sees_what_cells_share(pictures):
    """A pattern that repeats weighs, whatever its mean; where every other row of cells has its rows swapped, half is left."""
    target = pictures(2, 3, 17, 14)  # a window of 2×2 cells below another, and some more
    pattern = torch.tensor([[0.3, 0.1], [0.0, 0.0]]).repeat(2, 2)
    loss = Checkerboard(scale=4, window=2)
    grid = target.clone()
    grid[..., :16, :8] += pattern.repeat(4, 2)
    assert loss(grid, target).item() == pytest.approx((0.2 + 0 + 0.1 + 0.1) / 4)
    assert loss(grid + 0.4, target).item() == pytest.approx((0.2 + 0 + 0.1 + 0.1) / 4)
    turned = target.clone()
    turned[..., :16, :8] += torch.cat([pattern, pattern.roll(1, 0)]).repeat(2, 2)
    assert loss(turned, target).item() == pytest.approx(0.05)


def test_checkerboard_looks_nearby(pictures):
    """Patterns that differ from window to window weigh in full, though over all of the picture they cancel out."""
    target = pictures(1, 3, 16, 8)
    pattern = torch.tensor([[0.2, -0.2], [-0.2, 0.2]]).repeat(4, 4)
    apart = torch.cat([pattern, -pattern])
    assert Checkerboard(scale=2, window=4)(target + apart, target).item() == pytest.approx(0.2)
    assert Checkerboard(scale=2, window=2)(target + apart, target).item() == pytest.approx(0.2)
    across = torch.cat([pattern[:2], -pattern[:6], pattern[:6], -pattern[:2]])  # a row of cells of four, in each window
    assert Checkerboard(scale=2, window=4)(target + across, target).item() == pytest.approx(0.1)


def test_checkerboard_needs_a_window(pictures):
    """A picture smaller than a window has nothing that repeats."""
    with pytest.raises(srkit.ImageError, match="31×32 pixels; this loss needs at least 32×32"):
        Checkerboard()(pictures(1, 3, 31, 32), pictures(1, 3, 31, 32))
