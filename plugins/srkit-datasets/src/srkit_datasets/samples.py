"""Small pictures for the conformance kit."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

import srkit_io


def write_sample(folder: Path, sizes: Sequence[tuple[int, int]], *, bad: int = 0) -> None:
    """Noise of these sizes (height, width) as PNG, and ``bad`` files that break off."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    for number, (height, width) in enumerate([*sizes, *[sizes[0]] * bad]):
        path = folder / f"{number:03d}.png"
        srkit_io.write(path, rng.integers(0, 256, (height, width, 3), dtype=np.uint8))
        if number >= len(sizes):
            path.write_bytes(path.read_bytes()[:-100])
