"""The checks of losses of pictures: good ones pass, and every check fails for one that breaks its contract."""

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


def squares(output, target):
    """A small loss that keeps every contract."""
    if output.shape != target.shape:
        raise srkit.ImageError("pictures differ in shape")
    return (output - target).square().mean()


class Anchored:
    """One that wants the average of the network's weights, too."""

    def __call__(self, output, target, average):
        return squares(output, target) + 0.1 * squares(output, average)


class Sharpened(nn.Module):
    """One that looks through a fixed network."""

    def __init__(self, frozen=True):
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(0)
            self.seen = nn.Conv2d(3, 4, 3).requires_grad_(not frozen)

    def forward(self, output, target):
        return squares(self.seen(output), self.seen(target).detach())


@srkit.testing.parametrise(squares, Sharpened(), kind="picture")
def test_good_losses_pass(check):
    """Nothing is asked beyond the contract."""
    check()


def test_a_loss_that_wants_the_average_passes():
    """``average=True`` has it called with three arguments."""
    srkit.testing.check_loss(Anchored(), average=True)
    with pytest.raises(TypeError, match="average"):
        srkit.testing.check_loss(Anchored())


def no_scalar(output, target):
    return (output - target).square().mean((1, 2, 3))


def number(output, target):
    return float(squares(output, target))


def negative(output, target):
    return squares(output, target) - 1


def double(output, target):
    return squares(output.double(), target.double())


def likeness(output, target):
    return torch.exp(-squares(output, target))


def detached(output, target):
    return squares(output.detach(), target)


def root(output, target):
    return squares(output, target).sqrt()


def first_only(output, target):
    return squares(output[:1], target[:1])


def logarithm(output, target):
    return squares(output, target) + squares((1 + output).log(), (1 + target).log())


def broadcast(output, target):
    return (output - target).square().mean()


def warned_broadcast(output, target):
    return F.mse_loss(output, target)


def total(output, target):
    return squares(output, target) * output.shape[0]


def drawn(output, target):
    return squares(output, target) * (1 + torch.rand(()))


class Remembering:
    calls = 0

    def __call__(self, output, target):
        self.calls += 1
        return squares(output, target) * self.calls


def scribbling(output, target):
    return squares(output, target.mul_(0.5))


def by_strides(output, target):
    return squares(output, target) * output.stride(3)


CULPRITS = [
    (no_scalar, "gives_a_scalar", r"shape \(2,\); return a scalar"),
    (number, "gives_a_scalar", "gave float; return a tensor"),
    (negative, "gives_a_scalar", "at least 0"),
    (double, "gives_a_scalar", "compute in float32"),
    (likeness, "grows_with_the_distance", "let it grow with the difference"),
    (detached, "gradients_reach_the_output_alone", "the output gets no gradient"),
    (Sharpened(frozen=False), "gradients_reach_the_output_alone", "freeze what the loss looks through"),
    (root, "gradients_reach_the_output_alone", "an epsilon inside roots"),
    (first_only, "gradients_reach_the_output_alone", "let every picture of the batch count"),
    (logarithm, "bears_overshoot", "no root or logarithm"),
    (broadcast, "refuses_other_shapes", r"a target of \(1, 3, 176, 192\) is taken"),
    (warned_broadcast, "refuses_other_shapes", "raise srkit.ImageError"),
    (total, "is_a_mean_over_the_batch", "take the mean over the batch"),
    (drawn, "repeats_itself", "a global random generator moved"),
    (Remembering(), "repeats_itself", "draw nothing, remember nothing"),
    (scribbling, "leaves_its_input_alone", "wrote to the pictures"),
    (by_strides, "leaves_its_input_alone", "use no strides"),
]


@pytest.mark.parametrize(("culprit", "check", "words"), CULPRITS)
def test_every_check_of_losses_can_fail(culprit, check, words):
    """A loss that breaks one contract fails the check of that name, which says what to change."""
    with pytest.raises(srkit.ContractError, match=words) as caught:
        srkit.testing.check_loss(culprit, only=[check])
    assert caught.value.check == check


def test_every_check_has_its_culprit():
    """No check is left without a loss that fails it, above."""
    assert {name for _, name, _ in CULPRITS} == {c.name for c in srkit.testing.checks_for(squares, kind="picture")}


@pytest.mark.parametrize(
    ("subject", "kind", "words"),
    [
        (squares, None, "Of a loss, say kind="),
        (squares, "pictures", "choose from 'picture', 'adversarial', 'penalty'"),
        (squares, "adversarial", "no srkit.AdversarialLoss"),
        (Sharpened, "picture", "no srkit.Loss; make one"),
    ],
)
def test_what_is_no_loss_of_the_kind_is_refused(subject, kind, words):
    """Losses of pictures and penalties look alike, so the kind is said; what is not of it, a class for one, is refused."""
    with pytest.raises(TypeError, match=words):
        srkit.testing.checks_for(subject, kind=kind)


def test_the_kit_leaves_random_numbers_alone():
    """Checks move no generator that a test goes on to use."""
    before = torch.get_rng_state()
    srkit.testing.check_loss(squares)
    assert torch.equal(torch.get_rng_state(), before)


SOURCE = """
import pathlib, srkit, torch
from torch.nn.functional import softplus
from culprits import squares, total

class Told:
    def __init__(self, *, factor):
        self.factor = factor
    def __call__(self, output, target, average):
        return squares(output, target) * float(pathlib.Path(self.factor).read_text())
    @staticmethod
    def sample(folder):
        assert not list(folder.iterdir())
        (folder / "factor.txt").write_text("2")
        return {{"factor": folder / "factor.txt"}}

class Soft:
    def generator(self, logits):
        return softplus(-logits).mean()
    real = generator
    def fake(self, logits):
        return softplus(logits).mean()

class Drift:
    def __call__(self, discriminator, real, fake):
        return discriminator(real.detach()).square().mean()

def make_squares():
    return squares
def make_total():
    return total

@srkit.hookimpl
def srkit_register_losses(register):
    for name, attribute, more in (
        ("told", "Told", {{"average": True}}),
        ("soft", "Soft", {{"kind": "adversarial"}}),
        ("drift", "Drift", {{"kind": "penalty"}}),
        ("last", {last!r}, {{}}),
    ):
        register(srkit.LossSpec(name=name, target=f"{{__name__}}:{{attribute}}", summary="A loss.", **more))
"""


@pytest.mark.parametrize(
    ("last", "failures"),
    [
        ("make_squares", []),
        ("make_total", ["[is_a_mean_over_the_batch] ContractError"]),
        ("squares", ["[can_be_loaded] ContractError: what is registered cannot be called without options (TypeError"]),
        ("Soft", ["[can_be_loaded] ContractError: called with options, it makes <"]),
    ],
)
def test_command_on_foreign_losses(install, monkeypatch, last, failures):
    """'srkit check' makes losses of every kind, with what their ``sample`` gives, and holds them to the contracts."""
    monkeypatch.setitem(sys.modules, "culprits", sys.modules[__name__])
    install("foreign-losses", SOURCE.format(last=last))
    plugins.reload()
    result = CliRunner().invoke(program, ["check", "foreign-losses"])
    assert result.exit_code == bool(failures), result.output
    assert result.output.count("FAILED") == len(failures)
    for words in failures:
        assert words in result.output
    for about in ("told: Pictures that equal", "soft: Down its gradient", "drift: The discriminator's parameters"):
        assert f"ok      loss {about}" in result.output
