"""Measure networks on held-out photos against plain enlargement: a row a photo and method, then what it comes to.

    python evaluate.py PHOTOS OUT.csv --network NAME=SOURCE [--network NAME=SOURCE ...] [--lpips FEATURES LINEAR]

Photos, at most 512 pixels of their middle, are made smaller in two ways: cleanly (bicubic, as MATLAB's imresize) and by
Real-ESRGAN's second-order degradation, drawn by the photo's name, so the same each time. SOURCE is what ``srkit.load`` takes
as ``weights=``: a file or a model's name. Rows that OUT.csv has are not measured again. LPIPS looks through AlexNet, which
no network here was trained with.
"""

from __future__ import annotations

import argparse
import csv
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from PIL import Image
from tqdm import tqdm

import srkit
from srkit_training.bicubic import Array, bicubic, to_8_bit
from srkit_training.config import ValidationConfig
from srkit_training.heldout import HeldOutPictures
from srkit_training.metrics import METRICS, View

SCALE = 4
CROP = 512
DEGRADATIONS = {"clean": None, "second-order": "second-order"}
MEASURED = ("psnr", "ssim", "lpips", "niqe")
COLUMNS = ("degradation", "photo", "method", *MEASURED)
_DRAWS = 20_000

Upscale = Callable[[Array], Array]


class Difference(NamedTuple):
    """How much better one method is than another on the same photos: mean, and the middle 95 % of bootstrapped means."""

    mean: float
    low: float
    high: float


def main(argv: Sequence[str] | None = None) -> None:
    """Measure what is not measured yet, and print tables."""
    parser = argparse.ArgumentParser(description="Measure networks on held-out photos.")
    parser.add_argument("photos", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--network", action="append", default=[], metavar="NAME=SOURCE")
    parser.add_argument(
        "--lpips", nargs=2, metavar=("FEATURES", "LINEAR"), help="files of AlexNet and LPIPS; else fetched"
    )
    parser.add_argument("--device", default="cpu")
    options = parser.parse_args(argv)
    networks = dict(given.split("=", 1) for given in options.network)
    evaluate(options.photos, options.out, networks, lpips_weights(options.lpips or ()), options.device)
    sys.stdout.write(summary(read_rows(options.out), [*networks]) + "\n")


def lpips_weights(files: Sequence[str | Path]) -> dict[str, str]:
    """The options of LPIPS for files of features and linear layers; none of them for no files."""
    return dict(zip(("features", "linear"), map(str, files), strict=False))


def evaluate(
    photos: Path, out: Path, networks: Mapping[str, str], lpips: Mapping[str, str], device: str = "cpu"
) -> None:
    """Append to ``out`` the rows that it does not have."""
    view = View(border=SCALE, device=torch.device(device), lpips_weights=lpips)
    measures = {name: METRICS[name].prepare(view) for name in MEASURED}
    done = {(row["degradation"], row["photo"], row["method"]) for row in read_rows(out)}
    methods: dict[str, Upscale] = {"bicubic": _bicubic, "lanczos": _lanczos}
    methods |= {name: srkit.load(weights=source, device=device) for name, source in networks.items()}
    for degradation, recipe in DEGRADATIONS.items():
        config = ValidationConfig(gt=str(photos), degradation=recipe, crop=CROP)
        pictures = HeldOutPictures(config, SCALE, lambda _: None)
        if pictures.bad:
            sys.exit(f"{photos}: " + "; ".join(f"{name}: {reason}" for name, reason in pictures.bad.items()))
        for held in tqdm(pictures, desc=degradation, unit="photo", disable=None):
            target = pictures.target(held)
            for method, upscale in methods.items():
                key = (degradation, held.name, method)
                if key not in done:
                    result = upscale(held.lq)
                    _append(out, [*key, *(f"{measures[name](result, target):.6f}" for name in MEASURED)])


def read_rows(path: Path) -> list[dict[str, str]]:
    """The rows of such a file; none if there is no file. A last line that was cut off is left out."""
    if not path.is_file():
        return []
    with path.open(encoding="utf-8", newline="") as file:
        return [row for row in csv.DictReader(file) if row[MEASURED[-1]]]


def write_rows(path: Path, rows: Sequence[Mapping[str, str]]) -> None:
    """Write these rows and no others."""
    part = path.with_suffix(".part")
    with part.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    part.replace(path)


def means(rows: Sequence[Mapping[str, str]], degradation: str, method: str) -> dict[str, float]:
    """The mean of each metric."""
    return {name: float(_values(rows, degradation, method, name).mean()) for name in MEASURED}


def difference(rows: Sequence[Mapping[str, str]], degradation: str, ours: str, other: str, metric: str) -> Difference:
    """How much better ``ours`` is; photos are drawn with replacement, 20,000 times (Efron, 1979)."""
    sign = 1 if METRICS[metric].higher_is_better else -1
    gains = sign * (_values(rows, degradation, ours, metric) - _values(rows, degradation, other, metric))
    drawn = np.random.default_rng(0).integers(0, len(gains), (_DRAWS, len(gains)))
    low, high = np.percentile(gains[drawn].mean(1), [2.5, 97.5])
    return Difference(float(gains.mean()), float(low), float(high))


def summary(rows: Sequence[Mapping[str, str]], ours: Sequence[str]) -> str:
    """Tables in Markdown: means of all methods, and what ``ours`` gain over the others."""
    return "\n".join([*_means_table(rows), "", *_gains_table(rows, ours)])


def _means_table(rows: Sequence[Mapping[str, str]]) -> Iterator[str]:
    yield "| input | method | PSNR, dB | SSIM | LPIPS | NIQE |"
    yield "|---|---|---|---|---|---|"
    for degradation in DEGRADATIONS:
        for method in _methods(rows):
            psnr, ssim, lpips, niqe = means(rows, degradation, method).values()
            yield f"| {degradation} | {method} | {psnr:.2f} | {ssim:.4f} | {lpips:.4f} | {niqe:.2f} |"


def _gains_table(rows: Sequence[Mapping[str, str]], ours: Sequence[str]) -> Iterator[str]:
    yield "| input | better by | PSNR, dB | LPIPS | NIQE |"
    yield "|---|---|---|---|---|"
    for degradation in DEGRADATIONS:
        for network in ours:
            for other in _methods(rows):
                if other != network:
                    gains = (difference(rows, degradation, network, other, name) for name in ("psnr", "lpips", "niqe"))
                    cells = (f"{gain.mean:+.3f} ({gain.low:+.3f} … {gain.high:+.3f})" for gain in gains)
                    yield f"| {degradation} | {network} than {other} | {' | '.join(cells)} |"


def _methods(rows: Sequence[Mapping[str, str]]) -> list[str]:
    return [*dict.fromkeys(row["method"] for row in rows)]


def _values(rows: Sequence[Mapping[str, str]], degradation: str, method: str, metric: str) -> Array:
    """By photo, sorted, so that those of two methods belong together."""
    found = {
        row["photo"]: float(row[metric]) for row in rows if (row["degradation"], row["method"]) == (degradation, method)
    }
    return np.array([found[photo] for photo in sorted(found)])


def _append(path: Path, row: Sequence[str]) -> None:
    new = not path.exists()
    with path.open("a", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        if new:
            writer.writerow(COLUMNS)
        writer.writerow(row)


def _bicubic(lq: Array) -> Array:
    return to_8_bit(bicubic(lq, (lq.shape[0] * SCALE, lq.shape[1] * SCALE)))


def _lanczos(lq: Array) -> Array:
    size = (lq.shape[1] * SCALE, lq.shape[0] * SCALE)
    return np.asarray(Image.fromarray(lq).resize(size, Image.Resampling.LANCZOS))


if __name__ == "__main__":
    main()
