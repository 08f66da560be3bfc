"""The checks of trainers: a good one passes, and every check fails for one that breaks its contract."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402
from torch.nn import functional as F  # noqa: E402

import srkit  # noqa: E402
import srkit.testing  # noqa: E402


class Good:
    """A generator, and a judge beside it, so that there are turns to keep."""

    name = "good"

    def networks(self, network, traits):
        return {"generator": network, "judge": nn.Conv2d(3, 1, 3)}

    def step(self, batch, learner):
        output = learner["generator"](batch.lq)
        with learner.frozen("judge") as judge:
            loss = F.mse_loss(output, batch.gt) - 1e-3 * judge(output).mean()
        learner.update("generator", loss)
        judge = learner["judge"]
        verdict = judge(output.detach()).mean() - judge(batch.gt).mean()
        learner.update("judge", verdict + judge(batch.gt).square().mean())
        return {"loss": loss.detach(), "verdict": verdict.detach()}


class Lost(Good):
    def networks(self, network, traits):
        return {"net": network}


class Idle(Good):
    def step(self, batch, learner):
        learner.update("generator", F.mse_loss(learner["generator"](batch.lq), torch.ones_like(batch.gt) * 9))
        return {"loss": torch.zeros(())}


class Silent(Good):
    def step(self, batch, learner):
        super().step(batch, learner)
        return {}


class Attached(Good):
    def step(self, batch, learner):
        super().step(batch, learner)
        return {"loss": learner["generator"](batch.lq).mean()}


class Restless(Good):
    def step(self, batch, learner):
        seed = torch.seed()  # the clock's
        told = super().step(batch, learner)
        learner.update("generator", (learner["generator"](batch.lq) * torch.rand(())).mean() + 0 * seed)
        return told


class Counting(Good):
    count = 0

    def step(self, batch, learner):
        self.count += 1
        learner.update("generator", F.mse_loss(learner["generator"](batch.lq), batch.gt) * self.count)
        return {"loss": torch.zeros(())}


class Partial(Good):
    def networks(self, network, traits):
        return {"generator": network, "spare": nn.Conv2d(3, 1, 1), "judge": nn.Conv2d(3, 1, 3)}


class Detached(Good):
    def networks(self, network, traits):
        network.register_parameter("unused", nn.Parameter(torch.zeros(1)))
        return {"generator": network, "judge": nn.Conv2d(3, 1, 3)}


class Meddler(Good):
    def step(self, batch, learner):
        told = super().step(batch, learner)
        with torch.no_grad():
            for parameter in learner["judge"].parameters():
                parameter.mul_(0.99)
        return told


class Scribbler(Good):
    def step(self, batch, learner):
        batch.lq.mul_(0.5)
        return super().step(batch, learner)


@srkit.testing.parametrise(Good())
def test_a_good_trainer_passes(check):
    """Nothing is asked beyond the contract."""
    check()


@pytest.mark.parametrize(
    ("culprit", "check", "words"),
    [
        (Lost, "trains_the_generator", "as 'generator'"),
        (Idle, "trains_the_generator", "no nearer to its targets"),
        (Silent, "tells_what_it_did", "mapping of names to scalars"),
        (Attached, "tells_what_it_did", "detached"),
        (Restless, "repeats_itself", "two runs of one seed differ"),
        (Counting, "goes_on_from_a_state", "count by learner.iteration"),
        (Partial, "trains_all_parameters", "spare was not updated"),
        (Detached, "trains_all_parameters", "got no gradient: unused"),
        (Meddler, "keeps_turns", "judge changed without learner.update"),
        (Scribbler, "leaves_batches_alone", "wrote to batch.lq"),
    ],
)
def test_every_trainer_check_can_fail(culprit, check, words):
    """A trainer that breaks one contract fails the check of that name, which says what to change."""
    failing = {one.name: one for one in srkit.testing.checks_for(culprit())}[check]
    with pytest.raises(srkit.ContractError, match=words) as caught:
        failing()
    assert caught.value.check == check


def test_the_kit_leaves_random_numbers_alone():
    """Checks move no generator that a test goes on to use."""
    before = torch.get_rng_state()
    srkit.testing.check_trainer(Good())
    assert torch.equal(torch.get_rng_state(), before)
