"""Networks that pass gradients on and get none themselves."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import nn


@contextmanager
def frozen(network: nn.Module) -> Iterator[nn.Module]:
    """The network, whose parameters get no gradients meanwhile; those that wanted some want them again afterwards."""
    wanted = [parameter for parameter in network.parameters() if parameter.requires_grad]
    try:
        for parameter in wanted:
            parameter.requires_grad_(False)
        yield network
    finally:
        for parameter in wanted:
            parameter.requires_grad_(True)
