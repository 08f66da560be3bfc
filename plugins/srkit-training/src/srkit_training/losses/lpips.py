"""LPIPS: how different two pictures look to people, learned from their answers."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs
import torch
from torch import Tensor, nn

from srkit_datasets.options import choice

from .features import Features, write_random
from .pictures import check_pictures
from .weights import Source, source, take

# The network, and its layers with their channels.
_LAYERS = {
    "alex": ("alex", {"relu1": 64, "relu2": 192, "relu3": 384, "relu4": 256, "relu5": 256}),
    "vgg": ("vgg16", {"relu1_2": 64, "relu2_2": 128, "relu3_3": 256, "relu4_3": 512, "relu5_3": 512}),
}


@attrs.define(eq=False, slots=False, on_setattr=attrs.setters.NO_OP)
class LPIPS(nn.Module):
    """Weighted distances of features, averaged over the picture; also the metric of this name.

    R. Zhang et al., "The Unreasonable Effectiveness of Deep Features as a Perceptual Metric", CVPR 2018, equation 1, with
    the weights of version 0.1. ``network``: ``alex``, which measures best, or ``vgg``, which is the better loss.
    ``features``: its weights, AlexNet's or VGG16's; ``linear``: those of the five layers, ``lin0.model.1.weight`` and so
    on. Of both the published files are fetched if no others are named.
    """

    network: str = choice("network", tuple(_LAYERS), "alex")
    features: Source = source()
    linear: Source = source()

    def __attrs_pre_init__(self) -> None:
        super().__init__()

    def __attrs_post_init__(self) -> None:
        network, channels = _LAYERS[self.network]
        self.seen = Features(network, channels, self.features, option="features")
        self._is_read = False

    @staticmethod
    def sample(folder: Path) -> Mapping[str, Any]:
        """Options for checks, with files of random weights, written into ``folder``."""
        channels = _LAYERS["alex"][1]
        rng = torch.Generator().manual_seed(0)
        linear = {
            f"lin{i}.model.1.weight": torch.rand(1, c, 1, 1, generator=rng) for i, c in enumerate(channels.values())
        }
        torch.save(linear, folder / "linear.pth")
        return {"features": write_random("alex", channels, folder), "linear": folder / "linear.pth"}

    def ready(self, device: torch.device | str) -> LPIPS:
        """Itself on a device, its weights read, as they are at the latest in the first call; raises as :func:`take`."""
        if not self._is_read:
            channels = _LAYERS[self.network][1]
            names = {layer: f"lin{number}.model.1.weight" for number, layer in enumerate(channels)}
            shapes = {names[layer]: (1, width, 1, 1) for layer, width in channels.items()}
            found = take(self.linear, f"lpips-{self.network}", "linear", shapes)
            self.seen.ready(device)
            for layer, name in names.items():
                self.register_buffer(f"weight_{layer}", found[name], persistent=False)
            self._is_read = True
        return self.to(device)

    def forward(self, output: Tensor, target: Tensor) -> Tensor:
        """(B, 3, H, W) float32 RGB in [0, 1], both → the mean of :meth:`per_picture`, a scalar."""
        return self.per_picture(output, target).mean()

    def per_picture(self, output: Tensor, target: Tensor) -> Tensor:
        """(B, 3, H, W) float32 RGB in [0, 1], both → (B,) float32, 0 for equal pictures; gradients towards ``output``.

        Raises ImageError for anything else, and for pictures that are too small: under 31 pixels a side for ``alex``,
        under 16 for ``vgg``.
        """
        check_pictures(output, target, least=self.seen.least)
        self.ready(output.device)
        with torch.no_grad():
            wanted = self.seen(target)
        terms = [self._distance(layer, seen, wanted[layer]) for layer, seen in self.seen(output).items()]
        return torch.stack(terms).sum(0)

    def _distance(self, layer: str, output: Tensor, target: Tensor) -> Tensor:
        apart = (_unit(output) - _unit(target)) ** 2
        return (apart * self.get_buffer(f"weight_{layer}")).sum(1).mean((-2, -1))


def _unit(features: Tensor) -> Tensor:
    """Of length 1 at each position, or 0 where nothing is seen."""
    length: Tensor = torch.linalg.vector_norm(features, dim=1, keepdim=True)
    return features / (length + 1e-10)
