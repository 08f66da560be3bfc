"""Around the network: what a call of an upscaler costs, resampling, starting."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import torch
from networks import RRDB_6, SCALE, SRVGG
from PIL import Image
from timing import interleaved
from torch import nn

import srkit
from srkit.resample import resample


def plain(network: nn.Module, img: np.ndarray) -> np.ndarray:
    """What a program around a bare network does: scale, transpose, run contiguous, clamp, transpose, round."""
    with torch.inference_mode():
        image = torch.from_numpy(img.astype(np.float32) / 255).permute(2, 0, 1)[None].contiguous()
        out = network(image)[0].clamp(0, 1).permute(1, 2, 0).numpy()
    result: np.ndarray = (out * 255).round().astype(np.uint8)
    return result


def upscaling(repeats: int) -> list[str]:
    rows = ["| network | picture | srkit, whole image | plain torch | ratio |", "|---|---|---|---|---|"]
    for recipe, (height, width) in [(SRVGG, (240, 320)), (SRVGG, (480, 640)), (RRDB_6, (96, 128))]:
        network = recipe.build()
        img = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
        traits = srkit.Traits(scale=SCALE)
        upscaler = srkit.Upscaler.from_network(network, traits, device="cpu", engine="whole")
        sides = {"srkit": lambda up=upscaler, i=img: up(i), "plain": lambda n=network, i=img: plain(n, i)}
        medians = interleaved(sides, repeats)
        rows.append(
            f"| {recipe.label} | {width}×{height} | {medians['srkit']:.2f} s | {medians['plain']:.2f} s | "
            f"{medians['srkit'] / medians['plain']:.2f} |"
        )
    return rows


def resizing(repeats: int) -> list[str]:
    """The Lanczos resampling of float planes against Pillow's, which computes the same."""
    image = torch.rand(3, 1920, 2560)
    planes = [Image.fromarray(plane) for plane in image.numpy()]
    sides = {
        "srkit": lambda: list(resample(iter((image,)), (1920, 2560), (1200, 1600))),
        "pillow": lambda: [plane.resize((1600, 1200), Image.Resampling.LANCZOS) for plane in planes],
    }
    medians = interleaved(sides, repeats)
    return [
        "| what | srkit | Pillow | ratio |",
        "|---|---|---|---|",
        f"| Lanczos, 2560×1920 → 1600×1200, 3 float32 planes | {medians['srkit'] * 1e3:.0f} ms | "
        f"{medians['pillow'] * 1e3:.0f} ms | {medians['srkit'] / medians['pillow']:.2f} |",
    ]


def start_up(repeats: int) -> list[str]:
    programs = {
        "python -c pass": "pass",
        "import srkit": "import srkit",
        "import srkit, load all plugins": "import srkit.plugins; srkit.plugins.current()",
        "import torch": "import torch",
    }
    sides = {
        name: (lambda code=code: subprocess.run([sys.executable, "-c", code], check=True))
        for name, code in programs.items()
    }
    medians = interleaved(sides, repeats)
    bare = medians.pop("python -c pass")
    return ["| what | above a bare interpreter |", "|---|---|"] + [
        f"| `{name}` | {(seconds - bare) * 1e3:.0f} ms |" for name, seconds in medians.items()
    ]
