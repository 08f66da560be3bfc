"""Degradations made of others."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, ClassVar

import attrs
import torch

import srkit

from ..options import check_weights, per, probability
from .draws import Per, chance, drawn, pick
from .recipes import build
from .samples import Degrading, Sample


def run(step: srkit.Degradation, samples: Sequence[Sample]) -> None:
    """Apply a step of any plugin; one that knows nothing of samples gets the pictures one by one."""
    if isinstance(step, Degrading):
        step.apply(samples)
        return
    for sample in samples:
        sample.told.append(step.name)
        sample.image = step(sample.image[None].contiguous(), sample.rng)[0]


def step() -> Any:
    """A field that holds a degradation, or what a recipe says of one; none leaves pictures as they are."""
    return attrs.field(default=None, converter=lambda value: None if value is None else build(value))


def steps() -> Any:
    """A field that holds a tuple of degradations."""
    return attrs.field(default=(), converter=_all_built)


def _all_built(values: Any) -> tuple[srkit.Degradation, ...]:
    if isinstance(values, str | dict) or not isinstance(values, Iterable):
        raise srkit.SettingsError(f"{values!r} is no list of degradations; write each as an item of a list")
    return tuple(build(value) for value in values)


def _scale(_: object, attribute: attrs.Attribute[Any], value: Any) -> None:
    if value is not None and not (isinstance(value, int | float) and value > 0):
        raise srkit.SettingsError(f"{attribute.name}={value!r}; expected a number above 0, such as 4")


@attrs.frozen
class Chain(Degrading):
    """One step after another.

    ``scale``: the goal is the size of the pictures that come in, divided by it; resizes can refer to the goal. Without,
    it is the goal of the chain around, or the size itself.
    """

    name: ClassVar[str] = "chain"

    steps: tuple[srkit.Degradation, ...] = steps()
    scale: float | None = attrs.field(default=None, validator=_scale, kw_only=True)

    def apply(self, samples: Sequence[Sample]) -> None:
        """Run each step."""
        goals = [sample.goal for sample in samples]
        if self.scale is not None:
            for sample in samples:
                height, width = sample.image.shape[1:]
                sample.goal = (height / self.scale, width / self.scale)
        for one in self.steps:
            run(one, samples)
        for sample, goal in zip(samples, goals, strict=True):
            sample.goal = goal


def _as_tuple(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _one_each(owner: OneOf, attribute: attrs.Attribute[Any], value: Any) -> None:
    if value is None:
        return
    if not isinstance(value, tuple) or len(value) != len(owner.choices):
        raise srkit.SettingsError(f"weights={value!r}; expected one for each of the {len(owner.choices)} choices")
    check_weights(attribute, value)


@attrs.frozen
class OneOf(Degrading):
    """One of ``choices``, drawn by ``weights``, for each picture or once a batch."""

    name: ClassVar[str] = "one-of"

    choices: tuple[srkit.Degradation, ...] = steps()
    weights: tuple[float, ...] | None = attrs.field(
        default=None, converter=_as_tuple, validator=_one_each, kw_only=True
    )
    per: Per = per()

    def apply(self, samples: Sequence[Sample]) -> None:
        """Run the choice of each picture; pictures of one choice together."""
        if not self.choices:
            return
        shares = self.weights or (1,) * len(self.choices)
        picked = drawn(samples, self.per, lambda sample: pick(sample.rng, shares))
        for index, one in enumerate(self.choices):
            chosen = [sample for sample, mine in zip(samples, picked, strict=True) if mine == index]
            if chosen:
                run(one, chosen)


@attrs.frozen
class Shuffle(Degrading):
    """All of ``steps`` in an order drawn for each picture, or once a batch."""

    name: ClassVar[str] = "shuffle"

    steps: tuple[srkit.Degradation, ...] = steps()
    per: Per = per()

    def apply(self, samples: Sequence[Sample]) -> None:
        """Run the steps; pictures of one order together."""
        orders = drawn(
            samples,
            self.per,
            lambda sample: tuple(torch.randperm(len(self.steps), generator=sample.rng).tolist()),
        )
        for order in sorted(set(orders)):
            alike = [sample for sample, own in zip(samples, orders, strict=True) if own == order]
            for index in order:
                run(self.steps[index], alike)


@attrs.frozen
class WithProbability(Degrading):
    """``step`` for a share ``p`` of the pictures, or of the batches."""

    name: ClassVar[str] = "with-probability"

    step: srkit.Degradation | None = step()
    p: float = probability(0.5)
    per: Per = per()

    def apply(self, samples: Sequence[Sample]) -> None:
        """Run the step for those that are drawn."""
        which = drawn(samples, self.per, lambda sample: chance(sample.rng, self.p))
        chosen = [sample for sample, is_chosen in zip(samples, which, strict=True) if is_chosen]
        if chosen and self.step is not None:
            run(self.step, chosen)
