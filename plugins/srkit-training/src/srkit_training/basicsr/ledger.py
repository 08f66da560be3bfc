"""The options of a file, each of which is to be accounted for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ..problems import Problem

ABSENT: Any = object()


class Ledger:
    """Options by dotted key; what became of each is noted, and told in the order of the file.

    ``problems``: options that cannot be translated.
    """

    def __init__(self, said: Mapping[str, Any]) -> None:
        self._said = said
        self._lines: dict[str, str] = {}
        self.problems: list[Problem] = []

    def get(self, key: str, default: Any = None) -> Any:
        """The value, unnoted."""
        value: Any = self._said
        for part in key.split("."):
            if not isinstance(value, Mapping) or part not in value:
                return default
            value = value[part]
        return value

    def keys(self, key: str) -> list[str]:
        """The names below a key."""
        value = self.get(key)
        return [str(name) for name in value] if isinstance(value, Mapping) else []

    def take(self, key: str, to: str, default: Any = None) -> Any:
        """The value, noted as what ``to`` says; the default, unnoted, where there is none."""
        value = self.get(key, ABSENT)
        if value is ABSENT:
            return default
        self._note(key, f"→ {to}")
        return value

    def first(self, keys: tuple[str, ...], to: str) -> Any:
        """The value of the one of several spellings that is there, or None."""
        found = [self.take(key, to) for key in keys if self.get(key, ABSENT) is not ABSENT]
        return found[0] if found else None

    def ignore(self, *keys: str, why: str) -> None:
        """Note that these make no difference."""
        for key in keys:
            self._note(key, f"ignored: {why}")

    def refuse(self, key: str, why: str) -> None:
        """Note that this cannot be translated, and what to do."""
        self._note(key, f"refused: {why}")
        self.problems.append(Problem(key, self.get(key), why))

    def _note(self, key: str, words: str) -> None:
        value = self.get(key, ABSENT)
        if value is not ABSENT:
            self._lines[key] = f"{key}={value!r} {words}"

    def report(self) -> list[str]:
        """A line for each option."""
        lines: dict[str, None] = {}
        for leaf, value in _leaves(self._said):
            parts = leaf.split(".")
            known = [key for n in range(len(parts), 0, -1) if (key := ".".join(parts[:n])) in self._lines]
            line = self._lines[known[0]] if known else f"{leaf}={value!r} ignored: srkit knows no such option"
            lines[line] = None
        return [*lines]


def _leaves(said: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in said.items():
        path = f"{above}{key}"
        if isinstance(value, Mapping) and value:
            yield from _leaves(value, f"{path}.")
        else:
            yield path, value
