"""Networks of spandrel that are called as srkit calls networks: with pictures, and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from srkit.rows import reflect


def called(network: nn.Module, descriptor: Any, *, alone: bool, writes: bool) -> nn.Module:
    """The network itself, its forward from now on that of ``descriptor``, which spandrel made of the same configuration.

    Around some networks spandrel does something: it adds a map of the noise to remove, takes the first of several results, or
    moves values to another range. This becomes part of forward, as does padding to a square. Names of tensors stay.
    ``alone`` and ``writes``: see Family.
    """
    plain = type(network)
    call: Callable[[Any, Tensor], Tensor] = descriptor._call_fn  # noqa: SLF001 -- its public call rounds to [0, 1] as well
    square, scale = descriptor.size_requirements.square, descriptor.scale

    class Called(plain):  # type: ignore[valid-type,misc]
        def forward(self, x: Tensor) -> Tensor:
            inner = _Plain(self, plain)
            if alone and len(x) > 1:
                return torch.cat([self.forward(picture) for picture in torch.split(x, 1)])
            if not square:
                return call(inner, x.clone() if writes else x)
            height, width = x.shape[-2:]
            side = max(height, width)
            x = x[..., [reflect(y, height) for y in range(side)], :]
            out = call(inner, x[..., [reflect(column, width) for column in range(side)]])
            return out[..., : height * scale, : width * scale]

    Called.__name__ = Called.__qualname__ = plain.__name__
    network.__class__ = Called
    return network


class _Plain:
    """A network as spandrel's calls expect it: called, it runs the forward of its class."""

    def __init__(self, network: nn.Module, kind: type[nn.Module]) -> None:
        self._network, self._kind = network, kind

    def __call__(self, *arguments: Any) -> Any:
        return self._kind.forward(self._network, *arguments)

    forward = __call__

    def __getattr__(self, name: str) -> Any:
        return getattr(self._network, name)
