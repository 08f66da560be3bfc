"""Option files of Real-ESRGAN and BasicSR."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

import srkit
import srkit_datasets
from srkit_training.basicsr import translate
from srkit_training.problems import ConfigError
from srkit_training.reading import dump, parse

OPTIONS = Path(__file__).parent / "options"


def options(name, **changes):
    """The options of a file, with others at dotted keys, given with __ for dots."""
    said = yaml.safe_load((OPTIONS / f"{name}.yml").read_text("utf-8"))
    for key, value in changes.items():
        inner = said
        *way, last = key.split("__")
        for part in way:
            inner = inner[part]
        inner[last] = value
    return said


@pytest.fixture
def translated(tmp_path):
    """What becomes of options."""

    def translated(said):
        path = tmp_path / "options.yml"
        path.write_text(yaml.safe_dump(said, sort_keys=False))
        return translate(path)

    return translated


def leaves(said, above=""):
    """Dotted keys of all options."""
    for key, value in said.items():
        yield from leaves(value, f"{above}{key}.") if isinstance(value, dict) and value else [f"{above}{key}"]


@pytest.mark.parametrize("name", ["realesrnet", "realesrgan", "paired"])
def test_every_option_is_accounted_for(translated, name):
    """The report has a line for each option, in the order of the file, and what comes out can be kept."""
    config, report = translated(options(name))
    told = [line.partition("=")[0] for line in report]
    for key in leaves(options(name)):
        assert any(key == one or key.startswith(f"{one}.") for one in told), key
    assert all(" → " in line or " ignored: " in line for line in report)
    assert not any("knows no such option" in line for line in report)
    assert told[:3] == ["name", "model_type", "scale"]
    assert parse(dump(config)) == config


def test_first_stage(translated):
    """RealESRNet's figures, where its file has them."""
    config, report = translated(options("realesrnet"))
    assert (config.name, config.trainer.name, config.seed) == ("net-x4", "realesrnet", 0)
    assert config.trainer.options == {"losses": {"l1": {"weight": 1.0}}, "sharpened": {"l1": True}}
    assert (config.network.arch, config.network.options["num_block"]) == ("rrdb", 23)
    assert config.network.weights == "weights/ESRGAN.pth"
    assert config.data.options == {
        "targets": {"path": "datasets/DF2K", "list": "datasets/meta_info.txt"},
        "degradation": "second-order",
        "sharpen": True,
        "crop": 400,
        "gt_size": 256,
        "pool": 180,
        "scale": 4,
        "flip": True,
        "rotate": False,
        "shuffle": True,
    }
    assert srkit_datasets.filled(srkit_datasets.RealESRGANConfig, config.data.options).scale == 4
    assert (config.data.batch_size, config.train.accumulate, config.data.workers) == (48, 4, 5)
    assert (config.train.lr, config.train.ema, config.train.iterations) == (2e-4, 0.999, 1_000_000)
    assert config.train.optimiser.name == "Adam"
    assert config.train.optimiser.options == {"weight_decay": 0, "betas": [0.9, 0.99]}
    assert (config.train.schedule.name, config.train.warmup) == ("constant", 0)
    assert (config.log.tensorboard, config.log.wandb, config.checkpoints.every) == (True, None, 5000)
    assert config.validation is None
    assert any(
        line.startswith("train.scheduler.milestones=[1000000] ignored: none comes before the end") for line in report
    )


def test_second_stage(translated):
    """RealESRGAN's losses, discriminator and which target each sees."""
    said = options("realesrgan")
    said["train"]["optim_d"]["lr"] = 5e-5
    config, _ = translated(said)
    layers = {"conv1_2": 0.1, "conv2_2": 0.1, "conv3_4": 1, "conv4_4": 1, "conv5_4": 1}
    assert config.trainer.name == "realesrgan"
    assert config.trainer.options == {
        "losses": {
            "l1": {"weight": 1.0},
            "perceptual": {"weight": 1.0, "network": "vgg19", "layers": layers, "criterion": "l1"},
        },
        "sharpened": {"l1": True, "perceptual": True, "gan": False},
        "gan": {"kind": "vanilla", "weight": 0.1, "real_label": 1.0, "fake_label": 0.0},
        "discriminator": {
            "arch": "unet-discriminator",
            "options": {"num_in_ch": 3, "num_feat": 64, "skip_connection": True},
            "weights": None,
        },
        "net_d_iters": 1,
        "net_d_init_iters": 0,
    }
    assert config.data.options["sharpen"] is True
    assert config.train.rates == {"discriminator": 5e-5}


def test_pairs(translated):
    """Ready pairs are listed, or matched by their names; both networks have weights."""
    config, report = translated(options("paired"))
    assert config.data.dataset == "realesrgan-paired"
    assert config.data.options["pairs"] == "pairs.txt"
    assert config.data.options["sharpen"] is True
    assert srkit_datasets.filled(srkit_datasets.PairedConfig, config.data.options).gt_size == 256
    assert config.trainer.options["discriminator"]["weights"] == "weights/D.pth"
    assert (config.data.batch_size, config.train.accumulate) == (12, 1)
    assert any(line.startswith("num_gpu='auto' ignored: torchrun") for line in report)
    said = options("paired")
    said["datasets"]["train"].pop("meta_info")
    said["datasets"]["train"] |= {"filename_tmpl": "{}x4", "type": "PairedImageDataset", "meta_info_file": "names.txt"}
    made = translated(said)[0].data.options
    assert (made["lq_name"], made["gt"]) == ("{}x4", {"path": "datasets", "list": "names.txt"})


def test_plain_super_resolution(translated):
    """SRModel with pairs, a cosine with restarts and validation, as BasicSR's own files have it."""
    said = options("paired")
    said |= {"model_type": "SRModel", "network_g": {"type": "SRVGGNetCompact", "num_conv": 16, "upscale": 4}}
    said["path"] = {"pretrain_model_g": None, "strict_load": True}
    said["train"] |= {
        "warmup_iter": 100,
        "scheduler": {
            "type": "CosineAnnealingRestartLR",
            "periods": [250000, 250000],
            "restart_weights": [1, 0.5],
            "eta_min": 1e-7,
        },
    }
    said["datasets"]["val"] = {
        "name": "Set5",
        "type": "PairedImageDataset",
        "dataroot_gt": "Set5/GT",
        "dataroot_lq": "Set5/LQ",
        "io_backend": {"type": "disk"},
    }
    said["val"] = {
        "val_freq": 1e3,
        "save_img": False,
        "metrics": {
            "first": {"type": "calculate_psnr", "crop_border": 4, "test_y_channel": True, "better": "higher"},
            "second": {"type": "calculate_ssim", "crop_border": 4, "test_y_channel": True},
            "third": {"type": "calculate_fid"},
        },
    }
    config, report = translated(said)
    assert (config.trainer.name, config.network.arch, config.network.weights) == ("realesrnet", "srvgg", None)
    assert config.trainer.options["sharpened"] == {"l1": False, "perceptual": False}
    schedule = config.train.schedule
    assert (schedule.name, schedule.periods, schedule.restarts) == ("cosine", (250_000, 250_000), (1, 0.5))
    assert schedule.least == pytest.approx(1e-3)
    assert config.train.warmup == 100
    validation = config.validation
    assert (validation.gt, validation.lq, validation.every, validation.samples) == ("Set5/GT", "Set5/LQ", 1000, 0)
    assert (validation.metrics, validation.best) == (("psnr", "ssim"), "psnr")
    assert (validation.border, validation.channel) == (4, "y")
    assert any(line.startswith("val.metrics.third=") and "ignored" in line for line in report)


def test_other_figures_become_a_recipe(translated):
    """Degradations that are not Real-ESRGAN's are written out, with each figure where it belongs."""
    said = options("realesrnet")
    said |= {"noise_range": [1, 10], "jpeg_range2": [60, 95.0], "gaussian_noise_prob2": 0.9, "resize_prob": [1, 1, 2]}
    said["datasets"]["train"] |= {"kernel_list": ["aniso", "iso"], "kernel_prob": [0.5, 0.5], "final_sinc_prob": 0}
    config, _ = translated(said)
    made = srkit_datasets.filled(srkit_datasets.RealESRGANConfig, config.data.options)
    blur, resize, noise, _, _, _, noise2, end, _ = made.degrade().steps[1:]
    assert blur.choices[0].kinds == {"aniso": 0.5, "iso": 0.5}
    assert (resize.up, resize.down) == (0.25, 0.25)
    assert noise.choices[0].sigma == (1, 10)
    assert noise2.weights == pytest.approx((0.9, 0.1))
    assert end.choices[0].steps[1].p == 0
    assert end.choices[0].steps[2].quality == (60, 95)


def test_targets_that_are_not_sharpened(translated):
    """Without gt_usm nothing is sharpened, neither the target nor what is degraded."""
    said = {**options("realesrnet"), "gt_usm": False}
    config, _ = translated(said)
    assert config.trainer.options["sharpened"] == {"l1": False}
    assert config.data.options["sharpen"] is False
    steps = config.data.options["degradation"]["steps"]
    assert "unsharp-mask" not in steps
    whole = srkit_datasets.load_recipe("second-order").steps
    assert srkit_datasets.build({"chain": steps}).steps == whole[1:]


def test_weights_that_fit_in_part_are_left_out(translated):
    """strict_load off, as ×2 is begun from ×4: the report says that nothing of the file is taken."""
    said = options("realesrnet")
    said["path"]["strict_load_g"] = False
    config, report = translated(said)
    assert config.network.weights is None
    assert any("begins with random weights" in line for line in report)


REFUSED = [
    (options("realesrgan", model_type="ESRGANModel"), "model_type='ESRGANModel'", "no relativistic average GAN"),
    (options("realesrgan", model_type="EDVRModel"), "model_type='EDVRModel'", "expected one of RealESRNetModel"),
    (
        options("realesrgan", network_g__type="EDSR"),
        "network_g.type='EDSR'",
        "no installed plugin has this architecture",
    ),
    (options("realesrgan", network_d__type="VGGStyle"), "network_d.type='VGGStyle'", "no installed plugin"),
    (
        options("realesrgan", datasets__train__type="REDSDataset"),
        "datasets.train.type='REDSDataset'",
        "RealESRGANDataset",
    ),
    (options("realesrgan", datasets__train__mean=[0.5]), "datasets.train.mean=[0.5]", "RGB in [0, 1]"),
    (options("paired", datasets__train__color="y"), "datasets.train.color='y'", "trains on RGB"),
    (
        options("realesrgan", datasets__train__io_backend={"type": "memcached"}),
        "datasets.train.io_backend.type='memcached'",
        "expected disk or lmdb",
    ),
    (options("realesrgan", high_order_degradation=False), "high_order_degradation=False", "name pairs"),
    (
        options("realesrgan", datasets__train__kernel_prob=[1]),
        "datasets.train.kernel_list",
        "a share for each in kernel_prob",
    ),
    (options("realesrgan", train__pixel_opt__type="TVLoss"), "train.pixel_opt.type='TVLoss'", "L1Loss, MSELoss"),
    (options("realesrgan", train__pixel_opt__reduction="sum"), "train.pixel_opt.reduction='sum'", "expected mean"),
    (
        options("realesrgan", train__perceptual_opt__range_norm=True),
        "train.perceptual_opt.range_norm=True",
        "expected False",
    ),
    (
        options("realesrgan", train__perceptual_opt__vgg_type="vgg11"),
        "train.perceptual_opt.vgg_type='vgg11'",
        "vgg19 or vgg16",
    ),
    (
        options("realesrgan", train__gan_opt__type="MultiScaleGANLoss"),
        "train.gan_opt.type='MultiScaleGANLoss'",
        "GANLoss",
    ),
    (options("realesrgan", train__dists_opt={"type": "DISTS"}), "train.dists_opt=", "write the loss yourself"),
    (
        options("realesrgan", train__optim_d__betas=[0, 0.9]),
        "train.optim_d.betas=[0, 0.9]",
        "expected [0.9, 0.99], as in",
    ),
    (
        options("realesrgan", train__scheduler__type="LinearLR"),
        "train.scheduler.type='LinearLR'",
        "expected MultiStepLR",
    ),
    (
        options("realesrgan", train__scheduler__restarts=[0, 9]),
        "train.scheduler.restarts=[0, 9]",
        "CosineAnnealingRestartLR",
    ),
]


@pytest.mark.parametrize(("said", "key", "words"), REFUSED, ids=[key for _, key, _ in REFUSED])
def test_what_cannot_be_followed_is_refused(translated, said, key, words):
    """An option that would train something else is never passed over: the file, the option, its value, the way out."""
    with pytest.raises(ConfigError) as caught:
        translated(said)
    (line,) = str(caught.value).splitlines()
    assert "options.yml: " + key in line
    assert words in line


def test_all_refusals_are_told_at_once(translated):
    """One line for each."""
    said = options("realesrgan", model_type="X", network_g__type="EDSR", train__scheduler__type="Y")
    with pytest.raises(ConfigError) as caught:
        translated(said)
    assert len(caught.value.problems) == 3


def test_unknown_options_are_told(translated):
    """What is no option of the original's is in the report."""
    _, report = translated(options("realesrnet", train__use_magic=3))
    assert "train.use_magic=3 ignored: srkit knows no such option" in report


def test_other_files_are_refused(tmp_path):
    """srkit's own configurations, option files for tests and what is no YAML are told for what they are."""
    path = tmp_path / "a.yml"
    for text, words in (
        ("name: a\ntrain: {iterations: 5}", "is no option file for training"),
        ("- a", "is no option file for training"),
        ("a: [", "cannot be read as an option file"),
    ):
        path.write_text(text)
        with pytest.raises(srkit.SettingsError, match=words):
            translate(path)
    with pytest.raises(srkit.SettingsError, match="cannot be read"):
        translate(tmp_path / "none.yml")
