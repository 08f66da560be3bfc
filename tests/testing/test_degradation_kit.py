"""The checks of degradations: good ones pass, and every check fails for one that breaks its contract."""

from __future__ import annotations

import sys

import pytest

torch = pytest.importorskip("torch")

from click.testing import CliRunner  # noqa: E402
from torch.nn import functional as F  # noqa: E402

import srkit  # noqa: E402
import srkit.testing  # noqa: E402
from srkit import plugins  # noqa: E402
from srkit.cli import program  # noqa: E402


class Dim:
    """A small degradation that keeps every contract: each picture darkened by a factor of its own."""

    name = "dim"

    def __call__(self, images, rng):
        seeds = torch.randint(2**31, (len(images),), generator=rng)
        return torch.stack([self.one(*pair) for pair in zip(images, seeds.tolist(), strict=True)])

    def one(self, image, seed):
        return image * torch.rand((), generator=torch.Generator().manual_seed(seed)).to(image.device)


class Shouting(Dim):
    name = "Dim It"


class Glaring(Dim):
    def one(self, image, seed):
        return 2 * super().one(image, seed)


class Picky(Dim):
    def one(self, image, seed):
        return super().one(F.pad(image[None], (2, 2), mode="reflect")[0], seed)[:, :, 2:-2]


class Worldly(Dim):
    def one(self, image, seed):
        return image * torch.rand(())


class Crowded(Dim):
    def __call__(self, images, rng):
        return (images * images.mean()).clamp(0, 1)


class Scribbling(Dim):
    def __call__(self, images, rng):
        return images.mul_(0.5)


class Attached(Dim):
    def one(self, image, seed):
        return torch.from_numpy(image.numpy()) * 1


class Bound(Dim):
    def __init__(self):
        self.factor = lambda: 0.5


@srkit.testing.parametrise(Dim())
def test_a_good_degradation_passes(check):
    """Nothing is asked beyond the contract."""
    check()


DEGRADATION_CULPRITS = [
    (Shouting, "name_is_registered_name", "should be lower case"),
    (Glaring, "keeps_shape_range_and_device", "clamp them"),
    (Picky, "takes_any_size", "makes it raise"),
    (Worldly, "draws_from_the_generator_alone", "draw everything from rng"),
    (Crowded, "samples_are_independent", "a generator of its own"),
    (Scribbling, "leaves_its_input_alone", "clone them first"),
    (Attached, "gradients_hold_no_surprise", "detach them"),
    (Bound, "survives_pickling", "cannot be pickled"),
]


@pytest.mark.parametrize(("culprit", "check", "words"), DEGRADATION_CULPRITS)
def test_every_degradation_check_can_fail(culprit, check, words):
    """A degradation that breaks one contract fails the check of that name, which says what to change."""
    failing = {one.name: one for one in srkit.testing.checks_for(culprit())}[check]
    with pytest.raises(srkit.ContractError, match=words) as caught:
        failing()
    assert caught.value.check == check


def test_every_check_has_its_culprit():
    """No check is left without an object that fails it, above."""
    assert {name for _, name, _ in DEGRADATION_CULPRITS} == {c.name for c in srkit.testing.checks_for(Dim())}


def test_check_functions_run_all_and_refuse_others():
    """check_degradation runs every check; an object of no kind, and a class, are refused."""
    srkit.testing.check_degradation(Dim())
    with pytest.raises(srkit.ContractError):
        srkit.testing.check_degradation(Bound())
    for subject in (object(), Dim):
        with pytest.raises(TypeError, match="neither an Architecture, .* nor an Upsampler; .* Of a loss, say kind="):
            srkit.testing.checks_for(subject)


DIMMING = """
import srkit
from culprits import Dim, Glaring
@srkit.hookimpl
def srkit_register_degradations(register):
    register(srkit.DegradationSpec(name="dim", target=__name__ + ":{factory}", summary="Darker."))
"""


@pytest.mark.parametrize(
    ("factory", "words"), [("Dim", "9 of 9 checks passed"), ("Glaring", "clamp them"), ("srkit", "TypeError")]
)
def test_command_on_foreign_degradations(install, monkeypatch, factory, words):
    """'srkit check' makes a degradation of what is registered, without options, and holds it to the contracts."""
    monkeypatch.setitem(sys.modules, "culprits", sys.modules[__name__])
    install("foreign-weather", DIMMING.format(factory=factory))
    plugins.reload()
    result = CliRunner().invoke(program, ["check", "foreign-weather"])
    assert words in result.output
    assert result.exit_code == (factory != "Dim")
