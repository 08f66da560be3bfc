"""The whole-image upsampler: the plain forward of the network, and the reference for every other engine."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from .errors import OutOfMemory, SettingsError
from .protocols import Size, Stream
from .settings import Settings


class WholeImage:
    """Collects all rows, runs the network once on the channels-last tensor, gives all rows at once."""

    name = "whole"

    def prepare(self, network: nn.Module, settings: Settings) -> Stream:
        """See :class:`srkit.protocols.Upsampler`; refuses ``memory`` and ``rows``, which it could not honour."""
        for name in ("memory", "rows"):
            if getattr(settings, name) is not None:
                raise SettingsError(
                    f"{name}={getattr(settings, name)} asks for bounded memory, which the whole-image upsampler "
                    f"cannot give; leave {name} out, or install an engine that streams (srkit-engine-tiled)"
                )
        network.to(device=settings.device, dtype=settings.dtype).to(memory_format=torch.channels_last)  # type: ignore[call-overload]

        def stream(strips: Iterator[Tensor], size: Size) -> Iterator[Tensor]:
            held = list(strips)
            image = held[0] if len(held) == 1 else torch.cat(held, 2)
            held.clear()
            image = image.to(settings.device, settings.dtype).contiguous(memory_format=torch.channels_last)
            try:
                yield network(image)
            except RuntimeError as error:
                if not _ran_out(error):
                    raise
                raise OutOfMemory(
                    f"{size[0]}×{size[1]} pixels at once are too many for the memory of {settings.device}; "
                    f"use a smaller network, cut the picture, or install an engine that streams (srkit-engine-tiled)"
                ) from error

        return stream


def _ran_out(error: RuntimeError) -> bool:
    # On the CPU torch raises a plain RuntimeError; on CUDA a subclass of its own.
    return isinstance(error, torch.OutOfMemoryError) or "can't allocate memory" in str(error)


upsampler = WholeImage()
