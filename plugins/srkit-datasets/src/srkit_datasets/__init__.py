"""Data sets for srkit: pictures to train with, reproducible to the bit, and the commands that prepare them."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

import srkit

if TYPE_CHECKING:
    from .config import filled
    from .errors import PictureError, TooManyBadPictures
    from .paired import PairedConfig
    from .pictures import Pictures, Source, open_pictures
    from .pool import PairPool
    from .realesrgan import RealESRGANConfig
else:
    _HOMES = {
        "config": ("filled",),
        "errors": ("PictureError", "TooManyBadPictures"),
        "paired": ("PairedConfig",),
        "pictures": ("Pictures", "Source", "open_pictures"),
        "pool": ("PairPool",),
        "realesrgan": ("RealESRGANConfig",),
    }
    _HOME = {name: home for home, names in _HOMES.items() for name in names}

    def __getattr__(name: str) -> Any:
        if name in _HOME:
            return getattr(importlib.import_module(f".{_HOME[name]}", __name__), name)
        raise AttributeError(f"module 'srkit_datasets' has no attribute {name!r}")


__all__ = [
    "PairPool",
    "PairedConfig",
    "PictureError",
    "Pictures",
    "RealESRGANConfig",
    "Source",
    "TooManyBadPictures",
    "filled",
    "open_pictures",
]


@srkit.hookimpl
def srkit_register_datasets(register: srkit.Register[srkit.DatasetSpec]) -> None:
    """Register the data sets that Real-ESRGAN trains with."""
    register(
        srkit.DatasetSpec(
            name="realesrgan",
            target="srkit_datasets.realesrgan:dataset",
            summary="Targets, degraded on the fly.",
        )
    )
    register(
        srkit.DatasetSpec(
            name="realesrgan-paired",
            target="srkit_datasets.paired:dataset",
            summary="Ready pairs of targets and inputs.",
        )
    )


@srkit.hookimpl
def srkit_register_commands(register: srkit.Register[srkit.CommandSpec]) -> None:
    """Register ``srkit dataset``."""
    register(
        srkit.CommandSpec(
            name="dataset",
            target="srkit_datasets.command:dataset",
            summary="Prepare pictures for training: cut, scale, list and pack.",
        )
    )
