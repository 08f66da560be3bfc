"""Drawing numbers from a torch generator on the CPU, the one source of chance."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal, TypeAlias, TypeVar

import torch
from torch import Generator

Per: TypeAlias = Literal["sample", "batch"]
"""How often something is drawn: for each picture, or once for all of a batch, as Real-ESRGAN does."""

S = TypeVar("S")
D = TypeVar("D")


def uniform(rng: Generator, low: float, high: float) -> float:
    """A number between ``low`` and ``high``."""
    return low + (high - low) * float(torch.rand((), dtype=torch.float64, generator=rng))


def integer(rng: Generator, low: int, high: int) -> int:
    """A whole number from ``low`` to ``high``, both included."""
    return int(torch.randint(low, high + 1, (), generator=rng))


def chance(rng: Generator, probability: float) -> bool:
    """True with this probability."""
    return uniform(rng, 0, 1) < probability


def pick(rng: Generator, weights: Sequence[float]) -> int:
    """An index, each as likely as its weight."""
    left = uniform(rng, 0, sum(weights))
    for index, weight in enumerate(weights):
        left -= weight
        if left < 0:
            return index
    return max(index for index, weight in enumerate(weights) if weight)


def seeds(rng: Generator, count: int) -> list[int]:
    """Seeds for as many generators; the first are the same, however many follow."""
    return [int(torch.randint(2**63 - 1, (), generator=rng)) for _ in range(count)]


def seeded(seed: int, device: torch.device | None = None) -> Generator:
    """A new generator."""
    return torch.Generator(device or "cpu").manual_seed(seed)


def drawn(samples: Sequence[S], per: Per, draw: Callable[[S], D]) -> list[D]:
    """What ``draw`` gives for each of ``samples``, or for the first, once for all."""
    if per == "batch" and samples:
        return [draw(samples[0])] * len(samples)
    return [draw(sample) for sample in samples]
