"""Draw docs/images/training.svg and training.png: what `srkit train tiny` and `srkit train tiny-gan` came to.

    python docs/figures/training.py RUNS PHOTO [--left X --top Y]

RUNS holds the folders of both runs; their validation photos must be where they were. PHOTO is a held-out one, of which a
detail at (X, Y) is shown as the networks see it, as bicubic and they enlarge it, and as it is.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import attrs
import cv2
import numpy as np
import torch
from tiles import row

import srkit
import srkit_io
from srkit_training.bicubic import bicubic, to_8_bit
from srkit_training.reading import load_config
from srkit_training.starting import traits_of
from srkit_training.validation import Validation

IMAGES = Path(__file__).parent.parent / "images"
WIDTH, HEIGHT, PANEL = 1080, 300, 360
LEFT, TOP, RIGHT, BOTTOM = 58, 46, 14, 40
INK, GREY, GRID = "#1d232b", "#5c6570", "#e3e6ea"
COLOURS = ("#1f5fa8", "#c2423a", "#4f9c69")
DETAIL, ENLARGED = 112, 2

Points = Sequence[tuple[float, float]]


def main() -> None:
    """Write both."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("runs", type=Path)
    parser.add_argument("photo", type=Path)
    parser.add_argument("--left", type=int, default=170)
    parser.add_argument("--top", type=int, default=60)
    options = parser.parse_args()
    (IMAGES / "training.svg").write_text(curves(options.runs), "utf-8")
    srkit_io.write(IMAGES / "training.png", detail(options.runs, options.photo, options.left, options.top))


def curves(runs: Path) -> str:
    """PSNR of the first stage; LPIPS and losses of the second."""
    psnr, lpips = (
        column(runs / run / "validation.csv", name) for run, name in (("tiny", "psnr"), ("tiny-gan", "lpips"))
    )
    first, second = begun(runs, "tiny"), begun(runs, "tiny-gan")
    parts = [
        *panel(0, "tiny: PSNR of held-out photos, dB", {"network": psnr}, {"bicubic": first["bicubic"]["psnr"]}),
        *panel(
            1,
            "tiny-gan: LPIPS of held-out photos",
            {"network": [(0, second["start"]["lpips"]), *lpips]},
            {"bicubic": second["bicubic"]["lpips"]},
        ),
        *panel(
            2,
            "tiny-gan: losses",
            {name: column(runs / "tiny-gan" / "log.csv", key) for name, key in LOSSES.items()},
            {},
        ),
    ]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" '
        f'font-family="Helvetica, Arial, \'DejaVu Sans\', sans-serif" font-size="12" fill="{INK}">\n'
        f'<rect width="{WIDTH}" height="{HEIGHT}" rx="8" fill="#ffffff"/>\n' + "\n".join(parts) + "\n</svg>\n"
    )


LOSSES = {"discriminator, targets": "d_real", "discriminator, outputs": "d_fake", "generator ÷ weight": "gan"}


def column(file: Path, name: str) -> Points:
    """(iteration, value) of one column; a generator's adversarial loss without its weight."""
    share = 1.0
    if name == "gan":
        share = load_config(file.parent / "config.yml").trainer.options["gan"]["weight"]
    with file.open(encoding="utf-8") as opened:
        return [(float(row["iteration"]), float(row[name]) / share) for row in csv.DictReader(opened) if row[name]]


def begun(runs: Path, run: str) -> Mapping[str, Mapping[str, float]]:
    """Metrics of bicubic upscaling, and of the network that a run begins with, if it begins with one."""
    config = load_config(runs / run / "config.yml")
    assert config.validation is not None
    quiet = attrs.evolve(config.validation, samples=0)
    validation = Validation(quiet, traits_of(config.network), Path(), torch.device("cpu"))
    found = {"bicubic": validation.baseline()}
    if config.network.weights is not None:
        found["start"] = validation(srkit.load_network(weights=config.network.weights).network, 0)
    return found


def panel(number: int, title: str, lines: Mapping[str, Points], levels: Mapping[str, float]) -> Iterator[str]:
    """Axes, lines with a name each, and dashed levels."""
    values = [y for points in lines.values() for _, y in points] + [*levels.values()]
    last = max(x for points in lines.values() for x, _ in points)
    low, high = min(values), max(values)
    low, high = low - 0.06 * (high - low), high + 0.06 * (high - low)
    left, right, top, bottom = number * PANEL + LEFT, (number + 1) * PANEL - RIGHT, TOP, HEIGHT - BOTTOM

    def place(x: float, y: float) -> str:
        return f"{left + (right - left) * x / last:.1f} {bottom - (bottom - top) * (y - low) / (high - low):.1f}"

    yield f'<text x="{left}" y="24" font-weight="bold">{title}</text>'
    for step in range(5):
        value = low + (high - low) * step / 4
        _, height = place(0, value).split()
        yield f'<path d="M{left} {height} H{right}" stroke="{GRID}"/>'
        yield f'<text x="{left - 6}" y="{height}" dy="4" text-anchor="end" fill="{GREY}">{value:.3g}</text>'
        across = last * step / 4
        anchor = "end" if step == 4 else "middle"
        x = place(across, low).split()[0]
        yield f'<text x="{x}" y="{bottom + 18}" text-anchor="{anchor}" fill="{GREY}">{across:.0f}</text>'
    for name, level in levels.items():
        yield f'<path d="M{place(0, level)} L{place(last, level)}" stroke="{GREY}" stroke-dasharray="5 4"/>'
        yield f'<text x="{right - 4}" y="{place(0, level).split()[1]}" dy="-5" text-anchor="end" fill="{GREY}">{name}</text>'
    for (name, points), colour in zip(lines.items(), COLOURS, strict=False):
        path = " L".join(place(x, y) for x, y in points)
        yield f'<path d="M{path}" fill="none" stroke="{colour}" stroke-width="1.6"/>'
        if len(lines) > 1:
            row = top + 4 + 16 * list(lines).index(name)
            yield f'<text x="{left + 8}" y="{row}" fill="{colour}">{name}</text>'


def detail(runs: Path, photo: Path, left: int, top: int) -> np.ndarray:
    """(H, W, 3) uint8: input, bicubic, both stages and the target, side by side."""
    target = srkit_io.read(photo)[..., :3]
    height, width = (side // 4 * 4 for side in target.shape[:2])
    target = target[:height, :width]
    lq = to_8_bit(bicubic(target, (height // 4, width // 4)))
    results = {
        "input": cv2.resize(lq, (width, height), interpolation=cv2.INTER_NEAREST),
        "bicubic": to_8_bit(bicubic(lq, (height, width))),
        "tiny": srkit.upscale(lq, weights=runs / "tiny" / "checkpoints" / "best.pt"),
        "tiny-gan": srkit.upscale(lq, weights=runs / "tiny-gan" / "checkpoints" / "best.pt"),
        "target": target,
    }
    parts = {name: picture[top : top + DETAIL, left : left + DETAIL] for name, picture in results.items()}
    return row(parts, DETAIL * ENLARGED)


if __name__ == "__main__":
    main()
