"""Networks, optimisers and averages in one process."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

import srkit
from srkit_training.config import OptimiserConfig, TrainConfig
from srkit_training.learner import Learner
from srkit_training.processes import make_accelerator


def _network(seed=0):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.Conv2d(4, 3, 3, padding=1))


def _learner(networks=None, **train):
    config = TrainConfig(iterations=10, **{"optimiser": OptimiserConfig(name="sgd", options={}), "lr": 0.1, **train})
    return Learner(networks or {"generator": _network()}, config, make_accelerator(config, cpu=True))


def _loss(network, seed=1):
    pictures = torch.rand(2, 3, 8, 8, generator=torch.Generator().manual_seed(seed))
    return (network(pictures) - 0.5).square().mean()


def test_update_is_a_step_of_the_optimiser():
    """SGD moves each weight by rate times gradient, and no gradient is left over."""
    network = _network()
    reference = copy.deepcopy(network)
    _loss(reference).backward()
    learner = _learner({"generator": network})
    learner.update("generator", _loss(learner["generator"]))
    for ours, theirs in zip(network.parameters(), reference.parameters(), strict=True):
        torch.testing.assert_close(ours.detach(), (theirs - 0.1 * theirs.grad).detach())
        assert ours.grad is None


def test_rates_follow_the_schedule_and_may_differ_by_network():
    """A network of its own rate warms up with it."""
    learner = _learner({"generator": _network(), "discriminator": _network(1)}, rates={"discriminator": 0.4}, warmup=2)
    assert learner.rates == {"generator": 0.05, "discriminator": 0.2}
    learner.finish_iteration()
    assert learner.rates == {"generator": 0.1, "discriminator": 0.4}


def test_average_of_weights():
    """The average begins with the weights and goes on as decay · average + (1 - decay) · weights."""
    network = _network()
    learner = _learner({"generator": network}, ema=0.75)
    expected = [parameter.detach().clone() for parameter in network.parameters()]
    for _ in range(3):
        learner.update("generator", _loss(learner["generator"]))
        learner.finish_iteration()
        expected = [0.75 * old + 0.25 * new.detach() for old, new in zip(expected, network.parameters(), strict=True)]
    for average, value in zip(learner.ema("generator").parameters(), expected, strict=True):
        torch.testing.assert_close(average, value)
        assert not average.requires_grad


def test_without_decay_the_average_is_the_weights():
    """With a decay of 0 nothing is averaged; in bfloat16, too, what comes out computes in float32."""
    network = _network()
    learner = _learner({"generator": network}, ema=0.0, precision="bfloat16")
    learner.update("generator", _loss(learner["generator"]))
    learner.finish_iteration()
    for average, value in zip(learner.ema("generator").parameters(), network.parameters(), strict=True):
        assert torch.equal(average, value)
    seen = []
    learner.ema("generator")[0].register_forward_hook(lambda _m, _i, output: seen.append(output.dtype))
    learner.ema("generator")(torch.rand(1, 3, 8, 8))
    assert seen == [torch.float32]


def test_frozen_passes_gradients_through():
    """What a frozen network is called with gets gradients, its parameters get none, and are trainable again afterwards."""
    learner = _learner({"generator": _network(), "judge": _network(1)})
    picture = torch.rand(1, 3, 8, 8, requires_grad=True)
    with learner.frozen("judge") as judge:
        judge(picture).mean().backward()
    assert picture.grad.abs().sum() > 0
    assert all(p.grad is None and p.requires_grad for p in learner.plain["judge"].parameters())


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_loss_that_is_no_number_changes_nothing(value):
    """NonFiniteLoss names the network and the way out; weights and gradients are as they were."""
    network = _network()
    before = copy.deepcopy(network.state_dict())
    learner = _learner({"generator": network})
    with pytest.raises(
        srkit.NonFiniteLoss, match=r"loss of the generator is (nan|inf) in iteration 0; lower train.lr"
    ) as caught:
        learner.update("generator", _loss(network) * value)
    assert caught.value.network == "generator"
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert all(parameter.grad is None for parameter in network.parameters())


def test_clipping_bounds_the_step():
    """The norm of the step is rate times the bound."""
    network = _network()
    before = [parameter.detach().clone() for parameter in network.parameters()]
    learner = _learner({"generator": network}, clip=1e-3, lr=1.0)
    learner.update("generator", _loss(learner["generator"]) * 1e3)
    moved = torch.cat([(a.detach() - b).flatten() for a, b in zip(network.parameters(), before, strict=True)])
    assert float(moved.norm()) == pytest.approx(1e-3, rel=1e-2)


def test_state_round_trip():
    """With the state restored, another learner goes on to the same weights, to the bit."""
    one = _learner(optimiser=OptimiserConfig())
    for _ in range(2):
        one.update("generator", _loss(one["generator"]))
        one.finish_iteration()
    state = copy.deepcopy(one.state_dict())
    other = _learner({"generator": _network(9)}, optimiser=OptimiserConfig())
    other.load_state_dict(state)
    for learner in (one, other):
        learner.update("generator", _loss(learner["generator"], 5))
        learner.finish_iteration()
    assert other.iteration == 3
    for network in ("plain", "ema"):
        both = (one, other)
        ours, theirs = (x.plain["generator"] if network == "plain" else x.ema("generator") for x in both)
        assert all(torch.equal(a, b) for a, b in zip(ours.parameters(), theirs.parameters(), strict=True))


def test_bfloat16_computes_so_and_keeps_float32_weights():
    """The network's layers run in bfloat16; weights and what comes out are float32."""
    network, seen = _network(), []
    network[0].register_forward_hook(lambda _m, _i, output: seen.append(output.dtype))
    learner = _learner({"generator": network}, precision="bfloat16")
    out = learner["generator"](torch.rand(1, 3, 8, 8))
    assert seen == [torch.bfloat16]
    assert out.dtype is torch.float32
    learner.update("generator", out.square().mean())
    assert all(parameter.dtype is torch.float32 for parameter in network.parameters())


def test_float16_on_a_processor_is_refused():
    """Without a scale for its gradients they would vanish; the error offers bfloat16."""
    with pytest.raises(srkit.SettingsError, match=r"train.precision='float16' .* use bfloat16 or float32"):
        _learner(precision="float16")
