"""Whether tensors of given names and shapes are those of a network."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import nn

from srkit import Recognition

Shapes = Mapping[str, tuple[int, ...]]


def match(
    shapes: Shapes, names: Mapping[str, str], build: Callable[..., nn.Module], config: Mapping[str, Any]
) -> Recognition | None:
    """A Recognition if ``build(**config)`` has exactly the tensors of ``shapes``, renamed by ``names`` (stored → own).

    The network is built on torch's meta device: shapes without memory.
    """
    if any(0 in shape for shape in shapes.values()):
        return None  # no network has empty tensors, and building one warns
    with torch.device("meta"):
        expected = {name: tuple(tensor.shape) for name, tensor in build(**config).state_dict().items()}
    stored = {names.get(name, name): shape for name, shape in shapes.items()}
    return Recognition(dict(config), dict(names)) if stored == expected else None
