"""Sheets of results: input, output and target side by side."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import cv2
import numpy as np

import srkit_io

from .bicubic import Array

_MARGIN, _LINE = 8, 16
_FONT, _FONT_SCALE = cv2.FONT_HERSHEY_SIMPLEX, 0.4


def sheet(lq: Array, output: Array, target: Array, measured: Mapping[str, float]) -> Array:
    """(H', W', 3) uint8: ``lq``, enlarged by repetition, ``output`` and ``target``, each above its label.

    All are (H, W, 3) uint8, RGB, ``lq`` smaller by a whole factor. ``measured`` is written below the output.
    """
    height, width = target.shape[:2]
    enlarged = cv2.resize(lq, (width, height), interpolation=cv2.INTER_NEAREST)
    tiles = {"input": enlarged, "output": output, "target": target}
    texts = {
        "input": [f"input {lq.shape[1]}x{lq.shape[0]}"],
        "output": ["output", *(f"{name} {value:.4f}" for name, value in measured.items())],
        "target": [f"target {width}x{height}"],
    }
    column = max(width, *(_width(line) for lines in texts.values() for line in lines)) + _MARGIN
    below = _LINE * max(map(len, texts.values())) + _MARGIN
    drawn = np.full((_MARGIN + height + below, _MARGIN + column * len(tiles), 3), 255, np.uint8)
    for number, (label, tile) in enumerate(tiles.items()):
        left = _MARGIN + number * column
        drawn[_MARGIN : _MARGIN + height, left : left + width] = tile
        for row, line in enumerate(texts[label], 1):
            foot = (left, _MARGIN + height + row * _LINE)
            cv2.putText(drawn, line, foot, _FONT, _FONT_SCALE, (0, 0, 0), 1, cv2.LINE_AA)
    return drawn


def write_sheet(path: Path, drawn: Array) -> None:
    """Write a sheet as PNG; the file is whole or not there. Raises ImageFileError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    srkit_io.write(path, drawn)


def _width(line: str) -> int:
    (width, _), _ = cv2.getTextSize(line, _FONT, _FONT_SCALE, 1)
    return int(width)
