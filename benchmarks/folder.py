"""A folder of small photos: ``srkit_io.run`` against loops that read, upscale and write one after another."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import attrs
import numpy as np
import pipeline
import torch
from networks import SCALE, SRVGG
from PIL import Image
from timing import Apart, medians

import srkit

SIDE = 256
COUNT = 500
PHOTO = Path(__file__).parent.parent / "docs" / "images" / "astronaut.png"


@attrs.frozen
class Case:
    """Photos in a format, and results in the same."""

    suffix: str
    count: int = COUNT
    runs: int = 3


CASES = (Case(".png"), Case(".jpg"))
QUICK_CASES = (Case(".png", 40, 1),)

SIDES = {
    "srkit_io.run": "together",
    "loop around srkit's engine": "one_by_one",
    "loop around plain torch": "plainly",
}


def table(cases: tuple[Case, ...]) -> Iterator[str]:
    """The lines of the page."""
    yield "| photos | way | photos a second | of srkit_io.run's time | decode | network | encode | network idle |"
    yield "|---|---|---|---|---|---|---|---|"
    for case in cases:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name) / "in"
            photos(folder, case)
            spent: dict[str, dict[str, float]] = {}
            took = medians({side: _apart(function, folder, spent) for side, function in SIDES.items()}, case.runs)
        for side, seconds in took.items():
            split = spent[side]
            idle = 1 - split["network"] / split["wall"]
            parts = " | ".join(f"{split[stage]:.1f} s" for stage in ("decode", "network", "encode"))
            yield (
                f"| {case.count} × {SIDE}×{SIDE} {case.suffix[1:]} | {side} | {case.count / seconds:.2f} | "
                f"{seconds / took['srkit_io.run']:.2f} | {parts} | {idle:.1%} |"
            )


def photos(folder: Path, case: Case) -> None:
    """Crops of a photo, turned, mirrored and of another brightness, no two alike."""
    folder.mkdir()
    rng = np.random.default_rng(0)
    with Image.open(PHOTO) as photo:
        original = photo.convert("RGB")
    for index in range(case.count):
        side = int(rng.integers(SIDE // 2, min(original.size)))
        left, top = (int(rng.integers(0, length - side)) for length in original.size)
        crop = original.crop((left, top, left + side, top + side)).resize((SIDE, SIDE), Image.Resampling.BICUBIC)
        values = np.rot90(np.asarray(crop), int(rng.integers(4)))
        bright = values * float(rng.uniform(0.6, 1.1)) + rng.normal(0, 3, values.shape)
        Image.fromarray(bright.clip(0, 255).astype(np.uint8)).save(folder / f"{index:04}{case.suffix}", quality=90)


def _apart(function: str, folder: Path, spent: dict[str, dict[str, float]]) -> Callable[[], float]:
    side = next(name for name, value in SIDES.items() if value == function)

    def run() -> float:
        results = folder.parent / "out"
        shutil.rmtree(results, ignore_errors=True)
        results.mkdir()
        with Apart() as call:
            spent[side] = call(measure, function, folder, results)
        return spent[side]["wall"]

    return run


def measure(function: str, folder: Path, results: Path) -> dict[str, float]:
    """Seconds in all and in each stage, the network being ready and warm."""
    network = SRVGG.build()
    upscaler = srkit.Upscaler.from_network(network, srkit.Traits(scale=SCALE), device="cpu")
    warm = np.zeros((SIDE, SIDE, 3), np.uint8)
    upscaler.batch([warm] * 8)
    upscaler(warm)
    start = time.perf_counter()
    split: dict[str, float]
    if function == "together":
        split = together(folder, results, upscaler)
    else:
        split = loop(
            folder, results, upscaler if function == "one_by_one" else lambda img: pipeline.plain(network, img)
        )
    return split | {"wall": time.perf_counter() - start}


def together(folder: Path, results: Path, upscaler: srkit.Upscaler) -> dict[str, float]:
    import srkit_io

    split = dict.fromkeys(("decode", "network", "encode"), 0.0)
    for outcome in srkit_io.run(srkit_io.plan([folder], results), lambda: upscaler):
        assert outcome.status == "done", outcome.error
        for stage in split:
            split[stage] += getattr(outcome.seconds, stage)
    return split


def loop(folder: Path, results: Path, upscale: Callable[[np.ndarray], np.ndarray]) -> dict[str, float]:
    """What a program of a few lines does, with Pillow."""
    split = dict.fromkeys(("decode", "network", "encode"), 0.0)
    for path in sorted(folder.iterdir()):
        marks = [time.perf_counter()]
        with Image.open(path) as image:
            picture = np.asarray(image.convert("RGB"))
        marks.append(time.perf_counter())
        result = upscale(picture)
        marks.append(time.perf_counter())
        Image.fromarray(result).save(results / path.name, **({"quality": 95} if path.suffix == ".jpg" else {}))
        marks.append(time.perf_counter())
        for stage, before, after in zip(split, marks, marks[1:], strict=False):
            split[stage] += after - before
    return split


if __name__ == "__main__":
    torch.set_num_threads(2)
    for line in table(QUICK_CASES):
        print(line, flush=True)
