"""Pictures in a row, each above its name."""

from __future__ import annotations

from collections.abc import Mapping

import cv2
import numpy as np

MARGIN, FOOT = 8, 26


def row(pictures: Mapping[str, np.ndarray], side: int) -> np.ndarray:
    """(H, W, 3) uint8 RGB: square pictures, each enlarged by repetition to ``side``."""
    drawn = np.full((MARGIN + side + FOOT, MARGIN + (side + MARGIN) * len(pictures), 3), 255, np.uint8)
    for number, (name, picture) in enumerate(pictures.items()):
        x = MARGIN + number * (side + MARGIN)
        drawn[MARGIN : MARGIN + side, x : x + side] = cv2.resize(picture, (side, side), interpolation=cv2.INTER_NEAREST)
        foot = (x, MARGIN + side + 18)
        cv2.putText(drawn, name, foot, cv2.FONT_HERSHEY_SIMPLEX, 0.45, (30, 35, 43), 1, cv2.LINE_AA)
    return drawn
