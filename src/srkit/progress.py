"""Progress, to a bar on the terminal or to a function."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from tqdm import tqdm

from .errors import SettingsError

Progress: TypeAlias = bool | Callable[[int, int], None] | None
"""True for a bar, a function called with (rows done, rows in all), or nothing."""


class _Bar:
    """A bar on a terminal; nothing in a pipe."""

    def __init__(self, name: str) -> None:
        self._bar = tqdm(desc=name, unit="row", disable=None, leave=False)

    def __call__(self, done: int, total: int) -> None:
        self._bar.total = total
        self._bar.update(done - self._bar.n)
        if done == total:
            self._bar.close()


def reporter(progress: Progress, name: str) -> Callable[[int, int], None]:
    """A function to call with (rows done, rows in all); raises SettingsError for what is no progress."""
    if progress is None or progress is False:
        return lambda _done, _total: None
    if progress is True:
        return _Bar(name)
    if not callable(progress):
        raise SettingsError(f"progress={progress!r} is neither True nor a function of (rows done, rows in all)")
    return progress
