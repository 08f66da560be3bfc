"""The networks of a run with their optimisers and averages, on whatever devices accelerate was told of."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any

import torch
from accelerate import Accelerator
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

import srkit
from srkit.frozen import frozen

from .config import OptimiserConfig, TrainConfig
from .optimisers import optimiser_class
from .schedule import factor

GENERATOR = "generator"


class Learner:
    """See :class:`srkit.Learner`; and what the loop needs beside it.

    ``plain``: the networks as they were made, not wrapped for precision or processes.
    """

    def __init__(self, networks: Mapping[str, nn.Module], config: TrainConfig, accelerator: Accelerator) -> None:
        self.iteration = 0
        self.plain = dict(networks)
        self._config, self._accelerator = config, accelerator
        self._average = self._averaged(networks[GENERATOR])
        self._wrapped: dict[str, nn.Module] = {}
        self._optimisers: dict[str, torch.optim.Optimizer] = {}
        for name, network in networks.items():
            network.to(accelerator.device)
            if config.channels_last:
                network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
            if config.compile:
                network.compile()
            optimiser = make_optimiser(config.optimiser, network, config.rates.get(name, config.lr))
            self._wrapped[name], self._optimisers[name] = accelerator.prepare(network.train(), optimiser)

    def _averaged(self, network: nn.Module) -> AveragedModel:
        # Before accelerate binds its own forward to the network, which a copy would share.
        update = get_ema_multi_avg_fn(self._config.ema)  # type: ignore[no-untyped-call]
        average = AveragedModel(network, self._accelerator.device, multi_avg_fn=update)
        average.update_parameters(network)  # so that the first is that of the weights it begins with
        return average.requires_grad_(False).eval()

    def __getitem__(self, name: str) -> nn.Module:
        return self._wrapped[name]

    @property
    def wrapped(self) -> list[nn.Module]:
        """All networks, as they are to be called."""
        return [*self._wrapped.values()]

    def ema(self, name: str) -> nn.Module:
        """The average of the generator's weights, in float32; with a decay of 0 they are the last ones."""
        network: nn.Module = self._average.module if name == GENERATOR else self.plain[name]
        return network

    @property
    def rates(self) -> dict[str, float]:
        """Learning rates of this iteration, by network."""
        share = factor(self._config.schedule, self._config.warmup, self.iteration)
        return {name: self._config.rates.get(name, self._config.lr) * share for name in self.plain}

    def frozen(self, name: str) -> AbstractContextManager[nn.Module]:
        """The network, whose parameters get no gradients meanwhile."""
        # Not the wrapped one: DistributedDataParallel waits for the gradients of what it was called for.
        return frozen(self.plain[name])

    def update(self, name: str, loss: Tensor) -> None:
        """One step of an optimiser, or its part in one where batches are accumulated; see :class:`srkit.Learner`."""
        if not bool(loss.detach().isfinite()):
            raise srkit.NonFiniteLoss(
                f"the loss of the {name} is {float(loss.detach())} in iteration {self.iteration}; lower train.lr, set "
                f"train.clip, or train in float32",
                name,
            )
        optimiser = self._optimisers[name]
        for group in optimiser.param_groups:
            group["lr"] = self.rates[name]
        self._accelerator.backward(loss)
        if self._config.clip is not None and self._accelerator.sync_gradients:
            self._accelerator.clip_grad_norm_(self._wrapped[name].parameters(), self._config.clip)
        optimiser.step()
        optimiser.zero_grad()

    def finish_iteration(self) -> None:
        """All networks whose turn it was have been updated."""
        self._average.update_parameters(self.plain[GENERATOR])
        self.iteration += 1

    def state_dict(self) -> dict[str, Any]:
        """Everything: weights, average, optimisers, scaler, position."""
        scaler = self._accelerator.scaler
        return {
            "iteration": self.iteration,
            "networks": {name: network.state_dict() for name, network in self.plain.items()},
            "average": self._average.state_dict(),
            "optimisers": {name: optimiser.state_dict() for name, optimiser in self._optimisers.items()},
            "scaler": None if scaler is None else scaler.state_dict(),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """As it was."""
        self.iteration = state["iteration"]
        for name, network in self.plain.items():
            network.load_state_dict(state["networks"][name])
            self._optimisers[name].load_state_dict(state["optimisers"][name])
        self._average.load_state_dict(state["average"])
        if self._accelerator.scaler is not None and state["scaler"] is not None:
            self._accelerator.scaler.load_state_dict(state["scaler"])


def make_optimiser(config: OptimiserConfig, network: nn.Module, lr: float) -> torch.optim.Optimizer:
    """The optimiser of ``torch.optim`` that ``config`` names, over a network's parameters."""
    make: Any = optimiser_class(config.name)
    optimiser: torch.optim.Optimizer = make(network.parameters(), lr=lr, **config.options)
    return optimiser
