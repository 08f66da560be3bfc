"""CARN and CARN-M: Ahn, Kang, Sohn, "Fast, Accurate, and Lightweight Super-Resolution with Cascading Residual Network",
2018, arXiv:1803.08664. Tensors are called as in the weights that its authors published."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import srkit
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from . import enlarging
from .recognition import explained, without_memory
from .shift import Shift


class Body(nn.Module):
    """Layers, one after another."""

    def __init__(self, *layers: nn.Module) -> None:
        super().__init__()
        self.body = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) → what the layers make of it."""
        y: Tensor = self.body(x)
        return y


class Residual(Body):
    """Layers, a way around them, and a ReLU."""

    def forward(self, x: Tensor) -> Tensor:
        """(B, width, H, W) → likewise."""
        return F.relu(super().forward(x) + x)


def residual(width: int) -> Residual:
    """The residual block of CARN (section 3.1)."""
    return Residual(nn.Conv2d(width, width, 3, padding=1), nn.ReLU(), nn.Conv2d(width, width, 3, padding=1))


def efficient(width: int, groups: int) -> Residual:
    """The efficient residual block of CARN-M: grouped convolutions, then one that mixes (section 3.2)."""
    return Residual(
        nn.Conv2d(width, width, 3, padding=1, groups=groups),
        nn.ReLU(),
        nn.Conv2d(width, width, 3, padding=1, groups=groups),
        nn.ReLU(),
        nn.Conv2d(width, width, 1),
    )


class Cascade(nn.Module):
    """Three units, each followed by a 1×1 convolution of all that came before it (section 3.1).

    ``make`` makes a unit; a ``recursive`` cascade has one, and uses it three times (section 3.2).
    """

    def __init__(self, width: int, make: Callable[[], nn.Module], *, recursive: bool = False) -> None:
        super().__init__()
        for place in (1,) if recursive else (1, 2, 3):
            self.add_module(f"b{place}", make())
        for place in (1, 2, 3):
            self.add_module(f"c{place}", Body(nn.Conv2d((place + 1) * width, width, 1), nn.ReLU()))
        self.recursive = recursive

    def forward(self, x: Tensor) -> Tensor:
        """(B, width, H, W) → likewise."""
        before = y = x
        for place in (1, 2, 3):
            unit = self.get_submodule("b1" if self.recursive else f"b{place}")
            before = torch.cat([before, unit(y)], 1)
            y = self.get_submodule(f"c{place}")(before)
        return y


class Network(Cascade):
    """A cascade of cascades of residual blocks, between a convolution and an enlargement.

    ``scale``: output pixels per input pixel along each axis: 2, 3, 4 or 8. ``width``: channels inside. ``groups``: None
    for CARN; a number for CARN-M, of the groups of its convolutions (4 in the paper).
    Raises ValueError for another scale, or groups that do not divide the width.
    """

    def __init__(self, *, scale: int = 4, width: int = 64, groups: int | None = None) -> None:
        if width < 1 or (groups is not None and (groups < 1 or width % groups)):
            raise ValueError(
                f"width={width}, groups={groups} cannot be built; expected a width of at least 1, and a "
                "number of groups that divides it, or None"
            )

        def block() -> nn.Module:
            return residual(width) if groups is None else efficient(width, groups)

        super().__init__(width, lambda: Cascade(width, block, recursive=groups is not None))
        self.scale = scale
        self.sub_mean = nn.ModuleDict({"shifter": Shift(-1)})
        self.entry = nn.Conv2d(3, width, 3, padding=1)
        larger = enlarging.steps(scale, width, groups=groups or 1, rectified=True)
        self.upsample = nn.ModuleDict({"up": Body(*larger)})
        self.exit = nn.Conv2d(width, 3, 3, padding=1)
        self.add_mean = nn.ModuleDict({"shifter": Shift(1)})

    def forward(self, x: Tensor) -> Tensor:
        """(B, 3, H, W), RGB in [0, 1] → (B, 3, scale · H, scale · W), likewise but not clamped."""
        features = super().forward(self.entry(self.sub_mean["shifter"](x)))
        enlarged: Tensor = self.add_mean["shifter"](self.exit(self.upsample["up"](features)))
        return enlarged


class CARN:
    """See :class:`srkit.Architecture`."""

    name = "carn"

    def build(self, **config: Any) -> Network:
        """A network with random weights; raises ValueError for a configuration that cannot be built."""
        return Network(**config)

    def traits(self, **config: Any) -> srkit.Traits:
        """The scale of the network of this configuration."""
        return srkit.Traits(scale=without_memory(Network, config).scale)

    def sample(self) -> dict[str, Any]:
        """A narrow network is enough to be checked."""
        return {"width": 8}

    def recognise(self, shapes: Mapping[str, tuple[int, ...]]) -> srkit.Recognition | None:
        """Read width, scale and groups from convolutions, and see whether they explain all tensors.

        The published files have an enlargement for each of ×2, ×3 and ×4: they are taken for ×4, and the others left.
        """
        entry, first = shapes.get("entry.weight"), shapes.get("b1.b1.body.0.weight")
        if not entry or not first:
            return None
        names = {
            name: name.replace("upsample.up4.", "upsample.up.")
            for name in shapes
            if not name.startswith(("upsample.up2.", "upsample.up3."))
        }
        own = {names[name]: shape for name, shape in shapes.items() if name in names}
        width = entry[0]
        groups = width // first[1] if "b1.b1.body.4.weight" in shapes else None
        config = {"scale": enlarging.scale_of(own, "upsample.up.", width), "width": width, "groups": groups}
        return srkit.Recognition(config, names) if explained(Network, config, own) else None


architecture: srkit.Architecture = CARN()
