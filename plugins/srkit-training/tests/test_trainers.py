"""The trainers of Real-ESRGAN."""

from __future__ import annotations

import pytest
import torch
from torch import nn

import srkit
import srkit.testing
from srkit_training.config import TrainConfig
from srkit_training.learner import Learner
from srkit_training.processes import make_accelerator
from srkit_training.trainers.realesrgan import RealESRGAN
from srkit_training.trainers.realesrnet import RealESRNet

_SMALL = RealESRGAN.sample()


@srkit.testing.parametrise(
    RealESRNet(),
    RealESRGAN(**_SMALL),
    RealESRGAN(**_SMALL, gan={"kind": "hinge", "weight": 0.01}, penalties={"r1": {"every": 2}, "gradient": {}}),
)
def test_conforms(check):
    """Both keep every contract, with penalties, too."""
    check()


class _Watched(Learner):
    """Notes whose turn it was, with which loss."""

    def __init__(self, networks):
        config = TrainConfig(iterations=10, ema=0.5)
        super().__init__(networks, config, make_accelerator(config, cpu=True))
        self.turns = []

    def update(self, name, loss):
        self.turns.append((self.iteration, name))
        super().update(name, loss)


def _generator():
    return nn.Sequential(nn.Conv2d(3, 12, 3, padding=1), nn.PixelShuffle(2))


def _batch(**changes):
    rng = torch.Generator().manual_seed(0)
    pictures = {"gt": (2, 3, 16, 16), "lq": (2, 3, 8, 8), "gt_usm": (2, 3, 16, 16)}
    return srkit.Batch(**{name: torch.rand(shape, generator=rng) for name, shape in pictures.items()} | changes)


def _run(trainer, batch, iterations=1):
    torch.manual_seed(0)
    learner = _Watched(trainer.networks(_generator(), srkit.Traits(scale=2)))
    told = []
    for _ in range(iterations):
        told.append(trainer.step(batch, learner))
        learner.finish_iteration()
    return learner, told


def test_turns():
    """The generator learns in one of net_d_iters iterations, after net_d_init_iters; the discriminator in each."""
    trainer = RealESRGAN(**_SMALL, net_d_iters=2, net_d_init_iters=2)
    learner, told = _run(trainer, _batch(), 6)
    assert [i for i, name in learner.turns if name == "discriminator"] == [0, 1, 2, 3, 4, 5]
    assert [i for i, name in learner.turns if name == "generator"] == [3, 5]
    assert ["gan" in one for one in told] == [False, False, False, True, False, True]


@pytest.mark.parametrize("sharp", [False, True])
def test_targets_are_sharpened_for_the_losses_that_want_them(sharp):
    """L1 is measured against the sharpened target if it is so configured, against the plain one otherwise."""
    batch = _batch()
    trainer = RealESRNet(sharpened={"l1": sharp})
    torch.manual_seed(0)
    expected = (_generator()(batch.lq) - (batch.gt_usm if sharp else batch.gt)).abs().mean()
    _, (told,) = _run(trainer, batch)
    torch.testing.assert_close(told["l1"].float(), expected.detach())


def test_the_discriminator_sees_the_plain_target_unless_told():
    """What it says of the target differs by the target it is shown."""
    seen = [
        _run(RealESRGAN(**_SMALL, sharpened={"gan": sharp}), _batch())[1][0]["out_d_real"].item()
        for sharp in (False, True)
    ]
    assert seen[0] != seen[1]


def test_weights_and_options_of_losses():
    """A weight multiplies what is told of a loss; a plain number is a weight; options reach the loss."""
    plain, doubled, other = (
        _run(RealESRNet(losses=losses), _batch())[1][0]["charbonnier"]
        for losses in ({"charbonnier": {}}, {"charbonnier": 2}, {"charbonnier": {"eps": 0.5}})
    )
    torch.testing.assert_close(doubled, 2 * plain)
    assert other > plain


def test_a_loss_may_want_the_average():
    """LDL is given what the average of the weights gives."""
    _, told = _run(RealESRNet(losses={"l1": 1, "ldl": 1}), _batch(), 3)
    assert all(one["ldl"].isfinite() for one in told)


@pytest.mark.parametrize(
    ("make", "options", "words"),
    [
        (RealESRNet, {"loss": {}}, "unknown key 'loss'; did you mean 'losses'"),
        (RealESRNet, {"losses": {}}, "names of losses with weights"),
        (RealESRNet, {"losses": {"l2": 1}}, "unknown loss 'l2'; did you mean 'l1'"),
        (RealESRNet, {"losses": {"l1": {"weight": -1}}}, "losses.l1.weight=-1"),
        (RealESRNet, {"losses": {"l1": "much"}}, "losses.l1='much'"),
        (RealESRNet, {"losses": {"charbonnier": {"epsilon": 1}}}, "losses.charbonnier: "),
        (RealESRNet, {"sharpened": {"l2": True}}, "sharpened names 'l2'"),
        (RealESRGAN, {"gan": {"kind": "wgn"}}, "unknown adversarial loss 'wgn'; did you mean 'wgan'"),
        (RealESRGAN, {"gan": {"kind": "l1"}}, "unknown adversarial loss 'l1'"),
        (RealESRGAN, {"gan": {"kind": "hinge", "real_label": 0.9}}, "gan: real_label=0.9"),
        (RealESRNet, {"losses": {"vanilla": 1}}, "unknown loss 'vanilla'"),
        (RealESRGAN, {"gan": {"wieght": 1}}, "gan: "),
        (RealESRGAN, {"gan": 0.1}, "gan=0.1"),
        (RealESRGAN, {"discriminator": {"arch": "unet"}}, "unknown architecture 'unet'"),
        (RealESRGAN, {"discriminator": {}}, "discriminator: the key 'arch' is missing"),
        (RealESRGAN, {"penalties": {"r2": {}}}, "unknown penalty 'r2'; did you mean 'r1'"),
        (RealESRGAN, {"penalties": {"r1": {"every": 0}}}, "penalties.r1.every=0"),
        (RealESRGAN, {"net_d_iters": 0}, "net_d_iters=0"),
    ],
)
def test_wrong_options(make, options, words):
    """Each is one clear line, when the trainer is made, before anything is built."""
    sample = {} if make is RealESRNet else dict(RealESRGAN.sample())
    with pytest.raises((srkit.SettingsError, srkit.UnknownName)) as caught:
        make(**{**sample, **options})
    assert words in str(caught.value)


def test_a_batch_without_inputs():
    """The error names the key that makes them."""
    with pytest.raises(srkit.SettingsError, match=r"data.options.degradation: second-order"):
        _run(RealESRNet(), _batch(lq=None))
