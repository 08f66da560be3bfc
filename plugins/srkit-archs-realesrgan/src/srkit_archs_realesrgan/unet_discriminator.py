"""UNetDiscriminatorSN: a U-Net with spectral normalisation that gives one logit per pixel.

Wang et al., "Real-ESRGAN", 2021, section 3.3; the idea is of Schönfeld et al., "A U-Net Based Discriminator for GANs",
CVPR 2020; spectral normalisation of Miyato et al., ICLR 2018.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils import spectral_norm

import srkit

from .match import Shapes, match

_SLOPE = 0.2


class UNetDiscriminatorSN(nn.Module):
    """(B, num_in_ch, H, W) in [0, 1] → (B, 1, H, W) logits; height and width must be multiples of 8."""

    def __init__(self, num_in_ch: int = 3, num_feat: int = 64, skip_connection: bool = True) -> None:
        super().__init__()
        self.skip_connection = skip_connection
        f = num_feat

        def down(i: int, o: int) -> nn.Module:
            return spectral_norm(nn.Conv2d(i, o, 4, 2, 1, bias=False))

        def same(i: int, o: int) -> nn.Module:
            return spectral_norm(nn.Conv2d(i, o, 3, 1, 1, bias=False))

        self.conv0 = nn.Conv2d(num_in_ch, f, 3, 1, 1)
        self.conv1, self.conv2, self.conv3 = down(f, 2 * f), down(2 * f, 4 * f), down(4 * f, 8 * f)
        self.conv4, self.conv5, self.conv6 = same(8 * f, 4 * f), same(4 * f, 2 * f), same(2 * f, f)
        self.conv7, self.conv8 = same(f, f), same(f, f)
        self.conv9 = nn.Conv2d(f, 1, 3, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Down three times, up three times, with what was seen on the way down added back."""
        seen = [F.leaky_relu(self.conv0(x), _SLOPE)]
        for conv in (self.conv1, self.conv2, self.conv3):
            seen.append(F.leaky_relu(conv(seen[-1]), _SLOPE))
        out = seen.pop()
        for conv in (self.conv4, self.conv5, self.conv6):
            out = F.interpolate(out, scale_factor=2, mode="bilinear", align_corners=False)
            out = F.leaky_relu(conv(out), _SLOPE)
            skip = seen.pop()
            if self.skip_connection:
                out = out + skip
        out = F.leaky_relu(self.conv7(out), _SLOPE)
        out = F.leaky_relu(self.conv8(out), _SLOPE)
        logits: Tensor = self.conv9(out)
        return logits


class UNetDiscriminator:
    """The architecture ``unet-discriminator``."""

    name = "unet-discriminator"

    def build(self, **config: Any) -> UNetDiscriminatorSN:
        """A network with random weights; arguments as of UNetDiscriminatorSN."""
        return UNetDiscriminatorSN(**config)

    def sample(self) -> Mapping[str, Any]:
        """A small one, for checks."""
        return {"num_feat": 8}

    def traits(self, *, num_in_ch: int = 3, **_: Any) -> srkit.Traits:
        """One logit per pixel, three halvings."""
        return srkit.Traits(scale=1, in_channels=num_in_ch, out_channels=1, multiple_of=8)

    def recognise(self, shapes: Shapes) -> srkit.Recognition | None:
        """From ``conv0`` to ``conv9``; tensors do not tell whether skips are added, as all published ones do."""
        first = shapes.get("conv0.weight", ())
        if len(first) != 4 or 0 in first or "conv1.weight_orig" not in shapes:
            return None
        config = {"num_in_ch": first[1], "num_feat": first[0]}
        return match(shapes, {name: name for name in shapes}, UNetDiscriminatorSN, config)


architecture = UNetDiscriminator()
