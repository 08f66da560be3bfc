"""Crops, flips and turns."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from strategies import seeds

from srkit_datasets.crop import Turn, padded, random_crop, random_pair

sides = st.integers(1, 30)
turns = st.builds(Turn, st.booleans(), st.booleans(), st.booleans())


def numbered(height, width):
    """A picture that has each pixel's (row, column) in its first two channels."""
    rows, columns = np.indices((height, width), np.uint8)
    return np.stack([rows, columns, rows + columns], 2)


@given(sides, sides, st.integers(1, 40), seeds)
def test_crop_is_a_part_of_the_picture(height, width, side, seed):
    """A crop is a connected square that lies inside, or where the picture is smaller, begins at its corner."""
    out = random_crop(numbered(height, width), side, np.random.default_rng(seed))
    assert out.shape == (side, side, 3)
    top, left = int(out[0, 0, 0]), int(out[0, 0, 1])
    rows, columns = min(side, height - top), min(side, width - left)
    assert np.array_equal(out[:rows, :columns], numbered(height, width)[top : top + rows, left : left + columns])
    assert rows == side or top == 0
    assert columns == side or left == 0


@given(sides, sides, st.integers(1, 40))
def test_padding_mirrors(height, width, side):
    """Padding continues below and to the right as numpy's reflection does, and leaves large pictures as they are."""
    img = numbered(height, width)
    out = padded(img, side)
    assert out.shape[:2] == (max(height, side), max(width, side))
    period = [max(1, 2 * length - 2) for length in (height, width)]
    for axis, length in enumerate((height, width)):
        at = np.arange(out.shape[axis]) % period[axis]
        expected = np.minimum(at, period[axis] - at) if length > 1 else 0 * at
        assert np.array_equal(np.take(out[..., axis], 0, 1 - axis), expected)


def test_every_crop_comes():
    """Every place is drawn, and no other."""
    rng = np.random.default_rng(0)
    found = {tuple(random_crop(numbered(5, 4), 3, rng)[0, 0, :2]) for _ in range(300)}
    assert found == {(row, column) for row in range(3) for column in range(2)}


def test_turns_are_the_eight_of_a_square():
    """Flip gives two, rotate with flip all eight, neither leaves the picture alone."""
    rng = np.random.default_rng(0)
    img = numbered(4, 4)
    for flip, rotate, count in ((False, False, 1), (True, False, 2), (False, True, 4), (True, True, 8)):
        assert len({Turn.drawn(rng, flip=flip, rotate=rotate)(img).tobytes() for _ in range(300)}) == count
    halves = [Turn.drawn(rng, flip=True, rotate=False).mirrored for _ in range(2000)]
    assert 880 < sum(halves) < 1120  # within 5 standard deviations of a half


@given(sides, sides, st.integers(1, 4), st.integers(1, 12), turns, seeds)
def test_pairs_stay_aligned(height, width, scale, side, turn, seed):
    """However a pair is turned, padded and cut, the input is exactly what matches the target."""
    lq = numbered(height, width)
    gt = lq.repeat(scale, 0).repeat(scale, 1)
    high, low = random_pair(turn(gt), turn(lq), side * scale, scale, np.random.default_rng(seed))
    assert high.shape[:2] == (side * scale, side * scale)
    assert low.shape[:2] == (side, side)
    assert np.array_equal(high, low.repeat(scale, 0).repeat(scale, 1))
