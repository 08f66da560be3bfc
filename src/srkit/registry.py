"""Names → declarations, with their owner, and loading of what a declaration points to."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from typing import Any, Generic, Protocol, TypeVar

import attrs

from .errors import PluginError, UnknownName
from .reports import PluginReport


class Named(Protocol):
    """Anything that can be registered."""

    @property
    def name(self) -> str:
        """What it is called."""

    @property
    def aliases(self) -> tuple[str, ...]:
        """What else it answers to."""


S = TypeVar("S", bound=Named)


@attrs.frozen
class Entry(Generic[S]):
    """A registered declaration and the plugin that registered it."""

    spec: S
    owner: PluginReport

    def load(self, protocol: type | None = None) -> Any:
        """Import what ``spec.target`` names and hold it to ``protocol``.

        Raises PluginError, with the original error as its cause, if the plugin cannot deliver it.
        """
        target: str = getattr(self.spec, "target")  # noqa: B009 -- not every record has one
        module, _, attribute = target.partition(":")
        try:
            loaded = getattr(importlib.import_module(module), attribute)
        except (Exception, SystemExit) as error:
            raise PluginError(
                f"{self.spec.name!r} of {self.owner.label} could not be loaded from {target!r}: "
                f"{type(error).__name__}: {error}. See 'srkit check {self.owner.distribution}'.",
                self.owner.distribution,
            ) from error
        if protocol is not None and not isinstance(loaded, protocol):
            missing = [m for m in sorted(protocol_members(protocol)) if getattr(loaded, m, None) is None]
            raise PluginError(
                f"{self.spec.name!r} of {self.owner.label}: {target!r} is not an {protocol.__name__}; "
                f"it lacks {', '.join(missing)}",
                self.owner.distribution,
            )
        return loaded


def protocol_members(protocol: type) -> set[str]:
    """The names that a protocol class demands."""
    return {name for name in {**protocol.__annotations__, **vars(protocol)} if not name.startswith("_")}


def fold(name: str) -> str:
    """How names are compared: case, and '_' against '-', make no difference."""
    return name.casefold().replace("_", "-")


class Registry(Generic[S]):
    """All declarations of one kind."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self._entries: dict[str, Entry[S]] = {}
        self._lost: dict[str, PluginReport] = {}
        self.broken: list[PluginReport] = []

    def add(self, spec: S, owner: PluginReport) -> None:
        """Register ``spec``; the first to take a name keeps it.

        Raises ValueError, registering nothing, if a name or alias is taken.
        """
        names = {fold(name) for name in (spec.name, *spec.aliases)}
        for name in sorted(names & set(self._entries)):
            holder = self._entries[name].owner
            raise ValueError(
                f"{self.kind} name {name!r} is already taken by {holder.label}; rename one of them or load only one "
                f"with SRKIT_PLUGINS"
            )
        for name in names:
            self._entries[name] = Entry(spec, owner)

    def take_back(self, owner: PluginReport) -> None:
        """Forget what ``owner`` registered, but remember that it was its."""
        for name in [name for name, entry in self._entries.items() if entry.owner is owner]:
            del self._entries[name]
            self._lost[name] = owner

    def find(self, name: str) -> Entry[S]:
        """The entry called ``name``; raises UnknownName, or PluginError if its owner is broken."""
        entry = self._entries.get(fold(name))
        if entry is not None:
            return entry
        lost = self._lost.get(fold(name))
        if lost is not None:
            raise PluginError(
                f"{self.kind} {name!r} belongs to {lost.label}, which is broken: {lost.problems[0].message}. "
                f"See 'srkit plugins'.",
                lost.distribution,
            ) from lost.problems[0].error
        unknown = UnknownName(self.kind, name, self.names())
        for report in self.broken:
            unknown.add_note(f"{report.label} failed to load, so what it registers is missing; see 'srkit plugins'")
        if self.broken:
            raise unknown from self.broken[0].problems[0].error
        raise unknown

    def names(self) -> list[str]:
        """All proper names, sorted; aliases are left out."""
        return [entry.spec.name for entry in self]

    def __contains__(self, name: str) -> bool:
        return fold(name) in self._entries

    def __iter__(self) -> Iterator[Entry[S]]:
        unique = {id(entry.spec): entry for entry in self._entries.values()}
        return iter(sorted(unique.values(), key=lambda entry: fold(entry.spec.name)))
