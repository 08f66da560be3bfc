"""What new plugins may be called."""

from __future__ import annotations

import pytest

from srkit.errors import SettingsError
from srkit.new_plugin.kinds import KINDS
from srkit.new_plugin.names import LONGEST, names_for


@pytest.mark.parametrize(
    ("distribution", "kind", "record"),
    [
        ("srkit-archs-my-net", "arch", "my-net"),
        ("srkit-arch-mine", "arch", "mine"),
        ("srkit-engine-fast", "upsampler", "fast"),
        ("srkit-trainers-mine", "trainer", "mine"),
        ("srkit-mine", "dataset", "mine"),
        ("mine", "degradation", "mine"),
        ("archs-mine", "degradation", "archs-mine"),
        ("srkit-archs", "arch", "archs"),
    ],
)
def test_names_follow_from_the_distribution(distribution, kind, record):
    """The package is called like the distribution, the record without 'srkit' and the kind, as long as anything is left."""
    names = names_for(distribution, kind)
    assert (names.distribution, names.package) == (distribution, distribution.replace("-", "_"))
    assert names.record == record


def test_the_record_can_be_chosen():
    """A name of its own goes before the one that follows from the distribution."""
    assert names_for("srkit-archs-mine", "arch", "other").record == "other"


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("", "cannot be the name of a distribution"),
        ("two words", "use letters, digits and '-'"),
        ("-mine", "cannot be the name of a distribution"),
        ("../mine", "cannot be the name of a distribution"),
        ("mine\n", "cannot be the name of a distribution"),
        ("größer", "cannot be the name of a distribution"),
        ("My_Nets", "as 'my-nets'; call it that"),
        ("a--b", "as 'a-b'; call it that"),
        ("a" * (LONGEST + 1), f"has {LONGEST + 1} characters"),
        ("2x-mine", "such as 'srkit-2x-mine'"),
        ("class", "begin it with a letter, such as 'srkit-class'"),
        ("json", "hides|such as 'srkit-json'"),
        ("pytest", "pytest .* is installed here; .*pip uninstall pytest"),
        ("srkit", "is installed here"),
        ("fake-plugin-module", "as a module is that is already here"),
        ("srkit-archs-2x", "'2x' cannot be the name of a network architecture.*say with --name"),
    ],
)
def test_what_cannot_be_a_name_is_refused(name, words, tmp_path, monkeypatch):
    """The error shows the name, what was expected, and another that would do."""
    (tmp_path / "fake_plugin_module.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(SettingsError, match=words):
        names_for(name, "arch")


@pytest.mark.parametrize("record", ["", "Mine", "my_net", "-", "a--b", "4x", "x\n", "a" * (LONGEST + 1)])
def test_what_cannot_be_a_record_is_refused(record):
    """Records are lower case, and words of them are joined by single '-'."""
    with pytest.raises(SettingsError, match="cannot be the name of a data set"):
        names_for("srkit-mine", "dataset", record)


SOURCE = """
import srkit
@srkit.hookimpl
def srkit_register_{registry}(register):
    register(srkit.{spec}(name="taken", aliases=("also",), target="nowhere:it", summary="Is there already."))
"""
SPECS = {
    "arch": "ArchitectureSpec",
    "degradation": "DegradationSpec",
    "dataset": "DatasetSpec",
    "trainer": "TrainerSpec",
    "upsampler": "UpsamplerSpec",
}


@pytest.mark.parametrize("kind", KINDS)
def test_names_of_installed_plugins_are_refused(install, kind):
    """A distribution, an entry point, a record or an alias that is there already is told with its owner."""
    install("first-come", SOURCE.format(registry=KINDS[kind].registry, spec=SPECS[kind]), entry_point="door")
    for name, words in (
        ("first-come", "pip uninstall first-come"),
        ("door", "is what plugin 'door' of first-come 1.2 is called"),
        ("srkit-taken", "'taken' is already registered by plugin 'door' of first-come 1.2; say with --name"),
        ("srkit-also", "'also' is already registered by plugin 'door' of first-come 1.2"),
    ):
        with pytest.raises(SettingsError, match=words):
            names_for(name, kind)
    with pytest.raises(
        SettingsError, match="already registered by plugin 'door' of first-come 1.2; choose another name"
    ):
        names_for("srkit-mine", kind, "taken")


def test_a_folder_is_no_module(tmp_path, monkeypatch):
    """A folder of the name, such as an earlier plugin's, hides nothing: Python takes any for a package, but it is none."""
    (tmp_path / "mine").mkdir()
    monkeypatch.syspath_prepend(tmp_path)
    assert names_for("mine", "arch").package == "mine"
