"""FSRCNN: Dong, Loy, Tang, "Accelerating the Super-Resolution Convolutional Neural Network", 2016, arXiv:1608.00367."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import srkit
import torch
from torch import Tensor, nn

from .recognition import explained, without_memory


class Network(nn.Module):
    """FSRCNN(d, s, m) of section 3.2: extraction, shrinking, mapping, expanding, and a transposed convolution.

    ``scale``: output pixels per input pixel along each axis. ``channels``: 1 for luminance, as in the paper, 3 for RGB.
    ``d``: features of each pixel, ``s``: of the shrunk ones, ``m``: convolutions that map them; (56, 12, 4) is the
    paper's FSRCNN, (32, 5, 1) its FSRCNN-s.

    The stride of a transposed convolution is in no shape of its weights, hence ``stride``: a buffer without values,
    whose shape, (scale, 0), says it. Raises ValueError for a number below 1.
    """

    def __init__(self, *, scale: int = 3, channels: int = 3, d: int = 56, s: int = 12, m: int = 4) -> None:
        super().__init__()
        given = {"scale": scale, "channels": channels, "d": d, "s": s, "m": m}
        for name, value in given.items():
            if value < 1:
                raise ValueError(f"{name}={value} cannot be built; expected a whole number of at least 1")
        self.scale, self.channels = scale, channels
        self.first_part = nn.Sequential(*_activated(channels, d, 5))
        mapping = [layer for _ in range(m) for layer in _activated(s, s, 3)]
        self.mid_part = nn.Sequential(*_activated(d, s, 1), *mapping, *_activated(s, d, 1))
        self.last_part = nn.ConvTranspose2d(d, channels, 9, scale, padding=4, output_padding=scale - 1)
        self.register_buffer("stride", torch.zeros(scale, 0))
        nn.init.normal_(self.last_part.weight, std=0.001)  # section 4.1

    def forward(self, x: Tensor) -> Tensor:
        """(B, channels, H, W) in [0, 1] → (B, channels, scale · H, scale · W), likewise but not clamped."""
        enlarged: Tensor = self.last_part(self.mid_part(self.first_part(x)))
        return enlarged


def _activated(before: int, after: int, kernel: int) -> tuple[nn.Conv2d, nn.PReLU]:
    """Conv(kernel, after, before) of the paper, and a PReLU with a slope for each channel (section 3.2)."""
    convolution = nn.Conv2d(before, after, kernel, padding=kernel // 2)
    slopes = nn.PReLU(after)
    nn.init.kaiming_normal_(convolution.weight, a=0.25)  # He et al. (2015), for the slopes PReLU begins with
    return convolution, slopes


class FSRCNN:
    """See :class:`srkit.Architecture`."""

    name = "fsrcnn"

    def build(self, **config: Any) -> Network:
        """A network with random weights; raises ValueError for a configuration that cannot be built."""
        return Network(**config)

    def traits(self, **config: Any) -> srkit.Traits:
        """Scale and channels of the network of this configuration."""
        network = without_memory(Network, config)
        return srkit.Traits(scale=network.scale, in_channels=network.channels, out_channels=network.channels)

    def recognise(self, shapes: Mapping[str, tuple[int, ...]]) -> srkit.Recognition | None:
        """Read the configuration from the outer layers, the stride's shape, and the count of those between.

        Raises WeightsError for a network that is FSRCNN, and does not say its scale: any would fit.
        """
        first, shrinking = shapes.get("first_part.0.weight"), shapes.get("mid_part.0.weight")
        if not first or not shrinking or len(first) != 4:
            return None
        layers = sum(name.startswith("mid_part.") and len(shape) == 4 for name, shape in shapes.items())
        stride = shapes.get("stride", (3, 0))
        config = {"scale": stride[0], "channels": first[1], "d": first[0], "s": shrinking[0], "m": layers - 2}
        found = explained(Network, config, {"stride": stride, **shapes})
        if found and "stride" not in shapes:
            raise srkit.WeightsError(
                "weights of FSRCNN that do not say their scale; load them into "
                "srkit_archs_classics.fsrcnn.Network(scale=…) with strict=False, and save its state dict: that says it"
            )
        return found


architecture: srkit.Architecture = FSRCNN()
