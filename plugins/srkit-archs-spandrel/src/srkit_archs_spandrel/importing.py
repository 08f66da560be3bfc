"""spandrel, imported also where torchvision is missing, or does not fit the torch that is installed.

spandrel 0.4.2 imports two functions of torchvision: ``normalize``, which RestoreFormer calls and which is one line, and
``rotate``, for a variant of LaMa that it never builds. Without these names none of its networks could be had, since ``import
spandrel`` imports all.
"""

from __future__ import annotations

import contextlib
import importlib
import sys
from collections.abc import Iterator, Sequence
from types import ModuleType
from typing import Any, NoReturn

from torch import Tensor

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


def _normalize(picture: Tensor, mean: Sequence[float], std: Sequence[float]) -> Tensor:
    """(picture - mean) / std of each channel, of (B, C, H, W)."""
    means, stds = (picture.new_tensor(values)[:, None, None] for values in (mean, std))
    return (picture - means) / stds


@contextlib.contextmanager
def _stand_ins(missing: Exception) -> Iterator[None]:
    """Modules in torchvision's places while it lasts; whoever calls what they lack later learns what is missing."""

    def absent(*_: object, **__: object) -> NoReturn:
        raise ImportError("this network of spandrel needs torchvision, which cannot be imported") from missing

    modules = [ModuleType(place) for place in _PLACES]
    vars(modules[-1]).update(normalize=_normalize, rotate=absent, InterpolationMode=absent)
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
