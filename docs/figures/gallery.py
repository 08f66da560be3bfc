"""Draw docs/images/gallery/*.jpg: what srkit's own networks make of small pictures, beside bicubic and other networks.

    python docs/figures/gallery.py PHOTOS [--network NAME=SOURCE ...]

PHOTOS is the folder that scripts/fetch_photos.py fills; only held-out photos of it are used. Each picture is made four times
smaller, by some of the ways that a small picture comes about, then enlarged; a detail of each is shown.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import torch
from tiles import row

import srkit
import srkit_io
from srkit_datasets import JPEG, GaussianNoise, second_order
from srkit_training.bicubic import bicubic, to_8_bit

ROOT = Path(__file__).parents[2]
IMAGES = ROOT / "docs" / "images" / "gallery"
OURS = ("srkit-compact-x4-faithful", "srkit-compact-x4-restoring")
SCALE, SIDE = 4, 208


class Case(NamedTuple):
    """A picture, where in it to look (left, top), and what happened to it."""

    name: str
    picture: str
    left: int
    top: int
    worsen: str = "clean"


CASES = (
    Case("face", "astronaut", 130, 10),
    Case("fur", "chelsea", 60, 40),
    Case("foliage", "china", 420, 219),
    Case("buildings", "china", 100, 60),
    Case("text", "page 1006", 0, 10),
    Case("line art", "page 1005", 260, 20),
    Case("flat colour", "page 1007", 20, 60),
    Case("grey", "camera", 140, 30),
    Case("noise", "coffee", 220, 30, "noise"),
    Case("JPEG", "rocket", 260, 200, "jpeg"),
    Case("second order", "flower", 180, 60, "second-order"),
)


def main() -> None:
    """Write a file a case."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("photos", type=Path)
    parser.add_argument("--network", action="append", default=[], metavar="NAME=SOURCE", help="also show this one")
    options = parser.parse_args()
    given = {name: name for name in OURS} | dict(part.split("=", 1) for part in options.network)
    networks = {name: srkit.load(weights=source, device="cpu") for name, source in given.items()}
    IMAGES.mkdir(exist_ok=True)
    for case in CASES:
        path = IMAGES / f"{case.name.replace(' ', '-')}.jpg"
        srkit_io.write(path, draw(case, picture(case.picture, options.photos), networks), quality=95)
        sys.stdout.write(f"{path}\n")


def draw(case: Case, target: np.ndarray, networks: Mapping[str, srkit.Upscaler]) -> np.ndarray:
    """One row: input, bicubic, networks, and the picture as it was."""
    height, width = target.shape[:2]
    lq = smaller(target, case.worsen)
    results = {
        "input": cv2.resize(lq, (width, height), interpolation=cv2.INTER_NEAREST),
        "bicubic": to_8_bit(bicubic(lq, (height, width))),
        **{name.removeprefix("srkit-"): network(lq) for name, network in networks.items()},
        "original": target,
    }
    top, left = min(case.top, height - SIDE), min(case.left, width - SIDE)
    return row({name: made[top : top + SIDE, left : left + SIDE] for name, made in results.items()}, SIDE)


def picture(name: str, photos: Path) -> np.ndarray:
    """A held-out photo, or "page N", a drawn page that no network was trained with."""
    if name.startswith("page "):
        sys.path.insert(0, str(ROOT / "recipes" / "default"))
        import draw_pages

        return np.asarray(draw_pages.page(int(name.removeprefix("page "))))
    found = srkit_io.read(photos / "validation" / f"{name}.png")
    found = np.repeat(found, 3, axis=-1) if found.shape[-1] == 1 else found[..., :3]
    return np.ascontiguousarray(found[: found.shape[0] // SCALE * SCALE, : found.shape[1] // SCALE * SCALE])


def smaller(target: np.ndarray, how: str) -> np.ndarray:
    """A quarter of the size, by bicubic downscaling and perhaps worse."""
    rng = torch.Generator().manual_seed(3)
    if how == "second-order":
        return _degraded(target, second_order(scale=SCALE), rng)
    lq = to_8_bit(bicubic(target, (target.shape[0] // SCALE, target.shape[1] // SCALE)))
    worsen = {"clean": None, "noise": GaussianNoise(sigma=12, grey=0), "jpeg": JPEG(quality=40)}[how]
    return lq if worsen is None else _degraded(lq, worsen, rng)


def _degraded(picture: np.ndarray, degrade: srkit.Degradation, rng: torch.Generator) -> np.ndarray:
    planes = torch.from_numpy(picture.astype(np.float32) / 255).permute(2, 0, 1)[None].contiguous()
    return to_8_bit(degrade(planes, rng)[0].permute(1, 2, 0).numpy() * 255)


if __name__ == "__main__":
    main()
