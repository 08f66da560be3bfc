"""The upsampler: every layer evaluated once on every row, as soon as the rows it needs are there."""

from __future__ import annotations

import copy

import attrs
import torch
from torch import nn

import srkit
from srkit.whole import channels_last

from .fused import computed_fast
from .graph import Tracer
from .record import CudaGraphs
from .side import SideBySide
from .stream import RowStream


class StreamingEngine:
    """Runs a local network as a stream of rows; the result is that of the whole picture, bit for bit in float32 on a CPU."""

    name = "stream"

    def prepare(self, network: nn.Module, settings: srkit.Settings) -> RowStream | SideBySide:
        """See :class:`srkit.Upsampler`. Raises NotStreamable for a network that is not local, or has an unknown operator."""
        if settings.halo is not None:
            raise srkit.SettingsError("halo= is of approximate tiles; the engine 'stream' is exact and needs none")
        _prepare_torch()
        streams = [
            _stream_on(device, copy.deepcopy(network) if settings.beside else network, settings)
            for device in (settings.device, *settings.beside)
        ]
        return SideBySide(streams) if settings.beside else streams[0]


def _stream_on(device: torch.device, network: nn.Module, settings: srkit.Settings) -> RowStream:
    settings = attrs.evolve(settings, device=device, beside=())
    network.to(device, settings.dtype)
    if device.type == "cpu" and not computed_fast(settings.dtype):
        # Where nothing multiplies 16 bits faster, a CPU convolves faster in float32, and no less exactly.
        network.float()
    channels_last(network)
    capture = CudaGraphs() if device.type == "cuda" else None
    stream = RowStream(network, settings, Tracer(network, settings.traits), capture)
    stream.warm()
    return stream


def _prepare_torch() -> None:
    """What is to happen once before torch computes in strips."""
    # glibc gives blocks above a threshold back at once, and raises it (up to 32 MiB) to the largest that it saw freed.
    # Memory fresh from the system is slow to touch, and every step would pay.
    torch.empty(31 << 20, dtype=torch.uint8)
    # The first call of these from several threads may go wrong in half of the values (pytorch issue 188792).
    for function in (torch.tanh, torch.exp, torch.log, torch.sqrt):
        function(torch.ones(1))


upsampler = StreamingEngine()
