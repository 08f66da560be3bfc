"""Pictures on their way through degradations: of any size each, with a generator of its own.

A degradation of this package turns a list of samples into another (:meth:`Degrading.apply`). That is what lets the
pictures of a batch have different sizes inside a chain, and run together where they have the same.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar, TypeAlias, TypeVar

import attrs
import numpy as np
import torch
from torch import Generator, Tensor

import srkit

from .draws import seeded, seeds

Array: TypeAlias = "np.ndarray[Any, np.dtype[Any]]"
D = TypeVar("D")


@attrs.define(eq=False)
class Sample:
    """A picture on its way.

    ``image``: (C, H, W) float32 in [0, 1], in whatever memory order. ``goal``: the height and width that the picture is
    to have in the end, before rounding. ``told``: what was drawn, in words.
    """

    image: Tensor
    rng: Generator
    goal: tuple[float, float]
    told: list[str] = attrs.field(factory=list)


class Degrading:
    """A degradation made of what it does to samples."""

    name: ClassVar[str]

    def __call__(self, images: Tensor, rng: Generator) -> Tensor:
        """(B, C, H, W) float32 in [0, 1], C = 3 (RGB) or 1 → (B, C, H', W') likewise, on the same device.

        Raises SettingsError if the pictures come out in different sizes.
        """
        samples = begin(images, rng)
        self.apply(samples)
        return gather(samples, self.name)

    def apply(self, samples: Sequence[Sample]) -> None:
        """Give each of ``samples`` another image; the old tensors are not written to."""
        raise NotImplementedError


def begin(images: Tensor, rng: Generator) -> list[Sample]:
    """A sample of each picture, with a generator seeded from ``rng``; raises ImageError for other tensors."""
    if rng.device.type != "cpu":
        raise srkit.SettingsError(
            f"the generator is on {rng.device}; give one on the CPU, so that draws are the same on every device"
        )
    if images.ndim != 4 or images.shape[1] not in {1, 3} or 0 in images.shape or images.dtype != torch.float32:
        raise srkit.ImageError(
            f"{tuple(images.shape)} {images.dtype} cannot be degraded; expected (B, C, H, W) float32, C = 3 or 1"
        )
    height, width = images.shape[2:]
    rngs = [seeded(seed) for seed in seeds(rng, len(images))]
    return [Sample(image, mine, (height, width)) for image, mine in zip(images, rngs, strict=True)]


def gather(samples: Sequence[Sample], name: str) -> Tensor:
    """The images as one tensor, contiguous."""
    sizes = {tuple(sample.image.shape[1:]) for sample in samples}
    if len(sizes) > 1:
        listed = ", ".join(f"{height}×{width}" for height, width in sorted(sizes))
        raise srkit.SettingsError(
            f"after {name!r} the pictures of the batch measure {listed}, which no tensor holds; end a chain with a "
            f"resize to the goal, draw the size once with per='batch', or degrade pictures one by one"
        )
    return torch.stack([sample.image.contiguous() for sample in samples])


def to_array(image: Tensor) -> Array:
    """(C, H, W) on the CPU → (H, W, C), contiguous; a view where the image lies like that, so not to be written to."""
    return np.ascontiguousarray(image.detach().permute(1, 2, 0).numpy())


def to_image(array: Array) -> Tensor:
    """(H, W, C), or (H, W) as OpenCV leaves grey → (C, H, W), a view."""
    return torch.from_numpy(array if array.ndim == 3 else array[..., None]).permute(2, 0, 1)


def each(
    samples: Sequence[Sample],
    settings: Sequence[D],
    on_array: Callable[[Array, D, Generator], Array],
    on_tensors: Callable[[Tensor, Sequence[D], Sequence[Generator]], Tensor],
    key: Callable[[D], object] = lambda _: None,
) -> None:
    """Replace each image by what becomes of it with its setting.

    On the CPU one by one: ``on_array`` of the (H, W, C) float32 picture, which it must not write to. Elsewhere those of
    one size and one ``key`` of the setting together: ``on_tensors`` of (B, C, H, W), with a setting and a generator each.
    """
    if _on_cpu(samples):
        for sample, setting in zip(samples, settings, strict=True):
            sample.image = to_image(on_array(to_array(sample.image), setting, sample.rng))
    else:
        batched(samples, settings, on_tensors, key)


def _on_cpu(samples: Sequence[Sample]) -> bool:
    return all(sample.image.device.type == "cpu" for sample in samples)


def batched(
    samples: Sequence[Sample],
    settings: Sequence[D],
    on_tensors: Callable[[Tensor, Sequence[D], Sequence[Generator]], Tensor],
    key: Callable[[D], object] = lambda _: None,
) -> None:
    """Replace images, those of one size and one ``key`` of the setting together."""
    groups: dict[object, list[int]] = {}
    for index, (sample, setting) in enumerate(zip(samples, settings, strict=True)):
        groups.setdefault((sample.image.shape, key(setting)), []).append(index)
    for indices in groups.values():
        images = torch.stack([samples[i].image for i in indices])
        out = on_tensors(images, [settings[i] for i in indices], [samples[i].rng for i in indices])
        for index, image in zip(indices, out, strict=True):
            samples[index].image = image


def explain(degradation: srkit.Degradation, images: Tensor, rng: Generator) -> tuple[list[Tensor], list[list[str]]]:
    """What becomes of each picture, of whatever size, and what was drawn for it, in words."""
    samples = begin(images, rng)
    if isinstance(degradation, Degrading):
        degradation.apply(samples)
        return [sample.image for sample in samples], [sample.told for sample in samples]
    return list(degradation(images, rng)), [[degradation.name] for _ in samples]


def own(rng: Generator, device: torch.device) -> Generator:
    """A generator on ``device`` for the chance of a whole picture, seeded by a single draw of ``rng``.

    So what is drawn afterwards depends neither on the device nor on the picture, of which some noise takes more numbers
    than of others; and nothing is drawn here to be copied there, which would cost more than the degradation.
    """
    return seeded(seeds(rng, 1)[0], device)


def on_the_cpu(
    on_array: Callable[[Array, D, Generator], Array],
) -> Callable[[Tensor, Sequence[D], Sequence[Generator]], Tensor]:
    """``on_tensors`` for what only a CPU can do: there, and back."""

    def on_tensors(images: Tensor, settings: Sequence[D], rngs: Sequence[Generator]) -> Tensor:
        rows = zip(images.detach().cpu(), settings, rngs, strict=True)
        return torch.stack([to_image(on_array(to_array(i), s, r)).contiguous() for i, s, r in rows]).to(images.device)

    return on_tensors
