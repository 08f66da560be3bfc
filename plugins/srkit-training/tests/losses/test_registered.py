"""Every loss that is registered, held to what losses promise."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import pytest
import torch
from torch import nn

import srkit
from srkit import plugins
from srkit.testing import checks_of

CHECKS = [(about, check) for about, check in checks_of("srkit-training") if about.startswith("loss ")]
NAMES = ("charbonnier", "checkerboard", "edges", "l1", "ldl", "lpips", "ms-ssim", "mse", "perceptual")
EACH = pytest.mark.parametrize("name", NAMES)


@pytest.fixture
def made(feature_file, linear_file):
    """A loss by its name, and whether it wants the average; of random weights where it wants any."""

    def made(name):
        entry = plugins.current().losses.find(name)
        options = {
            "lpips": lambda: {"features": feature_file("alex"), "linear": linear_file("alex")},
            "perceptual": lambda: {"network": "vgg16", "weights": feature_file("vgg16")},
        }.get(name, dict)
        return entry.load()(**options()), entry.spec.average

    return made


def test_what_is_registered():
    """All losses come from this distribution, of three kinds, and LDL alone wants the average."""
    entries = [entry for entry in plugins.current().losses if entry.owner.distribution == "srkit-training"]
    by_kind = {
        kind: [e.spec.name for e in entries if e.spec.kind == kind] for kind in ("picture", "adversarial", "penalty")
    }
    assert by_kind["picture"] == sorted(NAMES)
    assert by_kind["adversarial"] == ["hinge", "lsgan", "vanilla", "wgan", "wgan_softplus"]
    assert by_kind["penalty"] == ["gradient", "r1"]
    for entry in entries:
        if entry.spec.kind == "adversarial":
            assert isinstance(entry.load()(), srkit.AdversarialLoss)
            assert entry.load()().kind == entry.spec.name
        elif entry.spec.kind == "penalty":
            assert isinstance(entry.load()(), srkit.Penalty)
    assert [entry.spec.name for entry in entries if entry.spec.average] == ["ldl"]


@pytest.mark.parametrize("check", [pytest.param(c, id=f"{about[5:]}-{c.name}") for about, c in CHECKS])
def test_conforms(check):
    """Each, with random weights where it wants any, keeps the contracts of its kind."""
    check()


@EACH
def test_it_is_a_loss(name, made, pictures):
    """A scalar above 0 for pictures that differ, with finite gradients towards the output; nothing to train."""
    loss, average = made(name)
    assert isinstance(loss, srkit.Loss)
    output, target = pictures(2, 3, 161, 161).requires_grad_(), pictures(2, 3, 161, 161, seed=1)
    value = loss(output, target, *[target] * average)
    assert value.shape == ()
    assert value.dtype == torch.float32
    assert value.item() > 0
    value.backward()
    assert torch.isfinite(output.grad).all()
    assert (output.grad != 0).any(dim=(1, 2, 3)).all()
    if isinstance(loss, nn.Module):
        assert not any(parameter.requires_grad for parameter in loss.parameters())


@EACH
def test_equal_pictures_cost_nothing(name, made, pictures):
    """0, but for what Charbonnier's eps adds."""
    loss, average = made(name)
    target = pictures(1, 3, 161, 161)
    assert loss(target, target, *[target] * average).item() == (pytest.approx(1e-6) if name == "charbonnier" else 0)


@EACH
@pytest.mark.parametrize(
    ("shapes", "dtype", "words"),
    [
        ([(1, 1, 161, 161)] * 2, torch.float32, r"shape \(1, 1, 161, 161\); expected \(B, 3, H, W\)"),
        ([(3, 161, 161)] * 2, torch.float32, r"expected \(B, 3, H, W\)"),
        ([(0, 3, 161, 161)] * 2, torch.float32, r"expected \(B, 3, H, W\)"),
        ([(1, 3, 161, 161), (2, 3, 161, 161)], torch.float32, "differ in shape"),
        ([(1, 3, 161, 161)] * 2, torch.bfloat16, "pictures of bfloat16; losses are computed in float32"),
        ([(1, 3, 161, 161)] * 2, torch.float64, "pictures of float64"),
    ],
)
def test_pictures_of_other_kinds_are_refused(name, shapes, dtype, words, made):
    """Channels, shapes and dtypes that it does not take are told, before anything is computed or broadcast."""
    loss, average = made(name)
    output, target = (torch.zeros(shape, dtype=dtype) for shape in shapes)
    with pytest.raises(srkit.ImageError, match=words):
        loss(output, target, *[target] * average)


@EACH
def test_every_option_is_documented(name):
    """docs/losses.md has a row for it, with all of its options."""
    text = (Path(__file__).parents[4] / "docs" / "losses.md").read_text()
    (row,) = re.findall(rf"^\| `{name}` \| (.*)$", text, re.MULTILINE)
    for option in inspect.signature(plugins.current().losses.find(name).load()).parameters:
        assert f"`{option}`" in row, option
