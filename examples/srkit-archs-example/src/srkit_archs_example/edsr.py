"""EDSR: residual blocks without normalisation (Lim et al., "Enhanced deep residual networks", CVPR workshops 2017)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

import srkit

_MEAN = (0.4488, 0.4371, 0.4040)  # of DIV2K's colours, as in the authors' code
_OTHER_NAMES = {  # BasicSR's name of a part → ours
    r"conv_first\.": "head.0.",
    r"body\.(\d+)\.conv1\.": r"body.\1.body.0.",
    r"body\.(\d+)\.conv2\.": r"body.\1.body.2.",
    r"conv_after_body\.": "body.-1.",
    r"upsample\.": "tail.0.",
    r"conv_last\.": "tail.1.",
}


class Block(nn.Module):
    """Two convolutions and what they are added to (figure 2c)."""

    def __init__(self, features: int, share: float) -> None:
        super().__init__()
        convolutions = (nn.Conv2d(features, features, 3, padding=1) for _ in range(2))
        first, second = convolutions
        self.body = nn.Sequential(first, nn.ReLU(), second)
        self.share = share

    def forward(self, x: Tensor) -> Tensor:
        """(B, features, H, W) → the same."""
        changed: Tensor = self.body(x)
        return x + changed * self.share


class EDSR(nn.Module):
    """(B, 3, H, W) → (B, 3, scale·H, scale·W), RGB in [0, 1], not clamped.

    The defaults are those of the "baseline"; the paper's large network has ``n_feats=256, n_resblocks=32, res_scale=0.1``.
    Numbers inside are those of the authors' weights, which know colours as 0 … 255 less the mean.
    """

    def __init__(self, scale: int = 4, n_feats: int = 64, n_resblocks: int = 16, res_scale: float = 1.0) -> None:
        super().__init__()
        self.head = nn.Sequential(nn.Conv2d(3, n_feats, 3, padding=1))
        blocks = [Block(n_feats, res_scale) for _ in range(n_resblocks)]
        self.body = nn.Sequential(*blocks, nn.Conv2d(n_feats, n_feats, 3, padding=1))
        self.tail = nn.Sequential(_upsampling(scale, n_feats), nn.Conv2d(n_feats, 3, 3, padding=1))
        self.register_buffer("mean", torch.tensor(_MEAN).view(1, 3, 1, 1), persistent=False)
        self.mean: Tensor

    def forward(self, x: Tensor) -> Tensor:
        """Features, residual blocks, upsampling (figure 3)."""
        features = self.head((x - self.mean) * 255)
        out: Tensor = self.tail(features + self.body(features))
        return out / 255 + self.mean


def _upsampling(scale: int, features: int) -> nn.Sequential:
    """Factors of two and three, each a convolution and a shuffle of pixels."""
    layers: list[nn.Module] = []
    rest = scale
    for factor in (2, 3):
        while rest % factor == 0:
            layers += [nn.Conv2d(features, features * factor**2, 3, padding=1), nn.PixelShuffle(factor)]
            rest //= factor
    if rest != 1:
        raise srkit.SettingsError(f"scale={scale} cannot be made; EDSR knows products of 2 and 3")
    return nn.Sequential(*layers)


class Architecture:
    """The architecture ``edsr``."""

    name = "edsr"

    def build(self, **config: Any) -> EDSR:
        """A network with random weights; arguments as of EDSR."""
        return EDSR(**config)

    def traits(self, *, scale: int = 4, **_: Any) -> srkit.Traits:
        """Any size of input will do."""
        return srkit.Traits(scale=scale)

    def recognise(self, shapes: Mapping[str, tuple[int, ...]]) -> srkit.Recognition | None:
        """Files of the authors' code and of BasicSR.

        ``res_scale`` leaves no trace in a file: it is taken to be 0.1 for 256 features or more, as published, else 1.
        """
        # The authors keep the mean as fixed convolutions, which this network does not need.
        kept = {name: shape for name, shape in shapes.items() if not name.startswith(("sub_mean.", "add_mean."))}
        ours = {name: _our_name(name) for name in kept}
        blocks = {int(found[1]) for name in ours.values() if (found := re.match(r"body\.(\d+)\.body\.", name))}
        ours = {name: own.replace("body.-1.", f"body.{len(blocks)}.") for name, own in ours.items()}
        config = _config({own: kept[name] for name, own in ours.items()}, len(blocks))
        if config is None:
            return None
        with torch.device("meta"):
            wanted = {name: tuple(tensor.shape) for name, tensor in EDSR(**config).state_dict().items()}
        there = {own: tuple(kept[name]) for name, own in ours.items()}
        return srkit.Recognition(config, ours) if there == wanted else None


def _our_name(name: str) -> str:
    for pattern, ours in _OTHER_NAMES.items():
        if re.match(pattern, name):
            return re.sub(pattern, ours, name, count=1)
    return name


def _config(shapes: Mapping[str, tuple[int, ...]], blocks: int) -> dict[str, Any] | None:
    head = shapes.get("head.0.weight", ())
    if len(head) != 4:
        return None
    features, scale = head[0], 1
    for name, shape in shapes.items():
        if re.fullmatch(r"tail\.0\.\d+\.weight", name) and shape[1] == features:
            scale *= round((shape[0] / features) ** 0.5)
    return {
        "scale": scale,
        "n_feats": features,
        "n_resblocks": blocks,
        "res_scale": 0.1 if features >= 256 else 1.0,
    }


architecture = Architecture()
