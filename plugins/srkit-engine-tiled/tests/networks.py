"""Random networks of every operator that the engine has."""

from __future__ import annotations

import random

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class SliceWrite(nn.Module):
    """Convolves some channels and writes them back."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.half = channels // 2
        self.conv = nn.Conv2d(self.half, self.half, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        x = x.clone()
        x[:, : self.half] = self.conv(x[:, : self.half])
        return x


class Bordered(nn.Module):
    """Pads the picture, convolves without padding, and crops what is left over."""

    def __init__(self, channels: int, mode: str) -> None:
        super().__init__()
        self.mode = mode
        self.conv = nn.Conv2d(channels, channels, (3, 5))

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv(F.pad(x, (3, 2, 4, 1), mode=self.mode))
        return F.pad(x, (0, -1, -2, -1))


class Chunks(nn.Module):
    """Takes channels apart and multiplies them, side by side with their repeats."""

    def forward(self, x: Tensor) -> Tensor:
        a, b = x.chunk(2, 1)
        return torch.cat((a * b, torch.repeat_interleave(a, 2, dim=1)), 1)


class ViewShuffle(nn.Module):
    """A channel shuffle by view and transpose."""

    def forward(self, x: Tensor) -> Tensor:
        b, c, h, w = x.shape
        return x.reshape(b, 2, c // 2, h, w).transpose(1, 2).reshape(b, c, h, w)


class ChannelNorm(nn.Module):
    """Layer norm over channels, in the last axis or by mean and variance."""

    def __init__(self, channels: int, *, last: bool) -> None:
        super().__init__()
        self.last, self.channels = last, channels
        self.weight = nn.Parameter(torch.rand(channels) + 0.5)
        self.bias = nn.Parameter(torch.rand(channels))

    def forward(self, x: Tensor) -> Tensor:
        if self.last:
            return F.layer_norm(x.permute(0, 2, 3, 1), (self.channels,), self.weight, self.bias).permute(0, 3, 1, 2)
        mean = x.mean(1, keepdim=True)
        x = (x - mean) / torch.sqrt((x - mean).pow(2).mean(1, keepdim=True) + 1e-4)
        return self.weight[:, None, None] * x + self.bias[:, None, None]


EXACT = {
    "conv": lambda c: nn.Conv2d(c, 8, 3, padding=1),
    "conv 1x1": lambda c: nn.Conv2d(c, 12, 1, bias=False),
    "conv 5x3": lambda c: nn.Conv2d(c, 8, (5, 3), padding=(2, 1)),
    "conv dilated": lambda c: nn.Conv2d(c, 8, 3, padding=2, dilation=2),
    "conv grouped": lambda c: nn.Conv2d(c, c, 3, padding=1, groups=2),
    "conv depthwise": lambda c: nn.Conv2d(c, c, 7, padding=3, groups=c),
    "conv reflect": lambda c: nn.Conv2d(c, 8, 5, padding=2, padding_mode="reflect"),
    "conv replicate": lambda c: nn.Conv2d(c, 8, 3, padding=1, padding_mode="replicate"),
    "conv same": lambda c: nn.Conv2d(c, 8, (4, 3), padding="same"),
    "conv strided": lambda c: nn.Sequential(nn.Conv2d(c, 16, 3, stride=2, padding=1), nn.PixelShuffle(2)),
    "transposed": lambda c: nn.Sequential(nn.ConvTranspose2d(c, 4, 2, stride=2), nn.Conv2d(4, 8, 2, stride=2)),
    "unshuffled": lambda c: nn.Sequential(nn.PixelUnshuffle(2), nn.Conv2d(4 * c, 16, 3, padding=1), nn.PixelShuffle(2)),
    "nearest": lambda c: nn.Sequential(nn.Upsample(scale_factor=2), nn.Conv2d(c, 8, 3, stride=2, padding=1)),
    "max pool": lambda c: nn.MaxPool2d(3, stride=1, padding=1),
    "max pool down": lambda c: nn.Sequential(nn.MaxPool2d(2), nn.Upsample(scale_factor=2)),
    "average pool": lambda c: nn.AvgPool2d(3, stride=1, padding=1),
    "average pool down": lambda c: nn.Sequential(nn.AvgPool2d(2), nn.Conv2d(c, 32, 1), nn.PixelShuffle(2)),
    "batch norm": nn.BatchNorm2d,
    "slice write": SliceWrite,
    "bordered reflect": lambda c: Bordered(c, "reflect"),
    "bordered replicate": lambda c: Bordered(c, "replicate"),
    "bordered constant": lambda c: Bordered(c, "constant"),
    "leaky relu": lambda c: nn.LeakyReLU(0.1),
    "prelu": nn.PReLU,
    "relu": lambda c: nn.ReLU(inplace=True),
    "relu6": lambda c: nn.ReLU6(),
}
"""Of the number of channels, an even one: a layer that keeps the size of the picture, and streams bit for bit."""
CLOSE = {
    "view shuffle": lambda c: ViewShuffle(),
    "chunks": lambda c: nn.Sequential(Chunks(), nn.Conv2d(3 * (c // 2), 8, 1)),
    "silu": lambda c: nn.SiLU(inplace=True),
    "gelu": lambda c: nn.GELU(),
    "mish": lambda c: nn.Mish(),
    "sigmoid": lambda c: nn.Sigmoid(),
    "tanh": lambda c: nn.Tanh(),
    "elu": lambda c: nn.ELU(),
    "hardswish": lambda c: nn.Hardswish(),
    "softplus": lambda c: nn.Softplus(),
    "bilinear": lambda c: nn.Sequential(nn.Upsample(scale_factor=2, mode="bilinear"), nn.AvgPool2d(2)),
    "bicubic": lambda c: nn.Sequential(nn.Upsample(scale_factor=3, mode="bicubic"), nn.AvgPool2d(3)),
    "transposed overlap": lambda c: nn.Sequential(nn.ConvTranspose2d(c, 8, 4, 2, 1), nn.AvgPool2d(2)),
    "transposed output padding": lambda c: nn.Sequential(
        nn.ConvTranspose2d(c, 8, 3, 2, 1, output_padding=1), nn.MaxPool2d(2)
    ),
    "layer norm": lambda c: ChannelNorm(c, last=True),
    "channel statistics": lambda c: ChannelNorm(c, last=False),
}
"""The same, of operators whose kernels for a CPU round otherwise for another shape, or (shuffled and repeated channels)
after which torch goes on in another memory order."""


class Tangle(nn.Module):
    """A random network of nested branches over such layers, added, multiplied and concatenated. Scale 2."""

    def __init__(self, seed: int, kinds: list[str], length: int = 6) -> None:
        super().__init__()
        choose = random.Random(seed)
        self.head = nn.Conv2d(3, 8, 3, padding=1)
        self.layers = nn.ModuleList()
        self.plan: list[tuple[str, int, int]] = []
        channels = [8]
        for kind in [*kinds, *choose.choices([*EXACT, "add", "mul", "cat"], k=length)]:
            # Of late values, mostly, so that layers follow one another.
            a, b = max(0, len(channels) - choose.choice([1, 1, 1, 2, 3])), choose.randrange(len(channels))
            a = min(a, len(channels) - 1)
            if kind in {"add", "mul"} and channels[a] != channels[b]:
                kind = "cat"
            self.plan.append((kind, a, b))
            if kind in {"add", "mul", "cat"}:
                self.layers.append(nn.Identity())
                channels.append(channels[a] + channels[b] if kind == "cat" else channels[a])
            else:
                self.layers.append({**EXACT, **CLOSE}[kind](channels[a]))
                with torch.no_grad():
                    channels.append(self.layers[-1].eval()(torch.zeros(1, channels[a], 24, 24)).shape[1])
        self.last = nn.Conv2d(sum(channels), 12, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        values = [self.head(x)]
        for (kind, a, b), layer in zip(self.plan, self.layers, strict=True):
            if kind == "add":
                values.append(values[a] + values[b] * 0.5)
            elif kind == "mul":
                values.append(values[a] * torch.clamp(values[b], -1, 1))
            elif kind == "cat":
                values.append(torch.cat((values[a], values[b]), 1))
            else:
                # In place, a layer must not change what others read.
                values.append(layer(values[a].clone()))
        out = F.pixel_shuffle(self.last(torch.cat(values, 1)), 2)
        return out + F.interpolate(x, scale_factor=2, mode="nearest")
