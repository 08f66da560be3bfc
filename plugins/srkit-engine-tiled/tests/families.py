"""Published families of restoration networks, written the way their public implementations are written.

They are subjects for an engine that traces networks and streams them row by row. The layers and their order come from
the papers; the habits come from the repositories such networks are trained and distributed in: updates in place, writes
into slices of channels, branches on configuration, on ``self.training`` and on shapes, kernels that are merged when the
network is called, pixel shuffles by ``view`` and ``permute``, padding around the network and cropping after it. All are
tiny by default.

``LOCAL`` can be streamed: a pixel of the result depends on a neighbourhood of bounded size. ``GLOBAL`` must be refused:
every pixel of the result depends on the whole picture.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

DIV2K_MEAN = (0.4488, 0.4371, 0.4040)


def activation(name: str, channels: int = 1, *, inplace: bool = True) -> nn.Module:
    """The activation a configuration asks for by name."""
    name = name.lower()
    if name == "relu":
        return nn.ReLU(inplace)
    elif name in {"lrelu", "leakyrelu"}:
        return nn.LeakyReLU(0.05, inplace)
    elif name == "prelu":
        return nn.PReLU(num_parameters=channels)
    elif name == "silu":
        return nn.SiLU(inplace)
    elif name == "gelu":
        return nn.GELU()
    elif name == "mish":
        return nn.Mish(inplace)
    raise NotImplementedError(f"activation {name!r} is not implemented")


def same_conv(in_channels: int, out_channels: int, kernel_size: int = 3, **options: Any) -> nn.Conv2d:
    """A convolution that keeps the size of the picture."""
    padding = (kernel_size - 1) // 2 * options.get("dilation", 1)
    return nn.Conv2d(in_channels, out_channels, kernel_size, padding=padding, **options)


def sequential(*parts: nn.Module | None) -> nn.Sequential:
    """One flat chain of those parts that are there."""
    flat: list[nn.Module] = []
    for part in parts:
        if isinstance(part, nn.Sequential):
            flat.extend(part.children())
        elif part is not None:
            flat.append(part)
    return nn.Sequential(*flat)


def pad_to_multiple(x: Tensor, multiple: int, mode: str = "reflect") -> Tensor:
    """The picture, continued below and to the right, where its size needs it."""
    _, _, h, w = x.size()
    pad_h = (multiple - h % multiple) % multiple
    pad_w = (multiple - w % multiple) % multiple
    if pad_h or pad_w:
        return F.pad(x, (0, pad_w, 0, pad_h), mode)
    return x


class Upsampler(nn.Sequential):
    """The pixel shuffling tail of EDSR (Lim et al., 2017)."""

    def __init__(self, scale: int, num_feat: int, act: str | None = None) -> None:
        layers: list[nn.Module] = []
        if (scale & (scale - 1)) == 0:
            steps = [2] * int(math.log2(scale))
        elif scale == 3:
            steps = [3]
        else:
            raise ValueError(f"scale {scale} is not supported, only 2^n and 3")
        for step in steps:
            layers += [same_conv(num_feat, num_feat * step**2), nn.PixelShuffle(step)]
            if act is not None:
                layers.append(activation(act, num_feat))
        super().__init__(*layers)


class MeanShift(nn.Conv2d):
    """The mean of the training data, taken off and put back by a 1x1 convolution, of EDSR (Lim et al., 2017)."""

    def __init__(
        self,
        rgb_range: float = 1.0,
        rgb_mean: Sequence[float] = DIV2K_MEAN,
        rgb_std: Sequence[float] = (1.0, 1.0, 1.0),
        sign: int = -1,
    ) -> None:
        super().__init__(3, 3, kernel_size=1)
        assert self.bias is not None
        std = torch.Tensor(rgb_std)
        self.weight.data = torch.eye(3).view(3, 3, 1, 1)
        self.weight.data.div_(std.view(3, 1, 1, 1))
        self.bias.data = sign * rgb_range * torch.Tensor(rgb_mean)
        self.bias.data.div_(std)
        for p in self.parameters():
            p.requires_grad = False


class EDSRBlock(nn.Module):
    """The residual block without normalisation of EDSR (Lim et al., 2017)."""

    def __init__(self, num_feat: int, res_scale: float) -> None:
        super().__init__()
        self.body = nn.Sequential(same_conv(num_feat, num_feat), nn.ReLU(True), same_conv(num_feat, num_feat))
        self.res_scale = res_scale

    def forward(self, x: Tensor) -> Tensor:
        res = self.body(x).mul(self.res_scale)
        res += x
        return res


class EDSR(nn.Module):
    """Enhanced Deep Residual Networks for Single Image Super-Resolution (Lim et al., 2017)."""

    def __init__(self, scale: int = 4, num_feat: int = 8, num_block: int = 2, res_scale: float = 0.1) -> None:
        super().__init__()
        self.sub_mean = MeanShift()
        self.add_mean = MeanShift(sign=1)
        self.head = nn.Sequential(same_conv(3, num_feat))
        body: list[nn.Module] = [EDSRBlock(num_feat, res_scale) for _ in range(num_block)]
        self.body = nn.Sequential(*body, same_conv(num_feat, num_feat))
        self.tail = nn.Sequential(Upsampler(scale, num_feat), same_conv(num_feat, 3))

    def forward(self, x: Tensor) -> Tensor:
        x = self.sub_mean(x)
        x = self.head(x)

        res = self.body(x)
        res += x

        x = self.tail(res)
        return self.add_mean(x)


class EDSRBuffered(nn.Module):
    """EDSR (Lim et al., 2017) with its mean kept as a tensor and the range of the picture as a factor."""

    def __init__(self, scale: int = 2, num_feat: int = 8, img_range: float = 2.0, *, buffer: bool = True) -> None:
        super().__init__()
        mean = torch.Tensor(DIV2K_MEAN).view(1, 3, 1, 1)
        if buffer:
            self.register_buffer("mean", mean)
        else:
            self.mean = mean
        self.img_range = img_range
        self.conv_first = nn.Conv2d(3, num_feat, 3, 1, 1)
        self.body = EDSRBlock(num_feat, 1)
        self.conv_after_body = nn.Conv2d(num_feat, num_feat, 3, 1, 1)
        self.upsample = Upsampler(scale, num_feat)
        self.conv_last = nn.Conv2d(num_feat, 3, 3, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        self.mean = self.mean.type_as(x)

        x = (x - self.mean) * self.img_range
        x = self.conv_first(x)
        res = self.conv_after_body(self.body(x))
        res += x

        x = self.conv_last(self.upsample(res))
        return x / self.img_range + self.mean


class MSRResNet(nn.Module):
    """The SRResNet of SRGAN (Ledig et al., 2017) without normalisation, as ESRGAN's authors changed it."""

    def __init__(self, upscale: int = 4, num_feat: int = 8, num_block: int = 1) -> None:
        super().__init__()
        self.upscale = upscale
        self.conv_first = nn.Conv2d(3, num_feat, 3, 1, 1)
        self.body = nn.Sequential(*[EDSRBlock(num_feat, 1) for _ in range(num_block)])
        if self.upscale in {2, 3}:
            self.upconv1 = nn.Conv2d(num_feat, num_feat * upscale**2, 3, 1, 1)
            self.pixel_shuffle = nn.PixelShuffle(upscale)
        elif self.upscale == 4:
            self.upconv1 = nn.Conv2d(num_feat, num_feat * 4, 3, 1, 1)
            self.upconv2 = nn.Conv2d(num_feat, num_feat * 4, 3, 1, 1)
            self.pixel_shuffle = nn.PixelShuffle(2)
        self.conv_hr = nn.Conv2d(num_feat, num_feat, 3, 1, 1)
        self.conv_last = nn.Conv2d(num_feat, 3, 3, 1, 1)
        self.lrelu = nn.LeakyReLU(negative_slope=0.1, inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        feat = self.lrelu(self.conv_first(x))
        out = self.body(feat)

        if self.upscale == 4:
            out = self.lrelu(self.pixel_shuffle(self.upconv1(out)))
            out = self.lrelu(self.pixel_shuffle(self.upconv2(out)))
        elif self.upscale in {2, 3}:
            out = self.lrelu(self.pixel_shuffle(self.upconv1(out)))

        out = self.conv_last(self.lrelu(self.conv_hr(out)))
        base = F.interpolate(x, scale_factor=self.upscale, mode="bilinear", align_corners=False)
        out += base
        return out


class SRCNN(nn.Module):
    """Learning a Deep Convolutional Network for Image Super-Resolution (Dong et al., 2014)."""

    def __init__(self, scale: int = 3, num_feat: int = 8, kernels: tuple[int, int, int] = (9, 1, 5)) -> None:
        super().__init__()
        self.scale = scale
        self.conv1 = same_conv(3, num_feat, kernels[0])
        self.conv2 = same_conv(num_feat, num_feat // 2, kernels[1])
        self.conv3 = same_conv(num_feat // 2, 3, kernels[2])

    def forward(self, x: Tensor) -> Tensor:
        x = F.interpolate(x, scale_factor=self.scale, mode="bicubic", align_corners=False)
        x = F.relu(self.conv1(x), inplace=True)
        x = F.relu(self.conv2(x), inplace=True)
        return self.conv3(x)


class VDSR(nn.Module):
    """Accurate Image Super-Resolution Using Very Deep Convolutional Networks (Kim et al., 2016)."""

    def __init__(self, scale: int = 2, num_feat: int = 8, num_layers: int = 3) -> None:
        super().__init__()
        self.upsample = nn.Upsample(scale_factor=scale, mode="bicubic", align_corners=False)
        self.entry = same_conv(3, num_feat, bias=False)
        self.trunk = nn.Sequential(
            *[nn.Sequential(same_conv(num_feat, num_feat, bias=False), nn.ReLU(True)) for _ in range(num_layers)]
        )
        self.exit = same_conv(num_feat, 3, bias=False)
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        x = self.upsample(x)
        residual = x
        out = self.relu(self.entry(x))
        out = self.exit(self.trunk(out))
        return torch.add(out, residual)


def depth_to_space(x: Tensor, r: int) -> Tensor:
    """A pixel shuffle by hand, for exporters that have none."""
    b, c, h, w = x.size()
    x = x.view(b, c // r**2, r, r, h, w)
    x = x.permute(0, 1, 4, 2, 5, 3).contiguous()
    return x.view(b, c // r**2, h * r, w * r)


def space_to_depth(x: Tensor, r: int) -> Tensor:
    """A pixel unshuffle by hand."""
    b, c, h, w = x.shape
    assert h % r == 0
    assert w % r == 0
    x = x.view(b, c, h // r, r, w // r, r)
    return x.permute(0, 1, 3, 5, 2, 4).reshape(b, c * r**2, h // r, w // r)


class ESPCN(nn.Module):
    """Real-Time Single Image and Video Super-Resolution with an Efficient Sub-Pixel Network (Shi et al., 2016)."""

    def __init__(self, scale: int = 3, num_feat: int = 8, shuffle: Literal["layer", "view"] = "layer") -> None:
        super().__init__()
        self.scale = scale
        self.feature_maps = nn.Sequential(
            nn.Conv2d(3, num_feat, (5, 5), (1, 1), (2, 2)),
            nn.Tanh(),
            nn.Conv2d(num_feat, num_feat // 2, (3, 3), (1, 1), (1, 1)),
            nn.Tanh(),
        )
        self.sub_pixel = nn.Conv2d(num_feat // 2, 3 * scale**2, (3, 3), (1, 1), (1, 1))
        if shuffle == "layer":
            self.shuffle: Callable[[Tensor], Tensor] = nn.PixelShuffle(scale)
        else:
            self.shuffle = partial(depth_to_space, r=scale)

    def forward(self, x: Tensor) -> Tensor:
        x = self.feature_maps(x)
        x = self.shuffle(self.sub_pixel(x))
        return torch.clamp_(x, 0.0, 1.0)


class FSRCNN(nn.Module):
    """Accelerating the Super-Resolution Convolutional Neural Network (Dong et al., 2016)."""

    def __init__(self, scale: int = 3, d: int = 8, s: int = 4, m: int = 2) -> None:
        super().__init__()
        self.first_part = nn.Sequential(nn.Conv2d(3, d, kernel_size=5, padding=5 // 2), nn.PReLU(d))
        mid: list[nn.Module] = [nn.Conv2d(d, s, kernel_size=1), nn.PReLU(s)]
        for _ in range(m):
            mid.extend([nn.Conv2d(s, s, kernel_size=3, padding=3 // 2), nn.PReLU(s)])
        mid.extend([nn.Conv2d(s, d, kernel_size=1), nn.PReLU(d)])
        self.mid_part = nn.Sequential(*mid)
        self.last_part = nn.ConvTranspose2d(d, 3, 9, stride=scale, padding=9 // 2, output_padding=scale - 1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.first_part(x)
        x = self.mid_part(x)
        return self.last_part(x)


def dpir_layers(
    in_nc: int,
    out_nc: int,
    kernel_size: int = 3,
    stride: int = 1,
    padding: int = 1,
    *,
    bias: bool = True,
    mode: str = "CBR",
    batch_statistics: bool = False,
) -> nn.Sequential:
    """Layers spelled by letters, as in the repositories of DnCNN and DRUNet."""
    layers: list[nn.Module] = []
    for letter in mode:
        if letter == "C":
            layers.append(nn.Conv2d(in_nc, out_nc, kernel_size, stride, padding, bias=bias))
        elif letter == "T":
            layers.append(nn.ConvTranspose2d(in_nc, out_nc, kernel_size, stride, padding, bias=bias))
        elif letter == "B":
            layers.append(nn.BatchNorm2d(out_nc, momentum=0.9, track_running_stats=not batch_statistics))
        elif letter == "R":
            layers.append(nn.ReLU(inplace=True))
        elif letter == "L":
            layers.append(nn.LeakyReLU(negative_slope=0.2, inplace=True))
        else:
            raise NotImplementedError(f"undefined letter {letter!r}")
    return nn.Sequential(*layers)


class DnCNN(nn.Module):
    """Beyond a Gaussian Denoiser: Residual Learning of Deep CNN for Image Denoising (Zhang et al., 2017)."""

    def __init__(self, nc: int = 8, nb: int = 4, act_mode: str = "BR", *, batch_statistics: bool = False) -> None:
        super().__init__()
        assert "R" in act_mode or "L" in act_mode
        body = [dpir_layers(nc, nc, mode="C" + act_mode, batch_statistics=batch_statistics) for _ in range(nb - 2)]
        self.model = sequential(
            dpir_layers(3, nc, mode="C" + act_mode[-1]),
            *body,
            dpir_layers(nc, 3, mode="C"),
        )

    def forward(self, x: Tensor) -> Tensor:
        n = self.model(x)
        return x - n


class FFDNet(nn.Module):
    """FFDNet: Toward a Fast and Flexible Solution for CNN-Based Image Denoising (Zhang et al., 2018)."""

    def __init__(self, nc: int = 8, nb: int = 3, noise_level: float = 0.1) -> None:
        super().__init__()
        self.noise_level = noise_level
        self.model = sequential(
            dpir_layers(3 * 4 + 1, nc, mode="CR"),
            *[dpir_layers(nc, nc, mode="CR") for _ in range(nb - 2)],
            dpir_layers(nc, 3 * 4, mode="C"),
        )
        self.up = nn.PixelShuffle(upscale_factor=2)

    def forward(self, x: Tensor) -> Tensor:
        h, w = x.size()[-2:]
        below = int(math.ceil(h / 2) * 2 - h)
        right = int(math.ceil(w / 2) * 2 - w)
        x = nn.ReplicationPad2d((0, right, 0, below))(x)

        x = space_to_depth(x, 2)
        sigma = torch.full((1, 1, 1, 1), self.noise_level).type_as(x)
        m = sigma.repeat(1, 1, x.size()[-2], x.size()[-1])
        x = torch.cat((x, m), 1)
        x = self.model(x)
        x = self.up(x)

        return x[..., :h, :w]


class DRUNetBlock(nn.Module):
    """The residual block of DRUNet (Zhang et al., 2021)."""

    def __init__(self, nc: int) -> None:
        super().__init__()
        self.res = dpir_layers(nc, nc, bias=False, mode="CRC")

    def forward(self, x: Tensor) -> Tensor:
        res = self.res(x)
        return x + res


class DRUNet(nn.Module):
    """Plug-and-Play Image Restoration with Deep Denoiser Prior (Zhang et al., 2021).

    ``pad``: whether it pads itself to a multiple of 8, always ("pad") or on a branch ("branch").
    ``noise_level``: of the map of noise, drawn at the size of the picture; None: there is none.
    """

    def __init__(
        self,
        nc: Sequence[int] = (8, 10, 12, 14),
        nb: int = 1,
        pad: Literal["pad", "branch", "none"] = "pad",
        noise_level: float | None = None,
    ) -> None:
        super().__init__()
        self.pad = pad
        self.noise_level = noise_level
        self.m_head = dpir_layers(3 if noise_level is None else 4, nc[0], bias=False, mode="C")
        self.m_down1 = self._down(nc[0], nc[1], nb)
        self.m_down2 = self._down(nc[1], nc[2], nb)
        self.m_down3 = self._down(nc[2], nc[3], nb)
        self.m_body = sequential(*[DRUNetBlock(nc[3]) for _ in range(nb)])
        self.m_up3 = self._up(nc[3], nc[2], nb)
        self.m_up2 = self._up(nc[2], nc[1], nb)
        self.m_up1 = self._up(nc[1], nc[0], nb)
        self.m_tail = dpir_layers(nc[0], 3, bias=False, mode="C")

    @staticmethod
    def _down(in_nc: int, out_nc: int, nb: int) -> nn.Sequential:
        return sequential(
            *[DRUNetBlock(in_nc) for _ in range(nb)], dpir_layers(in_nc, out_nc, 2, 2, 0, bias=False, mode="C")
        )

    @staticmethod
    def _up(in_nc: int, out_nc: int, nb: int) -> nn.Sequential:
        return sequential(
            dpir_layers(in_nc, out_nc, 2, 2, 0, bias=False, mode="T"), *[DRUNetBlock(out_nc) for _ in range(nb)]
        )

    def forward(self, x0: Tensor) -> Tensor:
        h, w = x0.size()[-2:]
        if self.pad == "pad":
            x0 = F.pad(x0, (0, math.ceil(w / 8) * 8 - w, 0, math.ceil(h / 8) * 8 - h), mode="replicate")
        elif self.pad == "branch" and (h % 8 or w % 8):
            x0 = F.pad(x0, (0, -w % 8, 0, -h % 8), mode="replicate")
        if self.noise_level is not None:
            noise_map = torch.zeros(1, 1, *x0.shape[-2:]).to(x0) + self.noise_level
            x0 = torch.cat([x0, noise_map], dim=1)

        x1 = self.m_head(x0)
        x2 = self.m_down1(x1)
        x3 = self.m_down2(x2)
        x4 = self.m_down3(x3)
        x = self.m_body(x4)
        x = self.m_up3(x + x4)
        x = self.m_up2(x + x3)
        x = self.m_up1(x + x2)
        x = self.m_tail(x + x1)

        return x[..., :h, :w] if self.pad != "none" else x


class Conv3XC(nn.Module):
    """The convolution of SPAN (Wan et al., 2024): four in training, one when merged.

    ``merge``: when the kernels are merged: once before ("before"), for each call, as tensors ("inline") or into the
    parameters of the merged convolution ("update"), or never ("never").
    """

    def __init__(self, c_in: int, c_out: int, gain: int, merge: str) -> None:
        super().__init__()
        self.merge = merge
        self.sk = nn.Conv2d(c_in, c_out, kernel_size=1, padding=0)
        self.conv = nn.Sequential(
            nn.Conv2d(c_in, c_in * gain, kernel_size=1, padding=0),
            nn.Conv2d(c_in * gain, c_out * gain, kernel_size=3, padding=0),
            nn.Conv2d(c_out * gain, c_out, kernel_size=1, padding=0),
        )
        self.eval_conv = nn.Conv2d(c_in, c_out, kernel_size=3, padding=1)
        self.eval_conv.weight.requires_grad = False
        self.eval_conv.bias.requires_grad = False
        self.update_params()

    def merged(self, read: Callable[[Tensor], Tensor]) -> tuple[Tensor, Tensor]:
        w1, b1 = read(self.conv[0].weight), read(self.conv[0].bias)
        w2, b2 = read(self.conv[1].weight), read(self.conv[1].bias)
        w3, b3 = read(self.conv[2].weight), read(self.conv[2].bias)

        w = F.conv2d(w1.flip(2, 3).permute(1, 0, 2, 3), w2, padding=2, stride=1).flip(2, 3).permute(1, 0, 2, 3)
        b = (w2 * b1.reshape(1, -1, 1, 1)).sum((1, 2, 3)) + b2
        w = F.conv2d(w.flip(2, 3).permute(1, 0, 2, 3), w3, padding=0, stride=1).flip(2, 3).permute(1, 0, 2, 3)
        b = (w3 * b.reshape(1, -1, 1, 1)).sum((1, 2, 3)) + b3

        w = w + F.pad(read(self.sk.weight), [1, 1, 1, 1])
        b = b + read(self.sk.bias)
        return w, b

    def update_params(self) -> None:
        w, b = self.merged(lambda parameter: parameter.data.clone().detach())
        self.eval_conv.weight.data = w.contiguous()
        self.eval_conv.bias.data = b.contiguous()

    def forward(self, x: Tensor) -> Tensor:
        if self.training or self.merge == "never":
            x_pad = F.pad(x, (1, 1, 1, 1), "constant", 0)
            return self.conv(x_pad) + self.sk(x)
        if self.merge == "inline":
            weight, bias = self.merged(lambda parameter: parameter.clone().detach())
            return F.conv2d(x, weight, bias, padding=1)
        if self.merge == "update":
            self.update_params()
        return self.eval_conv(x)


class SPAB(nn.Module):
    """The attention without parameters of SPAN (Wan et al., 2024)."""

    def __init__(self, channels: int, merge: str) -> None:
        super().__init__()
        self.c1_r = Conv3XC(channels, channels, 2, merge)
        self.c2_r = Conv3XC(channels, channels, 2, merge)
        self.c3_r = Conv3XC(channels, channels, 2, merge)
        self.act1 = nn.SiLU(inplace=True)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        out1 = self.c1_r(x)
        out1_act = self.act1(out1)

        out2 = self.c2_r(out1_act)
        out2_act = self.act1(out2)

        out3 = self.c3_r(out2_act)

        sim_att = torch.sigmoid(out3) - 0.5
        out = (out3 + x) * sim_att

        return out, out1, sim_att


class SPAN(nn.Module):
    """Swift Parameter-free Attention Network for Efficient Super-Resolution (Wan et al., 2024)."""

    no_norm: Tensor | None

    def __init__(
        self,
        upscale: int = 4,
        feature_channels: int = 8,
        merge: Literal["before", "inline", "update", "never"] = "before",
        *,
        norm: bool = True,
        img_range: float = 1.0,
    ) -> None:
        super().__init__()
        self.img_range = img_range
        self.mean = torch.Tensor(DIV2K_MEAN).view(1, 3, 1, 1)
        if not norm:
            self.register_buffer("no_norm", torch.zeros(1))
        else:
            self.no_norm = None

        self.conv_1 = Conv3XC(3, feature_channels, 2, merge)
        self.block_1 = SPAB(feature_channels, merge)
        self.block_2 = SPAB(feature_channels, merge)
        self.block_3 = SPAB(feature_channels, merge)
        self.conv_cat = same_conv(feature_channels * 4, feature_channels, 1)
        self.conv_2 = Conv3XC(feature_channels, feature_channels, 2, merge)
        self.upsampler = sequential(same_conv(feature_channels, 3 * upscale**2), nn.PixelShuffle(upscale))

    @property
    def is_norm(self) -> bool:
        return self.no_norm is None

    def forward(self, x: Tensor) -> Tensor:
        if self.is_norm:
            self.mean = self.mean.type_as(x)
            x = (x - self.mean) * self.img_range

        out_feature = self.conv_1(x)

        out_b1, _, _ = self.block_1(out_feature)
        out_b2, _, _ = self.block_2(out_b1)
        out_b3, out_b2_2, _ = self.block_3(out_b2)

        out_b3 = self.conv_2(out_b3)
        out = self.conv_cat(torch.cat([out_feature, out_b3, out_b1, out_b2_2], 1))
        return self.upsampler(out)


class LayerNorm2d(nn.Module):
    """Layer normalisation over the channels of each pixel (Ba et al., 2016), in the ways people write it."""

    def __init__(self, dim: int, how: str = "hand", eps: float = 1e-6) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(dim))
        self.bias = nn.Parameter(torch.zeros(dim))
        self.how = how
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        if self.how == "permute":
            x = F.layer_norm(x.permute(0, 2, 3, 1), self.weight.shape, self.weight, self.bias, self.eps)
            return x.permute(0, 3, 1, 2).contiguous()
        elif self.how == "var":
            var, mean = torch.var_mean(x, dim=1, unbiased=False, keepdim=True)
            x = (x - mean) * torch.rsqrt(var + self.eps)
        elif self.how == "flat":
            b, c, h, w = x.shape
            y = x.reshape(b, c, h * w).transpose(1, 2)
            mu = y.mean(-1, keepdim=True)
            sigma = y.var(-1, keepdim=True, unbiased=False)
            y = (y - mu) / torch.sqrt(sigma + self.eps) * self.weight + self.bias
            return y.transpose(1, 2).reshape(b, c, h, w)
        else:
            u = x.mean(1, keepdim=True)
            s = (x - u).pow(2).mean(1, keepdim=True)
            x = (x - u) / torch.sqrt(s + self.eps)
        return self.weight[:, None, None] * x + self.bias[:, None, None]


class RMSNorm2d(nn.Module):
    """Root mean square layer normalisation (Zhang and Sennrich, 2019) over the channels of each pixel."""

    def __init__(self, dim: int, eps: float = 1e-6) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(dim))
        self.offset = nn.Parameter(torch.zeros(dim))
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        norm_x = x.norm(2, dim=1, keepdim=True)
        rms_x = norm_x * (x.size(1) ** (-1.0 / 2))
        return self.scale[..., None, None] * (x / (rms_x + self.eps)) + self.offset[..., None, None]


def norm_layer(name: str | None, dim: int) -> nn.Module:
    """The normalisation a configuration asks for by name."""
    if name is None:
        return nn.Identity()
    elif name == "rms":
        return RMSNorm2d(dim)
    elif name == "group":
        return nn.GroupNorm(4, dim)
    return LayerNorm2d(dim, name)


class DCCM(nn.Sequential):
    """The doubled convolutional channel mixer of PLKSR (Lee et al., 2024)."""

    def __init__(self, dim: int, act: str, padding_mode: str) -> None:
        super().__init__(
            nn.Conv2d(dim, dim * 2, 3, 1, 1, padding_mode=padding_mode),
            activation(act, inplace=False),
            nn.Conv2d(dim * 2, dim, 3, 1, 1, padding_mode=padding_mode),
        )
        nn.init.trunc_normal_(self[-1].weight, std=0.02)


class PLKConv2d(nn.Module):
    """The large kernel over some channels of PLKSR (Lee et al., 2024)."""

    def __init__(self, dim: int, kernel_size: int, *, with_idt: bool) -> None:
        super().__init__()
        self.conv = nn.Conv2d(dim, dim, kernel_size, 1, kernel_size // 2)
        self.with_idt = with_idt
        self.idx = dim

    def forward(self, x: Tensor) -> Tensor:
        if self.training:
            x1, x2 = torch.split(x, [self.idx, x.size(1) - self.idx], dim=1)
            x1 = self.conv(x1) + x1 if self.with_idt else self.conv(x1)
            return torch.cat([x1, x2], dim=1)
        if self.with_idt:
            x[:, : self.idx] = x[:, : self.idx] + self.conv(x[:, : self.idx])
        else:
            x[:, : self.idx] = self.conv(x[:, : self.idx])
        return x


class ElementwiseAttention(nn.Module):
    """The elementwise attention of PLKSR (Lee et al., 2024)."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.f = nn.Sequential(nn.Conv2d(dim, dim, 3, 1, 1), nn.Sigmoid())

    def forward(self, x: Tensor) -> Tensor:
        return x * self.f(x)


class PLKBlock(nn.Module):
    """The block of PLKSR (Lee et al., 2024)."""

    def __init__(self, dim: int, kernel_size: int, options: dict[str, Any]) -> None:
        super().__init__()
        self.channel_mixer = DCCM(dim, options["act"], options["padding_mode"])
        self.lk = PLKConv2d(int(dim * options["split_ratio"]), kernel_size, with_idt=options["with_idt"])
        self.attn = ElementwiseAttention(dim) if options["use_ea"] else nn.Identity()
        self.refine = nn.Conv2d(dim, dim, 1, 1, 0)
        self.norm = norm_layer(options["norm"], dim)

    def forward(self, x: Tensor) -> Tensor:
        x_skip = x
        x = self.channel_mixer(x)
        x = self.lk(x)
        x = self.attn(x)
        x = self.refine(x)
        x = self.norm(x)
        return x + x_skip


def repeat_channels(x: Tensor, n: int) -> Tensor:
    """What ``torch.repeat_interleave`` gives for channels, for exporters that have it not."""
    x = x.unsqueeze(2)
    x = x.repeat(1, 1, n, 1, 1)
    return x.reshape(x.shape[0], x.shape[1] * n, x.shape[3], x.shape[4])


class PLKSR(nn.Module):
    """Partial Large Kernel CNNs for Efficient Super-Resolution (Lee et al., 2024)."""

    def __init__(
        self,
        upscaling_factor: int = 4,
        dim: int = 8,
        n_blocks: int = 2,
        kernel_size: int = 9,
        *,
        act: str = "mish",
        split_ratio: float = 0.25,
        use_ea: bool = True,
        with_idt: bool = False,
        norm: str | None = None,
        padding_mode: str = "zeros",
        repeat: Literal["torch", "hand", "method"] = "torch",
    ) -> None:
        super().__init__()
        options = {
            "act": act,
            "split_ratio": split_ratio,
            "use_ea": use_ea,
            "with_idt": with_idt,
            "norm": norm,
            "padding_mode": padding_mode,
        }
        self.feats = nn.Sequential(
            *[nn.Conv2d(3, dim, 3, 1, 1)]
            + [PLKBlock(dim, kernel_size, options) for _ in range(n_blocks)]
            + [nn.Dropout2d(0)]
            + [nn.Conv2d(dim, 3 * upscaling_factor**2, 3, 1, 1)]
        )
        self.to_img = nn.PixelShuffle(upscaling_factor)
        if repeat == "torch":
            self.repeat_op = partial(torch.repeat_interleave, repeats=upscaling_factor**2, dim=1)
        elif repeat == "hand":
            self.repeat_op = partial(repeat_channels, n=upscaling_factor**2)
        else:
            self.repeat_op = partial(Tensor.repeat_interleave, repeats=upscaling_factor**2, dim=1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.feats(x) + self.repeat_op(x)
        return self.to_img(x)


class InceptionDWConv2d(nn.Module):
    """The depthwise convolution of InceptionNeXt (Yu et al., 2024)."""

    def __init__(self, in_channels: int, square: int = 3, band: int = 11, branch_ratio: float = 0.125) -> None:
        super().__init__()
        gc = int(in_channels * branch_ratio)
        self.dwconv_hw = nn.Conv2d(gc, gc, square, padding=square // 2, groups=gc)
        self.dwconv_w = nn.Conv2d(gc, gc, kernel_size=(1, band), padding=(0, band // 2), groups=gc)
        self.dwconv_h = nn.Conv2d(gc, gc, kernel_size=(band, 1), padding=(band // 2, 0), groups=gc)
        self.split_indexes = [in_channels - 3 * gc, gc, gc, gc]

    def forward(self, x: Tensor) -> Tensor:
        x_id, x_hw, x_w, x_h = torch.split(x, self.split_indexes, dim=1)
        return torch.cat((x_id, self.dwconv_hw(x_hw), self.dwconv_w(x_w), self.dwconv_h(x_h)), dim=1)


class GatedCNNBlock(nn.Module):
    """The gated block of MambaOut (Yu and Wang, 2024), as MoSR has it."""

    def __init__(
        self,
        dim: int,
        expansion_ratio: float,
        kernel_size: int | None,
        conv_ratio: float,
        norm: str,
        act: str,
        shift: float,
    ) -> None:
        super().__init__()
        hidden = int(expansion_ratio * dim)
        conv_channels = int(conv_ratio * dim)
        self.norm = norm_layer(norm, dim)
        self.fc1 = nn.Conv2d(dim, hidden * 2, 3, 1, 1)
        self.act = activation(act, inplace=False)
        self.split_indices = [hidden, hidden - conv_channels, conv_channels]
        if kernel_size is None:
            self.conv: nn.Module = InceptionDWConv2d(conv_channels)
        else:
            self.conv = same_conv(conv_channels, conv_channels, kernel_size, groups=conv_channels)
        self.fc2 = nn.Conv2d(hidden, dim, 3, 1, 1)
        self.gamma = nn.Parameter(torch.ones([1, dim, 1, 1]), requires_grad=True)
        self.shift = shift

    def forward(self, x: Tensor) -> Tensor:
        shortcut = x
        x = self.norm(x)
        g, i, c = torch.split(self.fc1(x), self.split_indices, dim=1)
        c = self.conv(c)
        x = self.act(self.fc2(self.act(g) * torch.cat((i, c), dim=1)))
        return (x * self.gamma) + (shortcut - self.shift)


class GeoEnsemblePixelShuffle(nn.Module):
    """The upsampler of MoSR that takes the mean of eight shuffles (umzi, 2024)."""

    def __init__(self, dim: int, scale: int) -> None:
        super().__init__()
        self.in_to_k = nn.Conv2d(dim, scale * scale * 3 * 8, 3, 1, 1)
        self.ps = nn.PixelShuffle(scale)

    def forward(self, x: Tensor) -> Tensor:
        x = self.in_to_k(x)
        x = x.reshape(x.shape[0], 8, -1, x.shape[-2], x.shape[-1])
        return self.ps(x.mean(dim=1))


class MoSR(nn.Module):
    """MoSR, "Mamba Out" Super-Resolution (umzi, 2024), after MambaOut (Yu and Wang, 2024)."""

    def __init__(
        self,
        upscale: int = 4,
        dim: int = 8,
        n_block: int = 2,
        *,
        kernel_size: int = 7,
        expansion_ratio: float = 1.5,
        conv_ratio: float = 1.0,
        norm: str = "hand",
        act: str = "mish",
        upsampler: Literal["ps", "gps"] = "ps",
    ) -> None:
        super().__init__()
        self.gblocks = nn.Sequential(
            *[nn.Conv2d(3, dim, 3, 1, 1)]
            + [GatedCNNBlock(dim, expansion_ratio, kernel_size, conv_ratio, norm, act, 0.5) for _ in range(n_block)]
            + [
                nn.Conv2d(dim, dim * 2, 3, 1, 1),
                activation(act),
                nn.Conv2d(dim * 2, dim, 3, 1, 1),
                activation(act),
                nn.Conv2d(dim, dim, 1, 1),
            ]
        )
        self.shortcut = nn.Sequential(nn.Conv2d(3, dim, 3, 1, 1), activation(act), nn.Conv2d(dim, dim, 1))
        if upsampler == "ps":
            self.upsampler: nn.Module = nn.Sequential(nn.Conv2d(dim, 3 * upscale**2, 3, 1, 1), nn.PixelShuffle(upscale))
        elif upsampler == "gps":
            self.upsampler = GeoEnsemblePixelShuffle(dim, upscale)
        else:
            raise ValueError(f"upsampler {upsampler!r} is not supported")

    def forward(self, x: Tensor) -> Tensor:
        x = self.gblocks(x) + (self.shortcut(x) - 0.5)
        return self.upsampler(x)


class UniUpsample(nn.Sequential):
    """The upsamplers that MoSR's second version (umzi, 2025) chooses from."""

    def __init__(self, upsample: str, scale: int, in_dim: int, mid_dim: int) -> None:
        m: list[nn.Module] = []
        if scale == 1 or upsample == "conv":
            m.append(nn.Conv2d(in_dim, 3, 3, 1, 1))
        elif upsample == "pixelshuffledirect":
            m.extend([nn.Conv2d(in_dim, 3 * scale**2, 3, 1, 1), nn.PixelShuffle(scale)])
        elif upsample == "pixelshuffle":
            m.extend([nn.Conv2d(in_dim, mid_dim, 3, 1, 1), nn.LeakyReLU(inplace=True), Upsampler(scale, mid_dim)])
            m.append(nn.Conv2d(mid_dim, 3, 3, 1, 1))
        elif upsample == "nearest+conv":
            for _ in range(int(math.log2(scale))):
                m.extend(
                    (nn.Conv2d(in_dim, in_dim, 3, 1, 1), nn.Upsample(scale_factor=2), nn.LeakyReLU(0.2, inplace=True))
                )
            m.extend(
                (nn.Conv2d(in_dim, in_dim, 3, 1, 1), nn.LeakyReLU(0.2, inplace=True), nn.Conv2d(in_dim, 3, 3, 1, 1))
            )
        else:
            raise ValueError(f"upsample {upsample!r} is not supported")
        super().__init__(*m)
        self.register_buffer("MetaUpsample", torch.tensor([2, scale, in_dim, mid_dim], dtype=torch.uint8))


class MoSRv2(nn.Module):
    """The second version of MoSR (umzi, 2025), with unshuffled input and a bilinear shortcut."""

    def __init__(self, scale: int = 2, dim: int = 8, n_block: int = 1, upsampler: str = "pixelshuffledirect") -> None:
        super().__init__()
        self.short = nn.Upsample(scale_factor=scale, mode="bilinear")
        self.scale = scale
        self.pad = 1
        if scale < 3:
            unshuffle = 4 // scale
            entry: list[nn.Module] = [nn.PixelUnshuffle(unshuffle), nn.Conv2d(3 * unshuffle**2, dim, 3, 1, 1)]
            self.pad = unshuffle
            scale = 4
        else:
            entry = [nn.Conv2d(3, dim, 3, 1, 1)]
        self.gblocks = nn.Sequential(
            *entry
            + [GatedCNNBlock(dim, 1.5, None, 1.0, "rms", "mish", 0.0) for _ in range(n_block)]
            + [nn.Conv2d(dim, dim * 2, 3, 1, 1), nn.Mish(True), nn.Conv2d(dim * 2, dim, 3, 1, 1), nn.Mish(True)]
        )
        self.to_img = UniUpsample(upsampler, scale, dim, dim)

    def check_img_size(self, x: Tensor, h: int, w: int) -> Tensor:
        mod_pad_h = (self.pad - h % self.pad) % self.pad
        mod_pad_w = (self.pad - w % self.pad) % self.pad
        return F.pad(x, (0, mod_pad_w, 0, mod_pad_h), "reflect")

    def forward(self, x: Tensor) -> Tensor:
        _b, _c, h, w = x.shape
        x = self.check_img_size(x, h, w)
        x = self.to_img(self.gblocks(x)) + self.short(x)
        return x[:, :, : h * self.scale, : w * self.scale]


class OmniShift(nn.Module):
    """The depthwise convolution of many sizes of Restore-RWKV (Yang et al., 2024), merged on leaving training."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.conv1x1 = nn.Conv2d(dim, dim, 1, groups=dim)
        self.conv3x3 = nn.Conv2d(dim, dim, 3, padding=1, groups=dim)
        self.conv5x5 = nn.Conv2d(dim, dim, 5, padding=2, groups=dim)
        self.alpha = nn.Parameter(torch.ones(4, dim), requires_grad=True)
        self.conv5x5_reparam = nn.Conv2d(dim, dim, 5, padding=2, groups=dim)

    def reparam_5x5(self) -> None:
        one = self.conv1x1.weight
        kernels = [torch.ones_like(one), one, self.conv3x3.weight, self.conv5x5.weight]
        padded = [F.pad(kernel, (2 - kernel.shape[-1] // 2,) * 4) for kernel in kernels]
        biases = [torch.zeros_like(self.conv1x1.bias), self.conv1x1.bias, self.conv3x3.bias, self.conv5x5.bias]
        weight = sum(a.view(-1, 1, 1, 1) * kernel for a, kernel in zip(self.alpha, padded, strict=True))
        bias = sum(a * b for a, b in zip(self.alpha, biases, strict=True))
        self.conv5x5_reparam.weight = nn.Parameter(weight.detach())
        self.conv5x5_reparam.bias = nn.Parameter(bias.detach())

    def train(self, mode: bool = True) -> OmniShift:
        super().train(mode)
        if not mode:
            self.reparam_5x5()
        return self

    def forward(self, x: Tensor) -> Tensor:
        if self.training:
            a1, a2, a3, a4 = (a.view(1, -1, 1, 1) for a in self.alpha)
            return a1 * x + a2 * self.conv1x1(x) + a3 * self.conv3x3(x) + a4 * self.conv5x5(x)
        return self.conv5x5_reparam(x)


class ParPixelUnshuffle(nn.Module):
    """The unshuffling of RTMoSR beside a pooled branch (umzi, 2025)."""

    def __init__(self, in_dim: int, out_dim: int, down: int) -> None:
        super().__init__()
        self.pu = nn.PixelUnshuffle(down)
        self.poll = nn.Sequential(nn.MaxPool2d(kernel_size=down, stride=down), nn.Conv2d(in_dim, out_dim, 3, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        return self.pu(x) + self.poll(x)


class ChannelSqueeze(nn.Module):
    """The channel attention of RTMoSR (umzi, 2025), squeezed by a mean over the picture."""

    def __init__(self, channels: int, reduction: int = 2) -> None:
        super().__init__()
        self.squeezing = nn.Sequential(
            nn.Conv2d(channels, channels // reduction, 1),
            nn.ReLU(True),
            nn.Conv2d(channels // reduction, channels, 1),
            nn.Hardsigmoid(True),
        )

    def forward(self, x: Tensor) -> Tensor:
        squeezed = torch.mean(x, dim=[2, 3], keepdim=True)
        return x * self.squeezing(squeezed)


class RTGatedBlock(nn.Module):
    """The gated block at half the size of RTMoSR (umzi, 2025)."""

    def __init__(self, dim: int, expansion_ratio: float, *, se: bool) -> None:
        super().__init__()
        hidden = int(expansion_ratio * dim)
        self.norm = RMSNorm2d(dim)
        self.fc1 = nn.Conv2d(dim, hidden * 2, 3, 1, 1)
        self.act = nn.Mish()
        self.split_indices = [hidden, hidden - dim, dim]
        self.conv = nn.Sequential(
            ParPixelUnshuffle(dim, dim * 4, 2),
            OmniShift(dim * 4),
            ChannelSqueeze(dim * 4) if se else nn.Identity(),
            nn.PixelShuffle(2),
        )
        self.fc2 = nn.Conv2d(hidden, dim, 3, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        shortcut = x
        x = self.norm(x)
        g, i, c = torch.split(self.fc1(x), self.split_indices, dim=1)
        c = self.conv(c)
        x = self.act(self.fc2(self.act(g) * torch.cat((i, c), dim=1)))
        return x + shortcut


class RTMoSR(nn.Module):
    """RTMoSR, the real-time MoSR (umzi, 2025); with ``se`` it is not local."""

    def __init__(
        self, scale: int = 2, dim: int = 8, n_blocks: int = 1, *, unshuffle_mod: bool = False, se: bool = False
    ) -> None:
        super().__init__()
        self.scale = scale
        unshuffle = 0
        if scale < 4 and unshuffle_mod:
            if scale == 3:
                raise ValueError("unshuffle_mod does not support scale 3")
            unshuffle = 4 // scale
            scale = 4
        self.pad = (unshuffle if unshuffle > 0 else 1) * 2
        self.to_feat: nn.Module = nn.Conv2d(3, dim, 3, 1, 1)
        if unshuffle:
            self.to_feat = nn.Sequential(nn.PixelUnshuffle(unshuffle), nn.Conv2d(3 * unshuffle**2, dim, 3, 1, 1))
        self.body = nn.Sequential(*[RTGatedBlock(dim, 2, se=se) for _ in range(n_blocks)])
        self.to_img = nn.Sequential(nn.Conv2d(dim, 3 * scale**2, 3, 1, 1), nn.PixelShuffle(scale))

    def forward(self, x: Tensor) -> Tensor:
        _b, _c, h, w = x.shape
        out = F.pad(x, (0, -w % self.pad, 0, -h % self.pad), "reflect")
        out = self.to_feat(out)
        out = self.body(out)
        return self.to_img(out)[:, :, : h * self.scale, : w * self.scale] + F.interpolate(x, scale_factor=self.scale)


class SeparableConv2d(nn.Module):
    """The depthwise separable convolution of Swift-SRGAN (Krishnan and Krishnan, 2021)."""

    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: int, padding: int, *, bias: bool = True
    ) -> None:
        super().__init__()
        self.depthwise = nn.Conv2d(
            in_channels, in_channels, kernel_size, padding=padding, groups=in_channels, bias=bias
        )
        self.pointwise = nn.Conv2d(in_channels, out_channels, kernel_size=1, bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        return self.pointwise(self.depthwise(x))


class SwiftBlock(nn.Module):
    """Convolution, normalisation and activation of Swift-SRGAN (Krishnan and Krishnan, 2021)."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        padding: int,
        *,
        use_act: bool = True,
        use_bn: bool = True,
    ) -> None:
        super().__init__()
        self.use_act = use_act
        self.cnn = SeparableConv2d(in_channels, out_channels, kernel_size, padding, bias=not use_bn)
        self.bn = nn.BatchNorm2d(out_channels) if use_bn else nn.Identity()
        self.act = nn.PReLU(num_parameters=out_channels)

    def forward(self, x: Tensor) -> Tensor:
        return self.act(self.bn(self.cnn(x))) if self.use_act else self.bn(self.cnn(x))


class SwiftResidual(nn.Module):
    """The residual block of Swift-SRGAN (Krishnan and Krishnan, 2021)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.block1 = SwiftBlock(channels, channels, 3, 1)
        self.block2 = SwiftBlock(channels, channels, 3, 1, use_act=False)

    def forward(self, x: Tensor) -> Tensor:
        out = self.block1(x)
        out = self.block2(out)
        return out + x


class SwiftUpsample(nn.Module):
    """The upsampling block of Swift-SRGAN (Krishnan and Krishnan, 2021)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = SeparableConv2d(channels, channels * 4, 3, 1)
        self.ps = nn.PixelShuffle(2)
        self.act = nn.PReLU(num_parameters=channels)

    def forward(self, x: Tensor) -> Tensor:
        return self.act(self.ps(self.conv(x)))


class SwiftSRGAN(nn.Module):
    """SwiftSRGAN - Rethinking Super-Resolution for Efficient and Real-time Inference (Krishnan and Krishnan, 2021)."""

    def __init__(self, num_channels: int = 8, num_blocks: int = 1, upscale_factor: int = 4) -> None:
        super().__init__()
        self.initial = SwiftBlock(3, num_channels, 9, 4, use_bn=False)
        self.residual = nn.Sequential(*[SwiftResidual(num_channels) for _ in range(num_blocks)])
        self.convblock = SwiftBlock(num_channels, num_channels, 3, 1, use_act=False)
        self.upsampler = nn.Sequential(*[SwiftUpsample(num_channels) for _ in range(upscale_factor // 2)])
        self.final_conv = SeparableConv2d(num_channels, 3, 9, 4)

    def forward(self, x: Tensor) -> Tensor:
        initial = self.initial(x)
        x = self.residual(initial)
        x = self.convblock(x) + initial
        x = self.upsampler(x)
        return (torch.tanh(self.final_conv(x)) + 1) / 2


class Noise2NoiseUNet(nn.Module):
    """The U-Net of Noise2Noise (Lehtinen et al., 2018), here with strided and transposed convolutions."""

    def __init__(self, width: int = 8, depth: int = 2) -> None:
        super().__init__()
        widths = [width + 4 * level for level in range(depth + 1)]
        self.first = nn.Conv2d(3, widths[0], 3, padding=1)
        self.downs = nn.ModuleList(nn.Conv2d(a, b, 3, stride=2, padding=1) for a, b in itertools.pairwise(widths))
        self.ups = nn.ModuleList(
            nn.ConvTranspose2d(b, a, 3, stride=2, padding=1, output_padding=1)
            for a, b in reversed(list(itertools.pairwise(widths)))
        )
        self.merges = nn.ModuleList(nn.Conv2d(2 * a, a, 3, padding=1) for a in reversed(widths[:-1]))
        self.last = nn.Conv2d(widths[0] + 3, 3, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        skips = [x]
        out = F.leaky_relu_(self.first(x), 0.1)
        for down in self.downs:
            skips.append(out)
            out = F.leaky_relu_(down(out), 0.1)
        for up, merge in zip(self.ups, self.merges, strict=True):
            out = torch.cat([up(out), skips.pop()], dim=1)
            out = F.leaky_relu_(merge(out), 0.1)
        return self.last(torch.cat([out, skips.pop()], dim=1))


class Pix2PixLevel(nn.Module):
    """A level of the U-Net of pix2pix (Isola et al., 2017), around the level below it.

    Its first activation works in place on the very tensor that the last line joins.
    """

    def __init__(self, outer_nc: int, inner_nc: int, below: nn.Module | None, *, input_nc: int | None = None) -> None:
        super().__init__()
        self.outermost = input_nc is not None
        downconv = nn.Conv2d(input_nc or outer_nc, inner_nc, kernel_size=4, stride=2, padding=1, bias=False)
        downrelu = nn.LeakyReLU(0.2, True)
        uprelu = nn.ReLU(True)
        upconv = nn.ConvTranspose2d(inner_nc if below is None else inner_nc * 2, outer_nc, 4, stride=2, padding=1)
        if self.outermost:
            model: list[nn.Module | None] = [downconv, below, uprelu, upconv, nn.Tanh()]
        elif below is None:
            model = [downrelu, downconv, uprelu, upconv, nn.BatchNorm2d(outer_nc)]
        else:
            norms = nn.BatchNorm2d(inner_nc), nn.BatchNorm2d(outer_nc)
            model = [downrelu, downconv, norms[0], below, uprelu, upconv, norms[1], nn.Dropout(0.5)]
        self.model = nn.Sequential(*[layer for layer in model if layer is not None])

    def forward(self, x: Tensor) -> Tensor:
        if self.outermost:
            return self.model(x)
        return torch.cat([x, self.model(x)], 1)


def pix2pix(ngf: int = 8) -> nn.Module:
    """The U-Net of pix2pix (Isola et al., 2017), three levels deep."""
    innermost = Pix2PixLevel(ngf + 4, ngf + 4, None)
    middle = Pix2PixLevel(ngf, ngf + 4, innermost)
    return Pix2PixLevel(3, ngf, middle, input_nc=3)


class DoubleConv(nn.Sequential):
    """The double convolution of U-Net (Ronneberger et al., 2015), normalised."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__(
            nn.Conv2d(in_channels, out_channels, kernel_size=3, padding=1, bias=False),
            nn.BatchNorm2d(out_channels),
            nn.ReLU(inplace=True),
            nn.Conv2d(out_channels, out_channels, kernel_size=3, padding=1, bias=False),
            nn.BatchNorm2d(out_channels),
            nn.ReLU(inplace=True),
        )


class UNet(nn.Module):
    """U-Net (Ronneberger et al., 2015) with max pooling and bilinear upsampling.

    ``fit``: whether what comes from below is padded to the size of the skip, as sizes that do not divide need it.
    """

    def __init__(self, width: int = 8, *, fit: bool = False, align_corners: bool = False) -> None:
        super().__init__()
        self.fit = fit
        self.inc = DoubleConv(3, width)
        self.down1 = nn.Sequential(nn.MaxPool2d(2), DoubleConv(width, width * 2))
        self.down2 = nn.Sequential(nn.MaxPool2d(2), DoubleConv(width * 2, width * 2))
        self.up = nn.Upsample(scale_factor=2, mode="bilinear", align_corners=align_corners)
        self.up1 = DoubleConv(width * 4, width)
        self.up2 = DoubleConv(width * 2, width)
        self.outc = nn.Conv2d(width, 3, kernel_size=1)

    def _join(self, below: Tensor, skip: Tensor) -> Tensor:
        below = self.up(below)
        if self.fit:
            diff_y = skip.size()[2] - below.size()[2]
            diff_x = skip.size()[3] - below.size()[3]
            below = F.pad(below, [diff_x // 2, diff_x - diff_x // 2, diff_y // 2, diff_y - diff_y // 2])
        return torch.cat([skip, below], dim=1)

    def forward(self, x: Tensor) -> Tensor:
        x1 = self.inc(x)
        x2 = self.down1(x1)
        x3 = self.down2(x2)
        y = self.up1(self._join(x3, x2))
        y = self.up2(self._join(y, x1))
        return self.outc(y)


def stdv_channels(x: Tensor) -> Tensor:
    """The standard deviation of each channel of the picture."""
    mean = x.sum(3, keepdim=True).sum(2, keepdim=True) / (x.size(2) * x.size(3))
    variance = (x - mean).pow(2).sum(3, keepdim=True).sum(2, keepdim=True) / (x.size(2) * x.size(3))
    return variance.pow(0.5)


class ContrastAttention(nn.Module):
    """The contrast-aware channel attention of IMDN (Hui et al., 2019), which is not local."""

    def __init__(self, channels: int, reduction: int = 2) -> None:
        super().__init__()
        self.avg_pool = nn.AdaptiveAvgPool2d(1)
        self.conv_du = nn.Sequential(
            nn.Conv2d(channels, channels // reduction, 1),
            nn.ReLU(inplace=True),
            nn.Conv2d(channels // reduction, channels, 1),
            nn.Sigmoid(),
        )

    def forward(self, x: Tensor) -> Tensor:
        y = stdv_channels(x) + self.avg_pool(x)
        return x * self.conv_du(y)


class IMDModule(nn.Module):
    """The information multi-distillation block of IMDN (Hui et al., 2019)."""

    def __init__(self, channels: int, *, attention: bool) -> None:
        super().__init__()
        self.distilled = int(channels * 0.25)
        self.remaining = channels - self.distilled
        self.c1 = same_conv(channels, channels)
        self.c2 = same_conv(self.remaining, channels)
        self.c3 = same_conv(self.remaining, channels)
        self.c4 = same_conv(self.remaining, self.distilled)
        self.act = activation("lrelu")
        self.c5 = same_conv(self.distilled * 4, channels, 1)
        self.cca = ContrastAttention(self.distilled * 4) if attention else None

    def forward(self, x: Tensor) -> Tensor:
        out_c1 = self.act(self.c1(x))
        distilled_c1, remaining_c1 = torch.split(out_c1, (self.distilled, self.remaining), dim=1)
        out_c2 = self.act(self.c2(remaining_c1))
        distilled_c2, remaining_c2 = torch.split(out_c2, (self.distilled, self.remaining), dim=1)
        out_c3 = self.act(self.c3(remaining_c2))
        distilled_c3, remaining_c3 = torch.split(out_c3, (self.distilled, self.remaining), dim=1)
        out_c4 = self.c4(remaining_c3)
        out = torch.cat([distilled_c1, distilled_c2, distilled_c3, out_c4], dim=1)
        if self.cca is not None:
            out = self.cca(out)
        return self.c5(out) + x


class RFDBlock(nn.Module):
    """The residual feature distillation block of RFDN (Liu et al., 2020), without its spatial attention."""

    def __init__(self, channels: int, *, attention: bool) -> None:
        super().__init__()
        if attention:
            raise NotImplementedError("the enhanced spatial attention is left out")
        self.dc = channels // 2
        for step in (1, 2, 3):
            setattr(self, f"c{step}_d", same_conv(channels, self.dc, 1))
            setattr(self, f"c{step}_r", same_conv(channels, channels))
        self.c4 = same_conv(channels, self.dc)
        self.act = activation("lrelu")
        self.c5 = same_conv(self.dc * 4, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        distilled = []
        rest = x
        for step in (1, 2, 3):
            distilled.append(self.act(getattr(self, f"c{step}_d")(rest)))
            rest = self.act(getattr(self, f"c{step}_r")(rest) + rest)
        distilled.append(self.act(self.c4(rest)))
        return self.c5(torch.cat(distilled, dim=1))


class IMDN(nn.Module):
    """Lightweight Image Super-Resolution with Information Multi-distillation Network (Hui et al., 2019)."""

    def __init__(
        self,
        upscale: int = 4,
        nf: int = 8,
        num_modules: int = 2,
        block: type[IMDModule] | type[RFDBlock] = IMDModule,
        *,
        attention: bool = False,
    ) -> None:
        super().__init__()
        self.fea_conv = same_conv(3, nf)
        self.blocks = nn.ModuleList([block(nf, attention=attention) for _ in range(num_modules)])
        self.c = sequential(same_conv(nf * num_modules, nf, 1), activation("lrelu"))
        self.lr_conv = same_conv(nf, nf)
        self.upsampler = sequential(same_conv(nf, 3 * upscale**2), nn.PixelShuffle(upscale))

    def forward(self, x: Tensor) -> Tensor:
        out_fea = self.fea_conv(x)
        outs = []
        out = out_fea
        for block in self.blocks:
            out = block(out)
            outs.append(out)
        out_b = self.c(torch.cat(outs, dim=1))
        out_lr = self.lr_conv(out_b) + out_fea
        return self.upsampler(out_lr)


class ShortcutBlock(nn.Module):
    """A module and its input, summed, of ESRGAN's first release (Wang et al., 2018)."""

    def __init__(self, submodule: nn.Module) -> None:
        super().__init__()
        self.sub = submodule

    def forward(self, x: Tensor) -> Tensor:
        return x + self.sub(x)


def esrgan_conv(in_nc: int, out_nc: int, act: str | None = "lrelu", pad_type: str = "zero") -> nn.Sequential:
    """A convolution of ESRGAN's first release, with its padding and its activation as layers of their own."""
    pad: nn.Module | None = None
    if pad_type == "reflect":
        pad = nn.ReflectionPad2d(1)
    elif pad_type == "replicate":
        pad = nn.ReplicationPad2d(1)
    conv = nn.Conv2d(in_nc, out_nc, kernel_size=3, padding=1 if pad is None else 0)
    return sequential(pad, conv, activation(act) if act else None)


class ResidualDenseBlock5C(nn.Module):
    """The dense block of ESRGAN (Wang et al., 2018); ``plus``: as ESRGAN+ (Rakotonirina and Rasoanaivo, 2020)."""

    def __init__(self, nf: int, gc: int, pad_type: str, *, plus: bool) -> None:
        super().__init__()
        self.conv1x1 = nn.Conv2d(nf, gc, 1, bias=False) if plus else None
        self.conv1 = esrgan_conv(nf, gc, pad_type=pad_type)
        self.conv2 = esrgan_conv(nf + gc, gc, pad_type=pad_type)
        self.conv3 = esrgan_conv(nf + 2 * gc, gc, pad_type=pad_type)
        self.conv4 = esrgan_conv(nf + 3 * gc, gc, pad_type=pad_type)
        self.conv5 = esrgan_conv(nf + 4 * gc, nf, None, pad_type=pad_type)

    def forward(self, x: Tensor) -> Tensor:
        x1 = self.conv1(x)
        x2 = self.conv2(torch.cat((x, x1), 1))
        if self.conv1x1:
            x2 = x2 + self.conv1x1(x)
        x3 = self.conv3(torch.cat((x, x1, x2), 1))
        x4 = self.conv4(torch.cat((x, x1, x2, x3), 1))
        if self.conv1x1:
            x4 = x4 + x2
        x5 = self.conv5(torch.cat((x, x1, x2, x3, x4), 1))
        return x5.mul(0.2) + x


class RRDB(nn.Module):
    """The residual in residual dense block of ESRGAN (Wang et al., 2018)."""

    def __init__(self, nf: int, gc: int, pad_type: str = "zero", *, plus: bool = False) -> None:
        super().__init__()
        self.RDB1 = ResidualDenseBlock5C(nf, gc, pad_type, plus=plus)
        self.RDB2 = ResidualDenseBlock5C(nf, gc, pad_type, plus=plus)
        self.RDB3 = ResidualDenseBlock5C(nf, gc, pad_type, plus=plus)

    def forward(self, x: Tensor) -> Tensor:
        out = self.RDB1(x)
        out = self.RDB2(out)
        out = self.RDB3(out)
        return out.mul(0.2) + x


class ESRGAN(nn.Module):
    """ESRGAN: Enhanced Super-Resolution Generative Adversarial Networks (Wang et al., 2018), as first released.

    ``shuffle_factor``: by how much the input is unshuffled first; padded on a branch and cropped after.
    """

    def __init__(
        self,
        scale: int = 4,
        nf: int = 8,
        nb: int = 1,
        *,
        upsampler: Literal["upconv", "pixel_shuffle"] = "upconv",
        pad_type: str = "zero",
        plus: bool = False,
        shuffle_factor: int | None = None,
    ) -> None:
        super().__init__()
        self.scale = scale
        self.shuffle_factor = shuffle_factor
        ups: list[nn.Module] = []
        for step in [3] if scale == 3 else [2] * int(math.log2(scale)):
            if upsampler == "upconv":
                ups.append(sequential(nn.Upsample(scale_factor=step, mode="nearest"), esrgan_conv(nf, nf)))
            else:
                ups.append(sequential(same_conv(nf, nf * step**2), nn.PixelShuffle(step), activation("lrelu")))
        rrdbs = [RRDB(nf, nf // 2, pad_type, plus=plus) for _ in range(nb)]
        self.model = sequential(
            esrgan_conv(3 * (shuffle_factor or 1) ** 2, nf, None),
            ShortcutBlock(sequential(*rrdbs, esrgan_conv(nf, nf, None))),
            *ups,
            esrgan_conv(nf, nf),
            esrgan_conv(nf, 3, None),
        )

    def forward(self, x: Tensor) -> Tensor:
        if self.shuffle_factor:
            true_scale = self.scale // self.shuffle_factor
            _, _, h, w = x.size()
            x = pad_to_multiple(x, self.shuffle_factor)
            x = torch.pixel_unshuffle(x, downscale_factor=self.shuffle_factor)
            x = self.model(x)
            return x[:, :, : h * true_scale, : w * true_scale]
        return self.model(x)


class RRDBNet(nn.Module):
    """The network of Real-ESRGAN (Wang et al., 2021), which unshuffles its input by hand for the scales 1 and 2."""

    def __init__(self, scale: int = 2, num_feat: int = 8, num_block: int = 1) -> None:
        super().__init__()
        self.scale = scale
        num_in_ch = {1: 3 * 16, 2: 3 * 4}.get(scale, 3)
        self.conv_first = nn.Conv2d(num_in_ch, num_feat, 3, 1, 1)
        self.body = nn.Sequential(*[RRDB(num_feat, num_feat // 2) for _ in range(num_block)])
        self.conv_body = nn.Conv2d(num_feat, num_feat, 3, 1, 1)
        self.conv_up1 = nn.Conv2d(num_feat, num_feat, 3, 1, 1)
        self.conv_up2 = nn.Conv2d(num_feat, num_feat, 3, 1, 1)
        self.conv_hr = nn.Conv2d(num_feat, num_feat, 3, 1, 1)
        self.conv_last = nn.Conv2d(num_feat, 3, 3, 1, 1)
        self.lrelu = nn.LeakyReLU(negative_slope=0.2, inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        if self.scale == 2:
            feat = space_to_depth(x, 2)
        elif self.scale == 1:
            feat = space_to_depth(x, 4)
        else:
            feat = x
        feat = self.conv_first(feat)
        body_feat = self.conv_body(self.body(feat))
        feat = feat + body_feat
        feat = self.lrelu(self.conv_up1(F.interpolate(feat, scale_factor=2, mode="nearest")))
        feat = self.lrelu(self.conv_up2(F.interpolate(feat, scale_factor=2, mode="nearest")))
        return self.conv_last(self.lrelu(self.conv_hr(feat)))


class SeqConv3x3(nn.Module):
    """A branch of ECBSR (Zhang et al., 2021): a 1x1 convolution, then one of 3x3, learned or a scaled Laplacian.

    ``forward`` pads between the two by writing the bias into the borders.
    """

    mask: Tensor

    def __init__(self, kind: Literal["conv3x3", "laplacian"], inp_planes: int, out_planes: int) -> None:
        super().__init__()
        self.kind = kind
        mid = out_planes * 2 if kind == "conv3x3" else out_planes
        conv0 = nn.Conv2d(inp_planes, mid, kernel_size=1, padding=0)
        self.k0 = conv0.weight
        self.b0 = conv0.bias
        if kind == "conv3x3":
            conv1 = nn.Conv2d(mid, out_planes, kernel_size=3)
            self.k1 = conv1.weight
            self.b1 = conv1.bias
        else:
            self.scale = nn.Parameter(torch.randn(out_planes, 1, 1, 1) * 1e-3)
            self.b1 = nn.Parameter(torch.randn(out_planes) * 1e-3)
            mask = torch.zeros((out_planes, 1, 3, 3), dtype=torch.float32)
            for i in range(out_planes):
                mask[i, 0, 0, 1] = mask[i, 0, 1, 0] = mask[i, 0, 1, 2] = mask[i, 0, 2, 1] = 1.0
                mask[i, 0, 1, 1] = -4.0
            self.mask = nn.Parameter(data=mask, requires_grad=False)

    def forward(self, x: Tensor) -> Tensor:
        y0 = F.conv2d(input=x, weight=self.k0, bias=self.b0, stride=1)
        y0 = F.pad(y0, (1, 1, 1, 1), "constant", 0)
        b0_pad = self.b0.view(1, -1, 1, 1)
        y0[:, :, 0:1, :] = b0_pad
        y0[:, :, -1:, :] = b0_pad
        y0[:, :, :, 0:1] = b0_pad
        y0[:, :, :, -1:] = b0_pad
        if self.kind == "conv3x3":
            return F.conv2d(input=y0, weight=self.k1, bias=self.b1, stride=1)
        return F.conv2d(input=y0, weight=self.scale * self.mask, bias=self.b1, stride=1, groups=y0.shape[1])

    def rep_params(self) -> tuple[Tensor, Tensor]:
        if self.kind == "conv3x3":
            k1 = self.k1
        else:
            tmp = self.scale * self.mask
            k1 = torch.zeros((tmp.shape[0], tmp.shape[0], 3, 3), device=tmp.device)
            for i in range(tmp.shape[0]):
                k1[i, i, :, :] = tmp[i, 0, :, :]
        rep_weight = F.conv2d(input=k1, weight=self.k0.permute(1, 0, 2, 3))
        rep_bias = torch.ones(1, k1.shape[1], 3, 3, device=k1.device) * self.b0.view(1, -1, 1, 1)
        rep_bias = F.conv2d(input=rep_bias, weight=k1).view(-1) + self.b1
        return rep_weight, rep_bias


class ECB(nn.Module):
    """The edge-oriented convolution block of ECBSR (Zhang et al., 2021).

    ``merge``: whether its branches are merged, for each call, outside of training.
    """

    def __init__(self, inp: int, out: int, act: str | None, *, with_idt: bool, merge: bool) -> None:
        super().__init__()
        self.out_planes = out
        self.with_idt = with_idt and inp == out
        self.merge = merge
        self.conv3x3 = nn.Conv2d(inp, out, kernel_size=3, padding=1)
        self.conv1x1_3x3 = SeqConv3x3("conv3x3", inp, out)
        self.conv1x1_lpl = SeqConv3x3("laplacian", inp, out)
        self.act = None if act is None else activation(act, out)

    def rep_params(self) -> tuple[Tensor, Tensor]:
        k1, b1 = self.conv1x1_3x3.rep_params()
        k2, b2 = self.conv1x1_lpl.rep_params()
        weight, bias = self.conv3x3.weight + k1 + k2, self.conv3x3.bias + b1 + b2
        if self.with_idt:
            idt = torch.zeros(self.out_planes, self.out_planes, 3, 3, device=weight.device)
            for i in range(self.out_planes):
                idt[i, i, 1, 1] = 1.0
            weight = weight + idt
        return weight, bias

    def forward(self, x: Tensor) -> Tensor:
        if self.training or not self.merge:
            y = self.conv3x3(x) + self.conv1x1_3x3(x) + self.conv1x1_lpl(x)
            if self.with_idt:
                y += x
        else:
            weight, bias = self.rep_params()
            y = F.conv2d(input=x, weight=weight, bias=bias, stride=1, padding=1)
        return y if self.act is None else self.act(y)


class ECBSR(nn.Module):
    """Edge-oriented Convolution Block for Real-time Super Resolution on Mobile Devices (Zhang et al., 2021)."""

    def __init__(self, scale: int = 2, num_channel: int = 8, num_block: int = 1, *, merge: bool = True) -> None:
        super().__init__()
        self.scale = scale
        self.backbone = nn.Sequential(
            ECB(3, num_channel, "prelu", with_idt=True, merge=merge),
            *[ECB(num_channel, num_channel, "prelu", with_idt=True, merge=merge) for _ in range(num_block)],
            ECB(num_channel, 3 * scale**2, None, with_idt=True, merge=merge),
        )
        self.upsampler = nn.PixelShuffle(scale)

    def forward(self, x: Tensor) -> Tensor:
        shortcut = torch.repeat_interleave(x, self.scale * self.scale, dim=1)
        y = self.backbone(x) + shortcut
        return self.upsampler(y)


class SEBlock(nn.Module):
    """Squeeze and excitation (Hu et al., 2018) as Real-CUGAN has it, which is not local."""

    def __init__(self, channels: int, reduction: int = 4) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels // reduction, 1, 1, 0)
        self.conv2 = nn.Conv2d(channels // reduction, channels, 1, 1, 0)

    def forward(self, x: Tensor) -> Tensor:
        if "Half" in x.type():
            x0 = torch.mean(x.float(), dim=(2, 3), keepdim=True).half()
        else:
            x0 = torch.mean(x, dim=(2, 3), keepdim=True)
        x0 = F.relu(self.conv1(x0), inplace=True)
        x0 = torch.sigmoid(self.conv2(x0))
        return torch.mul(x, x0)


class CunetConv(nn.Module):
    """Two convolutions without padding of Real-CUGAN (bilibili, 2022)."""

    def __init__(self, in_channels: int, mid_channels: int, out_channels: int, *, se: bool) -> None:
        super().__init__()
        self.conv = nn.Sequential(
            nn.Conv2d(in_channels, mid_channels, 3, 1, 0),
            nn.LeakyReLU(0.1, inplace=True),
            nn.Conv2d(mid_channels, out_channels, 3, 1, 0),
            nn.LeakyReLU(0.1, inplace=True),
        )
        self.seblock = SEBlock(out_channels) if se else None

    def forward(self, x: Tensor) -> Tensor:
        z = self.conv(x)
        if self.seblock is not None:
            z = self.seblock(z)
        return z


class CunetUNet1(nn.Module):
    """The first U-Net of Real-CUGAN (bilibili, 2022), which enlarges by a transposed convolution."""

    def __init__(self, in_channels: int, out_channels: int, n: int, scale: int, *, se: bool) -> None:
        super().__init__()
        self.conv1 = CunetConv(in_channels, n // 2, n, se=False)
        self.conv1_down = nn.Conv2d(n, n, 2, 2, 0)
        self.conv2 = CunetConv(n, n * 2, n, se=se)
        self.conv2_up = nn.ConvTranspose2d(n, n, 2, 2, 0)
        self.conv3 = nn.Conv2d(n, n, 3, 1, 0)
        if scale == 3:
            self.conv_bottom = nn.ConvTranspose2d(n, out_channels, 5, 3, 2)
        else:
            self.conv_bottom = nn.ConvTranspose2d(n, out_channels, 4, 2, 3)

    def forward(self, x: Tensor) -> Tensor:
        x1 = self.conv1(x)
        x2 = self.conv1_down(x1)
        x1 = F.pad(x1, (-4, -4, -4, -4))
        x2 = F.leaky_relu(x2, 0.1, inplace=True)
        x2 = self.conv2(x2)
        x2 = self.conv2_up(x2)
        x2 = F.leaky_relu(x2, 0.1, inplace=True)
        x3 = self.conv3(x1 + x2)
        x3 = F.leaky_relu(x3, 0.1, inplace=True)
        return self.conv_bottom(x3)


class CunetUNet2(nn.Module):
    """The second U-Net of Real-CUGAN (bilibili, 2022), two levels deep."""

    def __init__(self, in_channels: int, out_channels: int, n: int, *, se: bool) -> None:
        super().__init__()
        self.conv1 = CunetConv(in_channels, n // 2, n, se=False)
        self.conv1_down = nn.Conv2d(n, n, 2, 2, 0)
        self.conv2 = CunetConv(n, n, n * 2, se=se)
        self.conv2_down = nn.Conv2d(n * 2, n * 2, 2, 2, 0)
        self.conv3 = CunetConv(n * 2, n * 2, n * 2, se=se)
        self.conv3_up = nn.ConvTranspose2d(n * 2, n * 2, 2, 2, 0)
        self.conv4 = CunetConv(n * 2, n, n, se=se)
        self.conv4_up = nn.ConvTranspose2d(n, n, 2, 2, 0)
        self.conv5 = nn.Conv2d(n, n, 3, 1, 0)
        self.conv_bottom = nn.Conv2d(n, out_channels, 3, 1, 0)

    def forward(self, x: Tensor, alpha: float = 1) -> Tensor:
        x1 = self.conv1(x)
        x2 = self.conv1_down(x1)
        x1 = F.pad(x1, (-16, -16, -16, -16))
        x2 = F.leaky_relu(x2, 0.1, inplace=True)
        x2 = self.conv2(x2)
        x3 = self.conv2_down(x2)
        x2 = F.pad(x2, (-4, -4, -4, -4))
        x3 = F.leaky_relu(x3, 0.1, inplace=True)
        x3 = self.conv3(x3)
        x3 = self.conv3_up(x3)
        x3 = F.leaky_relu(x3, 0.1, inplace=True)
        x4 = self.conv4(x2 + x3)
        x4 *= alpha
        x4 = self.conv4_up(x4)
        x4 = F.leaky_relu(x4, 0.1, inplace=True)
        x5 = self.conv5(x1 + x4)
        x5 = F.leaky_relu(x5, 0.1, inplace=True)
        return self.conv_bottom(x5)


class RealCUGAN(nn.Module):
    """Real-CUGAN (bilibili, 2022), a cascade of two U-Nets; with ``se`` it is not local.

    Its size rule: even sizes (multiples of 4 for the scale 3), by reflection, beside the frame its convolutions eat up.
    """

    def __init__(self, scale: int = 2, n: int = 8, *, pro: bool = False, se: bool = False, alpha: float = 1) -> None:
        super().__init__()
        self.scale = scale
        self.alpha = alpha
        self.pro: Tensor | None
        if pro:
            self.register_buffer("pro", torch.zeros(1))
        else:
            self.pro = None
        self.even = 4 if scale == 3 else 2
        self.frame = {2: 18, 3: 14, 4: 19}[scale]
        if scale == 4:
            self.unet1 = CunetUNet1(3, n, n, scale, se=se)
            self.unet2 = CunetUNet2(n, n, n, se=se)
            self.ps = nn.PixelShuffle(2)
            self.conv_final = nn.Conv2d(n, 12, 3, 1, padding=0, bias=True)
        else:
            self.unet1 = CunetUNet1(3, 3, n, scale, se=se)
            self.unet2 = CunetUNet2(3, 3, n, se=se)

    @property
    def is_pro(self) -> bool:
        return self.pro is not None

    def forward(self, x: Tensor) -> Tensor:
        _, _, h0, w0 = x.shape
        if self.is_pro:
            x = x * 0.7 + 0.15
        x00 = x

        ph = ((h0 - 1) // self.even + 1) * self.even
        pw = ((w0 - 1) // self.even + 1) * self.even
        x = F.pad(x, (self.frame, self.frame + pw - w0, self.frame, self.frame + ph - h0), "reflect")
        x = self.unet1.forward(x)
        x0 = self.unet2.forward(x, self.alpha)
        x1 = F.pad(x, (-20, -20, -20, -20))
        x = torch.add(x0, x1)
        if self.scale == 4:
            x = self.conv_final(x)
            x = F.pad(x, (-1, -1, -1, -1))
            x = self.ps(x)
        if w0 != pw or h0 != ph:
            x = x[:, :, : h0 * self.scale, : w0 * self.scale]
        if self.scale == 4:
            x += F.interpolate(x00, scale_factor=4, mode="nearest")

        if self.is_pro:
            x = (x - 0.15) / 0.7
        return x


class LayerNormFunction(torch.autograd.Function):
    """Layer normalisation over channels with a gradient of its own, of NAFNet (Chen et al., 2022)."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, eps: float) -> Tensor:
        ctx.eps = eps
        _n, c, _h, _w = x.size()
        mu = x.mean(1, keepdim=True)
        var = (x - mu).pow(2).mean(1, keepdim=True)
        y = (x - mu) / (var + eps).sqrt()
        ctx.save_for_backward(y, var, weight)
        return weight.view(1, c, 1, 1) * y + bias.view(1, c, 1, 1)

    @staticmethod
    def backward(ctx: Any, grad_output: Tensor) -> tuple[Tensor, Tensor, Tensor, None]:
        y, var, weight = ctx.saved_tensors
        g = grad_output * weight.view(1, -1, 1, 1)
        gx = (g - y * (g * y).mean(dim=1, keepdim=True) - g.mean(dim=1, keepdim=True)) / torch.sqrt(var + ctx.eps)
        return gx, (grad_output * y).sum(dim=(0, 2, 3)), grad_output.sum(dim=(0, 2, 3)), None


class NAFLayerNorm(nn.Module):
    """The layer normalisation of NAFNet (Chen et al., 2022)."""

    def __init__(self, channels: int, eps: float = 1e-6) -> None:
        super().__init__()
        self.register_parameter("weight", nn.Parameter(torch.ones(channels)))
        self.register_parameter("bias", nn.Parameter(torch.zeros(channels)))
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        return LayerNormFunction.apply(x, self.weight, self.bias, self.eps)


class SimpleGate(nn.Module):
    """The gate of NAFNet (Chen et al., 2022)."""

    def forward(self, x: Tensor) -> Tensor:
        x1, x2 = x.chunk(2, dim=1)
        return x1 * x2


class SpatialMean(nn.Module):
    """The mean over the picture, as those write it who avoid adaptive pooling."""

    def forward(self, x: Tensor) -> Tensor:
        return x.mean((2, 3), keepdim=True)


class NAFBlock(nn.Module):
    """The block of NAFNet (Chen et al., 2022); ``attention``: "pool" or "mean", or None for the paper's plain block."""

    def __init__(self, c: int, attention: str | None) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(c, c * 2, 1)
        self.conv2 = nn.Conv2d(c * 2, c * 2, 3, padding=1, groups=c * 2)
        self.conv3 = nn.Conv2d(c, c, 1)
        self.conv4 = nn.Conv2d(c, c * 2, 1)
        self.conv5 = nn.Conv2d(c, c, 1)
        self.sg = SimpleGate()
        self.sca: nn.Module | None = None
        if attention is not None:
            pool = nn.AdaptiveAvgPool2d(1) if attention == "pool" else SpatialMean()
            self.sca = nn.Sequential(pool, nn.Conv2d(c, c, 1))
        self.norm1 = NAFLayerNorm(c)
        self.norm2 = NAFLayerNorm(c)
        self.dropout = nn.Dropout(0.1)
        self.beta = nn.Parameter(torch.zeros((1, c, 1, 1)), requires_grad=True)
        self.gamma = nn.Parameter(torch.zeros((1, c, 1, 1)), requires_grad=True)

    def forward(self, inp: Tensor) -> Tensor:
        x = inp
        x = self.norm1(x)
        x = self.conv1(x)
        x = self.conv2(x)
        x = self.sg(x)
        if self.sca is not None:
            x = x * self.sca(x)
        x = self.conv3(x)
        x = self.dropout(x)
        y = inp + x * self.beta

        x = self.conv4(self.norm2(y))
        x = self.sg(x)
        x = self.conv5(x)
        x = self.dropout(x)
        return y + x * self.gamma


class NAFNet(nn.Module):
    """Simple Baselines for Image Restoration (Chen et al., 2022); without attention, it is local."""

    def __init__(self, width: int = 8, levels: int = 2, attention: str | None = None) -> None:
        super().__init__()
        self.intro = nn.Conv2d(3, width, 3, padding=1)
        self.ending = nn.Conv2d(width, 3, 3, padding=1)
        self.encoders = nn.ModuleList()
        self.decoders = nn.ModuleList()
        self.ups = nn.ModuleList()
        self.downs = nn.ModuleList()
        chan = width
        for _ in range(levels):
            self.encoders.append(NAFBlock(chan, attention))
            self.downs.append(nn.Conv2d(chan, 2 * chan, 2, 2))
            chan = chan * 2
        self.middle_blks = nn.Sequential(NAFBlock(chan, attention))
        for _ in range(levels):
            self.ups.append(nn.Sequential(nn.Conv2d(chan, chan * 2, 1, bias=False), nn.PixelShuffle(2)))
            chan = chan // 2
            self.decoders.append(NAFBlock(chan, attention))
        self.padder_size = 2 ** len(self.encoders)

    def forward(self, inp: Tensor) -> Tensor:
        _, _, h, w = inp.shape
        inp = self.check_image_size(inp)

        x = self.intro(inp)
        encs = []
        for encoder, down in zip(self.encoders, self.downs, strict=True):
            x = encoder(x)
            encs.append(x)
            x = down(x)
        x = self.middle_blks(x)
        for decoder, up, enc_skip in zip(self.decoders, self.ups, encs[::-1], strict=True):
            x = up(x)
            x = x + enc_skip
            x = decoder(x)
        x = self.ending(x)
        x = x + inp

        return x[:, :, :h, :w]

    def check_image_size(self, x: Tensor) -> Tensor:
        _, _, h, w = x.size()
        mod_pad_h = (self.padder_size - h % self.padder_size) % self.padder_size
        mod_pad_w = (self.padder_size - w % self.padder_size) % self.padder_size
        return F.pad(x, (0, mod_pad_w, 0, mod_pad_h))


class LargeKernelAttention(nn.Sequential):
    """A decomposed large kernel: depthwise, depthwise dilated, pointwise, of VAN (Guo et al., 2022)."""

    def __init__(self, n: int, first: int, second: int, dilation: int) -> None:
        super().__init__(
            same_conv(n, n, first, groups=n),
            same_conv(n, n, second, groups=n, dilation=dilation),
            nn.Conv2d(n, n, 1, 1, 0),
        )


class MultiScaleAttentionBlock(nn.Module):
    """The block of MAN (Wang et al., 2022)."""

    def __init__(self, n_feats: int, norm: str) -> None:
        super().__init__()
        third = n_feats // 3
        self.norm1 = norm_layer(norm, n_feats)
        self.norm2 = norm_layer(norm, n_feats)
        self.scale1 = nn.Parameter(torch.zeros((1, n_feats, 1, 1)), requires_grad=True)
        self.scale2 = nn.Parameter(torch.zeros((1, n_feats, 1, 1)), requires_grad=True)
        self.lka = nn.ModuleList(LargeKernelAttention(third, k, k + 2, k // 2 + 1) for k in (3, 5, 7))
        self.gates = nn.ModuleList(same_conv(third, third, k, groups=third) for k in (3, 5, 7))
        self.proj_first = nn.Sequential(nn.Conv2d(n_feats, n_feats * 2, 1, 1, 0))
        self.proj_last = nn.Sequential(nn.Conv2d(n_feats, n_feats, 1, 1, 0))
        self.conv1 = nn.Conv2d(n_feats, n_feats * 2, 1, 1, 0)
        self.dwconv = same_conv(n_feats, n_feats, 7, groups=n_feats)
        self.conv2 = nn.Conv2d(n_feats, n_feats, 1, 1, 0)

    def forward(self, x: Tensor) -> Tensor:
        shortcut = x.clone()
        x = self.proj_first(self.norm1(x))
        a, x = torch.chunk(x, 2, dim=1)
        thirds = zip(torch.chunk(a, 3, dim=1), self.lka, self.gates, strict=True)
        a = torch.cat([lka(part) * gate(part) for part, lka, gate in thirds], dim=1)
        x = self.proj_last(x * a) * self.scale1 + shortcut

        shortcut = x.clone()
        a, x = torch.chunk(self.conv1(self.norm2(x)), 2, dim=1)
        x = x * self.dwconv(a)
        return self.conv2(x) * self.scale2 + shortcut


class MAN(nn.Module):
    """Multi-scale Attention Network for Single Image Super-Resolution (Wang et al., 2022)."""

    def __init__(self, scale: int = 4, n_feats: int = 12, n_resblocks: int = 1, norm: str = "hand") -> None:
        super().__init__()
        self.sub_mean = MeanShift()
        self.head = nn.Conv2d(3, n_feats, 3, 1, 1)
        self.body = nn.ModuleList([MultiScaleAttentionBlock(n_feats, norm) for _ in range(n_resblocks)])
        self.body_0 = nn.Sequential(nn.Conv2d(n_feats, n_feats, 1, 1, 0), nn.GELU())
        self.body_t = LargeKernelAttention(n_feats, 7, 9, 3)
        self.body_1 = nn.Conv2d(n_feats, n_feats, 1, 1, 0)
        self.tail = nn.Sequential(nn.Conv2d(n_feats, 3 * scale**2, 3, 1, 1), nn.PixelShuffle(scale))
        self.add_mean = MeanShift(sign=1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.sub_mean(x)
        x = self.head(x)
        res = x.clone()
        for block in self.body:
            res = block(res)
        res = self.body_0(res)
        res = self.body_1(res * self.body_t(res))
        x = self.tail(res + x)
        return self.add_mean(x)


class ArtCNN(nn.Module):
    """ArtCNN (Artoriuz, 2023), a plain residual network whose convolutions are padded to the "same" size."""

    def __init__(self, scale: int = 2, filters: int = 8, n_block: int = 1, act: type[nn.Module] = nn.ReLU) -> None:
        super().__init__()
        self.conv0 = nn.Conv2d(3, filters, 3, 1, padding="same")
        blocks: list[nn.Module] = []
        for _ in range(n_block):
            layers = [nn.Sequential(nn.Conv2d(filters, filters, 3, 1, padding="same"), act()) for _ in range(2)]
            blocks.append(ShortcutBlock(nn.Sequential(*layers, nn.Conv2d(filters, filters, 3, 1, padding="same"))))
        self.res_block = nn.Sequential(*blocks, nn.Conv2d(filters, filters, 3, 1, padding="same"))
        self.depth_to_space = nn.Sequential(
            nn.Conv2d(filters, 3 * scale**2, 3, 1, padding="same"), nn.PixelShuffle(scale)
        )

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv0(x)
        x = self.res_block(x) + x
        return self.depth_to_space(x)


class ResnetBlock(nn.Module):
    """The residual block with reflected borders of the generator of CycleGAN (Zhu et al., 2017)."""

    def __init__(self, dim: int, norm: Callable[[int], nn.Module]) -> None:
        super().__init__()
        self.conv_block = nn.Sequential(
            nn.ReflectionPad2d(1),
            nn.Conv2d(dim, dim, kernel_size=3, padding=0),
            norm(dim),
            nn.ReLU(True),
            nn.ReflectionPad2d(1),
            nn.Conv2d(dim, dim, kernel_size=3, padding=0),
            norm(dim),
        )

    def forward(self, x: Tensor) -> Tensor:
        return x + self.conv_block(x)


class ResnetGenerator(nn.Module):
    """The generator of CycleGAN (Zhu et al., 2017), with batch or instance normalisation."""

    def __init__(self, ngf: int = 8, n_blocks: int = 1, norm: Literal["batch", "instance"] = "batch") -> None:
        super().__init__()
        if norm == "batch":
            layer: Callable[[int], nn.Module] = partial(nn.BatchNorm2d, affine=True, track_running_stats=True)
        else:
            layer = partial(nn.InstanceNorm2d, affine=False, track_running_stats=False)
        self.model = nn.Sequential(
            nn.ReflectionPad2d(3),
            nn.Conv2d(3, ngf, kernel_size=7, padding=0),
            layer(ngf),
            nn.ReLU(True),
            nn.Conv2d(ngf, ngf + 4, kernel_size=3, stride=2, padding=1),
            layer(ngf + 4),
            nn.ReLU(True),
            *[ResnetBlock(ngf + 4, layer) for _ in range(n_blocks)],
            nn.ConvTranspose2d(ngf + 4, ngf, kernel_size=3, stride=2, padding=1, output_padding=1),
            layer(ngf),
            nn.ReLU(True),
            nn.ReflectionPad2d(3),
            nn.Conv2d(ngf, 3, kernel_size=7, padding=0),
            nn.Tanh(),
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.model(x)


class ChannelAttention(nn.Module):
    """The channel attention of RCAN (Zhang et al., 2018)."""

    def __init__(self, channel: int, reduction: int) -> None:
        super().__init__()
        self.avg_pool = nn.AdaptiveAvgPool2d(1)
        self.conv_du = nn.Sequential(
            nn.Conv2d(channel, channel // reduction, 1, padding=0),
            nn.ReLU(inplace=True),
            nn.Conv2d(channel // reduction, channel, 1, padding=0),
            nn.Sigmoid(),
        )

    def forward(self, x: Tensor) -> Tensor:
        y = self.avg_pool(x)
        y = self.conv_du(y)
        return x * y


class ResidualAttentionBlock(nn.Module):
    """The block of RCAN (Zhang et al., 2018); without attention, it is local."""

    def __init__(self, n_feat: int, *, attention: bool) -> None:
        super().__init__()
        modules: list[nn.Module] = [same_conv(n_feat, n_feat), nn.ReLU(True), same_conv(n_feat, n_feat)]
        if attention:
            modules.append(ChannelAttention(n_feat, 4))
        self.body = nn.Sequential(*modules)

    def forward(self, x: Tensor) -> Tensor:
        res = self.body(x)
        res += x
        return res


class RCAN(nn.Module):
    """Image Super-Resolution Using Very Deep Residual Channel Attention Networks (Zhang et al., 2018).

    Without attention, it is local. ``unshuffle``: whether scales below 4 unshuffle their input first, as later
    trainers do; the picture is then padded, always, and multiplied by its range in place.
    """

    def __init__(
        self,
        scale: int = 4,
        n_feats: int = 8,
        n_resblocks: int = 2,
        *,
        attention: bool = True,
        unshuffle: bool = False,
        rgb_range: float = 2.0,
    ) -> None:
        super().__init__()
        self.scale = scale
        self.rgb_range = rgb_range
        self.sub_mean = MeanShift(rgb_range)
        self.add_mean = MeanShift(rgb_range, sign=1)
        self.down = 4 // scale if unshuffle else 1
        head: list[nn.Module] = [same_conv(3 * self.down**2, n_feats)]
        if unshuffle:
            head.insert(0, nn.PixelUnshuffle(self.down))
            scale = 4
        self.head = nn.Sequential(*head)
        blocks = [ResidualAttentionBlock(n_feats, attention=attention) for _ in range(n_resblocks)]
        self.body = nn.Sequential(*blocks, same_conv(n_feats, n_feats))
        self.tail = nn.Sequential(Upsampler(scale, n_feats), same_conv(n_feats, 3))

    def forward(self, x: Tensor) -> Tensor:
        _b, _c, h, w = x.shape
        x = F.pad(x, (0, -w % self.down, 0, -h % self.down), "reflect")
        x *= self.rgb_range
        x = self.sub_mean(x)
        x = self.head(x)

        res = self.body(x)
        res += x

        x = self.tail(res)
        x = self.add_mean(x)
        return (x / self.rgb_range)[:, :, : h * self.scale, : w * self.scale]


class NonLocalBlock(nn.Module):
    """The attention between all pixels of Non-local Neural Networks (Wang et al., 2018)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.inter = channels // 2
        self.g = nn.Conv2d(channels, self.inter, 1)
        self.theta = nn.Conv2d(channels, self.inter, 1)
        self.phi = nn.Conv2d(channels, self.inter, 1)
        self.w = nn.Conv2d(self.inter, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        b, _c, h, w = x.shape
        g_x = self.g(x).view(b, self.inter, -1).permute(0, 2, 1)
        theta_x = self.theta(x).view(b, self.inter, -1).permute(0, 2, 1)
        phi_x = self.phi(x).view(b, self.inter, -1)
        f = F.softmax(torch.matmul(theta_x, phi_x), dim=-1)
        y = torch.matmul(f, g_x).permute(0, 2, 1).contiguous().view(b, self.inter, h, w)
        return self.w(y) + x


class NonLocalSR(nn.Module):
    """A residual network around one non-local block, as in RNAN (Zhang et al., 2019)."""

    def __init__(self, scale: int = 2, num_feat: int = 8) -> None:
        super().__init__()
        self.head = same_conv(3, num_feat)
        self.body = nn.Sequential(EDSRBlock(num_feat, 1), NonLocalBlock(num_feat), EDSRBlock(num_feat, 1))
        self.tail = nn.Sequential(Upsampler(scale, num_feat), same_conv(num_feat, 3))

    def forward(self, x: Tensor) -> Tensor:
        x = self.head(x)
        return self.tail(self.body(x) + x)


LOCAL: dict[str, tuple[Callable[[], nn.Module], int, int]] = {
    "edsr": (EDSR, 4, 1),
    "edsr x3": (partial(EDSR, 3), 3, 1),
    "edsr mean as buffer": (EDSRBuffered, 2, 1),
    "edsr mean as attribute": (partial(EDSRBuffered, buffer=False), 2, 1),
    "msrresnet": (MSRResNet, 4, 1),
    "srcnn": (SRCNN, 3, 1),
    "vdsr": (VDSR, 2, 1),
    "espcn": (ESPCN, 3, 1),
    "espcn view": (partial(ESPCN, 2, shuffle="view"), 2, 1),
    "fsrcnn": (FSRCNN, 3, 1),
    "dncnn": (DnCNN, 1, 1),
    "ffdnet": (FFDNet, 1, 1),
    "drunet": (DRUNet, 1, 1),
    "drunet branch": (partial(DRUNet, pad="branch"), 1, 1),
    "drunet bare": (partial(DRUNet, pad="none", noise_level=0.06), 1, 8),
    "span": (SPAN, 4, 1),
    "span update": (partial(SPAN, 2, merge="update"), 2, 1),
    "span inline": (partial(SPAN, 2, merge="inline", norm=False), 2, 1),
    "span unmerged": (partial(SPAN, 2, merge="never"), 2, 1),
    "plksr": (PLKSR, 4, 1),
    "plksr identity": (partial(PLKSR, 2, with_idt=True, use_ea=False, act="gelu", repeat="method"), 2, 1),
    "plksr layer norm": (partial(PLKSR, 2, norm="permute", repeat="hand"), 2, 1),
    "plksr replicate": (partial(PLKSR, 3, padding_mode="replicate", norm="flat"), 3, 1),
    "mosr": (MoSR, 4, 1),
    "mosr variance": (partial(MoSR, 2, norm="var", act="silu", conv_ratio=0.5), 2, 1),
    "mosr geo ensemble": (partial(MoSR, 2, upsampler="gps", norm="rms"), 2, 1),
    "mosrv2": (MoSRv2, 2, 1),
    "mosrv2 nearest": (partial(MoSRv2, 4, upsampler="nearest+conv"), 4, 1),
    "rtmosr": (RTMoSR, 2, 1),
    "rtmosr unshuffle": (partial(RTMoSR, 1, unshuffle_mod=True), 1, 1),
    "swiftsrgan": (SwiftSRGAN, 4, 1),
    "noise2noise": (Noise2NoiseUNet, 1, 4),
    "pix2pix": (pix2pix, 1, 8),
    "unet": (UNet, 1, 4),
    "unet fitted": (partial(UNet, fit=True), 1, 1),
    "imdn": (IMDN, 4, 1),
    "rfdn": (partial(IMDN, 2, block=RFDBlock), 2, 1),
    "esrgan": (ESRGAN, 4, 1),
    "esrgan plus": (partial(ESRGAN, 2, plus=True, upsampler="pixel_shuffle", pad_type="reflect"), 2, 1),
    "esrgan unshuffle": (partial(ESRGAN, 4, shuffle_factor=2), 2, 1),
    "rrdbnet x2": (RRDBNet, 2, 2),
    "rrdbnet x1": (partial(RRDBNet, 1), 1, 4),
    "ecbsr": (ECBSR, 2, 1),
    "ecbsr unmerged": (partial(ECBSR, 3, merge=False), 3, 1),
    "realcugan": (RealCUGAN, 2, 1),
    "realcugan x3": (partial(RealCUGAN, 3, pro=True), 3, 1),
    "realcugan x4": (partial(RealCUGAN, 4, alpha=0.9), 4, 1),
    "nafnet plain": (NAFNet, 1, 1),
    "man": (MAN, 4, 1),
    "artcnn": (ArtCNN, 2, 1),
    "cyclegan batch norm": (ResnetGenerator, 1, 2),
    "rcan without attention": (partial(RCAN, 2, attention=False, unshuffle=True), 2, 1),
}
"""Of each network: what makes it, its scale, and what the sizes of its input must be multiples of."""

GLOBAL: dict[str, tuple[Callable[[], nn.Module], int, str]] = {
    "rcan": (RCAN, 4, "adaptive_avg_pool2d"),
    "nafnet": (partial(NAFNet, attention="pool"), 1, "adaptive_avg_pool2d"),
    "nafnet mean": (partial(NAFNet, attention="mean"), 1, "mean"),
    "imdn contrast": (partial(IMDN, 2, attention=True), 2, "sum|adaptive_avg_pool2d"),
    "rtmosr squeeze": (partial(RTMoSR, se=True), 2, "mean"),
    "realcugan squeeze": (partial(RealCUGAN, se=True), 2, "mean"),
    "cyclegan instance norm": (partial(ResnetGenerator, norm="instance"), 1, "instance_norm"),
    "realplksr": (partial(PLKSR, 2, norm="group"), 2, "group_norm"),
    "non-local": (NonLocalSR, 2, "matmul|softmax"),
    "dncnn batch statistics": (partial(DnCNN, batch_statistics=True), 1, "batch_norm"),
}
"""Of each network: what makes it, its scale, and a regular expression for the operator that is to be named."""


def randomise(network: nn.Module, seed: int = 0) -> nn.Module:
    """The network, for evaluation, with parameters and running statistics of which none is trivial.

    Biases are moved, not replaced: what a seed gives depends on torch's own where the network is made, too.
    """
    generator = torch.Generator().manual_seed(seed)

    def normal(like: Tensor) -> Tensor:
        return torch.randn(like.shape, generator=generator).to(like)

    with torch.no_grad():
        for parameter in network.parameters():
            if not parameter.requires_grad:
                continue
            if parameter.dim() > 1 and parameter.shape[0] > 1 and parameter[0].numel() > 1:
                parameter.copy_(normal(parameter) / math.sqrt(parameter[0].numel()))
            else:
                parameter.add_(normal(parameter), alpha=0.2)
        for name, buffer in network.named_buffers():
            if name.endswith("running_mean"):
                buffer.copy_(normal(buffer) * 0.3)
            elif name.endswith("running_var"):
                buffer.copy_(torch.rand(buffer.shape, generator=generator) + 0.5)
    return network.eval()
