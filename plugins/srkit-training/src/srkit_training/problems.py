"""What is wrong with a configuration: one line for each key."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Any

import attrs

import srkit

LONGEST = 80
"""Characters of a value that are shown."""


@attrs.frozen
class Problem:
    """A key, with dots (``train.schedule.gamma``), its value, and what is wrong with it; no value: ``attrs.NOTHING``."""

    key: str
    value: Any
    words: str

    def below(self, key: str) -> Problem:
        """The same, seen from the mapping that holds this one at ``key``."""
        return attrs.evolve(self, key=f"{key}.{self.key}" if self.key else key)

    def __str__(self) -> str:
        if self.value is attrs.NOTHING:
            return f"{self.key}: {self.words}"
        value = repr(self.value)
        shown = value if len(value) <= LONGEST else f"{value[:LONGEST]}…"
        return f"{self.key}={shown}: {self.words}" if self.key else f"{shown}: {self.words}"


class ConfigError(srkit.SettingsError):
    """A configuration that cannot be run; ``problems`` are all that were found, ``file`` is where it comes from."""

    def __init__(self, problems: Iterable[Problem], file: str = "") -> None:
        self.problems, self.file = tuple(problems), file
        super().__init__("\n".join(f"{file}: {problem}" if file else str(problem) for problem in self.problems))


def told(error: Exception) -> str:
    """What an error says, with its notes, in one line."""
    said = str(error.args[0]) if isinstance(error, KeyError) and error.args else str(error)
    return "; ".join([said, *getattr(error, "__notes__", ())]).replace("\n", " ")


def unknown_key(key: object, known: Iterable[str]) -> str:
    """That there is no such key, the nearest that there is, and all."""
    known = tuple(known)
    close = difflib.get_close_matches(str(key), known, n=1)
    hint = f"did you mean {close[0]!r}? " if close else ""
    return f"there is no key {str(key)!r} here; {hint}Keys: {', '.join(known) or 'none'}"
