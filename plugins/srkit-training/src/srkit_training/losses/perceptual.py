"""Perceptual loss: pictures are alike if a network that knows many things sees the same in them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import attrs
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import srkit
from srkit_datasets.options import check_weights, choice, number

from .features import Features, write_random
from .pictures import check_pictures
from .weights import Source, source

# Before the ReLU; the weights of VGG19 are Real-ESRGAN's, those of VGG16 the same at the last convolution of each block.
_LAYERS = {
    "vgg19": {"conv1_2": 0.1, "conv2_2": 0.1, "conv3_4": 1.0, "conv4_4": 1.0, "conv5_4": 1.0},
    "vgg16": {"conv1_2": 0.1, "conv2_2": 0.1, "conv3_3": 1.0, "conv4_3": 1.0, "conv5_3": 1.0},
}
_CRITERIA: Mapping[str, Callable[[Tensor, Tensor], Tensor]] = {
    "l1": F.l1_loss,
    "l2": F.mse_loss,
    "fro": lambda a, b: torch.linalg.vector_norm(a - b),
}


def _check_layers(_: object, attribute: attrs.Attribute[Any], value: Any) -> None:
    if value is None:
        return
    if not isinstance(value, Mapping):
        raise srkit.SettingsError(f"{attribute.name}={value!r}; expected a mapping of layers to weights")
    check_weights(attribute, tuple(value.values()))


@attrs.define(kw_only=True, eq=False, slots=False, on_setattr=attrs.setters.NO_OP)
class Perceptual(nn.Module):
    """Distances of what VGG sees, weighted layer by layer; and of its style, if that is asked for.

    J. Johnson, A. Alahi and L. Fei-Fei, "Perceptual Losses for Real-Time Style Transfer and Super-Resolution", ECCV 2016;
    before the ReLU, as X. Wang et al., "ESRGAN", ECCVW 2018.

    ``network``: ``vgg19`` or ``vgg16``. ``layers``: names, such as ``conv5_4``, ``relu5_4`` or ``pool5``, and their weights;
    Real-ESRGAN's if None. ``criterion``: the mean of absolute (``l1``) or squared (``l2``) differences, or ``fro``, the root
    of the sum of squares over the whole batch. ``style``: what the distances of Gram matrices, by the same layers and
    criterion, are multiplied by before they are added (L. Gatys, A. Ecker and M. Bethge, "Image Style Transfer Using
    Convolutional Neural Networks", CVPR 2016); 0 for none. ``weights``: torchvision's file, or one with tensors of the same
    names, read in the first call; fetched if None.
    """

    network: str = choice("network", tuple(_LAYERS), "vgg19")
    layers: Mapping[str, float] | None = attrs.field(default=None, validator=_check_layers)
    criterion: str = choice("criterion", tuple(_CRITERIA), "l1")
    style: float = number(0, 1e12, 0)
    weights: Source = source()

    def __attrs_pre_init__(self) -> None:
        super().__init__()

    def __attrs_post_init__(self) -> None:
        layers = _LAYERS[self.network] if self.layers is None else self.layers
        self.shares = {name: weight for name, weight in layers.items() if weight}
        self.seen = Features(self.network, self.shares, self.weights)

    @staticmethod
    def sample(folder: Path) -> Mapping[str, Any]:
        """Options for checks, with a file of random weights, written into ``folder``, for the first two blocks."""
        layers = {"conv1_2": 0.1, "conv2_2": 0.1}
        return {"layers": layers, "weights": write_random("vgg19", layers, folder)}

    def forward(self, output: Tensor, target: Tensor) -> Tensor:
        """(B, 3, H, W) float32 RGB in [0, 1], both → a scalar, 0 for equal pictures; gradients towards ``output``.

        Raises ImageError for anything else, and for pictures of which the deepest layer sees nothing: under 16 pixels a
        side for the fifth block.
        """
        check_pictures(output, target, least=self.seen.least)
        with torch.no_grad():
            wanted = self.seen(target)
        apart = _CRITERIA[self.criterion]
        terms = []
        for layer, seen in self.seen(output).items():
            distance = apart(seen, wanted[layer])
            if self.style:
                distance = distance + self.style * apart(gram(seen), gram(wanted[layer]))
            terms.append(self.shares[layer] * distance)
        return torch.stack(terms).sum()


def gram(features: Tensor) -> Tensor:
    """(B, C, H, W) → (B, C, C): which channels go together, divided by C·H·W."""
    flat = features.flatten(2)
    return flat @ flat.mT / flat[0].numel()
