"""What the generator's output is held against: a weighted sum of registered losses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs
from torch import Tensor

import srkit
from srkit import plugins


@attrs.frozen
class Term:
    """A loss, its share, whether its target is the sharpened one, whether it wants the average's output."""

    name: str
    loss: srkit.Loss
    weight: float
    sharpened: bool
    average: bool


class Objective:
    """Σ weight · loss(output, target) over ``losses``: name of a registered loss → its ``weight`` (1) and options.

    ``sharpened``: name → whether its target is the batch's ``gt_usm``. Raises SettingsError or UnknownName.
    """

    def __init__(self, losses: Mapping[str, Any], sharpened: Mapping[str, bool]) -> None:
        if not isinstance(losses, Mapping) or not losses:
            raise srkit.SettingsError(
                f"losses={losses!r}; expected names of losses with weights, {{l1: {{weight: 1}}}}"
            )
        strange = sorted(sharpened.keys() - losses.keys() - {"gan"})
        if strange:
            raise srkit.SettingsError(
                f"sharpened names {strange[0]!r}, which is none of the losses {', '.join(losses)}"
            )
        self.terms = tuple(_term(name, options, bool(sharpened.get(name))) for name, options in losses.items())
        self.wants_average = any(term.average for term in self.terms)

    def __call__(
        self, output: Tensor, batch: srkit.Batch, average: Tensor | None = None
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """The sum, with gradients, and its terms by name, without. ``average``: what the average of the network gives."""
        total, told = output.new_zeros(()), {}
        for term in self.terms:
            target = target_of(batch, sharpened=term.sharpened)
            more = (average,) if term.average else ()
            value = term.weight * term.loss(output, target, *more)
            total = total + value
            told[term.name] = value.detach()
        return total, told


def _term(name: str, options: Any, sharpened: bool) -> Term:
    options = {"weight": options} if isinstance(options, int | float) else options
    if options is not None and not isinstance(options, Mapping):
        raise srkit.SettingsError(f"losses.{name}={options!r}; expected its weight, or a mapping such as {{weight: 1}}")
    more = dict(options or {})
    weight = checked_weight(more.pop("weight", 1.0), f"losses.{name}.weight")
    loss, spec = make_loss(name, "picture", more, f"losses.{name}")
    return Term(name, loss, weight, sharpened, spec.average)


_WORDS = {"picture": "loss", "adversarial": "adversarial loss", "penalty": "penalty"}


def make_loss(name: str, kind: str, options: Mapping[str, Any], key: str) -> tuple[Any, srkit.LossSpec]:
    """A registered loss of a kind, made with ``options``; raises UnknownName, or SettingsError that names ``key``."""
    losses = plugins.current().losses
    if name not in losses or losses.find(name).spec.kind != kind:
        raise srkit.UnknownName(_WORDS[kind], name, [entry.spec.name for entry in losses if entry.spec.kind == kind])
    entry = losses.find(name)
    try:
        return entry.load()(**options), entry.spec
    except (srkit.SettingsError, TypeError) as error:
        raise srkit.SettingsError(f"{key}: {error}") from error


def checked_weight(weight: Any, key: str) -> float:
    """Raise SettingsError unless it is a number of at least 0."""
    if isinstance(weight, bool) or not isinstance(weight, int | float) or not weight >= 0:
        raise srkit.SettingsError(f"{key}={weight!r}; expected a number of at least 0")
    return float(weight)


def target_of(batch: srkit.Batch, *, sharpened: bool) -> Tensor:
    """The target, sharpened or not; raises SettingsError if the data set gives no sharpened one."""
    if not sharpened:
        return batch.gt
    if batch.gt_usm is None:
        raise srkit.SettingsError(
            "trainer.options.sharpened wants sharpened targets, but the data set gives none; set data.options.sharpen: true"
        )
    return batch.gt_usm


def inputs_of(batch: srkit.Batch) -> Tensor:
    """The network's inputs; raises SettingsError if the data set gives none."""
    if batch.lq is None:
        raise srkit.SettingsError(
            "the data set gives targets alone; name a degradation, data.options.degradation: second-order"
        )
    return batch.lq
