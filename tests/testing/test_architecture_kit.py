"""The checks of architectures: good ones pass, and every check fails for one that breaks its contract."""

from __future__ import annotations

import sys

import pytest

torch = pytest.importorskip("torch")

from click.testing import CliRunner  # noqa: E402
from torch import nn  # noqa: E402
from torch.nn import functional as F  # noqa: E402

import srkit  # noqa: E402
import srkit.testing  # noqa: E402
from srkit import plugins  # noqa: E402
from srkit.cli import program  # noqa: E402


class _Net(nn.Module):
    def __init__(self, features=4):
        super().__init__()
        self.conv = nn.Conv2d(3, 12, 3, padding=1)

    def forward(self, x):
        return F.pixel_shuffle(self.conv(x), 2)


class Good:
    """A small architecture that keeps every contract."""

    name = "good"
    network = _Net

    def build(self, **config):
        return self.network(**config)

    def traits(self, **config):
        return srkit.Traits(scale=2)

    def recognise(self, shapes):
        own = {"conv.weight": (12, 3, 3, 3), "conv.bias": (12,)}
        return srkit.Recognition({}, {name: name for name in own}) if dict(shapes) == own else None


class Loud(Good):
    name = "Loud Name"


class NotANetwork(Good):
    def build(self, **config):
        return object()


class WrongScale(Good):
    def traits(self, **config):
        return srkit.Traits(scale=4)


class NeedsEven(Good):
    class network(_Net):
        def forward(self, x):
            return F.interpolate(super().forward(F.max_pool2d(x, 2)), scale_factor=2)


class Amnesiac(Good):
    def recognise(self, shapes):
        return None


class Greedy(Good):
    def recognise(self, shapes):
        return srkit.Recognition({}, {name: name for name in shapes})


class Restless(Good):
    class network(_Net):
        def forward(self, x):
            out = super().forward(x)
            return out + torch.rand_like(out)


class Writer(Good):
    class network(_Net):
        def forward(self, x):
            return super().forward(x.mul_(2))


class Sociable(Good):
    class network(_Net):
        def forward(self, x):
            return super().forward(x) + x.mean()


class Forgetful(Good):
    class network(_Net):
        def __init__(self):
            super().__init__()
            self.secret = torch.rand(1)

        def forward(self, x):
            return super().forward(x) * self.secret


class Tied(Good):
    """One tensor under two names, which safetensors does not hold."""

    class network(_Net):
        def __init__(self):
            super().__init__()
            self.again = self.conv

    def recognise(self, shapes):
        return srkit.Recognition({}, {name: name for name in shapes}) if "again.bias" in shapes else None


class Hidden(Good):
    """An option that tensors do not tell."""

    class network(_Net):
        def __init__(self, slope=0.1):
            super().__init__()
            self.slope = slope

        def forward(self, x):
            return F.leaky_relu(super().forward(x), self.slope)

    def sample(self):
        return {"slope": 0.3}


class Actor(Good):
    """Behaves otherwise while it is watched."""

    class network(_Net):
        def forward(self, x):
            return super().forward(x) * (2 if torch.compiler.is_exporting() else 1)


class Bent(Good):
    """Of an operator that torch's kernels round by shape."""

    class network(_Net):
        def forward(self, x):
            return torch.sigmoid(super().forward(x))


class Wide(Good):
    """Large by default, small to be checked."""

    class network(nn.Module):
        def __init__(self, features=2000):
            super().__init__()
            self.first, self.last = nn.Conv2d(3, features, 3, padding=1), nn.Conv2d(features, 12, 3, padding=1)
            self.features = features

        def forward(self, x):
            assert self.features < 10, "the default network was run"
            return F.pixel_shuffle(self.last(F.relu(self.first(x))), 2)

    def recognise(self, shapes):
        if "first.bias" not in shapes:
            return None
        (features,) = shapes["first.bias"]
        with torch.device("meta"):
            own = {name: tuple(tensor.shape) for name, tensor in self.network(features).state_dict().items()}
        return srkit.Recognition({"features": features}, {name: name for name in own}) if own == dict(shapes) else None

    def sample(self):
        return {"features": 4}

    def traits(self, features=2000):
        return srkit.Traits(scale=2)


@srkit.testing.parametrise(Good(), Bent(), Wide())
def test_a_good_architecture_passes(check):
    """Nothing is asked beyond the contract."""
    check()


ARCHITECTURE_CULPRITS = [
    (Loud, "name_is_registered_name", "should be lower case"),
    (NotANetwork, "builds_without_arguments", "return an nn.Module"),
    (WrongScale, "traits_are_true", "promises"),
    (NeedsEven, "any_aligned_size", "raise multiple_of"),
    (Amnesiac, "recognises_its_own", "return a srkit.Recognition"),
    (Greedy, "leaves_others_alone", "should be None"),
    (Restless, "is_deterministic_and_pure", "two runs differ"),
    (Writer, "is_deterministic_and_pure", "writes into its input"),
    (Sociable, "pictures_are_independent", "do not mix along the batch axis"),
    (Forgetful, "survives_saving", "register every tensor"),
    (Tied, "comes_back_from_a_file", "one name, and memory of its own"),
    (Hidden, "comes_back_from_a_file", "must be as it is by default"),
    (Amnesiac, "comes_back_from_a_file", "gave None for the tensors of the file"),
    (Actor, "streams_exactly", "streamed by the engine 'stream', the output is off by"),
]


@pytest.mark.parametrize(("culprit", "check", "words"), ARCHITECTURE_CULPRITS)
def test_every_architecture_check_can_fail(culprit, check, words):
    """An architecture that breaks one contract fails the check of that name, which says what to change."""
    if check == "streams_exactly":
        pytest.importorskip("srkit_engine_tiled")
    failing = {one.name: one for one in srkit.testing.checks_for(culprit())}[check]
    with pytest.raises(srkit.ContractError, match=words) as caught:
        failing()
    assert caught.value.check == check


def test_every_check_has_its_culprit():
    """No check is left without an object that fails it, above."""
    assert {name for _, name, _ in ARCHITECTURE_CULPRITS} == {c.name for c in srkit.testing.checks_for(Good())}


SOURCE = """
import srkit
from {module} import {name}
architecture = {name}()
architecture.name = "foreign"
@srkit.hookimpl
def srkit_register_architectures(register):
    register(srkit.ArchitectureSpec(name="foreign", target=__name__ + ":architecture", summary="Somebody else's."))
"""


@pytest.mark.parametrize(("name", "exit_code"), [("Good", 0), ("Greedy", 1)])
def test_command_on_a_foreign_distribution(install, monkeypatch, name, exit_code):
    """'srkit check' holds any installed plugin to the contracts, and can be limited to some checks."""
    monkeypatch.setitem(sys.modules, "culprits", sys.modules[__name__])
    install("foreign-nets", SOURCE.format(module="culprits", name=name))
    plugins.reload()
    result = CliRunner().invoke(program, ["check", "foreign-nets"])
    assert result.exit_code == exit_code, result.output
    assert ("FAILED" in result.output) == bool(exit_code)
    assert "\narchitecture foreign\n        network:     ×2, 3 → 3 channels, 336 parameters\n" in result.output
    only = CliRunner().invoke(program, ["check", "foreign-nets", "--only", "survives_saving"])
    assert "1 of 1 checks passed" in only.output
    assert "network:" not in only.output


def test_command_leaves_checks_out_for_a_reason(install, monkeypatch):
    """A check that does not apply is skipped with the reason that is given, and not without one."""
    monkeypatch.setitem(sys.modules, "culprits", sys.modules[__name__])
    install("foreign-nets", SOURCE.format(module="culprits", name="Greedy"))
    plugins.reload()
    chosen = ["check", "foreign-nets", "--only", "leaves_others_alone", "--only", "survives_saving"]
    skipped = CliRunner().invoke(program, [*chosen, "--skip", "leaves_others_alone=it reads any file, by design"])
    assert skipped.exit_code == 0, skipped.output
    assert "skipped architecture foreign: recognise() gives None" in skipped.output
    assert "[leaves_others_alone] it reads any file, by design" in skipped.output
    assert "1 of 1 checks passed, 1 skipped" in skipped.output
    for unreasoned in ("leaves_others_alone", "leaves_others_alone= "):
        refused = CliRunner().invoke(program, [*chosen, "--skip", unreasoned])
        assert refused.exit_code == 2
        assert "gives no reason; write it as --skip leaves_others_alone=" in refused.output
    unknown = CliRunner().invoke(program, ["check", "foreign-nets", "--skip", "leave_others_alone=why"])
    assert "did you mean 'leaves_others_alone'" in str(unknown.exception)


def test_checks_are_chosen_by_name():
    """``only`` runs some, ``skip`` leaves some out, under pytest as skipped tests with their reason."""
    srkit.testing.check_architecture(Greedy(), skip={"leaves_others_alone": "it reads any file, by design"})
    srkit.testing.check_architecture(Greedy(), only=["survives_saving", "traits_are_true"])
    with pytest.raises(srkit.ContractError):
        srkit.testing.check_architecture(Greedy(), only=["leaves_others_alone"])
    mark = srkit.testing.parametrise(
        Good(), only=["survives_saving", "traits_are_true"], skip={"survives_saving": "it never is"}
    )
    assert [(case.id, [m.kwargs for m in case.marks]) for case in mark.args[1]] == [
        ("good-traits_are_true", []),
        ("good-survives_saving", [{"reason": "it never is"}]),
    ]


def test_choices_that_mean_nothing_are_refused():
    """A check that is not there is told with what is, and a skip without a reason refused."""
    for choice in ({"only": ["survive_saving"]}, {"skip": {"survive_saving": "why"}}):
        with pytest.raises(srkit.UnknownName, match="did you mean 'survives_saving'"):
            srkit.testing.check_architecture(Good(), **choice)
    for reason in ("", " ", None):
        with pytest.raises(srkit.SettingsError, match="say why the contract does not apply"):
            srkit.testing.check_architecture(Good(), skip={"survives_saving": reason})


def test_command_reports_what_cannot_be_loaded(install):
    """A registered object that cannot be imported fails its check instead of ending the command."""
    source = """
import srkit
@srkit.hookimpl
def srkit_register_architectures(register):
    register(srkit.ArchitectureSpec(name="ghost", target="no.where:thing", summary="Not there."))
"""
    install("ghost-nets", source)
    plugins.reload()
    result = CliRunner().invoke(program, ["check", "ghost-nets"])
    assert result.exit_code == 1
    assert "[can_be_loaded] PluginError" in result.output
