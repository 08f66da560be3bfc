"""Rows on their way: the sliding window, reflection and cropping."""

import weakref

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import cut, sides

torch = pytest.importorskip("torch")

from srkit.rows import RowWindow, crop, pad, pieces, reflect  # noqa: E402


def picture(height, width):
    """Rows and columns that can be told apart, (2, height, width)."""
    return torch.arange(2.0 * height * width).reshape(2, height, width)


def counted(strips, pulled):
    """The strips, their heights noted as they are asked for."""
    for strip in strips:
        pulled.append(strip.shape[-2])
        yield strip


@st.composite
def windows(draw, height):
    """(start, stop) pairs whose start never goes back."""
    start, pairs = 0, []
    for _ in range(draw(st.integers(1, 6))):
        start = draw(st.integers(start, height - 1))
        pairs.append((start, draw(st.integers(start + 1, height))))
    return pairs


@given(st.data(), sides, sides)
def test_window_gives_the_rows_asked_for(data, height, width):
    """Whatever the strips, a window shows exactly the rows of the picture."""
    whole = picture(height, width)
    window = RowWindow(data.draw(cut(whole, axis=1)))
    for start, stop in data.draw(windows(height)):
        assert torch.equal(window.rows(start, stop), whole[:, start:stop])


@given(st.data(), sides)
def test_window_holds_what_it_needs_and_no_more(data, height):
    """A window pulls strips only until the last row is there, and drops those that lie above the first."""
    strips, pulled, furthest = data.draw(cut(picture(height, 1), axis=1)), [], 0
    window = RowWindow(counted(strips, pulled))
    for start, stop in data.draw(windows(height)):
        window.rows(start, stop)
        furthest = max(furthest, stop)
        assert sum(pulled) - pulled[-1] < furthest <= sum(pulled)
        held = sum(strip.shape[-2] for strip in window._held)
        assert sum(pulled) - held <= start
        assert held - window._held[0].shape[-2] < sum(pulled) - start


def test_window_refuses_rows_it_forgot():
    """Going back above a dropped strip is an error that names the row, not other rows."""
    window = RowWindow(picture(4, 1).split(1, dim=1))
    window.rows(2, 3)
    with pytest.raises(IndexError, match="row 1 was forgotten"):
        window.rows(1, 3)


@given(st.integers(1, 9), st.integers(0, 40))
def test_reflect_is_that_of_numpy(length, beyond):
    """Indices past the end mirror as numpy.pad(mode='reflect') does, as often as it takes."""
    mirrored = [reflect(i, length) for i in range(length + beyond)]
    assert mirrored == np.pad(np.arange(length), (0, beyond), mode="reflect").tolist()


@given(st.data(), sides, sides, st.integers(0, 30), st.integers(0, 30))
def test_pad_is_that_of_numpy(data, height, width, below, right):
    """Padding strips gives numpy.pad(mode='reflect') of the picture, whatever the strips."""
    whole = picture(height, width)
    padded = torch.cat(list(pad(data.draw(cut(whole, axis=1)), height, width, below, right)), 1)
    assert np.array_equal(padded, np.pad(whole, ((0, 0), (0, below), (0, right)), mode="reflect"))


@given(st.data(), sides, st.integers(0, 9), st.integers(0, 9))
def test_pad_passes_each_strip_on_at_once(data, height, below, right):
    """Padding holds back no strip: each comes out before the next one is asked for."""
    strips, pulled = data.draw(cut(picture(height, 3), axis=1)), []
    padded = pad(counted(strips, pulled), height, 3, below, right)
    for number, strip in enumerate(strips, 1):
        assert next(padded).shape == (2, strip.shape[1], 3 + right)
        assert len(pulled) == number


@given(st.data(), sides, sides, sides, sides)
def test_crop_keeps_the_top_left(data, height, width, below, right):
    """Cropping gives the first rows and columns, and no empty strip."""
    whole = picture(height + below, width + right)
    strips = list(crop(data.draw(cut(whole, axis=1)), height, width))
    assert torch.equal(torch.cat(strips, 1), whole[:, :height, :width])
    assert all(strip.shape[1] for strip in strips)


@given(st.data(), sides, sides, st.integers(1, 200))
def test_pieces_are_the_rows(data, height, width, values):
    """Large strips come in pieces of at most so many values, or of a row; and all rows come, once and in order."""
    image = torch.arange(2 * height * width).reshape(2, height, width)
    parts = list(pieces(data.draw(cut(image, 1)), values))
    assert torch.equal(torch.cat(parts, 1), image)
    assert all(part.numel() <= values or part.shape[1] == 1 for part in parts)


def test_pieces_let_go_of_a_strip():
    """When the next strip is made, nobody holds the one before, whatever pieces of it are kept."""
    made: list[weakref.ref[torch.Tensor]] = []

    def strips():
        for _ in range(3):
            assert all(reference() is None for reference in made)
            strip = torch.zeros(1, 8, 4)
            made.append(weakref.ref(strip))
            yield strip
            del strip

    kept = [rows[:, :, :2] for rows in pieces(crop(strips(), 24, 4), 8)]
    assert len(kept) == 12
