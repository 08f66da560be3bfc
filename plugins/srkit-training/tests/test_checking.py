"""What is told before anything is built: one line for each key that is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

import srkit
import srkit_datasets
from srkit_training.checking import check
from srkit_training.problems import ConfigError
from srkit_training.reading import load_config

FILE = "my-run.yml"


def wrong(overrides, processes=1):
    """The lines that are told of my-run.yml with these overrides."""
    with pytest.raises(ConfigError) as caught:
        check(load_config(FILE, overrides), file=FILE, processes=processes)
    assert isinstance(caught.value, srkit.SettingsError)
    return str(caught.value).splitlines()


WRONG = [
    # What a record alone can tell.
    ("name=a/b", "name='a/b'", "expected the name of a folder, such as my-run"),
    ("seed=-1", "seed=-1", "expected a whole number of at least 0"),
    ("train.iterations=0", "train.iterations=0", "expected a whole number of at least 1, such as 400000"),
    ("train.iterations=many", "train.iterations='many'", "expected a whole number"),
    ("train.lr=-1e-4", "train.lr=-0.0001", "expected a number above 0, such as 1e-4"),
    ("train.lr=.inf", "train.lr=inf", "expected a number above 0"),
    ("train.rates={discriminator: 0}", "train.rates={'discriminator': 0}", "such as {discriminator: 1e-4}"),
    ("train.warmup=1000", "train.warmup=1000", "expected a number below iterations=1000"),
    ("train.ema=1", "train.ema=1", "expected a number of at least 0 and below 1, such as 0.999"),
    ("train.clip=0", "train.clip=0", "expected a number above 0, such as 1.0, or null"),
    ("train.precision=float61", "train.precision='float61'", "did you mean 'float16'"),
    ("train.accumulate=0", "train.accumulate=0", "expected a whole number of at least 1"),
    ("train.compile=1", "train.compile=1", "expected true or false"),
    ("train.schedule.name=cosin", "train.schedule.name='cosin'", "did you mean 'cosine'"),
    ("train.schedule.name=cosine", "train.schedule.periods=()", "cosine needs some"),
    (
        "train.schedule={periods: [9], restarts: [1, 1]}",
        "train.schedule.restarts=(1, 1)",
        "one for each of the 1 periods",
    ),
    ("train.schedule.name=multistep", "train.schedule.milestones=()", "multistep needs some, such as"),
    (
        "train.schedule={name: multistep, milestones: [9, 9]}",
        "train.schedule.milestones=(9, 9)",
        "expected iterations that grow",
    ),
    (
        "train.schedule={name: multistep, milestones: [9, 1000]}",
        "train.schedule.milestones=(9, 1000)",
        "expected iterations below iterations=1000; leave those out that come later",
    ),
    ("train.schedule.milestones=[a]", "train.schedule.milestones=['a']", "a list of whole numbers of at least 1"),
    ("train.schedule.least=2", "train.schedule.least=2", "expected a number within [0, 1]"),
    ("data.batch_size=12.5", "data.batch_size=12.5", "expected a whole number of at least 1, such as 12"),
    ("data.workers=-1", "data.workers=-1", "expected a whole number of at least 0"),
    ("data.options=photos", "data.options='photos'", "expected a mapping of names to values"),
    ("network.options=[1]", "network.options=[1]", "expected a mapping of names to values"),
    ("validation.every=0", "validation.every=0", "expected a whole number of at least 1, such as 5000"),
    (
        "validation.metrics=psnr",
        "validation.metrics='psnr'",
        "expected a list of names, each once, such as [psnr, ssim]",
    ),
    ("validation.channel=g", "validation.channel='g'", "Known: rgb, y"),
    ("validation.lq_name=x4", "validation.lq_name='x4'", "as in '{}x4'"),
    ("validation.lq_name='{}x4'", "validation.lq_name='{}x4'", "there is no lq whose pictures it could name"),
    ("validation.stop.patience=0", "validation.stop.patience=0", "expected a whole number of at least 1, such as 10"),
    ("checkpoints.every=-5", "checkpoints.every=-5", "expected a whole number of at least 1"),
    ("log.wandb=5", "log.wandb=5", "expected the name of a project, or null"),
    # What takes the plugins.
    ("trainer.name=plane", "trainer.name='plane'", "unknown trainer 'plane'; did you mean 'plain'"),
    ("trainer.options.loses={}", "trainer.options.loses={}", "did you mean 'losses'"),
    ("trainer.options.losses.l1.weight=-1", "trainer.options.losses.l1.weight=-1", "expected a number of at least 0"),
    ("trainer.options.losses={l2: {}}", "trainer.options.losses.l2={}", "unknown loss 'l2'; did you mean 'l1'"),
    ("network.arch=srvg", "network.arch='srvg'", "unknown architecture 'srvg'; did you mean 'srvgg'"),
    (
        "network.options={num_in_ch: 1}",
        "network.options={'num_in_ch': 1}",
        "a network of 1 channels in and 3 out; pictures have 3",
    ),
    (
        "network.options={num_feat: 0}",
        "network.options={'num_feat': 0}",
        "layers without channels; expected counts above 0",
    ),
    ("network.options={num_feats: 8}", "network.options={'num_feats': 8}", "unexpected keyword argument 'num_feats'"),
    (
        "network.options={act_type: elu}",
        "network.options={'act_type': 'elu'}",
        "act_type='elu' is unknown; choose from",
    ),
    (
        "network.weights=none.pth",
        "network.weights='none.pth'",
        "there is no such file; expected a file, the name of a model",
    ),
    ("network.weights=realesr-anime", "network.weights='realesr-anime'", "did you mean 'realesr-animevideov3'"),
    ("network.weights=https://a.b/c.pth", "network.weights='https://a.b/c.pth'", "expected URL#sha256=HEX"),
    (
        "network.weights=RealESRGAN_x4plus",
        "network.weights='RealESRGAN_x4plus'",
        "are weights of rrdb, not of srvgg; set network.arch=rrdb",
    ),
    (
        "trainer.options.discriminator={arch: unet-discriminator, weights: D.pth}",
        "trainer.options.discriminator.weights='D.pth'",
        "there is no such file",
    ),
    ("data.dataset=realesrgen", "data.dataset='realesrgen'", "did you mean 'realesrgan'"),
    ("data.options.gt_sise=32", "data.options.gt_sise=32", "did you mean 'gt_size'"),
    ("data.options.gt_size=30", "data.options.gt_size=30", "is not a multiple of scale=4"),
    ("data.options.gt_size=128", "data.options.gt_size=128", "does not fit into crop=64"),
    ("data.options.crop=big", "data.options.crop='big'", "expected a whole number of at least 1, such as 400"),
    (
        "data.options.targets=photoz",
        "data.options.targets='photoz'",
        "there is no photoz; expected a folder of pictures",
    ),
    (
        "data.options.targets={path: photos, list: l.txt}",
        "data.options.targets={'path': 'photos', 'list': 'l.txt'}",
        "there is no list l.txt",
    ),
    (
        "data.options.degradation=third-order",
        "data.options.degradation='third-order'",
        "unknown recipe 'third-order'; did you mean 'second-order'",
    ),
    ("data.options.degradation=[jpg]", "data.options.degradation=['jpg']", "did you mean 'jpeg'"),
    ("data.options.scale=2", "data.options.scale=2", "the network srvgg enlarges by 4; set data.options.scale=4"),
    ("data.options.pool=20", "data.options.pool=20", "is not a multiple of the 12 pictures that are read at a time"),
    (
        "train.accumulate=5",
        "data.batch_size=12",
        "1 processes and 5 accumulated parts; expected a multiple of 5, such as 10",
    ),
    ("train.optimiser.name=adan", "train.optimiser.name='adan'", "unknown optimiser 'adan'; did you mean 'adam'"),
    ("train.optimiser.name=lbfgs", "train.optimiser.name='lbfgs'", "unknown optimiser 'lbfgs'"),
    ("train.optimiser.options.beta=1", "train.optimiser.options.beta=1", "did you mean 'betas'"),
    ("train.optimiser.options.lr=1", "train.optimiser.options.lr=1", "it is set by train.lr"),
    ("train.optimiser.options.betas=[2, 0.9]", "train.optimiser.options={'betas': [2, 0.9]}", "Invalid beta parameter"),
    ("validation.gt=valid", "validation.gt='valid'", "there is no valid; expected a folder of pictures"),
    ("validation.gt=null", "validation.gt=None", "names no pictures; give a path"),
    ("validation.lq=small", "validation.lq='small'", "there is no small; expected a folder"),
    ("validation.crop=30", "validation.crop=30", "expected a multiple of the network's scale 4, such as 28"),
    ("validation.degradation=second", "validation.degradation='second'", "did you mean 'second-order'"),
    ("validation.metrics=[psnr, sim]", "validation.metrics='sim'", "unknown metric 'sim'; did you mean 'ssim'"),
    ("validation.best=lpips", "validation.best='lpips'", "expected one of validation.metrics, psnr, ssim"),
    ("validation.stop.metric=niqe", "validation.stop.metric='niqe'", "expected one of validation.metrics, psnr, ssim"),
]


@pytest.mark.parametrize(("override", "key", "words"), WRONG, ids=[override for override, _, _ in WRONG])
def test_what_is_wrong_is_one_line_with_file_key_value_and_way_out(here, override, key, words):
    """FILE: KEY=VALUE: what is wrong and what was expected."""
    lines = wrong([override])
    assert len(lines) == 1, lines
    (line,) = lines
    assert line.startswith(f"{FILE}: {key}"), line
    assert words in line
    assert line.count(f"{FILE}: ") == 1


def test_what_is_right_is_silent(here):
    """A configuration that can run passes, also as what many processes share, or on a URL with its digest."""
    check(load_config(FILE))
    check(load_config(FILE, ["train.accumulate=2"]), processes=3)
    for weights in (f"https://a.b/c.pth#sha256={'0' * 64}", "realesr-general-x4v3", FILE):
        check(load_config(FILE, [f"network.weights={weights}"]))
    for name in ("SGD", "adamw", "NAdam"):
        check(load_config(FILE, [f"train.optimiser={{name: {name}, options: {{}}}}"]))
    check(load_config(FILE, ["validation=null"]))


def test_sharpened_targets_must_be_given(here):
    """A loss that wants the sharpened target needs a data set that gives it."""
    (line,) = wrong(["trainer.options.sharpened={l1: true}", "data.options.sharpen=false"])
    assert line.startswith(f"{FILE}: trainer.options.sharpened={{'l1': True}}: the data set gives no sharpened targets")
    check(load_config(FILE, ["trainer.options.sharpened={l1: true}"]))
    check(load_config(FILE, ["trainer.options.sharpened={l1: false}", "data.options.sharpen=false"]))


def test_inputs_come_from_one_place(here):
    """Validation reads its inputs or makes them, not both."""
    (line,) = wrong(["validation.lq=photos", "validation.degradation=second-order"])
    assert "validation.degradation='second-order': the inputs are read from lq; give one of lq and degradation" in line


def test_processes_share_batches(here):
    """A batch is divided by processes and accumulated parts together, and so is what the pool must be a multiple of."""
    (line,) = wrong([], processes=5)
    assert (
        "data.batch_size=12: cannot be shared among 5 processes and 1 accumulated parts; expected a multiple of 5"
        in line
    )
    (line,) = wrong(["data.options.pool=30"], processes=3)
    assert (
        "data.options.pool=30: is not a multiple of the 4 pictures that are read at a time; expected such as 28" in line
    )
    check(load_config(FILE, ["data.options.pool=28"]), processes=3)


def test_all_that_is_wrong_is_told(here):
    """Problems of different parts come together, each in its line."""
    lines = wrong(["trainer.name=plane", "data.options.pool=20", "train.optimiser.name=adan", "validation.best=niqe"])
    keys = [line.split(": ")[1].partition("=")[0] for line in lines]
    assert keys == ["trainer.name", "data.options.pool", "train.optimiser.name", "validation.best"]


def test_paths_of_pairs_are_looked_for(here):
    """The data set of pairs tells which of its folders is not there, and of a missing list of pairs."""
    pairs = "data={dataset: realesrgan-paired, options: {gt: photos, lq: small, gt_size: 32}}"
    (line,) = wrong([pairs])
    assert "data.options.lq='small': there is no small" in line
    (line,) = wrong([pairs, "data.options.lq=photos", "data.options.pairs=p.txt"])
    assert "data.options.pairs='p.txt': there is no such file" in line
    check(load_config(FILE, [pairs, "data.options.lq=photos"]))


def test_nothing_is_built_or_read(here, monkeypatch):
    """Checking opens no picture and no weights, and builds a network of shapes alone; what is named is looked for."""

    def refuse(*args, **kwargs):
        raise AssertionError("it was built or read")

    architecture = pytest.importorskip("srkit_archs_realesrgan.srvgg").architecture
    build, built = type(architecture).build, []

    def noted(self, **config):
        built.append(build(self, **config))
        return built[-1]

    monkeypatch.setattr(type(architecture), "build", noted)
    monkeypatch.setattr(torch, "load", refuse)
    monkeypatch.setattr(srkit_datasets.pictures, "open_pictures", refuse)
    monkeypatch.setattr(Path, "read_bytes", refuse)
    check(load_config(FILE, [f"network.weights={FILE}"]))
    assert all(parameter.is_meta for network in built for parameter in network.parameters())


def test_a_data_set_that_cannot_tell_beforehand_is_left_alone(here, install):
    """Of other plugins' data sets nothing more is asked than what srkit.Dataset has."""
    install(
        "acme-data",
        "import srkit\n"
        "class Data:\n"
        "    name = 'acme'\n"
        "    def open(self, config, feed): raise AssertionError\n"
        "    def sample(self, folder, *, bad=0): raise AssertionError\n"
        "data = Data()\n"
        "@srkit.hookimpl\n"
        "def srkit_register_datasets(register):\n"
        "    register(srkit.DatasetSpec(name='acme', target=f'{__name__}:data', summary='Nothing.'))\n",
        entry_point="acme",
    )
    check(load_config(FILE, ["data.dataset=acme"]))


def test_what_is_logged_to_has_to_be_installed(here, monkeypatch):
    """Weights & Biases, and TensorBoard if it is insisted on, are missed before anything begins."""
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    for override, line in (
        ("log.wandb=mine", "log.wandb='mine': wandb is not installed; pip install wandb"),
        ("log.tensorboard=true", "log.tensorboard=True: tensorboard is not installed; pip install 'srkit-training"),
    ):
        with pytest.raises(srkit.SettingsError) as caught:
            check(load_config(FILE, [override]), file=FILE)
        assert line in str(caught.value)
