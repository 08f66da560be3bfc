"""Everything that an installed distribution registers, loaded and held to its contracts."""

from __future__ import annotations

import atexit
import functools
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import attrs
import click

from .. import plugins
from ..declarations import CommandSpec, LossSpec, ModelCard
from ..errors import ContractError
from ..protocols import Architecture, Dataset, Degradation, Trainer, Upsampler
from ..registry import Entry, fold
from .contract import Check, bind, choose, require
from .kinds import LOSSES, checks_for
from .report import report


def checks_of(
    distribution: str, *, only: Iterable[str] = (), skip: Mapping[str, str] | None = None
) -> Iterator[tuple[str, Check]]:
    """Every check of everything that an installed distribution registers, with what it is about.

    ``only``, ``skip``: as of :func:`srkit.testing.checks_for`, for all objects alike.
    """
    checks = [check for about, entry, protocol in _entries(distribution) for check in _checks(about, entry, protocol)]
    return ((check.about, check) for check in choose(checks, only, skip))


def reports_of(distribution: str) -> Iterator[tuple[str, Mapping[str, str]]]:
    """What there is to know of each architecture that it registers, with what it is about; see :func:`report`."""
    for about, entry, protocol in _entries(distribution):
        if protocol is Architecture:
            try:
                told = report(entry.load(Architecture))
            except Exception as error:  # noqa: BLE001 -- of an architecture that fails its checks
                told = {"network": f"none to tell of: {type(error).__name__}: {error}"}
            yield about, told


def _entries(distribution: str) -> Iterator[tuple[str, Entry[Any], type | None]]:
    """What it registers: what it is called, its record, and its protocol, None for models."""
    found = plugins.current()
    for registry, protocol in (
        (found.architectures, Architecture),
        (found.upsamplers, Upsampler),
        (found.degradations, Degradation),
        (found.datasets, Dataset),
        (found.losses, None),
        (found.trainers, Trainer),
        (found.commands, click.Command),
        (found.models, None),
    ):
        for entry in registry:
            if fold(entry.owner.distribution) == fold(distribution):
                of_loss = LOSSES[entry.spec.kind][0] if isinstance(entry.spec, LossSpec) else None
                yield f"{registry.kind} {entry.spec.name}", entry, of_loss or protocol


def _checks(about: str, entry: Entry[Any], protocol: type | None) -> list[Check]:
    """That it can be loaded; and if it can, those of its kind."""
    if protocol is None:
        return bind((names_what_is_there,), (entry, protocol), about)
    checks = bind((can_be_loaded,), (entry, protocol), about)
    try:
        subject: Any = _loaded(entry, protocol)
        fits = protocol is not click.Command and isinstance(subject, protocol)
    except Exception:  # noqa: BLE001 -- can_be_loaded tells
        fits = False
    if not fits:
        return checks
    is_loss = isinstance(entry.spec, LossSpec)
    kind, average = (entry.spec.kind, entry.spec.average) if is_loss else (None, False)
    return checks + [attrs.evolve(check, about=about) for check in checks_for(subject, kind=kind, average=average)]


def can_be_loaded(pair: tuple[Entry[Any], type]) -> None:
    """It can be imported, is what its record says, and has the name it is registered under."""
    entry, protocol = pair
    try:
        subject = _loaded(entry, protocol)
    except TypeError as error:
        raise ContractError(
            f"what is registered cannot be called without options (TypeError: {error}); register what makes one, such as a "
            f"class, with a default for each option, or with a function sample() that gives some",
            "can_be_loaded",
        ) from error
    require(isinstance(subject, protocol), f"called with options, it makes {subject!r}, no srkit.{protocol.__name__}")
    if not isinstance(entry.spec, LossSpec | CommandSpec):  # those are called what they are registered as
        require(
            fold(subject.name) == fold(entry.spec.name),
            f"it calls itself {subject.name!r}; register it under that name",
        )


def names_what_is_there(pair: tuple[Entry[ModelCard], None]) -> None:
    """Its architecture and the partners of its controls are registered."""
    card = pair[0].spec
    plugins.current().architectures.find(card.architecture)
    for control in card.controls.values():
        plugins.current().models.find(control.partner)


def _loaded(entry: Entry[Any], protocol: type) -> Any:
    """The object itself; or made by what is registered, with default options or those of its ``sample``."""
    if protocol not in {Degradation, Trainer, *(of_loss for of_loss, _ in LOSSES.values())}:
        return entry.load(protocol)
    make = entry.load()
    sample = getattr(make, "sample", None)
    if sample is None:
        return make()
    return make(**(sample(_folder()) if isinstance(entry.spec, LossSpec) else sample()))


def _folder() -> Path:
    """An empty folder that is there until the process ends, for losses read their files when they are called."""
    return Path(tempfile.mkdtemp(dir=_folders()))


@functools.cache
def _folders() -> str:
    folder = tempfile.mkdtemp(prefix="srkit-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder
