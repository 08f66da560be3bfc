"""What a degradation must keep to."""

from __future__ import annotations

import pickle

import torch
from torch import Tensor

from ..errors import ContractError
from ..plugins import current
from ..protocols import Degradation
from .contract import require
from .surroundings import devices


def _pictures(height: int = 48, width: int = 40, count: int = 3, seed: int = 0) -> Tensor:
    """Noise on slopes, black and white included: flat pictures would hide what a degradation does."""
    rng = torch.Generator().manual_seed(seed)
    noise = torch.rand(count, 3, height, width, generator=rng)
    slope = torch.linspace(-0.2, 1.2, width).expand(count, 3, height, width)
    return (0.7 * slope + 0.5 * (noise - 0.3)).clamp(0, 1)


def _rng(seed: int = 7) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def name_is_registered_name(degradation: Degradation) -> None:
    """Its name is a plain one, and if a plugin registers that name, it is this kind of degradation."""
    require(
        isinstance(degradation.name, str) and degradation.name == degradation.name.lower().strip() != "",
        f"name={degradation.name!r} should be lower case, such as 'blur'",
    )
    found = current().degradations
    if degradation.name in found:
        made = found.find(degradation.name).load()()
        require(
            type(made) is type(degradation),
            f"the name {degradation.name!r} is registered for {made!r}; register the object under its own name",
        )


def keeps_shape_range_and_device(degradation: Degradation) -> None:
    """As many pictures come out, float32 of three channels in [0, 1], on the device they were on."""
    for device in devices():
        images = _pictures().to(device)
        for seed in range(4):
            out = degradation(images, _rng(seed))
            require(isinstance(out, Tensor), f"it gave {type(out).__name__}; return a tensor")
            require(
                out.ndim == 4 and out.shape[:2] == images.shape[:2] and min(out.shape[2:]) > 0,
                f"for {tuple(images.shape)} it gives {tuple(out.shape)}; keep the batch and the channels",
            )
            require(out.dtype == torch.float32, f"it gives {out.dtype}; return float32")
            require(out.device.type == device.type, f"pictures on {device} came back on {out.device}; keep the device")
            low, high = float(out.min()), float(out.max())
            require(0 <= low <= high <= 1, f"values lie in [{low:g}, {high:g}]; clamp them to [0, 1]")


def takes_any_size(degradation: Degradation) -> None:
    """Pictures down to 1×1 can be degraded."""
    for height, width in ((1, 1), (1, 9), (7, 2), (17, 33)):
        images = _pictures(height, width)
        try:
            out = degradation(images, _rng())
        except (RuntimeError, ValueError, IndexError) as error:
            raise ContractError(f"a picture of {height}×{width} makes it raise {error}", "takes_any_size") from error
        require(bool(torch.isfinite(out).all()), f"a picture of {height}×{width} gives NaN or infinity")


def draws_from_the_generator_alone(degradation: Degradation) -> None:
    """The same generator state gives the same bits, whatever state the global ones are in, which it leaves alone."""
    images = _pictures()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        first = degradation(images, _rng())
        torch.manual_seed(2)
        before = torch.get_rng_state()
        second = degradation(images, _rng())
        require(
            torch.equal(before, torch.get_rng_state()),
            "it drew from torch's global generator; draw everything from rng",
        )
    require(
        first.shape == second.shape and torch.equal(first, second),
        "two runs from one generator state differ; draw everything from rng",
    )


def samples_are_independent(degradation: Degradation) -> None:
    """What becomes of a picture is the same to the bit, whatever pictures are beside it."""
    images, others = _pictures(), _pictures(seed=1)
    for seed in range(4):
        expected = degradation(images, _rng(seed))
        for kept in range(len(images)):
            mixed = others.clone()
            mixed[kept] = images[kept]
            out = degradation(mixed, _rng(seed))
            require(
                out.shape == expected.shape and torch.equal(out[kept], expected[kept]),
                f"picture {kept} changes with its neighbours; give each picture a generator of its own, seeded from rng",
            )


def leaves_its_input_alone(degradation: Degradation) -> None:
    """Pictures are read, not written, and how they lie in memory makes no difference."""
    images = _pictures()
    expected = degradation(images.clone(), _rng())
    for given in (images.clone(), images.clone(memory_format=torch.channels_last)):
        out = degradation(given, _rng())
        require(torch.equal(given, images), "the pictures that went in were changed; clone them first")
        require(torch.equal(out, expected), "the memory format changes the result")


def gradients_hold_no_surprise(degradation: Degradation) -> None:
    """Pictures that want a gradient are taken, and get a finite one, or none at all; grad mode stays as it is."""
    images = _pictures()
    expected = degradation(images, _rng())
    wanting = images.clone().requires_grad_(True)
    with torch.enable_grad():
        try:
            out = degradation(wanting, _rng())
        except RuntimeError as error:
            raise ContractError(
                f"pictures that require a gradient make it raise {error}; detach them, or be differentiable",
                "gradients_hold_no_surprise",
            ) from error
        require(torch.is_grad_enabled(), "it switched gradients off for its caller; use 'with torch.no_grad()'")
    require(torch.equal(out.detach(), expected), "whether a gradient is wanted changes the result")
    require(not degradation(images, _rng()).requires_grad, "its output requires a gradient that nobody asked for")
    if out.requires_grad:
        (gradient,) = torch.autograd.grad(out.sum(), wanting, allow_unused=True)
        finite = gradient is not None and bool(torch.isfinite(gradient).all())
        require(finite, "its output requires a gradient, but there is none or it is not finite; detach it")


def survives_pickling(degradation: Degradation) -> None:
    """A copy through pickle, as a worker gets it, gives the same bits."""
    images = _pictures()
    expected = degradation(images, _rng())
    try:
        copy = pickle.loads(pickle.dumps(degradation))  # noqa: S301 -- its own bytes
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        raise ContractError(f"it cannot be pickled: {error}", "survives_pickling") from error
    require(torch.equal(copy(images, _rng()), expected), "a pickled copy gives another result")


DEGRADATION_CHECKS = (
    name_is_registered_name,
    keeps_shape_range_and_device,
    takes_any_size,
    draws_from_the_generator_alone,
    samples_are_independent,
    leaves_its_input_alone,
    gradients_hold_no_surprise,
    survives_pickling,
)
