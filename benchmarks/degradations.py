"""Crops for training, made worse by the second-order degradation: srkit's against the original's algorithm in torch.

The other side is what Real-ESRGAN does, written straightforwardly for a batch: dense depthwise filters of 21×21 (51×51 to
sharpen), `F.interpolate`, one draw a batch for sizes and noise, JPEG as floating-point tensors. Each has one thread, as in
a worker of a data loader.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import attrs
import cv2
import numpy as np
import torch
from PIL import Image
from timing import interleaved
from torch import Tensor
from torch.nn import functional as F

import srkit
from srkit_datasets import load_recipe, second_order
from srkit_datasets.degradations.blur import Blur, Sinc
from srkit_datasets.degradations.draws import seeded
from srkit_datasets.degradations.kernels import gaussian_line, padded
from srkit_datasets.degradations.libjpeg import CHROMINANCE, LUMINANCE

PHOTO = Path(__file__).parent.parent / "docs" / "images" / "astronaut.png"
BATCH, SIDE, CROP, SCALE = 12, 400, 256, 4


@attrs.frozen
class Case:
    """So many batches, with the target sharpened or not; by the other side, sizes are drawn once for each."""

    sharpen: bool
    batches: int


CASES = (Case(sharpen=True, batches=4), Case(sharpen=False, batches=12))
QUICK_CASES = (Case(sharpen=True, batches=1), Case(sharpen=False, batches=6))


def table(cases: tuple[Case, ...], repeats: int) -> Iterator[str]:
    """The lines of the page."""
    yield "| degradation | srkit, crops a second | the original's algorithm, crops a second | ratio |"
    yield "|---|---|---|---|"
    with one_thread():
        for case in cases:
            sides: dict[str, Callable[[], object]] = {
                "srkit": partial(crops, case, second_order(SCALE, sharpen=case.sharpen)),
                "original": partial(crops, case, partial(original, sharpen=case.sharpen)),
            }
            took = interleaved(sides, repeats)
            rate = {name: case.batches * BATCH / seconds for name, seconds in took.items()}
            name = "second order, sharpened target" if case.sharpen else "second order, target as it is"
            yield f"| {name} | {rate['srkit']:.1f} | {rate['original']:.2f} | {rate['srkit'] / rate['original']:.1f} |"
        wild = interleaved({"wild": partial(crops, CASES[0], load_recipe("wild"))}, 1)["wild"]
        yield f"| `wild`: camera noise, WebP, AVIF | {CASES[0].batches * BATCH / wild:.1f} | | |"


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads(), cv2.getNumThreads()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before[0])
        cv2.setNumThreads(before[1])


def crops(case: Case, degrade: srkit.Degradation | Callable[[Tensor, torch.Generator], Tensor]) -> list[Tensor]:
    """Pairs of a target and what became of it, cropped as for training."""
    rng = seeded(0)
    pairs = []
    for _ in range(case.batches):
        targets = photos(rng)
        worse = degrade(targets, rng)
        top, left = (int(torch.randint((SIDE - CROP) // SCALE + 1, (), generator=rng)) for _ in range(2))
        low = CROP // SCALE
        pairs.append(worse[:, :, top : top + low, left : left + low])
        pairs.append(targets[:, :, top * SCALE : top * SCALE + CROP, left * SCALE : left * SCALE + CROP])
    return pairs


def photos(rng: torch.Generator) -> Tensor:
    """(BATCH, 3, SIDE, SIDE): a photo, mirrored at random."""
    with Image.open(PHOTO) as photo:
        values = np.asarray(photo.convert("RGB").resize((SIDE, SIDE), Image.Resampling.BICUBIC))
    image = torch.from_numpy(values.astype(np.float32) / 255).permute(2, 0, 1)
    flips = (torch.rand(BATCH, generator=rng) < 0.5).tolist()
    return torch.stack([image.flip(2) if flip else image for flip in flips])


def original(images: Tensor, rng: torch.Generator, *, sharpen: bool) -> Tensor:
    """Both orders of the degradation, a batch at a time."""
    goal = (images.shape[2] // SCALE, images.shape[3] // SCALE)
    out = sharpened(images) if sharpen else images
    out = filtered(out, kernels(rng, (0.2, 3)))
    out = F.interpolate(out, scale_factor=factor(rng, 0.2, 0.7, 0.15, 1.5), mode=mode(rng))
    out = noisy(out, rng, (1, 30), (0.05, 3))
    out = jpeg(out, rng)
    if chance(rng, 0.8):
        out = filtered(out, kernels(rng, (0.2, 1.5)))
    by = factor(rng, 0.3, 0.4, 0.3, 1.2)
    out = F.interpolate(out, size=(int(goal[0] * by), int(goal[1] * by)), mode=mode(rng))
    out = noisy(out, rng, (1, 25), (0.05, 2.5))
    out = jpeg(last(out, rng, goal), rng) if chance(rng, 0.5) else last(jpeg(out, rng), rng, goal)
    return (out.clamp(0, 1) * 255).round() / 255


def chance(rng: torch.Generator, probability: float) -> bool:
    return float(torch.rand((), generator=rng)) < probability


def between(rng: torch.Generator, low: float, high: float, count: int) -> Tensor:
    """(count, 1, 1, 1)."""
    return torch.rand((count, 1, 1, 1), generator=rng) * (high - low) + low


def factor(rng: torch.Generator, up: float, down: float, low: float, high: float) -> float:
    ends = [(1, high), (low, 1), (1, 1)][
        int(torch.multinomial(torch.tensor([up, down, 1 - up - down]), 1, generator=rng))
    ]
    return float(between(rng, *ends, 1))


def mode(rng: torch.Generator) -> str:
    return ("area", "bilinear", "bicubic")[int(torch.randint(3, (), generator=rng))]


def kernels(rng: torch.Generator, sigma: tuple[float, float]) -> Tensor:
    """(BATCH, 21, 21): a sinc one in ten."""
    blur, sinc = Blur(sigma=sigma), Sinc(cutoff_large=(1 / 5, 1))
    drawn = [(sinc if chance(rng, 0.1) else blur).draw(rng)[0] for _ in range(BATCH)]
    return torch.from_numpy(np.stack([padded(kernel, 21) for kernel in drawn]).astype(np.float32))


def last(images: Tensor, rng: torch.Generator, goal: tuple[int, int]) -> Tensor:
    """To the goal, through a sinc for eight in ten."""
    identity = padded(np.ones((1, 1)), 21)
    drawn = [padded(Sinc().draw(rng)[0], 21) if chance(rng, 0.8) else identity for _ in range(BATCH)]
    resized = F.interpolate(images, size=goal, mode=mode(rng))
    return filtered(resized, torch.from_numpy(np.stack(drawn).astype(np.float32)))


def filtered(images: Tensor, weights: Tensor) -> Tensor:
    """(B, C, H, W) with a kernel for each picture, or one for all: pictures and channels are the groups."""
    batch, channels, height, width = images.shape
    size = weights.shape[-1]
    around = F.pad(images, (size // 2,) * 4, mode="reflect")
    if len(weights) == 1:
        flat = around.reshape(batch * channels, 1, *around.shape[2:])
        return F.conv2d(flat, weights[:, None]).reshape(batch, channels, height, width)
    flat = around.reshape(1, batch * channels, *around.shape[2:])
    each = weights[:, None].repeat_interleave(channels, 0)
    return F.conv2d(flat, each, groups=batch * channels).reshape(batch, channels, height, width)


def sharpened(images: Tensor) -> Tensor:
    line = torch.from_numpy(gaussian_line(51, 8.0).astype(np.float32))
    square = torch.outer(line, line)[None]
    residual = images - filtered(images, square)
    soft = filtered((residual.abs() * 255 > 10).float(), square)
    return soft * (images + 0.5 * residual).clamp(0, 1) + (1 - soft) * images


def noisy(images: Tensor, rng: torch.Generator, sigma: tuple[int, int], scale: tuple[float, float]) -> Tensor:
    batch = len(images)
    grey = (torch.rand((batch, 1, 1, 1), generator=rng) < 0.4).float()
    luma = (images * torch.tensor([0.2989, 0.587, 0.114])[:, None, None]).sum(1, keepdim=True)
    if chance(rng, 0.5):
        noise = torch.randn(images.shape, generator=rng)
        one = torch.randn(luma.shape, generator=rng)
        noise = (noise * (1 - grey) + one * grey) * between(rng, *sigma, batch) / 255
    else:
        noise = counted(images, rng)
        if bool(grey.any()):
            noise = noise * (1 - grey) + counted(luma, rng) * grey
        noise = noise * between(rng, *scale, batch)
    return (images + noise).clamp(0, 1)


def counted(images: Tensor, rng: torch.Generator) -> Tensor:
    images = (images * 255).round().clamp(0, 255) / 255
    white = [2.0 ** math.ceil(math.log2(len(torch.unique(image)))) for image in images]
    counts = torch.tensor(white).reshape(-1, 1, 1, 1)
    return torch.poisson(images * counts, generator=rng) / counts - images


def jpeg(images: Tensor, rng: torch.Generator) -> Tensor:
    """Floating-point JPEG with 4:2:0, a quality for each picture."""
    quality = between(rng, 30, 95, len(images)).flatten()
    factor = torch.where(quality < 50, 5000 / quality, 200 - 2 * quality) / 100
    height, width = images.shape[2:]
    around = F.pad(images.clamp(0, 1) * 255, (0, -width % 16, 0, -height % 16))
    red, green, blue = around.unbind(1)
    y = 0.299 * red + 0.587 * green + 0.114 * blue
    cb, cr = (F.avg_pool2d((plane - y) / by + 128, 2) for plane, by in ((blue, 1.772), (red, 1.402)))
    y = coded(y, LUMINANCE, factor)
    cb, cr = (
        coded(plane, CHROMINANCE, factor).repeat_interleave(2, 1).repeat_interleave(2, 2) - 128 for plane in (cb, cr)
    )
    out = torch.stack((y + 1.402 * cr, y - 0.344136 * cb - 0.714136 * cr, y + 1.772 * cb), 1)
    return (out.clamp(0, 255) / 255)[:, :, :height, :width]


def coded(plane: Tensor, steps: tuple[int, ...], factor: Tensor) -> Tensor:
    batch, height, width = plane.shape
    table = torch.tensor(steps, dtype=torch.float32).reshape(8, 8) * factor.reshape(-1, 1, 1, 1, 1)
    blocks = plane.reshape(batch, height // 8, 8, width // 8, 8).transpose(2, 3) - 128
    angle = torch.arange(8)[:, None] * (2 * torch.arange(8) + 1) * math.pi / 16
    dct = angle.cos() / 2
    dct[0] /= math.sqrt(2)
    levels = (dct @ blocks @ dct.T / table).round()
    return (dct.T @ (levels * table) @ dct + 128).transpose(2, 3).reshape(batch, height, width)


if __name__ == "__main__":
    for line in table(QUICK_CASES, 1):
        print(line, flush=True)
