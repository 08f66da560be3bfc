"""What a trainer must keep to: it learns, it repeats itself, and it leaves alone what is not its turn."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..batches import Batch
from ..declarations import Traits
from ..frozen import frozen
from ..protocols import Trainer
from .contract import require

STEPS = 40
"""Updates within which one repeated batch must be learnt."""
TURNS = 12
"""Updates within which every network must have had its turn."""
_TRAITS = Traits(scale=2)
_RATE = 2e-3


class _Learner:
    """One device, float32, Adam; notes which networks were updated, and whether others changed meanwhile."""

    def __init__(self, networks: Mapping[str, nn.Module]) -> None:
        self.iteration = 0
        self.networks = dict(networks)
        self.optimisers = {name: torch.optim.Adam(net.parameters(), _RATE) for name, net in networks.items()}
        self.updated: list[str] = []
        self.without_gradient: dict[str, set[str]] = {name: _parameters(net) for name, net in networks.items()}
        self.strayed: set[str] = set()
        self._last = self._weights()

    def __getitem__(self, name: str) -> nn.Module:
        require(name in self.networks, f"it asks for the network {name!r}, which networks() did not give")
        return self.networks[name]

    def ema(self, name: str) -> nn.Module:
        return self[name]

    def frozen(self, name: str) -> AbstractContextManager[nn.Module]:
        return frozen(self[name])

    def update(self, name: str, loss: Tensor) -> None:
        require(
            isinstance(loss, Tensor) and loss.ndim == 0 and loss.requires_grad,
            f"the loss of {name} is no scalar with a gradient; give learner.update the sum of the losses",
        )
        self.look()
        self.optimisers[name].zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        with_gradient = {key for key, value in self.networks[name].named_parameters() if value.grad is not None}
        self.without_gradient[name] -= with_gradient
        self.optimisers[name].step()
        self.updated.append(name)
        self._last[name] = self._weights()[name]
        self.optimisers[name].zero_grad()

    def look(self) -> None:
        """Note the networks that have changed since their last update."""
        now = self._weights()
        self.strayed |= {name for name in now if not _same(now[name], self._last[name])}
        self._last = now

    def _weights(self) -> dict[str, list[Tensor]]:
        return {name: [p.detach().clone() for p in net.parameters()] for name, net in self.networks.items()}

    def state_dict(self) -> dict[str, Any]:
        """A copy of what the loop keeps."""
        return copy.deepcopy(
            {
                "iteration": self.iteration,
                "networks": {name: network.state_dict() for name, network in self.networks.items()},
                "optimisers": {name: optimiser.state_dict() for name, optimiser in self.optimisers.items()},
            }
        )

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.iteration = state["iteration"]
        for name, network in self.networks.items():
            network.load_state_dict(state["networks"][name])
            self.optimisers[name].load_state_dict(state["optimisers"][name])


def _parameters(network: nn.Module) -> set[str]:
    return {name for name, parameter in network.named_parameters() if parameter.requires_grad}


def _same(one: list[Tensor], other: list[Tensor]) -> bool:
    return all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


def _generator() -> nn.Module:
    return nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 12, 3, padding=1), nn.PixelShuffle(2))


def _batch(seed: int = 0) -> Batch:
    rng = torch.Generator().manual_seed(seed)
    gt = F.interpolate(torch.rand(4, 3, 8, 8, generator=rng), (32, 32), mode="bicubic").clamp(0, 1)
    return Batch(gt=gt, lq=F.avg_pool2d(gt, 2), gt_usm=gt, names=("a picture",) * 4)


class _Begun:
    """A copy of the trainer with small networks, always the same, and a learner."""

    def __init__(self, trainer: Trainer) -> None:
        self.trainer = copy.deepcopy(trainer)
        torch.manual_seed(3)
        self.networks = self.trainer.networks(_generator(), _TRAITS)
        self.learner = _Learner(self.networks)

    def steps(self, count: int) -> list[Mapping[str, Tensor]]:
        """So many updates by one repeated batch, and what was told of each."""
        told = []
        for _ in range(count):
            told.append(self.trainer.step(_batch(), self.learner))
            self.learner.look()
            self.learner.iteration += 1
        return told

    def error(self) -> float:
        with torch.no_grad():
            return float(F.mse_loss(self.learner["generator"](_batch().lq), _batch().gt))


@contextmanager
def _begun(trainer: Trainer) -> Iterator[_Begun]:
    with torch.random.fork_rng(devices=[]):
        yield _Begun(trainer)


def trains_the_generator(trainer: Trainer) -> None:
    """``networks`` gives the network it was given, as "generator", and the steps bring its output nearer to the targets."""
    with _begun(trainer) as run:
        require(
            "generator" in run.networks and isinstance(run.networks["generator"], nn.Module),
            f"networks() gave {', '.join(run.networks) or 'nothing'}; give the network as 'generator', and others beside it",
        )
        before = run.error()
        run.steps(STEPS)
        after = run.error()
    require(
        after < before,
        f"after {STEPS} steps with one batch the output is no nearer to its targets: its squared error went from "
        f"{before:.4g} to {after:.4g}",
    )


def tells_what_it_did(trainer: Trainer) -> None:
    """Each step gives finite scalars, detached, by name."""
    with _begun(trainer) as run:
        for told in run.steps(2):
            require(
                isinstance(told, Mapping) and bool(told), f"step() gave {told!r}; give a mapping of names to scalars"
            )
            for name, value in told.items():
                fits = isinstance(value, Tensor) and value.numel() == 1 and not value.requires_grad
                require(fits, f"{name} is {value!r}; give a tensor of one value, detached")
                require(bool(torch.isfinite(value).all()), f"{name} is {float(value)}, with plain pictures")


def repeats_itself(trainer: Trainer) -> None:
    """The same seed and batches give the same weights, to the bit."""
    weights = []
    for _ in range(2):
        with _begun(trainer) as run:
            run.steps(3)
            weights.append(run.learner.state_dict()["networks"])
    different = _different(*weights)
    require(
        not different, f"two runs of one seed differ ({different}); draw chance from torch's global generator alone"
    )


def goes_on_from_a_state(trainer: Trainer) -> None:
    """With networks, optimisers and random state restored, a new trainer goes on to the same weights, to the bit."""
    with _begun(trainer) as run:
        run.steps(3)
        state, random = run.learner.state_dict(), torch.get_rng_state()
        run.steps(3)
        expected = run.learner.state_dict()["networks"]
    with _begun(trainer) as restored:
        restored.learner.load_state_dict(state)
        torch.set_rng_state(random)
        restored.steps(3)
        actual = restored.learner.state_dict()["networks"]
    different = _different(expected, actual)
    require(
        not different,
        f"a new trainer went on otherwise ({different}); keep what is learnt in networks, and count by learner.iteration",
    )


def _different(one: Mapping[str, Any], other: Mapping[str, Any]) -> str:
    """A few of the tensors that differ, by network and name."""
    names = [
        f"{net}.{key}" for net, state in one.items() for key in state if not torch.equal(state[key], other[net][key])
    ]
    return ", ".join(names[:3])


def trains_all_parameters(trainer: Trainer) -> None:
    """Each network is updated, and each of its parameters gets a gradient."""
    with _begun(trainer) as run:
        run.steps(TURNS)
        for name, missing in run.learner.without_gradient.items():
            require(name in run.learner.updated, f"{name} was not updated in {TURNS} steps; leave it out of networks()")
            require(not missing, f"parameters of {name} got no gradient: {', '.join(sorted(missing)[:3])}")


def keeps_turns(trainer: Trainer) -> None:
    """A network changes only by its own ``learner.update``."""
    with _begun(trainer) as run:
        run.steps(4)
    require(
        not run.learner.strayed,
        f"{', '.join(sorted(run.learner.strayed))} changed without learner.update; use no optimiser of your own",
    )


def leaves_batches_alone(trainer: Trainer) -> None:
    """The batch's tensors are not written to."""
    batch, untouched = _batch(), _batch()
    with _begun(trainer) as run:
        run.trainer.step(batch, run.learner)
    for name in ("gt", "lq", "gt_usm"):
        require(torch.equal(getattr(batch, name), getattr(untouched, name)), f"it wrote to batch.{name}; make a copy")


TRAINER_CHECKS = (
    trains_the_generator,
    tells_what_it_did,
    repeats_itself,
    goes_on_from_a_state,
    trains_all_parameters,
    keeps_turns,
    leaves_batches_alone,
)
