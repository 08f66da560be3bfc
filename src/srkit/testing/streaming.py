"""A network on an engine that streams, held against the plain forward."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from ..declarations import Traits
from ..errors import NotStreamable, PluginError, SettingsError
from ..plugins import current
from ..upscaler import Upscaler
from ..whole import upsampler as reference

CLOSE = 1e-5
"""Of the largest value, or of 1: how far a stream may be off where torch's own kernels round by shape (docs/exactness.md)."""

# What torch computes alike for strips and for the whole picture; others, sigmoid for one, have kernels for a CPU that round
# by shape, and no engine can do better than call them.
_ALIKE = {
    *("convolution", "add", "sub", "mul", "div", "neg", "cat", "detach"),
    *("relu", "leaky_relu", "_prelu_kernel", "clamp", "clamp_min", "clamp_max", "hardtanh"),
    *("pixel_shuffle", "pixel_unshuffle", "upsample_nearest2d"),
    *("constant_pad_nd", "reflection_pad2d", "replication_pad2d"),
}


class _Calls(TorchDispatchMode):  # type: ignore[no-untyped-call]  # torch's
    """Notes the names of the operators that are called while it is entered."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # torch's
        self.names: set[str] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.names.add(func.overloadpacket.__name__.rstrip("_"))
        return func(*args, **(kwargs or {}))


def streaming(network: nn.Module, traits: Traits, *, rows: int | None = None) -> Upscaler | str:
    """The network on the most preferred engine that streams it, on the CPU; or why none does, to be read by people."""
    if traits.in_channels not in {1, 3} or traits.out_channels != traits.in_channels:
        return (
            f"not tried: it turns {traits.in_channels} channels into {traits.out_channels}, so it upscales no pictures"
        )
    refusals = []
    for entry in sorted(current().upsamplers, key=lambda candidate: -candidate.spec.preference):
        if entry.spec.name == reference.name:
            continue
        try:
            upscaler = Upscaler.from_network(network, traits, engine=entry.spec.name, device="cpu", rows=rows)
        except NotStreamable as refusal:
            refusals.append(f"no: {refusal}")
            continue
        except (PluginError, SettingsError):
            continue  # broken, or it wants to be told more
        if upscaler.exact:
            return upscaler
    return refusals[0] if refusals else "not tried: no engine that streams is installed; pip install srkit-engine-tiled"


def streamed(upscaler: Upscaler, network: nn.Module, image: Tensor) -> tuple[float, float]:
    """How far the stream of pictures (B, C, H, W) is off the plain forward, and how far it may be."""
    whole = Upscaler.from_network(network, upscaler.loaded.traits, engine=reference.name, device="cpu")
    height, width = image.shape[2:]
    heights = [height // 3, 1, height - height // 3 - 1]
    rows, expected = (
        torch.cat(list(each.stream(torch.split(image, heights, 2), (height, width))), 2) for each in (upscaler, whole)
    )
    with torch.no_grad(), _Calls() as calls:
        network(image)
    allowed = 0.0 if calls.names <= _ALIKE else CLOSE * max(1.0, float(expected.abs().max()))
    return float((rows - expected).abs().max()), allowed
