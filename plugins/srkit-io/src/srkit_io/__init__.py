"""Picture files for srkit: reading, writing, and folders of them."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

import srkit

if TYPE_CHECKING:
    from .arrays import into, of_array
    from .errors import ImageFileError
    from .files import check_can_hold, open_picture, read, save, write
    from .jobs import Outcome, Seconds, run
    from .journal import Journal, open_journal
    from .options import WriteOptions
    from .picture import Metadata, Page, Picture
    from .targets import Job, plan
    from .wish import Wish, upscaled
else:
    _HOMES = {
        "arrays": ("into", "of_array"),
        "errors": ("ImageFileError",),
        "files": ("check_can_hold", "open_picture", "read", "save", "write"),
        "jobs": ("Outcome", "Seconds", "run"),
        "journal": ("Journal", "open_journal"),
        "options": ("WriteOptions",),
        "picture": ("Metadata", "Page", "Picture"),
        "targets": ("Job", "plan"),
        "wish": ("Wish", "upscaled"),
    }
    _HOME = {name: home for home, names in _HOMES.items() for name in names}

    def __getattr__(name: str) -> Any:
        if name in _HOME:
            return getattr(importlib.import_module(f".{_HOME[name]}", __name__), name)
        raise AttributeError(f"module 'srkit_io' has no attribute {name!r}")


__all__ = [
    "ImageFileError",
    "Job",
    "Journal",
    "Metadata",
    "Outcome",
    "Page",
    "Picture",
    "Seconds",
    "Wish",
    "WriteOptions",
    "check_can_hold",
    "into",
    "of_array",
    "open_journal",
    "open_picture",
    "plan",
    "read",
    "run",
    "save",
    "upscaled",
    "write",
]


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
