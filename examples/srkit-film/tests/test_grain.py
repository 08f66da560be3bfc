"""Film grain: srkit's contract, and what grain looks like."""

from __future__ import annotations

import pytest
import torch
from srkit_film.grain import FilmGrain

import srkit
from srkit.testing import parametrise


@parametrise(FilmGrain())
def test_conforms(check):
    """Each of srkit's contracts for degradations holds."""
    check()


def test_grain_is_as_strong_as_asked_and_fades_in_dark_and_light():
    """In the middle tones its deviation is the strength; in black and white there is none."""
    grain = FilmGrain(strength=(0.05, 0.05), size=(1, 1))
    tones = torch.tensor([0.0, 0.5, 1.0]).view(3, 1, 1, 1).expand(3, 3, 256, 256)
    made = grain(tones, torch.Generator().manual_seed(0))
    assert made.std((1, 2, 3)).tolist() == pytest.approx([0, 0.05, 0], rel=0.05)
    assert torch.equal(made[1, 0], made[1, 2])


def test_larger_grains_are_smoother():
    """Neighbouring pixels differ less where grains are large."""
    rough, smooth = (
        FilmGrain(strength=(0.1, 0.1), size=(size, size))(
            torch.full((1, 3, 128, 128), 0.5), torch.Generator().manual_seed(0)
        )
        for size in (0.5, 2)
    )
    assert smooth.diff(dim=-1).std() < rough.diff(dim=-1).std() / 2


@pytest.mark.parametrize("wrong", [{"strength": (0.5, 0.1)}, {"strength": 0}, {"size": (1, 9)}])
def test_wrong_ranges_are_told(wrong):
    """A range that makes no sense is refused with its name and value."""
    with pytest.raises(srkit.SettingsError, match=next(iter(wrong))):
        FilmGrain(**wrong)


def test_recipes_know_it_by_name():
    """Once installed, a recipe can name it."""
    from pathlib import Path

    from srkit_datasets import load_recipe

    recipe = load_recipe(Path(__file__).parents[1] / "film.yaml")
    made = recipe(torch.rand(2, 3, 32, 32), torch.Generator().manual_seed(0))
    assert made.shape == (2, 3, 16, 16)
