"""Resampling: Lanczos to any size, rows in and rows out."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import cut, sides

torch = pytest.importorskip("torch")

from srkit.resample import ROWS, resample  # noqa: E402

sizes = st.tuples(sides, sides)
new_sizes = st.tuples(st.integers(1, 90), st.integers(1, 40))
seeds = st.integers(0, 2**32 - 1)


def noise(size, seed, planes=2):
    """Planes of random values in [0, 1]."""
    return torch.from_numpy(np.random.default_rng(seed).random((planes, *size), dtype=np.float32))


def whole(picture, new_size):
    """The picture resampled as one strip."""
    return torch.cat(list(resample([picture], tuple(picture.shape[-2:]), new_size)), -2)


def dense(size, new_size):
    """The Lanczos matrix (new_size, size) from its definition, value by value in float64."""
    matrix = np.zeros((new_size, size))
    stretch = max(1.0, size / new_size)
    for i, j in np.ndindex(matrix.shape):
        # Pixel centres of both grids, measured in input pixels.
        x = ((j + 0.5) - (i + 0.5) * size / new_size) / stretch
        if x == 0:
            matrix[i, j] = 1
        elif abs(x) < 3:
            matrix[i, j] = 3 * np.sin(np.pi * x) * np.sin(np.pi * x / 3) / (np.pi * x) ** 2
    return matrix / matrix.sum(axis=1, keepdims=True)


@given(sizes, new_sizes, seeds)
def test_resample_is_lanczos(size, new_size, seed):
    """The result is the separable Lanczos sum, up to rounding in float32."""
    picture = noise(size, seed)
    expected = dense(size[0], new_size[0]) @ picture.numpy().astype(np.float64) @ dense(size[1], new_size[1]).T
    np.testing.assert_allclose(whole(picture, new_size).numpy(), expected, rtol=0, atol=4e-6)


@given(sizes, new_sizes, seeds)
def test_resample_agrees_with_pillow(size, new_size, seed):
    """Pillow's LANCZOS of a float image gives the same picture."""
    Image = pytest.importorskip("PIL.Image")
    picture = noise(size, seed, planes=1)
    theirs = Image.fromarray(picture[0].numpy()).resize(new_size[::-1], Image.Resampling.LANCZOS)
    np.testing.assert_allclose(whole(picture, new_size)[0].numpy(), np.asarray(theirs), rtol=0, atol=4e-6)


@given(st.data(), sizes, new_sizes, seeds)
def test_resample_does_not_depend_on_the_strips(data, size, new_size, seed):
    """Any cut into strips gives the same bits."""
    picture = noise(size, seed)
    strips = data.draw(cut(picture, axis=1))
    assert torch.equal(torch.cat(list(resample(strips, size, new_size)), 1), whole(picture, new_size))


@given(sizes, new_sizes, st.floats(0, 1, width=32))
def test_a_constant_stays_constant(size, new_size, value):
    """Neither the border nor the grid shows in a flat picture."""
    result = whole(torch.full((1, *size), value), new_size)
    assert result.shape == (1, *new_size)
    torch.testing.assert_close(result, torch.full_like(result, value), rtol=2e-6, atol=1e-37)


@given(sizes, seeds)
def test_an_equal_size_changes_nothing(size, seed):
    """A picture that has the size asked for comes out bit by bit."""
    picture = noise(size, seed)
    assert torch.equal(whole(picture, size), picture)


def test_rows_leave_as_soon_as_they_can():
    """The first output rows need only the input rows that they reach."""
    pulled = []

    def strips():
        for top in range(1000):
            pulled.append(top)
            yield torch.zeros(1, 1, 4)

    rows = next(resample(strips(), (1000, 4), (2000, 8)))
    assert rows.shape[-2] == ROWS
    assert len(pulled) <= ROWS // 2 + 3
