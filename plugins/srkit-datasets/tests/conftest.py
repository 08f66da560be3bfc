"""Small pictures."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import srkit_io


@pytest.fixture(scope="session")
def picture(photo):
    """The sample photo, (1, 3, 256, 256) float32 in [0, 1]."""
    return torch.from_numpy(photo.astype(np.float32) / 255).permute(2, 0, 1)[None].contiguous()


def noise(height, width, seed=0):
    """(H, W, 3) uint8."""
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


@pytest.fixture
def folder(tmp_path):
    """Seven pictures of different sizes, two of them in a sub-folder."""
    root = tmp_path / "pictures"
    (root / "sub").mkdir(parents=True)
    for number in range(7):
        path = root / ("sub" if number > 4 else ".") / f"{number:02d} ü.png"
        srkit_io.write(path, noise(40 + number, 50 - number, number))
    return root


@pytest.fixture
def pairs(tmp_path):
    """Five pairs whose targets are their inputs with every pixel repeated: (gt folder, lq folder), scale 4."""
    for number in range(5):
        lq = noise(12 + number, 20 - number, number)
        for name, img in (("gt", lq.repeat(4, 0).repeat(4, 1)), ("lq", lq)):
            (tmp_path / name).mkdir(exist_ok=True)
            srkit_io.write(tmp_path / name / f"{number}.png", img)
    return tmp_path / "gt", tmp_path / "lq"
