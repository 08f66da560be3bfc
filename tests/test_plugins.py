"""Discovery and isolation of plugins, through entry points of distributions that are really on sys.path."""

from __future__ import annotations

import inspect
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

import srkit
from srkit import hookspecs, plugins
from srkit.errors import PluginError, UnknownName

HOOK = "import srkit\n@srkit.hookimpl\ndef srkit_register_architectures(register):\n"


def registering(*names, target="'nowhere:net'"):
    """The source of a plugin that registers architectures of these names."""
    spec = "    register(srkit.ArchitectureSpec(name={!r}, target={}, summary='a net'))\n"
    return HOOK + "".join(spec.format(name, target) for name in names)


def report_of(found, distribution):
    """What became of the one plugin of a distribution."""
    (report,) = (report for report in found.reports if report.distribution == distribution)
    return report


BROKEN = {
    "raises at import": ("raise RuntimeError('boom')", "RuntimeError: boom"),
    "exits at import": ("raise SystemExit('bye')", "SystemExit: bye"),
    "is no Python": ("def (", "SyntaxError"),
    "is not there": (None, "ModuleNotFoundError"),
    "registers no record": (
        HOOK + "    register('net')",
        "registered 'net'; expected a srkit.ArchitectureSpec",
    ),
    "registers another kind": (
        HOOK + "    register(srkit.UpsamplerSpec(name='net', target='m:a', summary=''))",
        "expected a srkit.ArchitectureSpec",
    ),
    "bad name": (registering("two words"), "name='two words'"),
    "bad target": (registering("net", target="'m.a'"), "target='m.a'"),
    "misspelt hook": (
        "import srkit\n@srkit.hookimpl\ndef srkit_register_architecture(register): pass",
        "did you mean 'srkit_register_architectures'?",
    ),
    "unmarked hook": ("def srkit_register_models(register): pass", "not marked with @srkit.hookimpl"),
    "other argument": ("import srkit\n@srkit.hookimpl\ndef srkit_register_models(add): pass", "add"),
    "raises in a hook": (HOOK + "    raise KeyError('later')", "KeyError: 'later'"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_broken_plugin_is_reported_and_the_rest_works(install, case):
    """However a plugin is broken, it is named with version and cause, gives nothing, and harms nobody."""
    source, words = BROKEN[case]
    install("middle-broken", source)
    install("aa-healthy", registering("early-net"))
    install("zz-healthy", registering("late-net"))
    found = plugins.reload()
    report = report_of(found, "middle-broken")
    assert report.failed
    assert report.registered == []
    assert report.label == "plugin 'fake' of middle-broken 1.2"
    assert words in report.problems[0].message
    error = report.problems[0].error
    # Only what is told by looking at the module has no exception behind it.
    assert (error is None) == (case in {"misspelt hook", "unmarked hook"})
    assert error is None or type(error).__name__ in report.problems[0].traceback
    assert "whole" in found.upsamplers
    assert {"early-net", "late-net"} <= set(found.architectures.names())
    assert [r.distribution for r in found.reports if r.failed] == ["middle-broken"]


def test_unknown_name_hints_and_mentions_broken_plugins(install):
    """A name nobody knows is met with the nearest known one, and with the plugins that might have known it."""
    install("aa-broken", "raise RuntimeError('boom')")
    install("bb-healthy", registering("pixel-net"))
    with pytest.raises(UnknownName, match="did you mean 'pixel-net'") as caught:
        plugins.reload().architectures.find("pixle-net")
    assert "aa-broken 1.2" in "".join(caught.value.__notes__)
    assert str(caught.value.__cause__) == "boom"


def test_half_registered_is_taken_back(install):
    """What a plugin registered before it raised is gone, and asking for it gives the original error as the cause."""
    later = "@srkit.hookimpl\ndef srkit_register_upsamplers(register):\n    raise KeyError('later')\n"
    install("half", registering("half-net") + later)
    found = plugins.reload()
    assert "half-net" not in found.architectures
    assert "half-net" not in found.architectures.names()
    with pytest.raises(PluginError, match=r"'Half_Net' belongs to plugin 'fake' of half 1\.2") as caught:
        found.architectures.find("Half_Net")
    assert caught.value.distribution == "half"
    assert isinstance(caught.value.__cause__, KeyError)


def test_misspelt_hook_breaks_the_whole_plugin(install):
    """A plugin with one misspelt hook among right ones is broken, so that it is noticed."""
    install("typo", registering("net") + "@srkit.hookimpl\ndef srkit_register_modles(register): pass\n")
    with pytest.raises(PluginError, match="did you mean 'srkit_register_models'"):
        plugins.reload().architectures.find("net")


@pytest.mark.parametrize("taken", ["twin", "TWIN"])
def test_taken_name(install, taken):
    """The first to take a name keeps it; the second is reported, and its other registrations work."""
    install("aa-first", registering("twin"))
    install("bb-second", registering("before", taken, "after"))
    found = plugins.reload()
    assert found.architectures.find("twin").owner.distribution == "aa-first"
    report = report_of(found, "bb-second")
    assert report.registered == [("architecture", "before"), ("architecture", "after")]
    (problem,) = report.problems
    assert "already taken by plugin 'fake' of aa-first 1.2" in problem.message
    assert not report.failed
    assert found.architectures.find("after").owner is report


def test_the_core_keeps_its_names(install):
    """A plugin that sorts before the core still cannot take the name of what the core registers."""
    hook = HOOK.replace("architectures", "upsamplers")
    install("aaa", hook + "    register(srkit.UpsamplerSpec(name='Whole', target='m:a', summary=''))")
    found = plugins.reload()
    assert found.upsamplers.find("whole").owner.distribution == "srkit"
    assert "already taken" in report_of(found, "aaa").problems[0].message


def test_equal_entry_point_names(install):
    """Two distributions whose entry points have the same name are both loaded."""
    install("one", registering("net-one"), entry_point="same")
    install("two", registering("net-two"), entry_point="same")
    assert {"net-one", "net-two"} <= set(plugins.reload().architectures.names())


def test_plugin_that_registers_nothing(install):
    """A plugin without a single hook is not broken, but the report says that it does nothing."""
    install("idle", "")
    report = report_of(plugins.reload(), "idle")
    assert not report.failed
    assert "registers nothing" in report.problems[0].message


@pytest.mark.parametrize("line", ["[srkit]\nfake = not a module!", "[srkit]\nfake", "[other]\nfake"])
def test_malformed_entry_points(install, line):
    """A distribution whose entry points cannot be parsed takes nothing else down."""
    install("aa-malformed", "", entry_points=line)
    install("bb-healthy", registering("net"))
    found = plugins.reload()
    assert "net" in found.architectures
    assert "whole" in found.upsamplers


def test_entry_points_without_metadata(install, tmp_path):
    """What a torn installation leaves takes nothing else down."""
    install("torn", registering("torn-net"))
    (tmp_path / "site-packages" / "torn-1.2.dist-info" / "METADATA").unlink()
    install("healthy", registering("net"))
    found = plugins.reload()
    assert "net" in found.architectures
    assert "whole" in found.upsamplers


@pytest.mark.parametrize(
    ("value", "loaded"),
    [
        (None, {"net-one", "net-two", "net-three"}),
        ("left", {"net-one"}),
        ("dist-two", {"net-two"}),
        (" left , dist-two,", {"net-one", "net-two"}),
        ("", set()),
        ("nobody", set()),
    ],
)
def test_srkit_plugins_limits_what_is_loaded(install, monkeypatch, value, loaded):
    """SRKIT_PLUGINS names entry points or distributions; others are not even imported, and the core always is."""
    modules = {
        "net-one": install("dist-one", registering("net-one"), entry_point="left"),
        "net-two": install("dist-two", registering("net-two"), entry_point="right"),
        "net-three": install("dist-three", registering("net-three"), entry_point="middle"),
    }
    if value is not None:
        monkeypatch.setenv("SRKIT_PLUGINS", value)
    found = plugins.reload()
    assert {net for net in modules if net in found.architectures} == loaded
    assert {net for net, module in modules.items() if module in sys.modules} == loaded
    assert "whole" in found.upsamplers


@pytest.mark.parametrize(("value", "printed"), [("1", True), ("0", False), ("", False)])
def test_trace_prints_hook_calls(install, monkeypatch, capsys, value, printed):
    """SRKIT_TRACE_PLUGINS=1 prints each hook call, and what it raised, to standard error."""
    install("calm", registering("net"))
    install("wild", HOOK + "    raise KeyError('later')")
    monkeypatch.setenv("SRKIT_TRACE_PLUGINS", value)
    plugins.reload()
    out, err = capsys.readouterr()
    assert out == ""
    assert ("srkit: srkit_register_architectures → calm:fake\n" in err) == printed
    assert ("srkit: srkit_register_architectures → wild:fake raised KeyError: 'later'" in err) == printed
    assert printed or err == ""


SPECIFIED = {name: hook for name, hook in vars(hookspecs).items() if name.startswith("srkit_")}


@pytest.mark.parametrize("name", sorted({*SPECIFIED, *plugins.HOOKS.values()}))
def test_example_of_each_hook_works(install, name):
    """Each hook takes exactly ``register``, and the example in its docstring is a working plugin."""
    assert list(inspect.signature(SPECIFIED[name]).parameters) == ["register"]
    _, mark, example = inspect.getdoc(SPECIFIED[name]).partition("Example::\n")
    assert mark
    install("example", "import srkit\n" + textwrap.dedent(example))
    report = report_of(plugins.reload(), "example")
    assert report.problems == []
    ((kind, _),) = report.registered
    plural = "losses" if kind == "loss" else f"{kind}s"
    assert name == f"srkit_register_{plural}"


def test_current_is_kept_until_reload(install):
    """Plugins are looked for once, and again when asked to."""
    before = plugins.current()
    install("new", registering("new-net"))
    assert plugins.current() is before
    assert "new-net" not in before.architectures
    assert "new-net" in plugins.reload().architectures
    assert "new-net" in plugins.current().architectures


def test_architecture_that_fails_to_recognise_is_passed_over(install):
    """An architecture that raises when asked about a file does not keep another from recognising it."""
    torch = pytest.importorskip("torch")
    from srkit.networks import recognise

    def net(name, answer):
        body = f"    def recognise(self, shapes): {answer}\n    def build(self): ...\n    def traits(self): ...\n"
        return registering(name, target="__name__ + ':net'") + f"class N:\n    name = {name!r}\n{body}net = N()\n"

    install("bad", net("aa-net", "raise KeyError('oops')"))
    install("good", net("bb-net", "return srkit.Recognition({}, {}) if 'odd.weight' in shapes else None"))
    entry, _ = recognise({"odd.weight": torch.zeros(1, 2)}, Path("odd.pth"))
    assert entry.spec.name == "bb-net"


@pytest.mark.parametrize(
    ("code", "absent"),
    [
        ("import srkit", ["torch", "pyvips", "numpy"]),
        ("import srkit.plugins; srkit.plugins.current()", ["torch", "pyvips"]),
    ],
)
def test_heavy_modules_are_left_alone(code, absent):
    """Neither importing srkit nor looking for plugins loads what only pictures need."""
    check = f"{code}\nimport sys\nprint([name for name in {absent} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_public_names_resolve():
    """Every name in ``srkit.__all__`` exists, and ``dir(srkit)`` shows it."""
    pytest.importorskip("torch")
    for name in srkit.__all__:
        assert getattr(srkit, name) is not None
    assert set(srkit.__all__) <= set(dir(srkit))
    with pytest.raises(AttributeError, match="no attribute 'upscael'"):
        _ = srkit.upscael
