"""Noise: its moments."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

import srkit
from srkit_datasets import CameraNoise, GaussianNoise, PoissonNoise
from srkit_datasets.degradations.colour import grey, linear_of_srgb
from srkit_datasets.degradations.draws import seeded


def _flat(value, side=300):
    return torch.full((1, 3, side, side), value)


def _correlation(noise):
    """Between the channels, the largest."""
    rows = np.corrcoef(noise[0].flatten(1).double().numpy())
    return np.abs(rows[np.triu_indices(3, 1)]).max()


@pytest.mark.parametrize("sigma", [1, 12, 30])
def test_gaussian_noise_has_its_moments(sigma):
    """Mean 0 and deviation sigma/255, normal in its fourth moment, and independent between channels and neighbours."""
    noise = GaussianNoise(sigma=sigma, grey=0)(_flat(0.5), seeded(0)).double() - 0.5
    count = noise.numel()
    assert abs(float(noise.mean())) < 5 * sigma / 255 / math.sqrt(count)
    assert float(noise.std()) == pytest.approx(sigma / 255, rel=5 / math.sqrt(2 * count))
    assert float((noise**4).mean() / (noise**2).mean() ** 2) == pytest.approx(3, abs=5 * math.sqrt(96 / count))
    assert _correlation(noise) < 5 / math.sqrt(count / 3)
    beside = noise[..., 1:] * noise[..., :-1]
    assert abs(float(beside.mean())) < 5 * (sigma / 255) ** 2 / math.sqrt(count)


@pytest.mark.parametrize("kind", [GaussianNoise, PoissonNoise])
def test_grey_noise_is_the_same_in_all_channels(kind):
    """Grey noise adds the same to each channel; how often it is grey is the option."""
    picture = torch.rand(1, 3, 64, 64, generator=seeded(1)) * 0.4 + 0.3
    noise = kind(grey=1)(picture, seeded(2)) - picture
    clear = ((picture + noise > 0.02) & (picture + noise < 0.98)).all(1)[0]
    spread = (noise.amax(1) - noise.amin(1))[0][clear]
    assert float(spread.max()) < 1e-6
    rng, count = seeded(3), 20_000
    greys = sum(kind().draw(rng)[0][1] for _ in range(count))
    assert abs(greys - 0.4 * count) < 5 * math.sqrt(count * 0.24)


def _ramp():
    """All 256 values, a row each."""
    return (torch.arange(256) / 255).reshape(1, 1, 256, 1).expand(1, 3, 256, 2000).contiguous()


@pytest.mark.parametrize("scale", [0.5, 1.0])
def test_poisson_noise_has_its_line(scale):
    """In a picture of 256 values the variance is value · scale² / 256, a line through 0, and the mean stays."""
    noise = (PoissonNoise(scale=scale, grey=0)(_ramp(), seeded(0)) - _ramp()).double()
    rows = slice(64, 192)  # far from where values are clamped
    values = np.arange(256)[rows] / 255
    variances = noise[0].var((0, 2))[rows].numpy()
    slope, level = np.polyfit(values, variances, 1)
    assert slope == pytest.approx(scale**2 / 256, rel=0.03)
    assert abs(level) < 0.03 * scale**2 / 256
    assert float(noise[0, :, rows].mean()) == pytest.approx(0, abs=5 * scale * math.sqrt(0.5 / 256 / (6000 * 128)))
    assert _correlation(noise[:, :, rows]) < 0.02


@pytest.mark.parametrize(("values", "white"), [(2, 2), (5, 8), (9, 16), (64, 64), (65, 128)])
def test_poisson_noise_counts_the_values_of_the_picture(values, white):
    """White counts as many as there are values, rounded up to a power of two; grey noise counts those of the grey."""
    levels = torch.arange(values).repeat_interleave(2000) % values
    picture = (100 + levels).div(255).reshape(1, 1, -1, 400).expand(1, 3, -1, -1).contiguous()
    for one in (0, 1):
        noise = PoissonNoise(scale=0.1, grey=one)(picture, seeded(0)) - picture
        assert float(noise.var()) == pytest.approx(float(picture.mean()) * 0.01 / white, rel=0.05)
    assert torch.equal(grey(picture[:, :1]), picture[:, :1])


def test_poisson_noise_takes_no_values_for_none():
    """Black stays black: nothing is counted there."""
    black = torch.zeros(1, 3, 20, 20)
    assert torch.equal(PoissonNoise()(black, seeded(0)), black)


def test_camera_noise_grows_with_light():
    """In linear light the variance is shot · light + read², with the read noise that goes with the shot noise."""
    shot = 0.002
    ramp = _ramp()
    light = linear_of_srgb(ramp)
    intercepts = []
    for seed in range(12):
        out = linear_of_srgb(CameraNoise(shot=shot)(ramp, seeded(seed)))
        rows = slice(130, 230)
        variances = (out - light)[0].double().var((0, 2))[rows].numpy()
        slope, read = np.polyfit(light[0, 0, rows, 0].numpy(), variances, 1)
        assert slope == pytest.approx(shot, rel=0.1)
        intercepts.append(read)
    expected = math.exp(2.18 * math.log(shot) + 1.2)
    assert abs(np.mean(intercepts) - expected) < 5e-5
    assert expected < 1e-5 < shot * float(light[0, 0, 130, 0])


def test_noise_starts_where_the_range_does():
    """Strengths fill their range, evenly; the camera's evenly in the logarithm."""
    rng = seeded(0)
    sigmas = np.array([GaussianNoise().draw(rng)[0][0] for _ in range(4000)])
    shots = np.log([CameraNoise().draw(rng)[0][0] for _ in range(4000)])
    for drawn, low, high in ((sigmas, 1, 30), (shots, math.log(1e-4), math.log(1.2e-2))):
        assert low <= drawn.min() <= drawn.max() <= high
        even = np.sort((drawn - low) / (high - low))
        assert np.abs(even - (np.arange(4000) + 0.5) / 4000).max() < 2 / math.sqrt(4000)  # Kolmogorov and Smirnov
    with pytest.raises(srkit.SettingsError, match=r"sigma=\(-1, 5\)"):
        GaussianNoise(sigma=(-1, 5))
