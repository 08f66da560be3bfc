"""Held-out pictures."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional as F

import srkit
import srkit_io
from srkit_training.bicubic import bicubic, to_8_bit
from srkit_training.config import ValidationConfig
from srkit_training.heldout import HeldOutPictures


def noise(height, width, seed=0):
    """(H, W, 3) uint8."""
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


@pytest.fixture
def folder(tmp_path):
    """Four pictures of different sizes, one of them in a sub-folder, with the name of another."""
    for number, name in enumerate(("a", "b", "c", "sub/a")):
        path = tmp_path / "gt" / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        srkit_io.write(path, noise(41 + number, 50 - number, number))
    return tmp_path / "gt"


def held_out(gt, check=lambda size: None, scale=4, **config):
    """The pictures, and their (input, target) by name."""
    pictures = HeldOutPictures(ValidationConfig(gt=str(gt), **config), scale, check)
    return pictures, {held.name: (held.lq, pictures.target(held)) for held in pictures}


def noisy(images, rng):
    """A degradation with much chance in it."""
    small = F.avg_pool2d(images, 4)
    return (small + torch.randn(small.shape, generator=rng) / 4).clamp(0, 1)


def test_inputs_are_bicubic_unless_told(folder):
    """Targets lose what is beyond whole input pixels; inputs are their antialiased bicubic downscaling, rounded."""
    pictures, found = held_out(folder)
    assert len(pictures) == 4
    assert list(found) == ["a", "b", "c", "a-2"]
    for number, (lq, gt) in enumerate(found.values()):
        assert gt.dtype == lq.dtype == np.uint8
        np.testing.assert_array_equal(gt, noise(41 + number, 50 - number, number)[: len(lq) * 4, : lq.shape[1] * 4])
        np.testing.assert_array_equal(lq, to_8_bit(bicubic(gt, lq.shape[:2])))
        assert gt.shape == (len(lq) * 4, lq.shape[1] * 4, 3)


def test_degraded_inputs_are_the_same_each_time(folder):
    """What is drawn for a picture follows from its name: not from the time, the others, or the global generator."""
    _, found = held_out(folder, degradation=noisy)
    torch.manual_seed(7)
    before = torch.get_rng_state()
    _, again = held_out(folder, degradation=noisy)
    assert torch.equal(before, torch.get_rng_state())
    (folder / "a.png").unlink()
    _, fewer = held_out(folder, degradation=noisy)
    for name, (lq, _) in found.items():
        np.testing.assert_array_equal(lq, again[name][0])
    np.testing.assert_array_equal(found["c"][0], fewer["c"][0])
    # With drawn noise, no two pictures have the same.
    assert abs(np.float64(found["b"][0][:10, :10]) - np.float64(found["c"][0][:10, :10])).max() > 20


def test_recipes_are_known_as_to_data_sets(folder):
    """A degradation may be a shipped recipe's name, or what a recipe says, at the network's scale."""
    _, found = held_out(folder, degradation=["blur", {"resize": {"of": "goal"}}], scale=2)
    _, shipped = held_out(folder, degradation="second-order", scale=2)
    for lq, gt in [*found.values(), *shipped.values()]:
        assert gt.shape == (len(lq) * 2, lq.shape[1] * 2, 3)
    with pytest.raises(srkit.UnknownName, match="second-order"):
        held_out(folder, degradation="second-ordre")
    with pytest.raises(srkit.SettingsError, match=r"made \(1, 3, 10, 12\) of \(1, 3, 40, 50\); with scale=2"):
        held_out(folder, degradation=noisy, scale=2)


def test_crops_are_the_middle(folder, tmp_path):
    """Of targets and of inputs that are there, the same middle is cut; a picture that is smaller is taken whole."""
    _, whole = held_out(folder)
    for name in whole:
        path = tmp_path / "lq" / ("sub/a.png" if name == "a-2" else f"{name}.png")
        path.parent.mkdir(parents=True, exist_ok=True)
        srkit_io.write(path, whole[name][0])
    _, cut = held_out(folder, crop=24, lq=str(tmp_path / "lq"))
    for name, (lq, gt) in cut.items():
        assert lq.shape == (6, 6, 3)
        top, left = ((side - 6) // 2 for side in whole[name][0].shape[:2])
        np.testing.assert_array_equal(lq, whole[name][0][top : top + 6, left : left + 6])
        np.testing.assert_array_equal(gt, whole[name][1][top * 4 : top * 4 + 24, left * 4 : left * 4 + 24])
    _, made = held_out(folder, crop=24)
    for name, (lq, gt) in made.items():
        np.testing.assert_array_equal(gt, cut[name][1])
        np.testing.assert_array_equal(lq, to_8_bit(bicubic(gt, (6, 6))))
    _, large = held_out(folder, crop=44)
    assert large["a"][1].shape == (40, 44, 3)
    with pytest.raises(srkit.SettingsError, match=r"crop=42 .* a multiple of scale=4"):
        held_out(folder, crop=42)


def test_pairs_that_do_not_match_are_left_out(folder, tmp_path):
    """Sizes that do not match are told with both; a target may have a rest below and to the right."""
    _, whole = held_out(folder)
    for name in ("a", "b", "c"):
        lq = whole[name][0]
        srkit_io.write(tmp_path / f"{name}x4.png", lq[1:] if name == "b" else lq)
    (folder / "sub" / "a.png").unlink()
    pictures, found = held_out(folder, lq={"path": str(tmp_path), "pattern": "*x4.png"}, lq_name="{}x4")
    assert list(found) == ["a", "c"]
    ((name, reason),) = pictures.bad.items()
    assert name == str(folder / "b.png")
    assert reason == f"has 49×42 pixels, which is not 4 times the 12×9 of {tmp_path / 'bx4.png'}"


def test_bad_pictures_are_left_out(folder):
    """Files that cannot be decoded, or are refused by their size, are told with the reason; the others stay."""
    path = folder / "b.png"
    path.write_bytes(path.read_bytes()[:-100])

    def check(size):
        return "is too low" if size[0] < 44 else None

    pictures, found = held_out(folder, check)
    assert list(found) == ["a-2"]
    assert pictures.bad[str(folder / "a.png")] == "is too low"
    assert "damaged" in pictures.bad[str(path)]
    with pytest.raises(srkit.DatasetError, match=r"none of the 4 pictures for validation .*a\.png: is nothing"):
        held_out(folder, lambda size: "is nothing")


def test_what_means_nothing(folder):
    """Two ways to say what inputs are, or a name without a place for the target's, are refused."""
    with pytest.raises(srkit.SettingsError, match="give one of lq and degradation"):
        held_out(folder, lq=str(folder), degradation="second-order")
    with pytest.raises(srkit.SettingsError, match="lq_name='x4': expected {} in it once"):
        held_out(folder, lq=str(folder), lq_name="x4")
    with pytest.raises(srkit.DatasetError, match="there is no"):
        held_out(folder / "nowhere")
