"""What there is to know of an architecture beyond its contracts: told, and not judged."""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import nn

from ..declarations import Traits
from ..errors import OutOfMemory, PluginError, SettingsError, UnrecognisedWeights, WeightsError
from ..networks import LoadedNetwork, load_network
from ..onnx_export import onnx_file
from ..plugins import current
from ..protocols import Architecture
from ..settings import parse_precision
from .architecture import built, configuration, image_for, traits_of
from .streaming import streaming

_PICTURE = (1080, 1920)


def report(architecture: Architecture) -> Mapping[str, str]:
    """How its network streams, in which precisions it runs, what becomes of it in files: names and values, for people.

    The network is that of the checks: built with what ``sample()`` gives, or the defaults, on the CPU, with random weights.
    Raises what building it raises.
    """
    network, traits = built(architecture), traits_of(architecture)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of exporters about themselves
        return {
            "network": _network(architecture, network, traits),
            **_streams(network, traits),
            "float16": _precision("float16", network, architecture, traits),
            "bfloat16": _precision("bfloat16", network, architecture, traits),
            "file": _file(architecture, network),
            "ONNX": _onnx(LoadedNetwork(network, architecture.name, {}, traits, architecture.name, {})),
        }


def _network(architecture: Architecture, network: nn.Module, traits: Traits) -> str:
    count = sum(parameter.numel() for parameter in network.parameters())
    options = ", ".join(f"{key}={value!r}" for key, value in configuration(architecture).items())
    told = f"×{traits.scale}, {traits.in_channels} → {traits.out_channels} channels, {count:,} parameters"
    return f"{told}, with {options}" if options else told


def _streams(network: nn.Module, traits: Traits) -> dict[str, str]:
    upscaler = streaming(network, traits)
    if isinstance(upscaler, str):
        return {"streams": upscaler}
    height, width = _PICTURE
    try:
        told = upscaler.explain(_PICTURE)
        plan = "; ".join(f"{key}: {value}" for key, value in told.items() if key not in {"engine", "exact"})
    except OutOfMemory as error:
        plan = f"not here: {error}"
    return {"streams": f"yes, on the engine {upscaler.engine!r}", **upscaler.facts(), f"{width}×{height}": plan}


def _precision(name: str, network: nn.Module, architecture: Architecture, traits: Traits) -> str:
    """Of noise, and of white: the largest values that a picture has."""
    image = image_for(traits)
    image = torch.cat((image, torch.ones_like(image)))
    try:
        dtype = parse_precision(name, image.device)
    except SettingsError as error:
        return f"not tried: {error}"
    with torch.inference_mode():
        expected = network(image)
        try:
            out = built(architecture).to(dtype)(image.to(dtype))
        except RuntimeError as error:
            return f"fails on the CPU: {error}"
    if out.dtype != dtype:
        return f"not kept: it gives {out.dtype}; make no tensors of a fixed dtype in forward()"
    if not bool(out.isfinite().all()):
        return "gives NaN or infinity; scale what grows large, or name the precisions that it bears"
    off = float((out.float() - expected).abs().max() / expected.abs().max().clamp_min(1e-12))
    return f"finite, off by {off:.1e} of the largest value"


def _file(architecture: Architecture, network: nn.Module) -> str:
    """What srkit makes of a file of its weights, as ``weights=FILE`` does."""
    if architecture.name not in current().architectures:
        return f"not tried: no installed plugin registers {architecture.name!r}"
    with tempfile.TemporaryDirectory(prefix="srkit-") as folder:
        path = Path(folder, "network.safetensors")
        try:
            save_file({name: tensor.contiguous() for name, tensor in network.state_dict().items()}, path)
            found = load_network(weights=path)
        except (UnrecognisedWeights, WeightsError, PluginError, RuntimeError, ValueError) as error:
            return f"a safetensors file of it does not load: {error}"
    if found.architecture != current().architectures.find(architecture.name).spec.name:
        return (
            f"a safetensors file of it is taken for {found.architecture!r}, which is asked first; use names of tensors that "
            f"are its own, or write arch={architecture.name!r} each time"
        )
    options = ", ".join(f"{key}={value!r}" for key, value in found.config.items())
    return f"a safetensors file of it is recognised, as {found.architecture}({options})"


def _onnx(loaded: LoadedNetwork) -> str:
    try:
        _, agreement = onnx_file(loaded, {}, check=True)
    except SettingsError as error:
        return f"not tried: {error}"
    except WeightsError as error:
        return f"no: {error}"
    off = "" if agreement is None else f", off by {agreement.difference:.1e} of the largest value"
    return f"yes: ONNX Runtime gives the same{off}"
