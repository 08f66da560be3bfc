"""What an architecture must keep to."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import nn

from ..declarations import Recognition, Traits
from ..errors import ContractError
from ..plugins import current
from ..protocols import Architecture
from ..weights.read import read
from .contract import require
from .streaming import streamed, streaming


def configuration(architecture: Architecture) -> Mapping[str, Any]:
    """What its networks are checked with: what ``sample()`` gives, if it has that, else the defaults."""
    sample: Any = getattr(architecture, "sample", dict)
    return dict(sample())


def built(architecture: Architecture) -> nn.Module:
    """Its network in evaluation mode, always of the same weights."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return architecture.build(**configuration(architecture)).eval().requires_grad_(False)


def traits_of(architecture: Architecture) -> Traits:
    """Those of :func:`built`."""
    return architecture.traits(**configuration(architecture))


def image_for(traits: Traits, height: int = 16, width: int = 24, count: int = 1) -> torch.Tensor:
    """Noise, (count, C, H, W), H and W so many times ``multiple_of``, within ``minimum`` and ``maximum``."""
    shape = (count, traits.in_channels, traits.units(height), traits.units(width))
    return torch.rand(shape, generator=torch.Generator().manual_seed(0))


def name_is_registered_name(architecture: Architecture) -> None:
    """Its name is a plain one, and if a plugin registers that name, it is this architecture."""
    require(
        isinstance(architecture.name, str) and architecture.name == architecture.name.lower().strip() != "",
        f"name={architecture.name!r} should be lower case, such as 'espcn'",
    )
    found = current().architectures
    if architecture.name in found:
        registered = found.find(architecture.name).load(Architecture)
        require(
            type(registered) is type(architecture),
            f"the name {architecture.name!r} is registered for {registered!r}; register the object under its own name",
        )


def builds_without_arguments(architecture: Architecture) -> None:
    """build() needs no arguments and gives an nn.Module with weights."""
    network = architecture.build()
    require(isinstance(network, nn.Module), f"build() gave {type(network).__name__}; return an nn.Module")
    require(any(True for _ in network.parameters()), "build() gave a network without parameters")


def traits_are_true(architecture: Architecture) -> None:
    """traits() tells the scale and the channels that the network really has."""
    traits = traits_of(architecture)
    require(isinstance(traits, Traits), f"traits() gave {type(traits).__name__}; return srkit.Traits")
    image = image_for(traits)
    with torch.inference_mode():
        out = built(architecture)(image)
    _, _, height, width = image.shape
    expected = (1, traits.out_channels, height * traits.scale, width * traits.scale)
    require(
        isinstance(out, torch.Tensor) and tuple(out.shape) == expected,
        f"for {tuple(image.shape)} the network gives {tuple(getattr(out, 'shape', ()))}, but {traits} promises {expected}",
    )


def any_aligned_size(architecture: Architecture) -> None:
    """Every height and width that is a multiple of multiple_of, from minimum to maximum, will do, the smallest included."""
    traits = traits_of(architecture)
    network = built(architecture)
    for rows, columns in ((1, 1), (1, 3), (5, 2)):
        image = image_for(traits, rows, columns)
        try:
            with torch.inference_mode():
                out = network(image)
        except Exception as error:
            raise ContractError(
                f"an input of {tuple(image.shape[2:])} makes the network raise {error}; raise multiple_of or minimum",
                "any_aligned_size",
            ) from error
        expected = (image.shape[2] * traits.scale, image.shape[3] * traits.scale)
        require(
            tuple(out.shape[2:]) == expected,
            f"an input of {tuple(image.shape[2:])} gives {tuple(out.shape[2:])} instead of {expected}; raise multiple_of",
        )


def recognises_its_own(architecture: Architecture) -> None:
    """recognise() finds the configuration of a network of its own from names and shapes."""
    shapes = {name: tuple(tensor.shape) for name, tensor in built(architecture).state_dict().items()}
    recognition = architecture.recognise(shapes)
    require(isinstance(recognition, Recognition), f"recognise() gave {recognition!r}; return a srkit.Recognition")
    assert recognition is not None  # noqa: S101 -- for the type checker; required above
    rebuilt = architecture.build(**recognition.config).state_dict()
    require(
        {recognition.names.get(name): shape for name, shape in shapes.items()}
        == {name: tuple(tensor.shape) for name, tensor in rebuilt.items()},
        f"build(**{dict(recognition.config)}) has other tensors than the ones recognised; tell widths and depths from shapes",
    )


def leaves_others_alone(architecture: Architecture) -> None:
    """recognise() gives None for tensors of other networks, and does not raise."""
    others: tuple[dict[str, tuple[int, ...]], ...] = (
        {},
        {"weight": (3,)},
        {"body.0.weight": ()},
        {"features.0.weight": (64, 3, 11, 11), "features.0.bias": (64,)},
        {"conv_first.weight": (1, 2), "conv_last.weight": (7,)},
        {"ncnn.0000.conv.weight": (8, 3, 3, 3)},
    )
    for shapes in others:
        require(
            architecture.recognise(shapes) is None,
            f"recognise({shapes}) should be None: these are not its tensors",
        )


def is_deterministic_and_pure(architecture: Architecture) -> None:
    """In evaluation mode, the same input gives the same output to the bit, and is not changed."""
    network, image = built(architecture), image_for(traits_of(architecture))
    kept = image.clone()
    with torch.inference_mode():
        first, second = network(image), network(image)
    require(
        torch.equal(image, kept),
        "the network writes into its input; clone it, or leave out inplace=True there",
    )
    require(torch.equal(first, second), "two runs differ; make sure that dropout and the like are off in eval()")
    require(bool(torch.isfinite(first).all()), "a fresh network gives NaN or infinity for values in [0, 1]")


def pictures_are_independent(architecture: Architecture) -> None:
    """Each picture of a batch comes out as it does alone (within 1e-4; kernels differ by batch size)."""
    traits, network = traits_of(architecture), built(architecture)
    images = torch.cat((image_for(traits), 1 - image_for(traits)))
    with torch.inference_mode():
        together, alone = network(images), torch.cat([network(image[None]) for image in images])
    require(
        torch.allclose(together, alone, atol=1e-4, rtol=1e-4),
        f"batched and single outputs differ by {float((together - alone).abs().max()):g}; do not mix along the batch axis",
    )


def survives_saving(architecture: Architecture) -> None:
    """A network with the state dict of another gives the same output to the bit."""
    network, image = built(architecture), image_for(traits_of(architecture))
    other = architecture.build(**configuration(architecture)).eval()
    other.load_state_dict(network.state_dict())
    with torch.inference_mode():
        require(
            torch.equal(network(image), other(image)),
            "after load_state_dict the output differs; register every tensor that matters as parameter or buffer",
        )


def comes_back_from_a_file(architecture: Architecture) -> None:
    """A network saved as safetensors, read and recognised, gives the same output to the bit."""
    network, image = built(architecture), image_for(traits_of(architecture))
    with tempfile.TemporaryDirectory(prefix="srkit-") as folder:
        path = Path(folder, "network.safetensors")
        try:
            save_file({name: tensor.contiguous() for name, tensor in network.state_dict().items()}, path)
        except (RuntimeError, ValueError) as error:
            raise ContractError(
                f"safetensors cannot hold its state dict: {error}; let each tensor have one name, and memory of its own",
                "comes_back_from_a_file",
            ) from error
        tensors = read(path)
    recognition = architecture.recognise({name: tuple(tensor.shape) for name, tensor in tensors.items()})
    require(recognition is not None, "recognise() gave None for the tensors of the file, though they are its own")
    assert recognition is not None  # noqa: S101 -- for the type checker; required above
    other = architecture.build(**recognition.config).eval()
    other.load_state_dict({own: tensors[stored] for stored, own in recognition.names.items()})
    with torch.inference_mode():
        same = torch.equal(network(image), other(image))
    require(
        same,
        f"as build(**{dict(recognition.config)}), with the weights of the file, it gives another output; what tensors do "
        f"not tell must be as it is by default",
    )


def streams_exactly(architecture: Architecture) -> None:
    """Rows are the whole picture's to the bit (1e-5 with operators that torch rounds by shape), if an engine streams it."""
    traits, network = traits_of(architecture), built(architecture)
    upscaler = streaming(network, traits, rows=4)
    if isinstance(upscaler, str):
        return  # no engine can; the report says why
    unit = traits.multiple_of
    # Two pictures, of more than 64 rows, and of 17 columns even where the network sees it smallest: none so small that
    # an engine would rather run it whole.
    image = image_for(traits, -(-66 // unit), max(-(-80 // unit), 17), count=2)
    off, allowed = streamed(upscaler, network, image)
    require(
        off <= allowed,
        f"streamed by the engine {upscaler.engine!r}, the output is off by {off:g}, more than {allowed:g}; let forward() "
        f"depend on its input alone: keep nothing between calls, decide nothing by whether it is traced, draw nothing",
    )


ARCHITECTURE_CHECKS = (
    name_is_registered_name,
    builds_without_arguments,
    traits_are_true,
    any_aligned_size,
    recognises_its_own,
    leaves_others_alone,
    is_deterministic_and_pure,
    pictures_are_independent,
    survives_saving,
    comes_back_from_a_file,
    streams_exactly,
)
