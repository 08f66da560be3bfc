"""Targets, degraded on the fly."""

from __future__ import annotations

import itertools

import pytest
import torch
import yaml
from torch.nn import functional as F

import srkit
import srkit.testing
from srkit_datasets import UnsharpMask, dump, second_order
from srkit_datasets.realesrgan import dataset


@srkit.testing.parametrise(dataset)
def test_conforms(check):
    """It keeps the contract of data sets."""
    check()


def mean(images, rng):
    """The mean of each 4×4 pixels."""
    return F.avg_pool2d(images, 4)


def batches(folder, count=6, *, batch_size=4, **config):
    """Some batches."""
    given = {"targets": str(folder), "degradation": mean, "crop": 32, "gt_size": 16, "pool": 0, **config}
    return list(itertools.islice(dataset.open(given, srkit.Feed(batch_size=batch_size)), count))


@pytest.mark.parametrize("pool", [0, 8])
@pytest.mark.parametrize("rotate", [False, True])
def test_inputs_match_their_targets(folder, pool, rotate):
    """The input is what the degradation made of exactly the target's pixels, rounded to 8 bits, in the pool too."""
    for batch in batches(folder, pool=pool, rotate=rotate):
        assert batch.gt.shape == (4, 3, 16, 16)
        assert batch.lq.shape == (4, 3, 4, 4)
        assert torch.equal(batch.lq * 255, (batch.lq * 255).round())
        assert torch.equal(batch.gt, (batch.gt * 255).round() / 255)
        assert (batch.lq - F.avg_pool2d(batch.gt, 4)).abs().max() <= 0.5 / 255 + 1e-6


def test_values_beyond_the_range_are_cut_off(folder):
    """A degradation may overshoot: the input is clamped."""
    for batch in batches(folder, degradation=lambda images, rng: mean(images, rng) * 20 - 9.5):
        assert batch.lq.min() == 0
        assert batch.lq.max() == 1


def test_without_degradation_the_crops_are_given(folder):
    """The trainer may want to degrade by itself: then there is no input, and the target is the whole crop."""
    for batch in batches(folder, degradation=None, crop=31):
        assert batch.lq is None
        assert batch.gt.shape == (4, 3, 31, 31)


def test_every_square_has_a_place_of_its_own(folder):
    """Squares of a batch are cut in different places, or with same_crop all in one."""

    def where(images, rng):
        grid = torch.arange(64.0).reshape(1, 1, 8, 8) / 255
        return grid.expand(len(images), 3, 8, 8)

    own = [{int(lq[0, 0, 0] * 255) for lq in batch.lq} for batch in batches(folder, degradation=where)]
    assert max(map(len, own)) > 1
    same = [{int(lq[0, 0, 0] * 255) for lq in batch.lq} for batch in batches(folder, degradation=where, same_crop=True)]
    assert {len(places) for places in same} == {1}
    assert len(set.union(*same)) > 1


def test_the_generator_is_the_batchs_own(folder):
    """What the degradation draws differs from batch to batch, and is the same when the batch comes again."""
    drawn = []

    def draw(images, rng):
        assert rng.device.type == "cpu"
        drawn.append(torch.rand(3, generator=rng).tolist())
        return mean(images, rng)

    batches(folder, degradation=draw)
    batches(folder, degradation=draw)
    assert drawn[:6] == drawn[6:]
    assert len({tuple(numbers) for numbers in drawn[:6]}) == 6


def test_degradations_are_named_as_in_recipes(folder, tmp_path):
    """A shipped recipe, its file, what it says, and the degradation itself make the same batches; the scale follows."""
    made = second_order(2)
    (tmp_path / "mine.yaml").write_text(dump(made))
    expected = batches(folder, 2, scale=2, degradation=made)
    said = yaml.safe_load(dump(made))
    for degradation in ("second-order", tmp_path / "mine.yaml", str(tmp_path / "mine.yaml"), said):
        for one, other in zip(batches(folder, 2, scale=2, degradation=degradation), expected, strict=True):
            assert other.lq.shape == (4, 3, 8, 8)
            assert torch.equal(one.lq, other.lq)
    (batch,) = batches(folder, 1, degradation=[{"resize": {"of": "goal", "modes": ["area"]}}])
    assert (batch.lq - F.avg_pool2d(batch.gt, 4)).abs().max() <= 0.5 / 255 + 1e-6


@pytest.mark.parametrize("pool", [0, 8])
@pytest.mark.parametrize("rotate", [False, True])
def test_sharpened_targets_match(folder, pool, rotate):
    """The input is made of exactly the sharpened target, which is the plain one sharpened, rounded to 8 bits."""
    for batch in batches(folder, sharpen=True, pool=pool, rotate=rotate):
        assert torch.equal(batch.gt_usm, (batch.gt_usm * 255).round() / 255)
        assert (batch.lq - F.avg_pool2d(batch.gt_usm, 4)).abs().max() <= 1 / 255 + 1e-6
        assert not torch.equal(batch.gt_usm, batch.gt)
    whole = {"sharpen": True, "gt_size": 32, "pool": pool, "rotate": rotate}
    for batch in batches(folder, **whole):
        sharp = UnsharpMask()(batch.gt, torch.Generator())
        assert torch.equal(batch.gt_usm, (sharp * 255).round() / 255)
    idle = [{"unsharp-mask": {"weight": 0}}, {"resize": {"of": "goal", "modes": ["area"]}}]
    for batch in batches(folder, sharpen=True, degradation=idle, pool=pool, rotate=rotate):
        assert torch.equal(batch.gt_usm, batch.gt)
        assert (batch.lq - F.avg_pool2d(batch.gt, 4)).abs().max() <= 0.5 / 255 + 1e-6


def test_nothing_is_sharpened_twice(folder):
    """With a recipe that begins by sharpening, inputs and targets are the same to the bit whether sharpen is asked for."""
    for degradation in ("second-order", second_order()):
        plain, sharp = (batches(folder, degradation=degradation, pool=8, sharpen=asked) for asked in (False, True))
        for one, other in zip(plain, sharp, strict=True):
            assert torch.equal(one.lq, other.lq)
            assert torch.equal(one.gt, other.gt)
            assert one.gt_usm is None
            assert other.gt_usm is not None
    by_hand = batches(folder, degradation=second_order(sharpen=False), pool=8, sharpen=True)
    assert all(torch.equal(one.lq, other.lq) for one, other in zip(by_hand, sharp, strict=True))


def test_a_degradation_of_another_scale_is_told(folder):
    """What comes out must be scale times smaller; the error has both shapes."""
    with pytest.raises(
        srkit.SettingsError, match=r"made \(4, 3, 16, 16\) of \(4, 3, 32, 32\); with scale=4 it must make"
    ):
        batches(folder, degradation=lambda images, rng: F.avg_pool2d(images, 2))


def test_pool_must_hold_whole_batches(folder):
    """The pool of 180 and a batch of 16 do not go together, which is told before anything is read."""
    with pytest.raises(srkit.SettingsError, match="pool=180 is not a multiple of the batch size 16"):
        batches(folder, batch_size=16, pool=180)


def test_small_pictures_are_continued(folder):
    """Pictures smaller than the crop are taken, continued by reflection."""
    (batch,) = batches(folder, 1, degradation=None, crop=64, flip=False)
    for name, gt in zip(batch.names, batch.gt, strict=True):
        height = 40 + int(name.rpartition("/")[2][:2])
        assert torch.equal(gt[:, height : height + 10], gt[:, height - 11 : height - 1].flip(1))
