"""Does a network explain all tensors of a file?"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import srkit
import torch
from torch import nn

Network = TypeVar("Network", bound=nn.Module)


def without_memory(build: Callable[..., Network], config: Mapping[str, Any]) -> Network:
    """The network of this configuration with shapes alone, which costs next to nothing."""
    with torch.device("meta"):
        return build(**config)


def explained(
    build: Callable[..., nn.Module],
    config: Mapping[str, Any],
    shapes: Mapping[str, tuple[int, ...]],
) -> srkit.Recognition | None:
    """The recognition of tensors that are those of ``build(**config)``, by name and shape; None if they are not."""
    try:
        own = without_memory(build, config).state_dict()
    except ValueError:
        return None
    if {name: tuple(tensor.shape) for name, tensor in own.items()} != dict(shapes):
        return None
    return srkit.Recognition(config, {name: name for name in own})
