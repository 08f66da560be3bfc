"""What an architecture must keep to."""

from __future__ import annotations

import torch
from torch import nn

from ..declarations import Recognition, Traits
from ..errors import ContractError
from ..plugins import current
from ..protocols import Architecture
from .contract import require


def _built(architecture: Architecture) -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return architecture.build().eval().requires_grad_(False)


def _image(traits: Traits, height: int = 16, width: int = 24) -> torch.Tensor:
    shape = (1, traits.in_channels, *(traits.padded(side * traits.multiple_of) for side in (height, width)))
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
    traits = architecture.traits()
    require(isinstance(traits, Traits), f"traits() gave {type(traits).__name__}; return srkit.Traits")
    image = _image(traits)
    with torch.inference_mode():
        out = _built(architecture)(image)
    _, _, height, width = image.shape
    expected = (1, traits.out_channels, height * traits.scale, width * traits.scale)
    require(
        isinstance(out, torch.Tensor) and tuple(out.shape) == expected,
        f"for {tuple(image.shape)} the network gives {tuple(getattr(out, 'shape', ()))}, but {traits} promises {expected}",
    )


def any_aligned_size(architecture: Architecture) -> None:
    """Every height and width that is a multiple of multiple_of, and at least minimum, will do, the smallest included."""
    traits = architecture.traits()
    network = _built(architecture)
    for rows, columns in ((1, 1), (1, 3), (5, 2)):
        image = _image(traits, rows, columns)
        try:
            with torch.inference_mode():
                out = network(image)
        except RuntimeError as error:
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
    shapes = {name: tuple(tensor.shape) for name, tensor in _built(architecture).state_dict().items()}
    recognition = architecture.recognise(shapes)
    require(isinstance(recognition, Recognition), f"recognise() gave {recognition!r}; return a srkit.Recognition")
    assert recognition is not None  # noqa: S101 -- for the type checker; required above
    rebuilt = architecture.build(**recognition.config).state_dict()
    require(
        {recognition.names.get(name): shape for name, shape in shapes.items()}
        == {name: tuple(tensor.shape) for name, tensor in rebuilt.items()},
        f"build(**{dict(recognition.config)}) has other tensors than the ones recognised",
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
    network, image = _built(architecture), _image(architecture.traits())
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
    traits, network = architecture.traits(), _built(architecture)
    images = torch.cat((_image(traits), 1 - _image(traits)))
    with torch.inference_mode():
        together, alone = network(images), torch.cat([network(image[None]) for image in images])
    require(
        torch.allclose(together, alone, atol=1e-4, rtol=1e-4),
        f"batched and single outputs differ by {float((together - alone).abs().max()):g}; do not mix along the batch axis",
    )


def survives_saving(architecture: Architecture) -> None:
    """A network with the state dict of another gives the same output to the bit."""
    network, image = _built(architecture), _image(architecture.traits())
    other = architecture.build().eval()
    other.load_state_dict(network.state_dict())
    with torch.inference_mode():
        require(
            torch.equal(network(image), other(image)),
            "after load_state_dict the output differs; register every tensor that matters as parameter or buffer",
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
)
