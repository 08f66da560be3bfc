"""srkit: super-resolution as a toolkit.

``srkit.upscale(img, model=…)`` upscales an array; ``srkit.load(…)`` makes an upscaler for many. Everything that has a
name (networks, weights, engines, commands) comes from a plugin; see :mod:`srkit.hookspecs`.

Names are looked up on first use, so that ``import srkit`` costs next to nothing and imports no torch.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .api import forget, load, upscale
    from .batches import Batch, Feed
    from .declarations import (
        ArchitectureSpec,
        CommandSpec,
        Control,
        DatasetSpec,
        DegradationSpec,
        LossSpec,
        ModelCard,
        PackagedWeights,
        Recognition,
        TrainerSpec,
        Traits,
        UpsamplerSpec,
    )
    from .errors import (
        ContractError,
        DatasetError,
        DigestMismatch,
        DownloadError,
        ImageError,
        MismatchedWeights,
        NonFiniteLoss,
        NonFiniteOutput,
        NotStreamable,
        Offline,
        OutOfMemory,
        PluginError,
        SettingsError,
        SrkitError,
        UnknownName,
        UnrecognisedWeights,
        UnsafeWeights,
        WeightsError,
        WeightsNotFound,
    )
    from .hookspecs import Register, hookimpl
    from .networks import LoadedNetwork, load_network
    from .pixels import Layout, layout_of
    from .protocols import (
        AdversarialLoss,
        Architecture,
        BatchStream,
        Dataset,
        Degradation,
        Explained,
        Learner,
        Loss,
        Penalty,
        Size,
        Stream,
        Trainer,
        Upsampler,
    )
    from .settings import Settings, free_memory, parse_memory
    from .upscaler import Upscaler

    __version__: str
else:
    _HOMES = {
        "api": ("forget", "load", "upscale"),
        "batches": ("Batch", "Feed"),
        "declarations": (
            "ArchitectureSpec", "CommandSpec", "Control", "DatasetSpec", "DegradationSpec", "LossSpec",
            "ModelCard", "PackagedWeights", "Recognition", "TrainerSpec", "Traits", "UpsamplerSpec",
        ),
        "errors": (
            "ContractError", "DatasetError", "DigestMismatch", "DownloadError", "ImageError", "MismatchedWeights",
            "NonFiniteLoss", "NonFiniteOutput", "NotStreamable", "Offline", "OutOfMemory", "PluginError",
            "SettingsError", "SrkitError", "UnknownName", "UnrecognisedWeights", "UnsafeWeights", "WeightsError",
            "WeightsNotFound",
        ),
        "hookspecs": ("Register", "hookimpl"),
        "networks": ("LoadedNetwork", "load_network"),
        "pixels": ("Layout", "layout_of"),
        "protocols": (
            "AdversarialLoss", "Architecture", "BatchStream", "Dataset", "Degradation", "Explained", "Learner", "Loss",
            "Penalty", "Size", "Stream", "Trainer", "Upsampler",
        ),
        "settings": ("Settings", "free_memory", "parse_memory"),
        "upscaler": ("Upscaler",),
    }  # fmt: skip
    _HOME = {name: home for home, names in _HOMES.items() for name in names}

    def __getattr__(name: str) -> Any:
        if name == "__version__":
            from importlib.metadata import version

            value = version("srkit")
        elif name in _HOME:
            value = getattr(importlib.import_module(f".{_HOME[name]}", __name__), name)
        else:
            raise AttributeError(f"module 'srkit' has no attribute {name!r}")
        globals()[name] = value
        return value

    def __dir__() -> list[str]:
        return sorted({*globals(), *__all__})


__all__ = [
    "AdversarialLoss",
    "Architecture",
    "ArchitectureSpec",
    "Batch",
    "BatchStream",
    "CommandSpec",
    "ContractError",
    "Control",
    "Dataset",
    "DatasetError",
    "DatasetSpec",
    "Degradation",
    "DegradationSpec",
    "DigestMismatch",
    "DownloadError",
    "Explained",
    "Feed",
    "ImageError",
    "Layout",
    "Learner",
    "LoadedNetwork",
    "Loss",
    "LossSpec",
    "MismatchedWeights",
    "ModelCard",
    "NonFiniteLoss",
    "NonFiniteOutput",
    "NotStreamable",
    "Offline",
    "OutOfMemory",
    "PackagedWeights",
    "Penalty",
    "PluginError",
    "Recognition",
    "Register",
    "Settings",
    "SettingsError",
    "Size",
    "SrkitError",
    "Stream",
    "Trainer",
    "TrainerSpec",
    "Traits",
    "UnknownName",
    "UnrecognisedWeights",
    "UnsafeWeights",
    "Upsampler",
    "UpsamplerSpec",
    "Upscaler",
    "WeightsError",
    "WeightsNotFound",
    "__version__",
    "forget",
    "free_memory",
    "hookimpl",
    "layout_of",
    "load",
    "load_network",
    "parse_memory",
    "upscale",
]
