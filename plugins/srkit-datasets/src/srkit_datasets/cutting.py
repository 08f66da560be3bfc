"""``srkit dataset sub-images`` and ``multi-scale``: new pictures out of each picture."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import attrs
import numpy as np
from PIL import Image

import srkit
import srkit_io

from .stamp import claim
from .work import Tally, in_order


class Recipe(Protocol):
    """What is made of a picture."""

    def names(self, size: srkit.Size) -> Sequence[str]:
        """What is added to the name of each result for a picture of ``size`` (height, width)."""

    def results(self, img: np.ndarray) -> Iterator[np.ndarray]:
        """The results, in the order of the names."""

    def settings(self) -> Mapping[str, Any]:
        """What the results depend on."""


@attrs.frozen
class SubImages:
    """Squares of ``crop`` pixels, every ``step``; one more at the far border if more than ``least`` pixels would be lost."""

    crop: int = 480
    step: int = 240
    least: int = 0

    def starts(self, length: int) -> list[int]:
        """Where the squares begin along an axis; one that is shorter than they are is taken whole."""
        starts = [*range(0, max(length - self.crop, 0) + 1, self.step)]
        if length - (starts[-1] + self.crop) > self.least:
            starts.append(length - self.crop)
        return starts

    def names(self, size: srkit.Size) -> Sequence[str]:
        """``_s001`` and so on, row by row."""
        return [f"_s{n + 1:03d}" for n in range(len(self.starts(size[0])) * len(self.starts(size[1])))]

    def results(self, img: np.ndarray) -> Iterator[np.ndarray]:
        """The squares, row by row."""
        for top in self.starts(img.shape[0]):
            for left in self.starts(img.shape[1]):
                yield np.ascontiguousarray(img[top : top + self.crop, left : left + self.crop])

    def settings(self) -> Mapping[str, Any]:
        """Crop, step and least."""
        return {"command": "sub-images", **attrs.asdict(self)}


@attrs.frozen
class MultiScale:
    """Copies at ``scales``, and one whose shortest side is ``shortest``, if that is smaller; Lanczos."""

    scales: tuple[float, ...] = (0.75, 0.5, 1 / 3)
    shortest: int | None = 400

    def sizes(self, size: srkit.Size) -> list[srkit.Size]:
        """(height, width) of each copy."""
        sizes = [(max(1, int(size[0] * scale)), max(1, int(size[1] * scale))) for scale in self.scales]
        if self.shortest is not None and min(size) > self.shortest:
            # In whole numbers, so that the short side is what it should be.
            sizes.append((size[0] * self.shortest // min(size), size[1] * self.shortest // min(size)))
        return sizes

    def names(self, size: srkit.Size) -> Sequence[str]:
        """``T0``, ``T1`` and so on."""
        return [f"T{n}" for n in range(len(self.sizes(size)))]

    def results(self, img: np.ndarray) -> Iterator[np.ndarray]:
        """The copies, without alpha: networks are trained with colours, which alpha would mix with hidden ones."""
        if img.ndim == 3:
            img = img[..., 0] if img.shape[2] == 2 else img[..., :3]
        for size in self.sizes(img.shape[:2]):
            yield resized(img, size)

    def settings(self) -> Mapping[str, Any]:
        """Scales and shortest side."""
        return {"command": "multi-scale", "scales": [*self.scales], "shortest": self.shortest}


def resized(img: np.ndarray, size: srkit.Size) -> np.ndarray:
    """(H, W) or (H, W, 3) of any depth at another size: Lanczos, antialiased, rounded once.

    Pillow would also take three channels of 8 bits at once, but rounds and clips between rows and columns, which is up to 10
    levels off beside edges.
    """
    planes = [img] if img.ndim == 2 else [img[..., channel] for channel in range(3)]
    scaled = [
        np.asarray(Image.fromarray(plane.astype(np.float32)).resize(size[::-1], Image.Resampling.LANCZOS))
        for plane in planes
    ]
    out = scaled[0] if img.ndim == 2 else np.stack(scaled, 2)
    if img.dtype.kind == "u":
        out = np.clip(np.rint(out), 0, np.iinfo(img.dtype).max)
    return out.astype(img.dtype)


def make(
    inputs: Sequence[str],
    output: str,
    recipe: Recipe,
    *,
    format: str = "png",  # noqa: A002 -- the name the option has everywhere
    quality: int = 95,
    threads: int = 1,
    restart: bool = False,
) -> int:
    """Make the results of every picture into ``output``; the exit status.

    What is there and younger than its picture is left as it is.
    """
    jobs = srkit_io.plan(inputs, output, recursive=True, format=format)
    if not jobs:
        raise srkit.DatasetError(f"there are no pictures in {', '.join(inputs)}")
    since = claim(Path(output), {**recipe.settings(), "format": format, "quality": quality}, restart=restart)

    def act(job: srkit_io.Job) -> str:
        if job.problem is not None:
            raise job.problem
        page = srkit_io.open_picture(job.source).pages[0]
        targets = [job.target.with_stem(job.target.stem + name) for name in recipe.names(page.size)]
        if _are_complete(targets, job.source, since):
            return "skipped"
        job.target.parent.mkdir(parents=True, exist_ok=True)
        for target, result in zip(targets, recipe.results(srkit_io.read(job.source)), strict=True):
            srkit_io.write(target, result, quality=quality)
        return "done"

    with Tally(len(jobs)) as tally:
        for done in in_order(jobs, act, threads):
            if done.error is not None:
                tally.fail(done.error, str(done.job.source))
            else:
                tally.add(done.result or "done")
    return tally.code


def _are_complete(targets: Sequence[Path], source: Path, since: int) -> bool:
    try:
        since = max(since, source.stat().st_mtime_ns)
        return all(target.stat().st_mtime_ns >= since for target in targets)
    except OSError:
        return False
