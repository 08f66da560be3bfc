"""Networks for the engine's tests: of every operator it has, and random ones."""

from __future__ import annotations

import random

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class Impulsive(nn.Module):
    """A network of random branches: convolutions of all kinds, joins, shuffles, nearest upsampling. Scale 2.

    ``smooth``: with activations that are computed by exponentials, too.
    """

    def __init__(self, seed: int, *, smooth: bool) -> None:
        super().__init__()
        choose = random.Random(seed)
        self.plan: list[tuple[str, int, int, int]] = []
        self.layers = nn.ModuleList()
        channels = [3]
        for _ in range(choose.randint(2, 7)):
            kind = choose.choice(["conv", "conv", "conv", "act", "add", "cat", "mul"])
            a, b = choose.randrange(len(channels)), choose.randrange(len(channels))
            if kind in {"add", "mul"} and channels[a] != channels[b]:
                kind = "cat"
            layer: nn.Module = nn.Identity()
            width = channels[a]
            if kind == "conv":
                kernel, dilation = choose.choice([(1, 1), (3, 1), (5, 1), (3, 2)])
                width = choose.choice([4, 6])
                layer = nn.Conv2d(channels[a], width, kernel, padding=kernel // 2 * dilation, dilation=dilation)
            elif kind == "act":
                plain = [nn.LeakyReLU(0.2), nn.PReLU(width), nn.ReLU()]
                layer = choose.choice(plain + ([nn.SiLU(), nn.Tanh(), nn.GELU(), nn.Sigmoid()] if smooth else []))
            elif kind == "cat":
                width = channels[a] + channels[b]
            self.layers.append(layer)
            self.plan.append((kind, a, b, width))
            channels.append(width)
        self.last = nn.Conv2d(channels[-1], 12, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        values = [x]
        for (kind, a, b, _), layer in zip(self.plan, self.layers, strict=True):
            if kind == "add":
                values.append(values[a] + values[b] * 0.5)
            elif kind == "mul":
                values.append(values[a] * torch.clamp(values[b], -1, 1))
            elif kind == "cat":
                values.append(torch.cat((values[a], values[b]), 1))
            else:
                values.append(layer(values[a]))
        out = F.pixel_shuffle(self.last(values[-1]), 2)
        return out + F.interpolate(x, scale_factor=2, mode="nearest")


class Nested(nn.Module):
    """Unshuffled and strided halves, brought back by nearest upsampling; sizes must be multiples of 4. Scale 2."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(12, 8, 3, padding=1)
        self.quarter = nn.Conv2d(8, 8, 3, stride=2, padding=1)
        self.grouped = nn.Conv2d(8, 8, (5, 3), padding=(2, 1), groups=4)
        self.last = nn.Conv2d(16, 3, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        half = F.relu(self.first(F.pixel_unshuffle(x, 2)))
        quarter = self.grouped(F.leaky_relu(self.quarter(half), 0.1))
        joined = torch.cat((half, F.interpolate(quarter, scale_factor=2, mode="nearest")), 1)
        return self.last(F.interpolate(joined, scale_factor=4, mode="nearest"))
