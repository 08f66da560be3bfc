"""Weight files → tensors by name. Nothing in a file is ever executed."""

from __future__ import annotations

import json
import pickle
import re
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs
import safetensors
import torch
from safetensors.torch import load_file
from torch import Tensor

from ..errors import UnsafeWeights, WeightsError, WeightsNotFound
from . import ncnn

CONFIG_KEY = "srkit.config"
"""In the metadata of a safetensors file, or beside the state dicts of a checkpoint: the arguments of
``Architecture.build``, as JSON."""

CARD_KEY = "srkit.card"
"""In the same places: what the network is and how it came about, as JSON."""

# Where checkpoints keep the network, best first: the averaged weights are what upstream publishes.
_NESTS = ("params_ema", "params", "state_dict", "model_state_dict", "model")


@attrs.frozen
class WeightFile:
    """What a weight file holds: tensors by name, float32, in stored order, and what CONFIG_KEY and CARD_KEY say, or {}."""

    tensors: dict[str, Tensor] = attrs.field(repr=False)
    config: Mapping[str, Any] = attrs.field(factory=dict)
    card: Mapping[str, Any] = attrs.field(factory=dict)


def read(path: Path) -> dict[str, Tensor]:
    """The tensors of a weight file; see ``read_file``."""
    return read_file(path).tensors


def read_file(path: Path) -> WeightFile:
    """What a ``.safetensors``, ``.pth`` or ncnn ``.param`` / ``.bin`` file holds.

    The kind is told by the content, not by the name (ncnn's two files by name). Raises WeightsNotFound, UnsafeWeights for
    a pickle that asks for more than tensors, and WeightsError for anything else that is not a weight file.
    """
    try:
        with path.open("rb") as file:
            head = file.read(16)
    except IsADirectoryError as error:
        raise WeightsError(f"{path} is a directory; name the weight file in it", path) from error
    except (FileNotFoundError, NotADirectoryError) as error:
        near = sorted(p.name for p in path.parent.glob("*") if p.suffix in {".safetensors", ".pth", ".param"})
        there = f"; weight files in {path.parent}: {', '.join(near)}" if near else ""
        raise WeightsNotFound(f"there is no weight file {path}{there}") from error
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise WeightsError(f"{path} cannot be read: {reason}; check its name and permissions", path) from error
    if _is_safetensors(head, path):  # before pickles: the length of the header may be any bytes
        stored, metadata = _read_safetensors(path)
        return _weight_file(stored, metadata, path)
    if path.suffix in {".param", ".bin"} and not _is_torch(head):
        return WeightFile({name: torch.from_numpy(array) for name, array in ncnn.read(path).items()})
    if _is_torch(head):
        loaded = _read_torch(path)
        return _weight_file(loaded, loaded if isinstance(loaded, Mapping) else {}, path)
    raise WeightsError(
        f"{path} is not a weight file: it starts with {head[:8]!r}, like neither safetensors, a PyTorch checkpoint nor "
        f"ncnn; fetch it again if it should be one of them",
        path,
    )


def _weight_file(loaded: Any, metadata: Mapping[Any, Any], path: Path) -> WeightFile:
    config, card = (_stored(metadata.get(key), key, path) for key in (CONFIG_KEY, CARD_KEY))
    return WeightFile(_tensors(loaded, path), config, card)


def _stored(text: Any, key: str, path: Path) -> dict[str, Any]:
    """The JSON object that stands under ``key``; {} if there is none."""
    if not isinstance(text, str):
        return {}
    try:
        stored = json.loads(text)
    except ValueError as error:
        raise WeightsError(f"{path} has a damaged {key} in its metadata ({error}); fetch it again", path) from error
    return stored if isinstance(stored, dict) else {}


def _is_safetensors(head: bytes, path: Path) -> bool:
    return head[8:9] == b"{" and 2 <= int.from_bytes(head[:8], "little") <= path.stat().st_size - 8


def _is_torch(head: bytes) -> bool:
    # A zip archive, or the pickle of torch before 1.6.
    return head.startswith((b"PK\x03\x04", b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05"))


def _read_safetensors(path: Path) -> tuple[dict[str, Tensor], Mapping[str, str]]:
    try:
        with safetensors.safe_open(path, "pt") as opened:
            metadata = opened.metadata() or {}
        return load_file(path), metadata
    except (safetensors.SafetensorError, OSError, ValueError, KeyError) as error:
        raise WeightsError(f"{path} is a damaged safetensors file ({error}); fetch it again", path) from error


def _read_torch(path: Path) -> Any:
    try:
        # As a file: by its name torch would take it for something else.
        with path.open("rb") as file, warnings.catch_warnings(record=True) as seen:
            warnings.simplefilter("always")
            return torch.load(file, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        # Of the protocols 4 and 5 torch reads nothing in safety, and says so in a warning.
        newer = any(re.search("pickle protocol [45]", str(warning.message)) for warning in seen)
        if newer or any(sign in str(error) for sign in ("GLOBAL", "Unsupported class", "Unsupported global")):
            raise UnsafeWeights(
                f"{path} is a pickle that asks for more than tensors, so it was not loaded and nothing in it was run. "
                f"If you trust its source, load it in PyTorch yourself and save the state dict as safetensors",
                path,
            ) from error
        raise WeightsError(f"{path} is a damaged PyTorch checkpoint; fetch it again", path) from error
    except Exception as error:  # torch's reader raises whatever damaged bytes lead it to
        raise WeightsError(
            f"{path} is a damaged PyTorch checkpoint ({type(error).__name__}); fetch it again", path
        ) from error


def _tensors(loaded: Any, path: Path) -> dict[str, Tensor]:
    """The state dict inside a checkpoint, as float32."""
    for _ in _NESTS:  # at most so deep: a mapping can hold itself
        nest = next(
            (name for name in _NESTS if isinstance(loaded, Mapping) and isinstance(loaded.get(name), Mapping)), None
        )
        if nest is not None:
            loaded = loaded[nest]
    if not isinstance(loaded, Mapping):
        raise WeightsError(f"{path} holds a {type(loaded).__name__}, not a state dict; save network.state_dict()", path)
    tensors = {str(name): value for name, value in loaded.items() if isinstance(value, Tensor)}
    if not tensors:
        raise WeightsError(f"{path} holds no tensors; its entries are {', '.join(map(str, loaded)) or 'none'}", path)
    # DistributedDataParallel prefixes every name.
    if all(name.startswith("module.") for name in tensors):
        tensors = {name.removeprefix("module."): value for name, value in tensors.items()}
    return {name: value.float() if value.is_floating_point() else value for name, value in tensors.items()}
