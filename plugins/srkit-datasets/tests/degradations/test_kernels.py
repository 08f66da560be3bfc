"""Kernels against their closed forms."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from srkit_datasets.degradations.kernels import SHAPES, bivariate, gaussian_line, padded, separated, sinc

sizes = st.integers(3, 10).map(lambda half: 2 * half + 1)
sigmas = st.floats(0.2, 3)
angles = st.floats(-math.pi, math.pi)


def _moments(kernel):
    """The means and the covariance of a kernel as a distribution over (x, y)."""
    axis = np.arange(len(kernel)) - len(kernel) // 2
    x, y = np.meshgrid(axis, axis)
    mean = np.array([(kernel * x).sum(), (kernel * y).sum()])
    return mean, np.array(
        [[(kernel * x * x).sum(), (kernel * x * y).sum()], [(kernel * x * y).sum(), (kernel * y * y).sum()]]
    )


def _covariance(first, second, theta):
    turn = np.array([[math.cos(theta), -math.sin(theta)], [math.sin(theta), math.cos(theta)]])
    return turn @ np.diag([first**2, second**2]) @ turn.T


@given(sizes, st.tuples(sigmas, sigmas), angles, st.sampled_from(SHAPES), st.floats(0.5, 4))
def test_bells_sum_to_one_and_are_symmetric(size, sigma, theta, shape, beta):
    """Every bell sums to 1, is nowhere negative, is highest in the middle and looks the same turned by half a turn."""
    kernel = bivariate(size, sigma, theta, shape=shape, beta=beta)
    assert kernel.shape == (size, size)
    assert kernel.sum() == pytest.approx(1, abs=1e-12)
    assert kernel.min() >= 0
    assert kernel[size // 2, size // 2] == kernel.max()
    np.testing.assert_allclose(kernel, kernel[::-1, ::-1], rtol=1e-9, atol=1e-15)


@given(st.floats(0.8, 3), st.floats(0.8, 3), angles)
def test_anisotropic_gaussian_has_its_covariance(first, second, theta):
    """The second moments of a Gaussian are R(θ) diag(σ₁², σ₂²) R(θ)ᵀ."""
    mean, covariance = _moments(bivariate(51, (first, second), theta))
    np.testing.assert_allclose(mean, 0, atol=1e-12)
    np.testing.assert_allclose(covariance, _covariance(first, second, theta), rtol=1e-3, atol=1e-3)


@given(st.floats(0.7, 4), st.floats(6, 9), st.floats(6, 9), angles)
def test_generalised_gaussian_has_the_moments_of_its_density(beta, first, second, theta):
    """exp(−Q^β/2) has the covariance Σ · 2^(1/β) Γ(2/β) / 2Γ(1/β): for β = 1 that of the Gaussian."""
    _, covariance = _moments(bivariate(201, (first, second), theta, shape="generalised", beta=beta))
    spread = 2 ** (1 / beta) * math.gamma(2 / beta) / math.gamma(1 / beta) / 2
    # Flat tops end within a pixel, where a sum over pixels is not quite the integral.
    np.testing.assert_allclose(covariance, spread * _covariance(first, second, theta), rtol=0.01, atol=0.3)


@given(st.integers(1, 9), st.floats(0.5, 4))
def test_plateau_is_half_as_high_a_sigma_away_and_falls_by_its_power(sigma, beta):
    """1/(1 + Q^β): half of the middle at a distance of σ, whatever β; far out, Q^−β."""
    size = 20 * sigma + 1
    kernel = bivariate(size, (sigma, sigma), shape="plateau", beta=beta)
    middle = size // 2
    row = kernel[middle, middle:] / kernel[middle, middle]
    assert row[sigma] == pytest.approx(0.5)
    far = row[10 * sigma]
    assert far == pytest.approx(100**-beta, rel=100**-beta + 1e-6)


@given(st.tuples(sigmas, sigmas), angles, sizes)
def test_beta_of_one_is_the_gaussian(sigma, theta, size):
    """A generalised Gaussian of β = 1 is the Gaussian."""
    np.testing.assert_allclose(
        bivariate(size, sigma, theta, shape="generalised", beta=1),
        bivariate(size, sigma, theta),
        rtol=1e-12,
        atol=1e-300,
    )


@given(sizes, st.floats(math.pi / 5, math.pi))
def test_sinc_sums_to_one_and_is_round(size, cutoff):
    """A sinc kernel sums to 1 and is the same along both axes and turned by a quarter."""
    kernel = sinc(size, cutoff)
    assert kernel.sum() == pytest.approx(1, abs=1e-12)
    np.testing.assert_allclose(kernel, kernel.T, atol=1e-15)
    np.testing.assert_allclose(kernel, np.rot90(kernel), atol=1e-15)


@pytest.mark.parametrize("share", [1 / 3, 0.5, 0.7])
def test_sinc_passes_what_is_below_its_cutoff(share):
    """The response is 1 below the cutoff and 0 above, a half at it, within the ripple of a kernel of 99 pixels."""
    response = np.abs(np.fft.fft2(padded(sinc(99, share * math.pi), 1023)))
    across = np.fft.fftfreq(1023)
    frequency = 2 * np.hypot(across[:, None], across[None, :])  # 1 is π radians a pixel
    edge = 0.05
    assert np.abs(response[frequency < share - edge] - 1).max() < 0.12
    assert response[frequency > share + edge].max() < 0.12
    assert response[np.abs(frequency - share) < 0.002].mean() == pytest.approx(0.5, abs=0.05)


def test_sinc_of_21_pixels_rings():
    """A kernel as it is used has lobes below 0: that is what makes edges ring."""
    assert sinc(21, math.pi / 3).min() < -1e-3


@given(st.floats(0.3, 9), sizes)
def test_products_are_found_and_only_those(sigma, size):
    """An upright Gaussian separates into two lines whose product it is; a turned one does not."""
    kernel = bivariate(size, (sigma, 2 * sigma))
    lines = separated(kernel)
    assert lines is not None
    np.testing.assert_allclose(np.outer(*lines), kernel, atol=1e-12)
    assert separated(bivariate(size, (2.0, 1.0), 0.7)) is None
    assert separated(sinc(size, 2.0)) is None


def test_lines_and_padding():
    """A line of a Gaussian is the Gaussian's; zeros are put evenly around."""
    line = gaussian_line(51, 8)
    assert line.sum() == pytest.approx(1)
    np.testing.assert_allclose(np.outer(line, line), bivariate(51, (8, 8)), rtol=1e-9)
    np.testing.assert_array_equal(padded(np.ones((1, 1)), 3), [[0, 0, 0], [0, 1, 0], [0, 0, 0]])
