"""What spandrel says of a network, from names and shapes, without weights being made or copied."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import attrs
import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode


class Effortless(TorchFunctionMode):
    """While it lasts, parameters are not written to.

    Networks are built without their random weights, whose memory is never touched; and what a state dict would copy into
    parameters and buffers is noted in ``copies``: id of the target → the source. (torch's meta device would do, but that many
    networks read numbers out of tensors while they are built.)
    """

    def __init__(self) -> None:
        super().__init__()
        self.copies: dict[int, Tensor] = {}

    def __torch_function__(
        self, func: Callable[..., Any], _: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        """Call ``func``, unless it would write to a parameter."""
        kwargs = kwargs or {}
        name = getattr(func, "__name__", "")
        if name.endswith("_") and not name.endswith("__"):
            target = args[0] if args else kwargs.get("tensor")
            if name == "copy_" and len(args) > 1:
                self.copies[id(target)] = args[1]
            if isinstance(target, nn.Parameter):
                return target
        return func(*args, **kwargs)


@attrs.frozen(eq=False)
class Described:
    """A network as spandrel reads it from a state dict.

    ``descriptor``: spandrel's ImageModelDescriptor, whose model has no weights. ``names``: name in the state dict → the
    model's own; what the model has no use for is missing.
    """

    descriptor: Any
    names: Mapping[str, str]


def describe(architecture: Any, tensors: Mapping[str, Tensor]) -> Described:
    """Let spandrel's ``architecture`` read ``tensors``, of which mostly the shapes matter.

    Raises whatever spandrel does for tensors that it can make nothing of.
    """
    with without_warnings(), Effortless() as effortless:
        descriptor = architecture.load(dict(tensors))
    stored = {id(tensor): name for name, tensor in tensors.items()}
    names = {}
    for own, target in descriptor.model.state_dict(keep_vars=True).items():
        name = own if own in tensors else stored.get(id(effortless.copies.get(id(target))))
        if name is not None:
            names[name] = own
    return Described(descriptor, names)


@contextmanager
def without_warnings() -> Iterator[None]:
    """Without those of spandrel's networks about torch, which nobody who runs them can do anything about."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        yield


def blank(shapes: Mapping[str, tuple[int, ...]]) -> dict[str, Tensor]:
    """Tensors of these shapes, all zeros, without memory."""
    return {name: torch.zeros(()).expand(shape) for name, shape in shapes.items()}
