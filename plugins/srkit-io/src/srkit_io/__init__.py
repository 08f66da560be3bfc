"""Picture files for srkit: reading, writing, and folders of them."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

import srkit

if TYPE_CHECKING:
    from .files import ImageFileError, check_can_hold, read, write
    from .jobs import Job, Outcome, plan, run
else:
    _HOME = {
        "ImageFileError": "files", "check_can_hold": "files", "read": "files", "write": "files",
        "Job": "jobs", "Outcome": "jobs", "plan": "jobs", "run": "jobs",
    }  # fmt: skip

    def __getattr__(name: str) -> Any:
        if name in _HOME:
            return getattr(importlib.import_module(f".{_HOME[name]}", __name__), name)
        raise AttributeError(f"module 'srkit_io' has no attribute {name!r}")


__all__ = ["ImageFileError", "Job", "Outcome", "check_can_hold", "plan", "read", "run", "write"]


@srkit.hookimpl
def srkit_register_commands(register: srkit.Register[srkit.CommandSpec]) -> None:
    """Register ``srkit upscale``."""
    register(
        srkit.CommandSpec(
            name="upscale",
            target="srkit_io.command:upscale",
            summary="Upscale picture files and folders.",
        )
    )
