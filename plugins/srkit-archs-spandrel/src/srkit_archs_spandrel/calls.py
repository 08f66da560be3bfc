"""Networks of spandrel that are called as srkit calls networks: with pictures, and nothing else."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, nn

from srkit.rows import reflect

from .families import Family


def called(network: nn.Module, descriptor: Any, family: Family) -> nn.Module:
    """The network itself, its forward from now on that of ``descriptor``, which spandrel made of the same configuration.

    Around some networks spandrel does something: it adds a map of the noise to remove, takes the first of several results, or
    moves values to another range. This becomes part of forward, as does padding to a square, and a mask is taken to be the
    last channel; and pictures come out as the pipeline wants them: each as alone, the same each time. Names of tensors stay.
    """
    plain = type(network)
    call: Callable[..., Tensor] = descriptor._call_fn  # noqa: SLF001 -- its public call rounds to [0, 1] as well
    with_mask = masked(descriptor)
    square, scale = descriptor.size_requirements.square, descriptor.scale

    class Called(plain):  # type: ignore[valid-type,misc]
        def forward(self, x: Tensor) -> Tensor:
            if family.alone and len(x) > 1:
                return torch.cat([self.forward(picture) for picture in torch.split(x, 1)])
            inner = _Plain(self, plain)
            height, width = x.shape[-2:]
            if square:
                side = range(max(height, width))
                x = x[..., [reflect(y, height) for y in side], :][..., [reflect(column, width) for column in side]]
            with _the_same_draws() if family.draws else contextlib.nullcontext():
                x = x.clone() if family.writes else x
                out = call(inner, x[:, :-1], x[:, -1:]) if with_mask else call(inner, x)
            return out[..., : height * scale, : width * scale] if square else out

    Called.__name__ = Called.__qualname__ = plain.__name__
    network.__class__ = Called
    return network


def masked(descriptor: Any) -> bool:
    """Whether what spandrel describes takes a mask beside the picture."""
    return bool(descriptor.purpose == "Inpainting")


@contextlib.contextmanager
def _the_same_draws() -> Iterator[None]:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield


class _Plain:
    """A network as spandrel's calls expect it: called, it runs the forward of its class."""

    def __init__(self, network: nn.Module, kind: type[nn.Module]) -> None:
        self._network, self._kind = network, kind

    def __call__(self, *arguments: Any) -> Any:
        return self._kind.forward(self._network, *arguments)

    forward = __call__

    def __getattr__(self, name: str) -> Any:
        return getattr(self._network, name)
