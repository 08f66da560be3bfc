"""A family of spandrel's networks as an architecture of srkit."""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Mapping
from typing import Any

from torch import nn

import srkit

from .calls import called, masked
from .effortless import Described, Effortless, blank, describe, without_warnings
from .families import FAMILIES, Family
from .importing import import_spandrel
from .values import values

spandrel = import_spandrel()

Shapes = Mapping[str, tuple[int, ...]]


class SpandrelArchitecture:
    """A family; its configuration is the arguments of spandrel's class, and ``variant`` where it has several."""

    def __init__(self, family: Family) -> None:
        self.name = family.name
        self._family = family
        self._architecture = spandrel.MAIN_REGISTRY[family.id].architecture
        module = sys.modules[type(self._architecture).__module__]
        exported = [getattr(module, name) for name in module.__all__]
        self._classes = {each.__name__: each for each in exported if issubclass(each, nn.Module)}

    def build(self, **config: Any) -> nn.Module:
        """A network with random weights; its forward takes and gives RGB in [0, 1], as spandrel's descriptors do.

        A network that takes a mask beside the picture, 1 where it fills in and 0 elsewhere, takes it as the last channel.
        """
        network = self._made(config)
        descriptor = self._described(network).descriptor
        return called(network, descriptor, self._family)

    def traits(self, **config: Any) -> srkit.Traits:
        """Scale, channels and sizes as spandrel tells them."""
        with Effortless():
            network = self._made(config)
        descriptor = self._described(network).descriptor
        sizes = descriptor.size_requirements
        return srkit.Traits(
            scale=descriptor.scale,
            in_channels=descriptor.input_channels + masked(descriptor),
            out_channels=descriptor.output_channels,
            multiple_of=sizes.multiple_of,
            minimum=max(1, sizes.minimum),
            maximum=self._family.maximum,
        )

    def recognise(self, shapes: Shapes) -> srkit.Recognition | None:
        """By the first of spandrel's families that has these names."""
        tensors = blank(shapes)
        found = next(
            (s.architecture.id for s in spandrel.MAIN_REGISTRY.architectures("detection") if s.detect(tensors)), None
        )
        if found != self._family.id or not _plausible(shapes):
            return None
        try:
            described = describe(self._architecture, tensors | values(found, self._classes, shapes))
        except Exception:  # noqa: BLE001 -- what spandrel raises for tensors that it cannot read may be anything
            return None
        return srkit.Recognition(self._config(described.descriptor.model), described.names)

    def _made(self, config: Mapping[str, Any]) -> nn.Module:
        variant = config.get("variant", next(iter(self._classes)))
        if variant not in self._classes:
            raise ValueError(f"variant={variant!r} is not one of {self.name}; choose from {', '.join(self._classes)}")
        arguments = {key: value for key, value in config.items() if key != "variant"}
        kind = self._classes[variant]
        try:
            with without_warnings():
                network: nn.Module = kind(**(self._defaults(kind) | arguments))
        except Exception as error:
            raise ValueError(f"spandrel's {variant} cannot be built with {arguments}: {error}") from error
        return network

    def _described(self, network: nn.Module) -> Described:
        return describe(self._architecture, network.state_dict())

    def _config(self, network: nn.Module) -> dict[str, Any]:
        """The arguments that ``build`` must be given for it."""
        kind = type(network)
        known = {key: p.default for key, p in inspect.signature(kind).parameters.items()} | self._defaults(kind)
        hyperparameters: Mapping[str, Any] = network.hyperparameters  # type: ignore[assignment]
        config = {k: v for k, v in hyperparameters.items() if k in known and v != known[k]}
        return config if len(self._classes) == 1 else {"variant": kind.__name__, **config}

    def _defaults(self, kind: type[nn.Module]) -> dict[str, Any]:
        """What ours are beside those of the class."""
        return dict(self._family.defaults) if kind is next(iter(self._classes.values())) else {}


def _plausible(shapes: Shapes) -> bool:
    """Whether layers are not numbered beyond reason: spandrel builds as many as the highest number says."""
    highest = max((int(digits) for name in shapes for digits in re.findall(r"\.(\d{1,18})\.", f".{name}.")), default=0)
    return highest < 100 + 10 * len(shapes)


globals().update({family.attribute: SpandrelArchitecture(family) for family in FAMILIES})
