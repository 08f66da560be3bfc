"""Configurations from YAML, with overrides, and back."""

from __future__ import annotations

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

import srkit
from srkit_training import yaml12
from srkit_training.config import (
    Config,
    DataConfig,
    NetworkConfig,
    ScheduleConfig,
    StopConfig,
    TrainConfig,
    TrainerConfig,
    ValidationConfig,
)
from srkit_training.problems import ConfigError
from srkit_training.reading import dump, load_config, overridden, parse

LEAST = """
name: least
trainer: {name: realesrnet}
network: {arch: srvgg}
data: {dataset: realesrgan}
train: {iterations: 10}
"""


def test_what_is_left_out_has_defaults():
    """The least file is Real-ESRGAN's figures where it says nothing."""
    config = parse(LEAST)
    assert config.train.lr == 1e-4
    assert config.train.optimiser.name == "adam"
    assert config.train.optimiser.options == {"betas": [0.9, 0.99]}
    assert config.data.batch_size == 12
    assert config.validation is None


@pytest.mark.parametrize("number", ["1e-4", "1E-4", "1.e-4", "0.0001", ".1e-3", "+1e-4", "10e-5"])
def test_exponents_are_numbers(number):
    """What people write for a number is one, in files and in overrides; in quotes it is text."""
    assert parse(LEAST.replace("iterations: 10", f"iterations: 10, lr: {number}")).train.lr == pytest.approx(1e-4)
    assert parse(LEAST, [f"train.lr={number}"]).train.lr == pytest.approx(1e-4)
    with pytest.raises(ConfigError, match="train.lr='1e-4': expected a number"):
        parse(LEAST, ["train.lr='1e-4'"])


def test_counts_may_have_exponents():
    """4e5 is a whole number where one is wanted; 4.5 is not."""
    config = parse(LEAST, ["train.iterations=4e5", "train.schedule={name: multistep, milestones: [1e3, 2e3]}"])
    assert config.train.iterations == 400_000
    assert isinstance(config.train.iterations, int)
    assert config.train.schedule.milestones == (1000, 2000)
    with pytest.raises(ConfigError, match="expected a whole number"):
        parse(LEAST, ["train.iterations=4.5"])


def test_overrides_reach_everything():
    """Records, options at any depth, lists; the last of two wins; an absent record is made."""
    config = parse(
        LEAST,
        [
            "data.options.gt_size=128",
            "trainer.options.losses.l1.weight=0.5",
            "train.schedule.name=multistep",
            "train.schedule.milestones=[3, 6]",
            "validation.gt=photos",
            "validation.stop.patience=3",
            "seed=1",
            "seed=2",
            "name=a=b",
        ],
    )
    assert config.data.options == {"gt_size": 128}
    assert config.trainer.options == {"losses": {"l1": {"weight": 0.5}}}
    assert config.train.schedule == ScheduleConfig(name="multistep", milestones=(3, 6))
    assert config.validation == ValidationConfig(gt="photos", stop=StopConfig(patience=3))
    assert (config.seed, config.name) == (2, "a=b")
    assert parse(LEAST, ["validation.gt=photos", "validation=null"]).validation is None


def test_overrides_leave_what_they_were_given():
    """Overriding a configuration makes another, checked as a file is."""
    config = parse(LEAST)
    other = overridden(config, ["train.lr=0.5"])
    assert other == attrs.evolve(config, train=TrainConfig(iterations=10, lr=0.5))
    assert config.train.lr == 1e-4
    assert overridden(config, []) is config
    with pytest.raises(ConfigError, match=r"^here: train.lr=0: expected a number above 0"):
        overridden(config, ["train.lr=0"], file="here")


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("train.lr", "'train.lr' overrides nothing; expected KEY=VALUE, such as train.lr=1e-4"),
        ("=1", "expected KEY=VALUE"),
        ("train..lr=1", "expected KEY=VALUE"),
        ("train.lr=[1", "the value is no YAML: line 1"),
        ("name.x=1", "name='least' has no keys; set it as a whole, as in name=VALUE"),
        ("train.lrr=1", "train.lrr=1: there is no key 'lrr' here; did you mean 'lr'"),
        ("trian.lr=1", "did you mean 'train'"),
        ("train.schedule.gama=1", "train.schedule.gama=1: there is no key 'gama' here; did you mean 'gamma'"),
    ],
)
def test_overrides_that_mean_nothing_are_refused(override, words):
    """An override without a value, or of a key that no record has, is never passed over."""
    with pytest.raises(srkit.SettingsError) as caught:
        parse(LEAST, [override])
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("- 1\n- 2", "is no configuration; expected 'name: my-run'"),
        ("", "None is no configuration"),
        ("name: [", "run.yml: line 1, column 8: "),
        ("a: 1\nb: 2\na: 3", "line 3, column 1: the key 'a' is there twice"),
        ("name: a\ttab: 1\n b", "run.yml: line"),
    ],
)
def test_what_is_no_yaml_is_told_with_its_line(text, words):
    """Files that are no YAML, or no mapping, are refused with the place."""
    with pytest.raises(srkit.SettingsError) as caught:
        parse(text, file="run.yml")
    assert words in str(caught.value)
    assert str(caught.value).startswith("run.yml: ")


def test_what_is_no_file(tmp_path):
    """A file that is not there, a folder, another encoding and an unknown recipe are each told for what they are."""
    for path, words in ((tmp_path / "none.yml", "is not there; give a YAML file, or one of"), (tmp_path, "is no file")):
        with pytest.raises(srkit.SettingsError, match=words):
            load_config(path)
    (tmp_path / "latin.yml").write_bytes("name: Übung".encode("latin-1"))
    with pytest.raises(srkit.SettingsError, match="cannot be read: .*expected YAML in UTF-8"):
        load_config(tmp_path / "latin.yml")
    with pytest.raises(srkit.UnknownName, match="unknown training recipe 'tinny'; did you mean 'tiny'"):
        load_config("tinny")


def test_all_that_is_wrong_is_told_at_once():
    """One line a key, each with the file; the error carries them."""
    wrong = ["train.lr=-1", "train.clipp=1", "data.batch_size=0", "network=5", "name=2024-01-01", "log.every=0.5"]
    with pytest.raises(ConfigError) as caught:
        parse(LEAST.replace("trainer: {name: realesrnet}\n", ""), wrong, file="my.yml")
    lines = str(caught.value).splitlines()
    assert all(line.startswith("my.yml: ") for line in lines)
    assert {problem.key for problem in caught.value.problems} == {
        "train.lr", "train.clipp", "data.batch_size", "network", "name", "log.every", "trainer",
    }  # fmt: skip
    assert "my.yml: trainer: is missing; keys: name, trainer" in str(caught.value)
    assert len(lines) == 7


_plain = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text()
    | st.sampled_from(["1e-4", "no", "3"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
_options = st.dictionaries(st.text(), _plain, max_size=3)
_rate = st.floats(1e-12, 1e3)


@given(
    st.builds(
        Config,
        name=st.sampled_from(["my-run", "Übung 3", "2024", "1e-4", "yes"]),
        trainer=st.builds(TrainerConfig, name=st.text(min_size=1), options=_options),
        network=st.builds(
            NetworkConfig, arch=st.text(min_size=1), options=_options, weights=st.none() | st.text(min_size=1)
        ),
        data=st.builds(DataConfig, dataset=st.just("d"), options=_options, batch_size=st.integers(1)),
        train=st.builds(
            TrainConfig,
            iterations=st.integers(10),
            lr=_rate,
            rates=st.dictionaries(st.text(), _rate),
            clip=st.none() | _rate,
            schedule=st.builds(
                ScheduleConfig,
                name=st.just("cosine"),
                periods=st.lists(st.integers(1), min_size=2, max_size=2),
                restarts=st.lists(_rate, min_size=2, max_size=2),
            ),
        ),
        validation=st.none()
        | st.builds(ValidationConfig, gt=_plain, degradation=_plain, stop=st.none() | st.builds(StopConfig)),
    )
)
def test_what_is_written_reads_back_equal(config):
    """dump and parse are each other's inverse, whatever options hold that YAML has."""
    assert parse(dump(config)) == config


def test_dumped_files_say_everything():
    """Every key is there, so that the file tells what a run was, whatever defaults become."""
    text = dump(parse(LEAST))
    said = yaml12.read(text)
    assert {*said} == {field.name for field in attrs.fields(Config)}
    assert {*said["train"]} == {field.name for field in attrs.fields(TrainConfig)}
    assert "betas: [0.9, 0.99]" in text


def test_functions_cannot_be_written():
    """What YAML cannot hold is refused, not written as something else."""
    config = overridden(parse(LEAST), [])
    config = attrs.evolve(config, data=DataConfig(dataset="realesrgan", options={"degradation": print}))
    with pytest.raises(srkit.SettingsError, match="cannot be written as YAML"):
        dump(config)


def test_python_gets_the_same_answers_as_yaml():
    """Records made in Python take lists and tuples alike, and refuse what files may not say."""
    config = TrainConfig(iterations=10, schedule=ScheduleConfig(name="multistep", milestones=[1, 2]))
    assert config.schedule.milestones == (1, 2)
    with pytest.raises(srkit.SettingsError, match="lr='fast': expected a number above 0, such as 1e-4"):
        TrainConfig(iterations=10, lr="fast")
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        config.lr = 1
