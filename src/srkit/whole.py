"""The whole-image upsampler: the plain forward of the network, and the reference for every other engine."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from .errors import OutOfMemory, SettingsError
from .protocols import Size, Stream
from .settings import Settings, free_memory

SMALL = 20480
"""Values of an input up to which torch convolves a single picture with another kernel (ATen's use_mkldnn)."""


class WholeImage:
    """Collects all rows, runs the network once on the channels-last tensor, gives all rows at once."""

    name = "whole"

    def prepare(self, network: nn.Module, settings: Settings) -> Stream:
        """See :class:`srkit.protocols.Upsampler`; refuses ``memory`` and ``rows``, which it could not honour."""
        for name in ("memory", "rows", "halo"):
            if getattr(settings, name) is not None:
                raise SettingsError(
                    f"{name}= asks for bounded memory, which the whole-image upsampler cannot give; leave {name} out, or "
                    f"choose an engine that streams, if one is installed (see 'srkit plugins')"
                )
        if settings.beside:
            raise SettingsError("device= names several devices, and the whole-image upsampler runs on one; name one")
        channels_last(network.to(device=settings.device, dtype=settings.dtype))
        widest = _widest_layer(network, settings)

        def stream(strips: Iterator[Tensor], size: Size) -> Iterator[Tensor]:
            held = list(strips)
            need, free = widest * held[0].shape[0] * size[0] * size[1], free_memory(settings.device)
            if free is not None and need > free:
                # Better told than killed: a system out of memory ends the process without a word.
                raise OutOfMemory(
                    f"{size[0]}×{size[1]} pixels at once need {need / 1e9:.0f} GB and more, but {free / 1e9:.0f} GB are "
                    f"free; use a smaller network, or cut the picture"
                )
            try:
                image = held[0] if len(held) == 1 else torch.cat(held, 2)
                held.clear()
                out = forward(network, image.to(settings.device, settings.dtype))
            except RuntimeError as error:
                if not _ran_out(error):
                    raise
                raise OutOfMemory(
                    f"{size[0]}×{size[1]} pixels at once are too many for the memory of {settings.device}; "
                    f"use a smaller network, or cut the picture"
                ) from error
            del image
            yield out

        return stream


def channels_last(network: nn.Module) -> None:
    """Lay out weights as pictures are; ``network.to(memory_format=)`` fails where some have five dimensions."""
    _lay_out(network, torch.channels_last)
    _contiguous.discard(network)


def forward(network: nn.Module, image: Tensor) -> Tensor:
    """The network on a picture (B, C, H, W), channels-last; or contiguous, where the network's own views want that."""
    with full_precision(image):
        if network not in _contiguous:
            try:
                return _called(network, image, torch.channels_last)
            except RuntimeError as error:
                if "view size is not compatible" not in str(error):
                    raise
            # A convolution's result has the layout of its weights.
            _lay_out(network, torch.contiguous_format)
            _contiguous.add(network)
        return _called(network, image, torch.contiguous_format)


_contiguous: weakref.WeakSet[nn.Module] = weakref.WeakSet()
"""Networks that were found to have such views, and were laid out for them."""


def _called(network: nn.Module, image: Tensor, layout: torch.memory_format) -> Tensor:
    out: Tensor = network(image.contiguous(memory_format=layout))
    return out


def _lay_out(network: nn.Module, layout: torch.memory_format) -> None:
    for weight in (*network.parameters(), *network.buffers()):
        if weight.ndim == 4:
            weight.data = weight.data.contiguous(memory_format=layout)


@contextmanager
def full_precision(image: Tensor) -> Iterator[None]:
    """While it lasts, convolutions of float32 on CUDA are float32's, and not TF32's with its 10 bits of mantissa.

    The switch is torch's, for the whole process: the first of several threads turns it, and the last turns it back.
    """
    if image.device.type != "cuda" or image.dtype is not torch.float32:
        yield
        return
    _ieee.enter()
    try:
        yield
    finally:
        _ieee.leave()


class _Ieee:
    """Torch's switch, and how many need it turned."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._users = 0
        self._before = ""

    def enter(self) -> None:
        """One more needs it."""
        with self._lock:
            if self._users == 0:
                self._before = _convolutions.fp32_precision
                _convolutions.fp32_precision = "ieee"
            self._users += 1

    def leave(self) -> None:
        """One less."""
        with self._lock:
            self._users -= 1
            if self._users == 0:
                _convolutions.fp32_precision = self._before


_convolutions = torch.backends.cudnn.conv  # type: ignore[attr-defined]  # made at run time
_ieee = _Ieee()


def _widest_layer(network: nn.Module, settings: Settings) -> float:
    """Bytes per input pixel of the widest layer's input and output: the least that a forward holds at once."""
    traits, most = settings.traits, 0
    side = traits.units(4)

    def look(_: nn.Module, given: tuple[object, ...], made: object) -> None:
        nonlocal most
        most = max(most, sum(t.numel() for t in (*given, made) if isinstance(t, Tensor)))

    hooks = [module.register_forward_hook(look) for module in network.modules()]
    with torch.no_grad():
        forward(network, torch.zeros(1, traits.in_channels, side, side, dtype=settings.dtype, device=settings.device))
    for hook in hooks:
        hook.remove()
    return most * settings.dtype.itemsize / side**2


def _ran_out(error: RuntimeError) -> bool:
    # On the CPU torch raises a plain RuntimeError; on CUDA a subclass of its own.
    return isinstance(error, torch.OutOfMemoryError) or "can't allocate memory" in str(error)


upsampler = WholeImage()
