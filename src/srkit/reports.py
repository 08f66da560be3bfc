"""What became of a plugin: who it is, what it registered, what is wrong with it."""

from __future__ import annotations

import traceback

import attrs


@attrs.frozen
class Problem:
    """Something wrong with a plugin: one line, and the exception with its traceback where there was one."""

    message: str
    error: BaseException | None = None

    @property
    def traceback(self) -> str:
        """The traceback as text; empty where no exception was raised."""
        return "".join(traceback.format_exception(self.error)) if self.error else ""


@attrs.define(eq=False)
class PluginReport:
    """What became of one plugin."""

    distribution: str
    version: str
    entry_point: str
    module: str
    registered: list[tuple[str, str]] = attrs.field(factory=list)
    problems: list[Problem] = attrs.field(factory=list)
    failed: bool = False

    @property
    def label(self) -> str:
        """How error messages call it."""
        return f"plugin {self.entry_point!r} of {self.distribution} {self.version}"
