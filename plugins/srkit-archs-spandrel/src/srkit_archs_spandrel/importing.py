"""spandrel, imported also where torchvision is missing, or does not fit the torch that is installed.

spandrel 0.4.2 imports torchvision in two places, ``normalize`` for RestoreFormer and ``rotate`` for LaMa: neither a network
that srkit runs. Without these two names no other of its networks could be had, since ``import spandrel`` imports all.
"""

from __future__ import annotations

import contextlib
import importlib
import sys
from collections.abc import Iterator
from types import ModuleType
from typing import Any, NoReturn

_PLACES = ("torchvision", "torchvision.transforms", "torchvision.transforms.functional")


def import_spandrel() -> Any:
    """The package. Raises ImportError, saying how to install it, or whatever importing it does."""
    try:
        importlib.import_module(_PLACES[-1])
    except Exception as error:  # noqa: BLE001 -- one that is built for another torch raises RuntimeError, or OSError
        with _stand_ins(error):
            return _imported()
    return _imported()


def _imported() -> ModuleType:
    try:
        return importlib.import_module("spandrel")
    except ModuleNotFoundError as error:
        if error.name != "spandrel":
            raise
        raise ModuleNotFoundError(
            "spandrel is not installed; pip install --no-deps spandrel (without torchvision, which srkit does not need)",
            name="spandrel",
        ) from error


@contextlib.contextmanager
def _stand_ins(missing: Exception) -> Iterator[None]:
    """Modules in torchvision's places while it lasts; whoever calls their functions later learns what is missing."""

    def absent(*_: object, **__: object) -> NoReturn:
        raise ImportError("this network of spandrel needs torchvision, which cannot be imported") from missing

    modules = [ModuleType(place) for place in _PLACES]
    for name in ("normalize", "rotate", "InterpolationMode"):
        setattr(modules[-1], name, absent)
    before = {place: sys.modules.get(place) for place in _PLACES}
    sys.modules.update(zip(_PLACES, modules, strict=True))
    try:
        yield
    finally:
        for place, module in before.items():
            if module is None:
                del sys.modules[place]
            else:
                sys.modules[place] = module
