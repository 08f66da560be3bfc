"""RRDBNet: residual in residual dense blocks (Wang et al., "ESRGAN", ECCV workshops 2018, section 3.1).

Real-ESRGAN adds scales 2 and 1 by a pixel unshuffle of the input (Wang et al., "Real-ESRGAN", 2021, section 3.2).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

import srkit

from .match import Shapes, match

_UNSHUFFLE = {4: 1, 2: 2, 1: 4}
_RESIDUAL = 0.2
_SLOPE = 0.2


class ResidualDenseBlock(nn.Module):
    """Five convolutions, each fed with all outputs before it; (B, num_feat, H, W) → the same."""

    def __init__(self, num_feat: int = 64, num_grow_ch: int = 32) -> None:
        super().__init__()
        f, g = num_feat, num_grow_ch
        self.conv1 = nn.Conv2d(f, g, 3, 1, 1)
        self.conv2 = nn.Conv2d(f + g, g, 3, 1, 1)
        self.conv3 = nn.Conv2d(f + 2 * g, g, 3, 1, 1)
        self.conv4 = nn.Conv2d(f + 3 * g, g, 3, 1, 1)
        self.conv5 = nn.Conv2d(f + 4 * g, f, 3, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        """The dense features, scaled, on top of the input."""
        features = [x]
        for conv in (self.conv1, self.conv2, self.conv3, self.conv4):
            features.append(F.leaky_relu(conv(torch.cat(features, 1)), _SLOPE))
        out: Tensor = self.conv5(torch.cat(features, 1))
        return out * _RESIDUAL + x


class RRDB(nn.Module):
    """Three dense blocks with a residual around them."""

    def __init__(self, num_feat: int, num_grow_ch: int = 32) -> None:
        super().__init__()
        self.rdb1 = ResidualDenseBlock(num_feat, num_grow_ch)
        self.rdb2 = ResidualDenseBlock(num_feat, num_grow_ch)
        self.rdb3 = ResidualDenseBlock(num_feat, num_grow_ch)

    def forward(self, x: Tensor) -> Tensor:
        """The three blocks, scaled, on top of the input."""
        out: Tensor = self.rdb3(self.rdb2(self.rdb1(x)))
        return out * _RESIDUAL + x


class RRDBNet(nn.Module):
    """(B, num_in_ch, H, W) → (B, num_out_ch, scale·H, scale·W); values in [0, 1], not clamped.

    Always two nearest ×2 stages; for ``scale`` 2 and 1 the input is unshuffled by 2 and 4 first, so its height and width
    must be multiples of that.
    """

    def __init__(
        self,
        num_in_ch: int = 3,
        num_out_ch: int = 3,
        scale: int = 4,
        num_feat: int = 64,
        num_block: int = 23,
        num_grow_ch: int = 32,
    ) -> None:
        super().__init__()
        if scale not in _UNSHUFFLE:
            raise ValueError(f"scale={scale} is not one RRDBNet has; choose from 1, 2, 4")
        self.scale = scale
        self.conv_first = nn.Conv2d(num_in_ch * _UNSHUFFLE[scale] ** 2, num_feat, 3, 1, 1)
        self.body = nn.Sequential(*(RRDB(num_feat, num_grow_ch) for _ in range(num_block)))
        self.conv_body = nn.Conv2d(num_feat, num_feat, 3, 1, 1)
        self.conv_up1 = nn.Conv2d(num_feat, num_feat, 3, 1, 1)
        self.conv_up2 = nn.Conv2d(num_feat, num_feat, 3, 1, 1)
        self.conv_hr = nn.Conv2d(num_feat, num_feat, 3, 1, 1)
        self.conv_last = nn.Conv2d(num_feat, num_out_ch, 3, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Features at low resolution, two upsampling stages, two convolutions at full size."""
        if self.scale != 4:
            x = F.pixel_unshuffle(x, _UNSHUFFLE[self.scale])
        x = self.conv_first(x)
        x = x + self.conv_body(self.body(x))
        x = F.leaky_relu(self.conv_up1(F.interpolate(x, scale_factor=2, mode="nearest")), _SLOPE)
        x = F.leaky_relu(self.conv_up2(F.interpolate(x, scale_factor=2, mode="nearest")), _SLOPE)
        out: Tensor = self.conv_last(F.leaky_relu(self.conv_hr(x), _SLOPE))
        return out


class RRDBArchitecture:
    """The architecture ``rrdb``."""

    name = "rrdb"

    def build(self, **config: Any) -> RRDBNet:
        """A network with random weights; arguments as of RRDBNet."""
        return RRDBNet(**config)

    def sample(self) -> Mapping[str, Any]:
        """A small one, for checks."""
        return {"num_feat": 16, "num_block": 1, "num_grow_ch": 8}

    def traits(self, *, num_in_ch: int = 3, num_out_ch: int = 3, scale: int = 4, **_: Any) -> srkit.Traits:
        """Scales 2 and 1 want multiples of 2 and 4."""
        return srkit.Traits(scale=scale, in_channels=num_in_ch, out_channels=num_out_ch, multiple_of=_UNSHUFFLE[scale])

    def recognise(self, shapes: Shapes) -> srkit.Recognition | None:
        """From the names of Real-ESRGAN, of ESRGAN's two releases before it, or an ncnn file.

        The scale is told by the channels the first convolution takes, against those the last one gives.
        """
        for stored_names in (_modern, _esrgan, _old_esrgan, _ncnn):
            stored = stored_names(shapes)
            if stored is None:
                continue
            num_block = (len(stored) - 6) // 15
            names = {
                f"{theirs}.{kind}": f"{ours}.{kind}"
                for theirs, ours in zip(stored, _modules(num_block), strict=False)
                for kind in ("weight", "bias")
            }
            if not names.keys() <= shapes.keys():
                continue
            own = {ours: shapes[theirs] for theirs, ours in names.items()}
            config = _config(own, num_block)
            if config is not None:
                return match(shapes, names, RRDBNet, config)
        return None


def _config(own: dict[str, tuple[int, ...]], num_block: int) -> dict[str, int] | None:
    first, last = own["conv_first.weight"], own["conv_last.weight"]
    dense = own.get("body.0.rdb1.conv1.weight", (32, 1, 1, 1))
    if any(len(shape) != 4 or 0 in shape for shape in (first, last, dense)):
        return None
    for scale, factor in _UNSHUFFLE.items():
        if first[1] == last[0] * factor**2:
            return {
                "num_in_ch": last[0],
                "num_out_ch": last[0],
                "scale": scale,
                "num_feat": first[0],
                "num_block": num_block,
                "num_grow_ch": dense[0],
            }
    return None


def _layout(
    num_block: int, block: str, first: str, tail: tuple[str, str, str, str, str], dense: str = "rdb"
) -> list[str]:
    """All convolutions in the order they run; ``block`` has places for the block, the dense block and the convolution."""
    convs = [
        block.format(n=n, dense=f"{dense}{d}", conv=f"conv{c}")
        for n in range(num_block)
        for d in (1, 2, 3)
        for c in (1, 2, 3, 4, 5)
    ]
    return [first, *convs, *tail]


def _modules(num_block: int) -> list[str]:
    tail = ("conv_body", "conv_up1", "conv_up2", "conv_hr", "conv_last")
    return _layout(num_block, "body.{n}.{dense}.{conv}", "conv_first", tail)


def _count(shapes: Shapes, pattern: str) -> int:
    return len({match[1] for name in shapes if (match := re.match(pattern, name))})


def _modern(shapes: Shapes) -> list[str] | None:
    return _modules(_count(shapes, r"body\.(\d+)\.rdb1\.")) if "conv_first.weight" in shapes else None


def _esrgan(shapes: Shapes) -> list[str] | None:
    """ESRGAN's release of 2019."""
    if "trunk_conv.weight" not in shapes:
        return None
    tail = ("trunk_conv", "upconv1", "upconv2", "HRconv", "conv_last")
    count = _count(shapes, r"RRDB_trunk\.(\d+)\.")
    return _layout(count, "RRDB_trunk.{n}.{dense}.{conv}", "conv_first", tail, "RDB")


def _old_esrgan(shapes: Shapes) -> list[str] | None:
    """ESRGAN's first release: one nn.Sequential; upsampling and activations take places without tensors."""
    if "model.0.weight" not in shapes:
        return None
    count = _count(shapes, r"model\.1\.sub\.(\d+)\.RDB1\.")
    tail = (f"model.1.sub.{count}", "model.3", "model.6", "model.8", "model.10")
    return _layout(count, "model.1.sub.{n}.{dense}.{conv}.0", "model.0", tail, "RDB")


def _ncnn(shapes: Shapes) -> list[str] | None:
    """The convolutions in file order, if they are activated as RRDBNet's are."""
    stored = [name.removesuffix(".weight") for name in shapes if name.startswith("ncnn.") and name.endswith(".weight")]
    if len(stored) < 6 or (len(stored) - 6) % 15:
        return None
    modules = _modules((len(stored) - 6) // 15)
    for theirs, ours in zip(stored, modules, strict=True):
        activated = re.search(r"conv[1-4]$|conv_up|conv_hr", ours) is not None
        if not theirs.endswith(f".conv+leakyrelu{_SLOPE:g}" if activated else ".conv"):
            return None
    return stored


architecture = RRDBArchitecture()
