"""The configurations that come with the package."""

from __future__ import annotations

import pytest

import srkit
import srkit_datasets
from srkit import plugins
from srkit_training.checking import check
from srkit_training.reading import dump, load_config, parse
from srkit_training.recipes import recipe_text, recipes

NAMES = [
    "compact",
    "finetune",
    "finetune-paired",
    "realesrgan-x2",
    "realesrgan-x4",
    "realesrnet-x2",
    "realesrnet-x4",
    "tiny",
    "tiny-gan",
]


def test_each_says_what_it_is_for():
    """The list has all of them, each with a sentence that its file begins with."""
    assert [*recipes()] == NAMES
    for name, summary in recipes().items():
        assert summary[0].isupper()
        assert summary[-1] in ".,:"
        assert recipe_text(name).startswith(f"# {summary}\n")
    with pytest.raises(srkit.UnknownName, match="did you mean 'finetune'"):
        recipe_text("fintune")


@pytest.mark.parametrize("name", NAMES)
def test_each_can_be_read(name):
    """It is called like its file, says nothing of unknown keys, and reads back equal once written."""
    config = load_config(name)
    assert config.name == name
    assert parse(dump(config)) == config
    assert recipe_text(name).count("\n") == sum(len(line) <= 126 for line in recipe_text(name).splitlines())


@pytest.mark.parametrize("name", NAMES)
def test_each_can_run(name, tmp_path, monkeypatch):
    """With the folders that it names, nothing is wrong with it; without, that is what is told."""
    pytest.importorskip("srkit_archs_realesrgan")
    config = load_config(name)
    if config.trainer.name not in plugins.current().trainers:
        pytest.skip(f"no plugin here registers the trainer {config.trainer.name}")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(srkit.SettingsError, match=r"data\.options\..*there is no "):
        check(config)
    for folder in (
        "datasets/DF2K",
        *(f"photos/{use}/{kind}" for use in ("train", "validation") for kind in ("gt", "lq")),
    ):
        (tmp_path / folder).mkdir(parents=True)
    for file in ("datasets/DF2K/meta_info.txt", "runs/tiny/checkpoints/best.pt"):
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).touch()
    check(config)


@pytest.mark.parametrize(
    ("name", "rate", "iterations"), [("realesrnet", 2e-4, 1_000_000), ("realesrgan", 1e-4, 400_000)]
)
@pytest.mark.parametrize("scale", [2, 4])
def test_figures_are_the_originals(name, rate, iterations, scale):
    """The recipes of the paper have its figures: 12 pictures on each of 4 GPUs, rates, lengths, losses and their weights."""
    config = load_config(f"{name}-x{scale}")
    data = srkit_datasets.filled(srkit_datasets.RealESRGANConfig, config.data.options)
    assert (data.crop, data.gt_size, data.pool, data.scale, data.sharpen) == (400, 256, 180, scale, True)
    assert (config.data.batch_size, config.train.accumulate) == (48, 4)
    assert (config.train.lr, config.train.iterations, config.train.ema) == (rate, iterations, 0.999)
    assert config.train.optimiser.options == {"betas": [0.9, 0.99]}
    assert config.network.options == {"num_feat": 64, "num_block": 23, "num_grow_ch": 32, "scale": scale}
    options = config.trainer.options
    assert options["losses"]["l1"] == {"weight": 1.0}
    if name == "realesrgan":
        layers = {"conv1_2": 0.1, "conv2_2": 0.1, "conv3_4": 1.0, "conv4_4": 1.0, "conv5_4": 1.0}
        assert options["losses"]["perceptual"] == {"weight": 1.0, "layers": layers}
        assert options["gan"] == {"kind": "vanilla", "weight": 0.1}
        assert options["sharpened"] == {"l1": True, "perceptual": True, "gan": False}
        assert (options["net_d_iters"], options["net_d_init_iters"]) == (1, 0)
