"""A folder of product pictures, made ready for a shop: enlarged to one width, cut-outs kept, a report of all.

    python pipeline.py IN/ OUT/ [--width 1600] [--model NAME]

Shows what a pipeline needs around srkit: one network for many pictures, an exact output width, transparency, pictures that
are large enough already, and errors of one picture that do not end the run.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import numpy as np

import srkit
import srkit_io

SUFFIXES = {".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff"}


def main(argv: list[str] | None = None) -> int:
    """Do the folder; the exit code is 1 if a picture failed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("source", type=Path)
    parser.add_argument("target", type=Path)
    parser.add_argument("--width", type=int, default=1600)
    parser.add_argument("--model")
    options = parser.parse_args(argv)
    up = srkit.load(options.model)
    options.target.mkdir(parents=True, exist_ok=True)
    failed = 0
    with (options.target / "report.jsonl").open("w", encoding="utf-8") as report:
        for path in sorted(path for path in options.source.iterdir() if path.suffix.lower() in SUFFIXES):
            try:
                told = one(path, options.target / f"{path.stem}.png", options.width, up)
            except (srkit.SrkitError, OSError) as error:
                told, failed = {"error": str(error)}, failed + 1
                print(f"{path}: {error}", file=sys.stderr)
            report.write(json.dumps({"file": path.name, **told}) + "\n")
    return 1 if failed else 0


def one(path: Path, target: Path, width: int, up: srkit.Upscaler) -> dict[str, object]:
    """One picture, ``width`` pixels wide; smaller ones through the network, the others only resized."""
    img = srkit_io.read(path)
    height = max(1, round(img.shape[0] * width / img.shape[1]))
    enlarged = img.shape[1] < width
    # The network enlarges four times; whatever size is wanted, it is resized from there, and rounded once.
    result = up(img, size=(height, width)) if enlarged else _smaller(img, height, width)
    srkit_io.write(target, result)
    return {"from": [*img.shape[:2]], "to": [height, width], "network": up.loaded.name if enlarged else None}


def _smaller(img: np.ndarray, height: int, width: int) -> np.ndarray:
    """Means of what each pixel covers, with an opencv that srkit-datasets brings; transparent colours do not bleed."""
    import cv2

    if img.shape[-1] == 4 and img.ndim == 3:
        top = np.iinfo(img.dtype).max if img.dtype.kind == "u" else 1
        alpha = img[..., 3:].astype(np.float32) / top
        planes = np.concatenate([img[..., :3].astype(np.float32) * alpha, alpha], -1)
        planes = cv2.resize(planes, (width, height), interpolation=cv2.INTER_AREA)
        colours = planes[..., :3] / np.maximum(planes[..., 3:], 1e-6)
        levels = np.concatenate([colours, planes[..., 3:] * top], -1)
        return (np.rint(levels) if img.dtype.kind == "u" else levels).clip(0, top).astype(img.dtype)
    return cv2.resize(img, (width, height), interpolation=cv2.INTER_AREA)


if __name__ == "__main__":
    sys.exit(main())
