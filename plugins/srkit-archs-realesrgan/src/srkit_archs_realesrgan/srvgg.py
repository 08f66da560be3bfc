"""SRVGGNetCompact: all convolutions at low resolution, then one pixel shuffle, added to the nearest-upsampled input.

Real-ESRGAN's compact network (Wang et al., "Real-ESRGAN", ICCV workshops 2021; introduced with release 0.2.3).
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

import srkit

from .match import Shapes, match

_NCNN = re.compile(r"ncnn\.(\d+)\.(.*)\.(\w+)")


_SLOPES = {"prelu": 0.5, "relu": 0.0, "leakyrelu": 0.1}
"""Of negative values; of prelu, where it begins."""


def _activation(kind: str, features: int) -> nn.Module:
    if kind == "prelu":
        return nn.PReLU(features, _SLOPES[kind])
    if kind == "relu":
        return nn.ReLU()
    if kind == "leakyrelu":
        return nn.LeakyReLU(_SLOPES[kind])
    raise ValueError(f"act_type={kind!r} is unknown; choose from 'prelu', 'relu', 'leakyrelu'")


class SRVGGNetCompact(nn.Module):
    """(B, num_in_ch, H, W) → (B, num_out_ch, upscale·H, upscale·W); values in [0, 1], not clamped.

    ``num_conv`` counts the convolutions between the first and the last. With ``act_type="prelu"`` each channel has its
    own slope, which begins at 0.5. Random weights are such that signals keep their variance through all layers (He et al.,
    "Delving deep into rectifiers", 2015, eq. 15), and what tells them apart, such as colour: all but the first and the last
    are near delta-orthogonal (Xiao et al., "Dynamical isometry and a mean field theory of CNNs", 2018, section 3.4). The last
    begins small, and with it the residual.
    """

    def __init__(
        self,
        num_in_ch: int = 3,
        num_out_ch: int = 3,
        num_feat: int = 64,
        num_conv: int = 16,
        upscale: int = 4,
        act_type: str = "prelu",
    ) -> None:
        super().__init__()
        self.upscale = upscale
        layers: list[nn.Module] = [nn.Conv2d(num_in_ch, num_feat, 3, 1, 1), _activation(act_type, num_feat)]
        for _ in range(num_conv):
            layers += [nn.Conv2d(num_feat, num_feat, 3, 1, 1), _activation(act_type, num_feat)]
        last = nn.Conv2d(num_feat, num_out_ch * upscale**2, 3, 1, 1)
        self.body = nn.ModuleList([*layers, last])
        self.upsampler = nn.PixelShuffle(upscale)
        kernels = [parameter for parameter in self.body.parameters() if parameter.dim() == 4]
        for name, parameter in self.body.named_parameters():
            if name.endswith("bias"):
                nn.init.zeros_(parameter)
        for kernel in kernels:
            nn.init.kaiming_normal_(kernel, _SLOPES[act_type])
        with torch.no_grad():
            for kernel in kernels[1:-1]:
                middle = torch.empty(num_feat, num_feat)
                nn.init.orthogonal_(middle, nn.init.calculate_gain("leaky_relu", _SLOPES[act_type]))
                kernel.mul_(0.1)[:, :, 1, 1] += middle
            last.weight.mul_(0.01)

    def forward(self, x: Tensor) -> Tensor:
        """The residual of the network on top of the nearest-upsampled input."""
        out = x
        for layer in self.body:
            out = layer(out)
        residual: Tensor = self.upsampler(out)
        return residual + F.interpolate(x, scale_factor=self.upscale, mode="nearest")


class SRVGG:
    """The architecture ``srvgg``."""

    name = "srvgg"

    def build(self, **config: Any) -> SRVGGNetCompact:
        """A network with random weights; arguments as of SRVGGNetCompact."""
        return SRVGGNetCompact(**config)

    def sample(self) -> Mapping[str, Any]:
        """A small one, for checks."""
        return {"num_feat": 16, "num_conv": 4}

    def traits(self, *, num_in_ch: int = 3, num_out_ch: int = 3, upscale: int = 4, **_: Any) -> srkit.Traits:
        """Any size of input will do."""
        return srkit.Traits(scale=upscale, in_channels=num_in_ch, out_channels=num_out_ch)

    def recognise(self, shapes: Shapes) -> srkit.Recognition | None:
        """From ``body.N.weight`` and ``.bias``, or an ncnn file.

        A state dict without slopes does not say whether it wants relu or leakyrelu; it is taken for relu, the plain one.
        (An ncnn file says it.) The numbers of channels in and out are taken to be equal, or else the output 3.
        """
        ncnn = all(_NCNN.fullmatch(name) for name in shapes)
        if not shapes or not (ncnn or all(name.startswith("body.") for name in shapes)):
            return None
        names = _ncnn_names(shapes) if ncnn else {name: name for name in shapes}
        stored = {own: name for name, own in names.items()}
        convs = sorted(int(m[1]) for own in stored if (m := re.fullmatch(r"body\.(\d+)\.bias", own)))
        if len(convs) < 2 or {f"body.{convs[0]}.weight", f"body.{convs[-1]}.weight"} - stored.keys():
            return None
        first, last = (shapes[stored[f"body.{i}.weight"]] for i in (convs[0], convs[-1]))
        if len(first) != 4 or len(last) != 4 or 0 in (*first, *last):
            return None
        act_type = _ncnn_act_type(names) if ncnn else "prelu" if "body.1.weight" in stored else "relu"
        if act_type is None:
            return None
        out_channels = first[1] if _is_square(last[0], first[1]) else 3
        if not _is_square(last[0], out_channels):
            return None
        config = {
            "num_in_ch": first[1],
            "num_out_ch": out_channels,
            "num_feat": first[0],
            "num_conv": len(convs) - 2,
            "upscale": math.isqrt(last[0] // out_channels),
            "act_type": act_type,
        }
        return match(shapes, names, SRVGGNetCompact, config)


def _is_square(channels: int, out_channels: int) -> bool:
    return channels % out_channels == 0 and math.isqrt(channels // out_channels) ** 2 == channels // out_channels


def _ncnn_act_type(names: Mapping[str, str]) -> str | None:
    """The one activation of all convolutions but the last; None if they do not agree, or it is no compact network's."""
    operators = [parts[2] for name in names if (parts := _NCNN.fullmatch(name)) and parts[3] == "weight"]
    *inner, last = [operator for operator in operators if operator != "prelu"]
    kinds = {"conv": "prelu", "conv+relu": "relu", "conv+leakyrelu0.1": "leakyrelu"}
    act_type = kinds.get(inner[0]) if len(set(inner)) == 1 and last == "conv" else None
    return act_type if ("prelu" in operators) == (act_type == "prelu") else None


def _ncnn_names(shapes: Shapes) -> dict[str, str]:
    """``ncnn.INDEX.OPERATOR.KIND`` → ``body.N.KIND``: a convolution, then its slopes or a fused activation."""
    names: dict[str, str] = {}
    slot, previous = -1, None
    for name in shapes:
        index, operator, kind = _NCNN.fullmatch(name).groups()  # type: ignore[union-attr]
        if index != previous:
            # Convolutions stand at even places, whatever activates them at odd ones.
            slot += 2 if operator.startswith("conv") and slot % 2 == 0 else 1
            previous = index
        names[name] = f"body.{slot}.{kind}"
    return names


architecture = SRVGG()
