"""Runs every benchmark and writes docs/benchmarks.md.

Each comparison is interleaved: one run of each side in turn, medians of all, so that a machine that drifts drifts for
both. Ratios are what to read; seconds are for scale.
"""

from __future__ import annotations

import argparse
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import PIL
import torch
from PIL import Image
from torch import nn

import srkit
from srkit.resample import resample
from srkit_archs_realesrgan.rrdb import RRDBNet
from srkit_archs_realesrgan.srvgg import SRVGGNetCompact

PAGE = Path(__file__).parent.parent / "docs" / "benchmarks.md"


def interleaved(sides: dict[str, Callable[[], object]], repeats: int) -> dict[str, float]:
    """Median seconds of each side; one warm-up of each, then all in turn."""
    for run in sides.values():
        run()
    seconds: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(repeats):
        for name, run in sides.items():
            start = time.perf_counter()
            run()
            seconds[name].append(time.perf_counter() - start)
    return {name: statistics.median(values) for name, values in seconds.items()}


def plain(network: nn.Module, img: np.ndarray) -> np.ndarray:
    """What a program around a bare network does: scale, transpose, run contiguous, clamp, transpose, round."""
    with torch.inference_mode():
        image = torch.from_numpy(img.astype(np.float32) / 255).permute(2, 0, 1)[None].contiguous()
        out = network(image)[0].clamp(0, 1).permute(1, 2, 0).numpy()
    return (out * 255).round().astype(np.uint8)


def upscaling(repeats: int) -> list[str]:
    rows = ["| network | picture | srkit, whole image | plain torch | ratio |", "|---|---|---|---|---|"]
    cases = [
        ("SRVGG 64/16 ×4", SRVGGNetCompact(), (240, 320)),
        ("SRVGG 64/16 ×4", SRVGGNetCompact(), (480, 640)),
        ("RRDB 64/6 ×4", RRDBNet(num_block=6), (96, 128)),
    ]
    for label, network, (height, width) in cases:
        network = network.eval().requires_grad_(False)
        img = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
        traits = srkit.Traits(scale=4)
        # Its own copy: srkit lays the weights out channels-last.
        twin = type(network)(**({"num_block": 6} if isinstance(network, RRDBNet) else {}))
        twin.load_state_dict(network.state_dict())
        upscaler = srkit.Upscaler.from_network(twin, traits, device="cpu", engine="whole")
        sides = {"srkit": lambda up=upscaler, i=img: up(i), "plain": lambda n=network, i=img: plain(n, i)}
        medians = interleaved(sides, repeats)
        rows.append(
            f"| {label} | {width}×{height} | {medians['srkit']:.2f} s | {medians['plain']:.2f} s | "
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


def processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=7)
    repeats = parser.parse_args().repeats
    page = [
        "# Benchmarks",
        "",
        "Written by `nox -s bench` (`benchmarks/run.py`); medians of interleaved runs. Read the ratios: machines are noisy.",
        "",
        f"Machine: {processor()}, {torch.get_num_threads()} threads. Python {platform.python_version()}, torch "
        f"{torch.__version__}, numpy {np.__version__}, Pillow {PIL.__version__}, srkit {srkit.__version__}. "
        f"{repeats} runs of each side.",
        "",
        "## Upscaling an array",
        "",
        "`Upscaler(img)` against the same network called directly, contiguous (NCHW), with the usual conversions around it.",
        "",
        *upscaling(repeats),
        "",
        "## Resampling",
        "",
        *resizing(repeats),
        "",
        "## Starting",
        "",
        *start_up(3 * repeats),
        "",
    ]
    PAGE.write_text("\n".join(page))
    print(PAGE.read_text())


if __name__ == "__main__":
    main()
