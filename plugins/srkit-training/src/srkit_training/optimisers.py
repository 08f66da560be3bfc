"""The optimisers of torch, by name."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

import torch

import srkit

from .problems import ConfigError, Problem, unknown_key

# One calls its loss again and again, one is for sparse gradients, one for matrices alone.
_UNFIT = {"lbfgs", "sparseadam", "muon"}


def optimiser_class(name: str) -> type[torch.optim.Optimizer]:
    """``adam`` → torch.optim.Adam. Raises UnknownName for what torch has not, or what cannot train these networks."""
    classes = {
        key.casefold(): value
        for key, value in vars(torch.optim).items()
        if isinstance(value, type) and issubclass(value, torch.optim.Optimizer) and value is not torch.optim.Optimizer
    }
    known = classes.keys() - _UNFIT
    if name.casefold() not in known:
        raise srkit.UnknownName("optimiser", name, known)
    return classes[name.casefold()]


def check_options(name: str, options: Mapping[str, Any], lr: float) -> None:
    """Raise SettingsError for options that the optimiser does not take, or values that it refuses."""
    make: Any = optimiser_class(name)
    taken = [option for option in inspect.signature(make).parameters if option not in {"params", "lr"}]
    for option in options:
        if option == "lr":
            words = "it is set by train.lr, and by train.rates for single networks; leave it out here"
            raise ConfigError([Problem(option, options[option], words)])
        if option not in taken:
            raise ConfigError([Problem(option, options[option], unknown_key(option, taken))])
    try:
        make([torch.zeros(1, requires_grad=True)], lr=lr, **options)
    except (TypeError, ValueError, RuntimeError) as error:
        raise srkit.SettingsError(f"{make.__name__} refuses them: {error}") from error
