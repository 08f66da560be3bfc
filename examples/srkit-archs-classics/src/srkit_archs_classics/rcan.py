"""RCAN: Zhang et al., "Image Super-Resolution Using Very Deep Residual Channel Attention Networks", 2018,
arXiv:1807.02758. Tensors are called as in the weights that its authors published."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import srkit
import torch
from torch import Tensor, nn

from . import enlarging
from .recognition import explained, without_memory
from .shift import Shift

WHITE = 255.0  # the published weights are for values up to it


class Attention(nn.Module):
    """Each channel times a share, told from the means of all channels over the picture (section 3.3)."""

    def __init__(self, width: int, reduction: int) -> None:
        super().__init__()
        self.avg_pool = nn.AdaptiveAvgPool2d(1)
        self.conv_du = nn.Sequential(
            nn.Conv2d(width, width // reduction, 1), nn.ReLU(), nn.Conv2d(width // reduction, width, 1), nn.Sigmoid()
        )

    def forward(self, x: Tensor) -> Tensor:
        """(B, width, H, W) → likewise."""
        return torch.mul(x, self.conv_du(self.avg_pool(x)))


class Residual(nn.Module):
    """Layers and a way around them: a block (section 3.4), a group of blocks, all groups (section 3.2)."""

    def __init__(self, *layers: nn.Module) -> None:
        super().__init__()
        self.body = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        """(B, width, H, W) → likewise."""
        return torch.add(self.body(x), x)


def convolution(before: int, after: int) -> nn.Conv2d:
    """3×3, size kept."""
    return nn.Conv2d(before, after, 3, padding=1)


def block(width: int, reduction: int) -> Residual:
    """A residual channel attention block (section 3.4, figure 4)."""
    return Residual(convolution(width, width), nn.ReLU(), convolution(width, width), Attention(width, reduction))


class Network(nn.Module):
    """Groups of residual blocks with channel attention, and an enlargement (section 3.1, figure 2).

    ``scale``: output pixels per input pixel along each axis: 2, 3, 4 or 8. ``width``: channels inside. ``groups``,
    ``blocks``: residual groups, and blocks in each. ``reduction``: by how much attention narrows the channels.
    The defaults are the paper's (section 3.5). Raises ValueError for another scale, or a number that is too small.
    """

    def __init__(
        self, *, scale: int = 4, width: int = 64, groups: int = 10, blocks: int = 20, reduction: int = 16
    ) -> None:
        super().__init__()
        if min(width, groups, blocks, reduction) < 1 or reduction > width:
            raise ValueError(
                f"width={width}, groups={groups}, blocks={blocks}, reduction={reduction} cannot be built; expected "
                "whole numbers of at least 1, and a reduction of at most the width"
            )
        self.scale = scale
        self.sub_mean = Shift(-1, white=WHITE)
        self.head = nn.Sequential(convolution(3, width))
        body = [
            Residual(*(block(width, reduction) for _ in range(blocks)), convolution(width, width))
            for _ in range(groups)
        ]
        self.body = nn.Sequential(*body, convolution(width, width))
        self.tail = nn.Sequential(nn.Sequential(*enlarging.steps(scale, width)), convolution(width, 3))
        self.add_mean = Shift(1, white=WHITE)

    def forward(self, x: Tensor) -> Tensor:
        """(B, 3, H, W), RGB in [0, 1] → (B, 3, scale · H, scale · W), likewise but not clamped."""
        shallow = self.head(self.sub_mean(x * WHITE))
        enlarged: Tensor = self.add_mean(self.tail(self.body(shallow) + shallow)) / WHITE
        return enlarged


class RCAN:
    """See :class:`srkit.Architecture`. Not called rcan, which is the name of srkit-archs-spandrel's."""

    name = "classic-rcan"

    def build(self, **config: Any) -> Network:
        """A network with random weights; raises ValueError for a configuration that cannot be built."""
        return Network(**config)

    def traits(self, **config: Any) -> srkit.Traits:
        """The scale of the network of this configuration."""
        return srkit.Traits(scale=without_memory(Network, config).scale)

    def sample(self) -> dict[str, Any]:
        """A network of two groups of two blocks is enough to be checked."""
        return {"width": 16, "groups": 2, "blocks": 2, "reduction": 4}

    def recognise(self, shapes: Mapping[str, tuple[int, ...]]) -> srkit.Recognition | None:
        """Read the configuration from convolutions and the names of blocks, and see whether it explains all tensors."""
        narrowing = shapes.get("body.0.body.0.body.3.conv_du.0.weight")
        if not narrowing or not narrowing[0]:
            return None
        attention = [name.split(".") for name in shapes if name.endswith(".conv_du.0.weight")]
        config = {
            "scale": enlarging.scale_of(shapes, "tail.0.", narrowing[1]),
            "width": narrowing[1],
            "groups": len({parts[1] for parts in attention}),
            "blocks": sum(parts[1] == "0" for parts in attention),
            "reduction": narrowing[1] // narrowing[0],
        }
        return explained(Network, config, shapes)


architecture: srkit.Architecture = RCAN()
