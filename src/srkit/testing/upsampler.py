"""What an upsampler must keep to: the stream is the network."""

from __future__ import annotations

from collections.abc import Iterator

import attrs
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..declarations import Traits
from ..errors import SettingsError
from ..protocols import Size, Stream, Upsampler
from ..settings import Settings
from .contract import require

# An engine may sum in another order than the plain forward; more than this is another result.
TOLERANCE = 1e-5
_TRAITS = Traits(scale=2)
_HALO = 8
"""Pixels around each tile: the network below reaches 3."""


class _Network(nn.Module):
    """A small network with a branch and an upsampling, which everything local should run."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 8, 3, padding=1)
        self.second = nn.Conv2d(8, 12, 5, padding=2)
        self.shuffle = nn.PixelShuffle(2)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.shuffle(self.second(F.leaky_relu(self.first(x), 0.2)))
        return out + F.interpolate(x, scale_factor=2, mode="nearest")


def _network() -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return _Network().eval().requires_grad_(False)


def _prepared(upsampler: Upsampler) -> Stream:
    settings = Settings(device=torch.device("cpu"), dtype=torch.float32, traits=_TRAITS)
    try:
        return upsampler.prepare(_network(), settings)
    except SettingsError:
        # One that only approximates wants to be told how far to look; beyond the network's reach, it is right.
        return upsampler.prepare(_network(), attrs.evolve(settings, halo=_HALO))


def _picture(height: int, width: int, batch: int = 1, seed: int = 0) -> Tensor:
    return torch.rand(batch, 3, height, width, generator=torch.Generator().manual_seed(seed))


def _expected(image: Tensor) -> Tensor:
    with torch.inference_mode():
        result: Tensor = _network()(image.contiguous(memory_format=torch.channels_last))
    return result


def _strips(image: Tensor, heights: list[int]) -> Iterator[Tensor]:
    return iter(torch.split(image, heights, 2))


def _run(stream: Stream, image: Tensor, heights: list[int]) -> Tensor:
    size: Size = (image.shape[2], image.shape[3])
    with torch.inference_mode():
        return torch.cat([strip.float().cpu() for strip in stream(_strips(image, heights), size)], 2)


def _close(out: Tensor, expected: Tensor) -> bool:
    return out.shape == expected.shape and bool((out - expected).abs().max() <= TOLERANCE)


def equals_the_network(upsampler: Upsampler) -> None:
    """The rows that come out are the network's output for the whole picture (within 1e-5)."""
    stream = _prepared(upsampler)
    image = _picture(37, 70)
    out, expected = _run(stream, image, [37]), _expected(image)
    require(
        out.shape == expected.shape,
        f"the rows add up to {tuple(out.shape)} instead of {tuple(expected.shape)}",
    )
    require(
        _close(out, expected),
        f"the output differs from the network's by {float((out - expected).abs().max()):g}",
    )


def strips_make_no_difference(upsampler: Upsampler) -> None:
    """However the picture is cut into strips, the output is the same."""
    stream = _prepared(upsampler)
    image = _picture(23, 64)
    expected = _expected(image)
    for heights in ([1] * 23, [5, 5, 5, 5, 3], [22, 1], [1, 22]):
        require(_close(_run(stream, image, heights), expected), f"strips of {heights} rows change the output")


def takes_every_size(upsampler: Upsampler) -> None:
    """Pictures down to 1×1 come out right."""
    stream = _prepared(upsampler)
    for height, width in ((1, 1), (1, 9), (9, 1), (2, 3)):
        image = _picture(height, width)
        require(
            _close(_run(stream, image, [height]), _expected(image)),
            f"a picture of {height}×{width} comes out wrong",
        )


def takes_batches(upsampler: Upsampler) -> None:
    """Strips of several pictures at once come out as each alone."""
    stream = _prepared(upsampler)
    image = _picture(12, 40, batch=3)
    require(_close(_run(stream, image, [7, 5]), _expected(image)), "a batch of three pictures comes out wrong")


def keeps_no_trace(upsampler: Upsampler) -> None:
    """Pictures one after another, and two at the same time, do not influence each other."""
    stream = _prepared(upsampler)
    one, other = _picture(16, 32, seed=1), _picture(16, 32, seed=2)
    with torch.inference_mode():
        first = stream(_strips(one, [4] * 4), (16, 32))
        second = stream(_strips(other, [4] * 4), (16, 32))
        parts: tuple[list[Tensor], list[Tensor]] = ([], [])
        running = [(first, parts[0]), (second, parts[1])]
        while running:
            for item in tuple(running):
                strip = next(item[0], None)
                if strip is None:
                    running.remove(item)
                else:
                    item[1].append(strip.float().cpu())
    require(_close(torch.cat(parts[0], 2), _expected(one)), "a second stream running beside it changes the first")
    require(
        _close(torch.cat(parts[1], 2), _expected(other)),
        "a first stream running beside it changes the second",
    )
    require(_close(_run(stream, one, [16]), _expected(one)), "a picture after others comes out wrong")


def leaves_its_input_alone(upsampler: Upsampler) -> None:
    """Strips are read, not written."""
    stream = _prepared(upsampler)
    image = _picture(10, 20)
    kept = image.clone()
    _run(stream, image, [10])
    require(torch.equal(image, kept), "the strips that went in were changed")


UPSAMPLER_CHECKS = (
    equals_the_network,
    strips_make_no_difference,
    takes_every_size,
    takes_batches,
    keeps_no_trace,
    leaves_its_input_alone,
)
