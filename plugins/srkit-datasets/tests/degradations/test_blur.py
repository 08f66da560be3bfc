"""What blur draws."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
import pytest

import srkit
from srkit_datasets import Blur, Sinc
from srkit_datasets.degradations.draws import seeded
from srkit_datasets.degradations.kernels import bivariate


def test_kinds_come_as_often_as_their_weights():
    """Over 20,000 draws each kind is as often as its weight says, within five standard deviations."""
    rng, blur, count = seeded(0), Blur(size=3), 20_000
    seen = Counter(blur.draw(rng)[1].split()[1] for _ in range(count))
    assert set(seen) == set(blur.kinds)
    for kind, weight in blur.kinds.items():
        assert abs(seen[kind] - count * weight) < 5 * math.sqrt(count * weight * (1 - weight)), kind


def test_sizes_are_the_odd_ones_equally_often():
    """The sizes from 7 to 21 are odd, and each as often as another, for both kinds of kernels."""
    for degradation in (Blur(), Sinc()):
        rng = seeded(1)
        seen = Counter(len(degradation.draw(rng)[0]) for _ in range(4000))
        assert set(seen) == set(range(7, 22, 2))
        assert all(abs(times - 500) < 5 * math.sqrt(4000 / 8 * 7 / 8) for times in seen.values())


def test_angles_and_widths_fill_their_ranges():
    """Anisotropic kernels look into every direction, with both widths from the range."""
    rng, blur = seeded(2), Blur(kinds={"aniso": 1}, size=21, sigma=(1, 3))
    axis = np.arange(21) - 10
    angles = []
    for _ in range(2000):
        kernel = blur.draw(rng)[0]
        xx, yy = (kernel.sum(0) * axis**2).sum(), (kernel.sum(1) * axis**2).sum()
        xy = (kernel * axis[:, None] * axis[None, :]).sum()
        assert 0.9 < xx < 9.1
        angles.append(math.atan2(2 * xy, xx - yy) / 2)
    # Doubled angles are even all around: their mean direction vanishes.
    assert abs(np.exp(2j * np.array(angles)).mean()) < 5 / math.sqrt(2000)


@pytest.mark.parametrize(("kind", "half"), [("generalised-iso", 0.5), ("plateau-iso", 0.5)])
def test_beta_is_below_one_half_of_the_time(kind, half):
    """Half of the betas are at most 1, half at least; a range from 1 on gives 1 for the first half."""
    rng, blur, count = seeded(3), Blur(kinds={kind: 1}, size=7, sigma=2), 2000
    one = bivariate(7, (2, 2), shape=kind.split("-")[0], beta=1)[3, 3]
    middles = np.array([blur.draw(rng)[0][3, 3] for _ in range(count)])
    exactly = np.isclose(middles, one, atol=1e-12).mean()
    peaked = (middles > one + 1e-12).mean()  # a beta below 1 has a higher middle
    below = exactly if kind.startswith("plateau") else peaked
    assert abs(below - half) < 5 * math.sqrt(0.25 / count)


def test_cutoffs_depend_on_the_size():
    """Kernels of 13 pixels and more may have lower cutoffs."""
    sinc = Sinc(cutoff=(0.9, 1), cutoff_large=(0.2, 0.3))
    rng = seeded(4)
    for _ in range(200):
        kernel, words = sinc.draw(rng)
        assert words in ({f"sinc {c / 100:.2f}π" for c in (range(90, 101) if len(kernel) < 13 else range(20, 31))})


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"size": (7, 20)}, r"size=\(7, 20\); expected two odd numbers"),
        ({"sigma": (3, 0.2)}, r"sigma=\(3, 0\.2\); expected two numbers"),
        ({"sigma": "wide"}, "sigma='wide'"),
        ({"kinds": {"iso": -1}}, r"kinds=\(-1,\); expected weights"),
        ({"kinds": {"isotropic": 1}}, "did you mean 'iso'"),
        ({"kinds": ["iso"]}, "expected a mapping of kinds to weights"),
        ({"beta_plateau": (0, 2)}, "beta_plateau"),
    ],
)
def test_nonsense_is_refused(options, words):
    """Values that do not fit are told, with what was expected."""
    with pytest.raises((srkit.SettingsError, srkit.UnknownName), match=words):
        Blur(**options)
