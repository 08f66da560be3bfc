"""A folder of small photos, with real weights: ``srkit_io.run`` against loops that read, upscale and write in turn."""

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
from PIL import Image
from timing import Apart, medians

import srkit

SIDE = 256
COUNT, RUNS = 100, 5
PHOTO = Path(__file__).parent.parent / "docs" / "images" / "astronaut.png"


@attrs.frozen
class Case:
    """Photos in a format, and results in the same."""

    suffix: str
    count: int = COUNT
    runs: int = RUNS


CASES = (Case(".png"), Case(".jpg", runs=1))
QUICK_CASES = (Case(".png", 40, 1),)

SIDES = {
    "srkit_io.run": ("together", ""),
    "Pillow, srkit's engine": ("loop", "pillow"),
    "OpenCV, srkit's engine": ("loop", "opencv"),
    "OpenCV, plain torch": ("plain", "opencv"),
}
"""Who runs the network, and who reads and writes: loops of a few lines, one picture after another."""
MODEL = "realesr-animevideov3"


def table(cases: tuple[Case, ...]) -> Iterator[str]:
    """The lines of the page."""
    yield "| photos | way | photos a second | of srkit_io.run's time | decode | network | encode | network idle |"
    yield "|---|---|---|---|---|---|---|---|"
    for case in cases:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name) / "in"
            photos(folder, case)
            spent: dict[str, dict[str, float]] = {}
            took = medians({side: _apart(side, folder, spent) for side in SIDES}, case.runs)
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


def _apart(side: str, folder: Path, spent: dict[str, dict[str, float]]) -> Callable[[], float]:
    def run() -> float:
        results = folder.parent / "out"
        shutil.rmtree(results, ignore_errors=True)
        results.mkdir()
        with Apart() as call:
            spent[side] = call(measure, *SIDES[side], folder, results)
        return spent[side]["wall"]

    return run


def measure(network: str, files: str, folder: Path, results: Path) -> dict[str, float]:
    """Seconds in all and in each stage, the network being ready and warm."""
    upscaler = srkit.load(MODEL, device="cpu")
    bare = upscaler.loaded.network
    warm = np.zeros((SIDE, SIDE, 3), np.uint8)
    upscaler.batch([warm] * 8)
    upscaler(warm)
    pipeline.plain(bare, warm)
    start = time.perf_counter()
    split: dict[str, float]
    if network == "together":
        split = together(folder, results, upscaler)
    else:
        split = loop(folder, results, upscaler if network == "loop" else lambda img: pipeline.plain(bare, img), files)
    return split | {"wall": time.perf_counter() - start}


def together(folder: Path, results: Path, upscaler: srkit.Upscaler) -> dict[str, float]:
    import srkit_io

    split = dict.fromkeys(("decode", "network", "encode"), 0.0)
    for outcome in srkit_io.run(srkit_io.plan([folder], results), lambda: upscaler):
        assert outcome.status == "done", outcome.error
        for stage in split:
            split[stage] += getattr(outcome.seconds, stage)
    return split


def loop(folder: Path, results: Path, upscale: Callable[[np.ndarray], np.ndarray], files: str) -> dict[str, float]:
    """What a program of a few lines does."""
    read, write = {"pillow": (_read_pillow, _write_pillow), "opencv": (_read_opencv, _write_opencv)}[files]
    split = dict.fromkeys(("decode", "network", "encode"), 0.0)
    for path in sorted(folder.iterdir()):
        marks = [time.perf_counter()]
        picture = read(path)
        marks.append(time.perf_counter())
        result = upscale(picture)
        marks.append(time.perf_counter())
        write(results / path.name, result)
        marks.append(time.perf_counter())
        for stage, before, after in zip(split, marks, marks[1:], strict=False):
            split[stage] += after - before
    return split


def _read_pillow(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"))


def _write_pillow(path: Path, image: np.ndarray) -> None:
    Image.fromarray(image).save(path, **({"quality": 95} if path.suffix == ".jpg" else {}))


def _read_opencv(path: Path) -> np.ndarray:
    import cv2

    return cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB)


def _write_opencv(path: Path, image: np.ndarray) -> None:
    import cv2

    cv2.imwrite(str(path), cv2.cvtColor(image, cv2.COLOR_RGB2BGR))


if __name__ == "__main__":
    torch.set_num_threads(2)
    for line in table(QUICK_CASES):
        print(line, flush=True)
