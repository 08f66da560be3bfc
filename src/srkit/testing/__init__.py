"""The conformance kit: what every plugin object must keep to, as checks that anybody can run.

In a test of your plugin::

    import srkit.testing
    from my_nets.espcn import architecture

    @srkit.testing.parametrise(architecture)
    def test_conforms(check):
        check()

On the command line: ``srkit check DISTRIBUTION``. Each check is one function with a one-sentence contract.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeAlias

import attrs
import click

from .. import plugins
from ..declarations import ModelCard
from ..errors import SrkitError
from ..protocols import Architecture, Dataset, Degradation, Trainer, Upsampler
from ..registry import Entry, fold
from .architecture import ARCHITECTURE_CHECKS
from .contract import require
from .dataset import DATASET_CHECKS
from .degradation import DEGRADATION_CHECKS
from .trainer import TRAINER_CHECKS
from .upsampler import UPSAMPLER_CHECKS

__all__ = [
    "Check",
    "check_architecture",
    "check_dataset",
    "check_degradation",
    "check_trainer",
    "check_upsampler",
    "checks_for",
    "checks_of",
    "parametrise",
]


@attrs.frozen
class Check:
    """One contract, bound to one object; call it, and it raises ContractError if the object breaks it."""

    name: str
    contract: str
    _run: Callable[[Any], None] = attrs.field(repr=False)
    _subject: Any = attrs.field(repr=False)

    def __call__(self) -> None:
        """Run the check."""
        self._run(self._subject)


Subject: TypeAlias = Architecture | Dataset | Degradation | Trainer | Upsampler


def checks_for(subject: Subject) -> list[Check]:
    """The checks for an object, by the protocol it follows; raises TypeError if it follows none."""
    functions: tuple[Callable[[Any], None], ...]
    if isinstance(subject, Architecture):
        functions = ARCHITECTURE_CHECKS
    elif isinstance(subject, Upsampler):
        functions = UPSAMPLER_CHECKS
    elif isinstance(subject, Dataset):
        functions = DATASET_CHECKS
    elif isinstance(subject, Trainer) and not isinstance(subject, type):
        functions = TRAINER_CHECKS
    elif isinstance(subject, Degradation) and not isinstance(subject, type):
        functions = DEGRADATION_CHECKS
    else:
        raise TypeError(
            f"{subject!r} is neither an Architecture, a Dataset, a Degradation, a Trainer nor an Upsampler; see "
            f"srkit.protocols"
        )
    return [Check(f.__name__, (f.__doc__ or "").strip().split("\n")[0], f, subject) for f in functions]


def check_architecture(architecture: Architecture) -> None:
    """Run all checks for architectures; raises ContractError at the first that fails."""
    for check in checks_for(architecture):
        check()


def check_degradation(degradation: Degradation) -> None:
    """Run all checks for degradations; raises ContractError at the first that fails."""
    for check in checks_for(degradation):
        check()


def check_upsampler(upsampler: Upsampler) -> None:
    """Run all checks for upsamplers; raises ContractError at the first that fails."""
    for check in checks_for(upsampler):
        check()


def check_dataset(dataset: Dataset) -> None:
    """Run all checks for data sets; raises ContractError at the first that fails."""
    for check in checks_for(dataset):
        check()


def check_trainer(trainer: Trainer) -> None:
    """Run all checks for trainers; raises ContractError at the first that fails."""
    for check in checks_for(trainer):
        check()


def parametrise(*subjects: Subject) -> Any:
    """A pytest decorator: the test runs once for each check of each object, as its argument ``check``."""
    import pytest

    pairs = [(subject.name, check) for subject in subjects for check in checks_for(subject)]
    return pytest.mark.parametrize("check", [pytest.param(c, id=f"{name}-{c.name}") for name, c in pairs])


def checks_of(distribution: str) -> Iterator[tuple[str, Check]]:
    """Every check of everything that an installed distribution registers, with what it is about."""
    found = plugins.current()
    ours = fold(distribution)
    for registry, protocol in (
        (found.architectures, Architecture),
        (found.upsamplers, Upsampler),
        (found.degradations, Degradation),
        (found.datasets, Dataset),
        (found.trainers, Trainer),
        (found.commands, click.Command),
        (found.models, None),
    ):
        for entry in registry:
            if fold(entry.owner.distribution) != ours:
                continue
            label = f"{registry.kind} {entry.spec.name}"
            functions = (names_what_is_there,) if protocol is None else (can_be_loaded,)
            yield from ((label, Check(f.__name__, f.__doc__ or "", f, (entry, protocol))) for f in functions)
            if protocol not in {click.Command, None}:
                subject = _loaded(entry, protocol)
                fits = protocol is not None and isinstance(subject, protocol)
                yield from ((label, check) for check in (checks_for(subject) if fits else ()))


def can_be_loaded(pair: tuple[Entry[Any], type]) -> None:
    """It can be imported, is what its record says, and has the name it is registered under."""
    entry, protocol = pair
    if protocol in _MADE:
        subject = _made(entry)
        require(
            isinstance(subject, protocol), f"called with options, it makes {subject!r}, no srkit.{protocol.__name__}"
        )
    else:
        subject = entry.load(protocol)
    name = entry.spec.name if protocol is click.Command else subject.name
    require(fold(name) == fold(entry.spec.name), f"it calls itself {name!r}; register it under that name")


def names_what_is_there(pair: tuple[Entry[ModelCard], None]) -> None:
    """Its architecture and the partners of its controls are registered."""
    card = pair[0].spec
    plugins.current().architectures.find(card.architecture)
    for control in card.controls.values():
        plugins.current().models.find(control.partner)


_MADE = {Degradation, Trainer}
"""Of these, what is registered makes them."""


def _made(entry: Entry[Any]) -> Any:
    """With default options, or those of its ``sample``."""
    make = entry.load()
    sample: Callable[[], Mapping[str, Any]] = getattr(make, "sample", dict)
    return make(**sample())


def _loaded(entry: Entry[Any], protocol: type | None) -> Any:
    """The object itself, or what is made by what is registered."""
    try:
        return _made(entry) if protocol in _MADE else entry.load()
    except (SrkitError, TypeError, ValueError):
        return None  # can_be_loaded tells
