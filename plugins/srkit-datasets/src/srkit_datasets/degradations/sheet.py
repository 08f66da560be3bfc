"""Contact sheets: a picture beside what became of it, so that people can see what a recipe does."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence

import cv2
import numpy as np

from .samples import Array

_MARGIN, _LINE = 8, 14
_FONT, _FONT_SCALE = cv2.FONT_HERSHEY_SIMPLEX, 0.36
_ASCII = str.maketrans({"×": "x", "β": "b", "π": "pi"})  # all that the font knows


def contact_sheet(picture: Array, draws: Sequence[Array], captions: Sequence[str]) -> Array:
    """(H, W, 3) uint8 of all: ``picture`` first, then ``draws``, enlarged to its size by repetition, each above its caption.

    All are (H, W, 3) uint8, RGB; ``captions`` are for the draws.
    """
    height, width = picture.shape[:2]
    tiles = [picture, *(cv2.resize(draw, (width, height), interpolation=cv2.INTER_NEAREST) for draw in draws)]
    texts = [_wrapped(text, width) for text in ("original", *captions)]
    columns = math.ceil(math.sqrt(len(tiles)))
    rows = math.ceil(len(tiles) / columns)
    step = (height + _MARGIN + _LINE * max(len(text) for text in texts) + _MARGIN, width + _MARGIN)
    sheet = np.full((rows * step[0] + _MARGIN, columns * step[1] + _MARGIN, 3), 255, np.uint8)
    for index, (tile, text) in enumerate(zip(tiles, texts, strict=True)):
        top, left = (_MARGIN + place * by for place, by in zip(divmod(index, columns), step, strict=True))
        sheet[top : top + height, left : left + width] = tile
        for number, line in enumerate(text, 1):
            foot = (left, top + height + _LINE * number)
            cv2.putText(sheet, line, foot, _FONT, _FONT_SCALE, (0, 0, 0), 1, cv2.LINE_AA)
    return sheet


def _wrapped(text: str, width: int) -> list[str]:
    usual = "sharpened, blur iso 0.5, area x0.50"
    (length, _), _ = cv2.getTextSize(usual, _FONT, _FONT_SCALE, 1)
    return textwrap.wrap(text.translate(_ASCII), max(8, int(width / length * len(usual) * 0.95)))
