"""Networks as a run begins with them: built by their architecture, with weights in them if there are any."""

from __future__ import annotations

from torch import nn

import srkit
from srkit import plugins

from .config import NetworkConfig


def start_network(config: NetworkConfig) -> nn.Module:
    """The network, its weights random (by torch's global generator) or those of ``config.weights``.

    Raises MismatchedWeights if these are of a network of other options, and as :func:`srkit.load` for what cannot be read.
    """
    network = architecture_of(config).build(**config.options)
    if config.weights is not None:
        loaded = srkit.load_network(arch=config.arch, weights=config.weights)
        try:
            network.load_state_dict(loaded.network.state_dict())
        except RuntimeError as error:
            theirs, ours = (_listed(options) for options in (loaded.config, config.options))
            raise srkit.MismatchedWeights(
                f"{config.weights} holds the weights of {config.arch}({theirs}), which do not fit {config.arch}({ours}); "
                f"change network.options, or begin with other weights"
            ) from error
    return network


def traits_of(config: NetworkConfig) -> srkit.Traits:
    """Scale, channels and alignment of the network that would be built."""
    return architecture_of(config).traits(**config.options)


def architecture_of(config: NetworkConfig) -> srkit.Architecture:
    """Its architecture; raises UnknownName or PluginError."""
    architecture: srkit.Architecture = plugins.current().architectures.find(config.arch).load(srkit.Architecture)
    return architecture


def _listed(options: object) -> str:
    return ", ".join(f"{key}={value!r}" for key, value in dict(options).items())  # type: ignore[call-overload]
