"""Configurations filled from mappings."""

from __future__ import annotations

import attrs
import pytest

import srkit
from srkit_datasets import JPEG, PairedConfig, RealESRGANConfig, filled
from srkit_datasets.realesrgan import shrink


def test_the_figures_are_real_esrgans():
    """What is not given is as in Real-ESRGAN's training files."""
    config = filled(RealESRGANConfig, {"targets": "a"})
    assert (config.crop, config.gt_size, config.scale, config.pool) == (400, 256, 4, 180)
    assert config.flip
    assert not config.rotate
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        config.crop = 300


BAD = [
    (RealESRGANConfig, {"targets": "a", "gt_sise": 128}, "unknown key 'gt_sise'; did you mean 'gt_size'"),
    (RealESRGANConfig, {"targets": "a", "zzz": 1}, "unknown key 'zzz'; Keys: targets"),
    (RealESRGANConfig, {}, "the key 'targets' is missing"),
    (
        RealESRGANConfig,
        {"targets": "a", "crop": "400"},
        "crop='400'; expected a whole number of at least 1, such as 400",
    ),
    (RealESRGANConfig, {"targets": "a", "pool": -1}, "pool=-1; expected a whole number of at least 0"),
    (RealESRGANConfig, {"targets": "a", "scale": True}, "scale=True; expected a whole number"),
    (RealESRGANConfig, {"targets": "a", "flip": "yes"}, "flip='yes'; expected true or false"),
    (RealESRGANConfig, {"targets": "a", "degradation": 5}, "degradation=5; expected a function of (images, generator)"),
    (RealESRGANConfig, {"targets": "a", "degradation": JPEG}, "expected a function of (images, generator)"),
    (RealESRGANConfig, {"targets": "a", "degradation": ["jpg"]}, "unknown degradation 'jpg'; did you mean 'jpeg'"),
    (RealESRGANConfig, {"targets": "a", "degradation": {"jpeg": {"quality": 0}}}, "quality=(0, 0); expected two whole"),
    (RealESRGANConfig, {"targets": "a", "degradation": "third-order"}, "unknown recipe 'third-order'; did you mean"),
    (RealESRGANConfig, {"targets": "a", "degradation": "none.yaml"}, "there is no file 'none.yaml'"),
    (
        RealESRGANConfig,
        {"targets": "a", "degradation": {"scale": 2, "steps": ["jpeg"]}},
        "degradation has scale=2, the data set scale=4; give both the same",
    ),
    (RealESRGANConfig, {"targets": "a", "degradation": shrink, "crop": 402}, "crop=402 is not a multiple of scale=4"),
    (RealESRGANConfig, {"targets": "a", "degradation": shrink, "crop": 200}, "gt_size=256 does not fit into crop=200"),
    (RealESRGANConfig, {"targets": "a", "sharpen": True}, "sharpen=True needs a degradation"),
    (RealESRGANConfig, {"targets": "a", "sharpen": 1}, "sharpen=1; expected true or false"),
    (PairedConfig, {"gt": "a"}, "the key 'lq' is missing"),
    (PairedConfig, {"gt": "a", "lq": "b", "gt_size": 30}, "gt_size=30 is not a multiple of scale=4"),
    (PairedConfig, {"gt": "a", "lq": "b", "lq_name": "x4"}, "lq_name='x4' must hold {} once"),
    (PairedConfig, {"gt": "a", "lq": "b", "lq_name": "{}x4", "pairs": "p"}, "give one"),
]


@pytest.mark.parametrize(("record", "given", "words"), BAD)
def test_what_means_nothing_is_refused(record, given, words):
    """A configuration that means nothing is a SettingsError, or UnknownName in a recipe, that names the key."""
    with pytest.raises((srkit.SettingsError, srkit.UnknownName)) as caught:
        filled(record, given)
    assert words in str(caught.value)
    if "degradation" in given and "crop" not in given:
        assert caught.value.__notes__[-1] == "in the key 'degradation'"
