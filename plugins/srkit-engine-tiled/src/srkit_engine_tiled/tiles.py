"""Approximate tiles: for networks that no stream can run, over pictures that no memory can hold whole."""

from __future__ import annotations

import math
from collections.abc import Iterator

import attrs
import torch
from torch import Tensor, nn

import srkit
from srkit.rows import RowWindow
from srkit.whole import channels_last, forward

from .plan import around

SIDE = 512
"""Input rows and columns of a tile, its halo aside, where the user names no rows."""


class Tiles:
    """Runs the network on tiles of the picture, each with ``halo`` input pixels around it, which are cut off again.

    What the network sees of the picture ends at the halo, so the result is not the network's for the whole picture, and
    seams may show; ``exact`` says so.
    """

    name = "tiles"

    def prepare(self, network: nn.Module, settings: srkit.Settings) -> TileStream:
        """See :class:`srkit.Upsampler`. Takes ``halo``, which must be given, and ``rows``, the side of a tile."""
        if settings.halo is None:
            raise srkit.SettingsError(
                "tiles only approximate the network; say halo=, the pixels around each (32, say), if that will do"
            )
        if settings.memory is not None:
            raise srkit.SettingsError("memory= is not planned by approximate tiles; say rows=, the side of a tile")
        if settings.beside:
            raise srkit.SettingsError("device= names several devices, and approximate tiles run on one; name one")
        channels_last(network.to(settings.device, settings.dtype))
        return TileStream(network, settings)


@attrs.frozen(eq=False)
class TileStream:
    """A network made ready to run on tiles; see :class:`srkit.Stream`."""

    network: nn.Module
    settings: srkit.Settings
    exact: bool = False

    @property
    def side(self) -> int:
        """Rows and columns of a tile, its halo aside."""
        unit = self.settings.traits.multiple_of
        return -(-(self.settings.rows or SIDE) // unit) * unit

    def facts(self) -> dict[str, str]:
        """Nothing is known of the network."""
        return {}

    def explain(self, size: srkit.Size, batch: int = 1) -> dict[str, str]:  # noqa: ARG002
        """See :class:`srkit.Explained`."""
        tiles = math.prod(-(-length // self.side) for length in size)
        work = math.prod(sum(last - first for _, _, first, last in self._parts(length)) for length in size)
        return {
            "way": f"{tiles} tiles of {self.side}×{self.side} pixels, and {self.settings.halo} around each",
            "work overhead": f"{work / math.prod(size) - 1:.1%}",
        }

    def __call__(self, strips: Iterator[Tensor], size: srkit.Size) -> Iterator[Tensor]:
        """See :class:`srkit.Stream`."""
        scale = self.settings.traits.scale
        window = RowWindow(strips)
        for top, bottom, first, last in self._parts(size[0]):
            held = window.rows(first, last)
            row = []
            for start, stop, left, right in self._parts(size[1]):
                tile = held[..., left:right].to(self.settings.device, self.settings.dtype)
                out = forward(self.network, tile)
                out = out[:, :, (top - first) * scale : (bottom - first) * scale]
                row.append(out[:, :, :, (start - left) * scale : (stop - left) * scale])
            yield torch.cat(row, 3)

    def _parts(self, length: int) -> Iterator[tuple[int, int, int, int]]:
        """Each tile along an axis: first, end, and the same with its halo."""
        halo, traits = self.settings.halo or 0, self.settings.traits
        for start in range(0, length, self.side):
            stop = min(start + self.side, length)
            first, last = around((start, stop), halo, halo, length, traits.multiple_of)
            last = min(length, max(last, first + traits.padded(1)))
            yield start, stop, max(0, min(first, last - traits.padded(1))), last


upsampler = Tiles()
