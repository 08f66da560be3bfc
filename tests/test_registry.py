"""Names, aliases and owners; and loading what a record points to."""

from __future__ import annotations

import string
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from srkit.declarations import ArchitectureSpec
from srkit.errors import PluginError, UnknownName
from srkit.plugins import PluginReport, Problem
from srkit.protocols import Architecture, Upsampler
from srkit.registry import Registry, fold, protocol_members

names = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,6}", fullmatch=True)


def spec(name, *aliases, target="nowhere:net"):
    """An architecture's record."""
    return ArchitectureSpec(name=name, aliases=aliases, target=target, summary="a net")


def owner(distribution="dist"):
    """A plugin's report."""
    return PluginReport(distribution, "1.2", "fake", "fake_module")


@pytest.fixture
def registry():
    """An empty one."""
    return Registry("architecture")


@given(names, st.data())
def test_case_and_underscores_make_no_difference(name, data):
    """A name is found however it is capitalised and whichever of '-' and '_' it is written with."""
    registry = Registry("architecture")
    registry.add(spec(name), owner())
    same = {c: [c.lower(), c.upper()] for c in string.ascii_letters} | {c: ["-", "_"] for c in "-_"}
    spelling = "".join(data.draw(st.sampled_from(same.get(c, [c]))) for c in name)
    assert fold(spelling) == fold(name)
    assert registry.find(spelling).spec.name == name
    assert spelling in registry


@given(st.lists(st.lists(names, min_size=1, max_size=3), max_size=6))
def test_first_come_first_served(groups):
    """A record is in whole or not at all: every name leads to the first record that took it, unless that was refused."""
    registry = Registry("architecture")
    model: dict[str, ArchitectureSpec] = {}
    accepted = []
    for group in groups:
        record, keys = spec(*group), {fold(name) for name in group}
        if keys & model.keys():
            with pytest.raises(ValueError, match=r"already taken by plugin 'fake' of dist 1\.2"):
                registry.add(record, owner())
        else:
            registry.add(record, owner())
            model.update(dict.fromkeys(keys, record))
            accepted.append(record)
    for group in groups:
        for name in group:
            assert (name in registry) == (fold(name) in model)
            assert name not in registry or registry.find(name).spec is model[fold(name)]
    assert registry.names() == sorted((record.name for record in accepted), key=fold)


def test_aliases_find_but_are_not_listed(registry):
    """An alias leads to the record, whose proper name alone is listed."""
    registry.add(spec("rrdb", "RRDBNet", "esrgan"), owner())
    assert registry.find("rrdbnet") is not None
    assert registry.find("ESRGAN").spec.name == "rrdb"
    assert registry.names() == ["rrdb"]
    assert len(list(registry)) == 1


@pytest.mark.parametrize(
    ("asked", "hint"),
    [("srvg", "'srvgg'"), ("SVRGG", "'srvgg'"), ("rddb", "'rrdb'"), ("RRDBNte", "'rrdb'")],
)
def test_unknown_name_has_a_hint(registry, asked, hint):
    """A near miss is met with the name that was meant, and all that are known."""
    registry.add(spec("srvgg"), owner())
    registry.add(spec("rrdb", "RRDBNet"), owner())
    with pytest.raises(UnknownName, match=f"did you mean {hint}") as caught:
        registry.find(asked)
    assert isinstance(caught.value, LookupError)
    assert (caught.value.kind, caught.value.name) == ("architecture", asked)
    assert {"rrdb", "srvgg"} <= set(caught.value.known)


def test_unknown_name_without_hint(registry):
    """Nothing is suggested for a name like no other, nor where nothing is registered."""
    with pytest.raises(UnknownName, match="install a plugin that registers one"):
        registry.find("net")
    registry.add(spec("rrdb"), owner())
    with pytest.raises(UnknownName, match=r"unknown architecture 'xyz'\. Known: rrdb$"):
        registry.find("xyz")


def test_taken_back_names_are_free_again(registry):
    """What a broken plugin gave up raises its error, with the alias too, until another registers the name."""
    broken, cause = owner("broken"), KeyError("later")
    broken.problems.append(Problem("KeyError: 'later'", cause))
    registry.add(spec("net", "alias"), broken)
    registry.add(spec("other"), owner("healthy"))
    registry.take_back(broken)
    for name in ("net", "alias"):
        with pytest.raises(PluginError, match=f"architecture '{name}' belongs to .*broken 1.2.*later") as caught:
            registry.find(name)
        assert caught.value.__cause__ is cause
        assert caught.value.distribution == "broken"
    assert registry.names() == ["other"]
    registry.add(spec("net"), owner("healthy"))
    assert registry.find("net").owner.distribution == "healthy"


@pytest.fixture
def module(tmp_path, monkeypatch):
    """Write a module that can be imported as ``target_of_a_record``."""
    monkeypatch.syspath_prepend(tmp_path)
    yield (tmp_path / "target_of_a_record.py").write_text
    sys.modules.pop("target_of_a_record", None)


@pytest.mark.parametrize(
    ("source", "cause"),
    [
        (None, ModuleNotFoundError),
        ("raise OSError('no such library')", OSError),
        ("raise SystemExit('bye')", SystemExit),
        ("other = 1", AttributeError),
    ],
)
def test_target_that_cannot_be_imported(registry, module, source, cause):
    """A record whose object cannot be had gives PluginError, naming the distribution, from the original error."""
    if source is not None:
        module(source)
    registry.add(spec("net", target="target_of_a_record:net"), owner("lazy"))
    with pytest.raises(PluginError, match=r"'net' of plugin 'fake' of lazy 1\.2 could not be loaded") as caught:
        registry.find("net").load()
    assert caught.value.distribution == "lazy"
    assert type(caught.value.__cause__) is cause


@pytest.mark.parametrize(
    ("members", "missing"),
    [
        ("name = 'net'", "build, recognise, traits"),
        ("name = 'net'\n    def build(self): ...\n    def traits(self): ...", "recognise"),
        ("name = 'net'\n    build = recognise = traits = None", "build, recognise, traits"),
    ],
)
def test_target_that_breaks_the_protocol(registry, module, members, missing):
    """An object that does not follow the protocol is refused, with the members that it lacks."""
    module(f"class Net:\n    {members}\nnet = Net()")
    registry.add(spec("net", target="target_of_a_record:net"), owner())
    assert registry.find("net").load().name == "net"
    with pytest.raises(PluginError, match=f"is not an Architecture; it lacks {missing}$"):
        registry.find("net").load(Architecture)


def test_target_that_follows_the_protocol(registry, module):
    """An object with all members is given as it is, without a base class."""
    module("class Net:\n    name = 'net'\n    def build(s): ...\n    recognise = traits = build\nnet = Net()")
    registry.add(spec("net", target="target_of_a_record:net"), owner())
    assert registry.find("net").load(Architecture) is sys.modules["target_of_a_record"].net


def test_protocol_members():
    """A protocol's members are its attributes and methods, private ones left out."""
    assert protocol_members(Architecture) == {"name", "build", "recognise", "traits"}
    assert protocol_members(Upsampler) == {"name", "prepare"}
