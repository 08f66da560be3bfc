"""Contact sheets."""

from __future__ import annotations

import numpy as np
import pytest

from srkit_datasets.degradations.sheet import contact_sheet


@pytest.mark.parametrize("count", [1, 3, 11])
def test_all_are_there_in_order(count):
    """The original comes first, then the draws, by rows, as large as it, on white, with words below."""
    picture = np.full((60, 90, 3), 50, np.uint8)
    draws = [np.full((15, 22, 3), 100 + i, np.uint8) for i in range(count)]
    sheet = contact_sheet(picture, draws, [f"seed {i}: jpeg 30" for i in range(count)])
    columns = int(np.ceil(np.sqrt(count + 1)))
    step = (sheet.shape[1] - 8) // columns
    rows = -(-(count + 1) // columns)
    tall = (sheet.shape[0] - 8) // rows
    for index, value in enumerate([50, *range(100, 100 + count)]):
        top, left = 8 + index // columns * tall, 8 + index % columns * step
        assert (sheet[top : top + 60, left : left + 90] == value).all()
        assert sheet[top + 60 : top + 76, left : left + 90].min() < 128
    assert (sheet[:8] == 255).all()


def test_long_captions_are_wrapped_not_cut():
    """A caption longer than its picture takes lines, and the sheet grows."""
    picture = np.zeros((40, 120, 3), np.uint8)
    short = contact_sheet(picture, [picture], ["jpeg 30"])
    long = contact_sheet(picture, [picture], ["blur iso 0.5, " * 12])
    assert long.shape[0] > short.shape[0] + 50
