"""CSV files of numbers."""

from __future__ import annotations

import csv
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from srkit_training.table import Table


def rows(path):
    """The rows, without empty cells."""
    with path.open(newline="") as file:
        return [{name: cell for name, cell in row.items() if cell} for row in csv.DictReader(file)]


@pytest.fixture
def path(tmp_path):
    """Of a table."""
    return tmp_path / "log.csv"


def test_columns_grow(path):
    """A name that comes later gets a column to the right; older rows keep what they have, and so do newer without it."""
    table = Table(path)
    table.add(1, {"l1": 0.5})
    table.add(2, {"l1": 0.25, "gan, real": 2})
    table.add(3, {"gan, real": 1, "l1": math.inf})
    table.add(4, {"l1": 0.125})
    assert path.read_text().splitlines()[0] == 'iteration,l1,"gan, real"'
    assert rows(path) == [
        {"iteration": "1", "l1": "0.5"},
        {"iteration": "2", "l1": "0.25", "gan, real": "2"},
        {"iteration": "3", "l1": "inf", "gan, real": "1"},
        {"iteration": "4", "l1": "0.125"},
    ]
    assert [*path.parent.iterdir()] == [path]


names = st.sampled_from(["l1", "gan", "d_real", "lr"])
values = st.dictionaries(names, st.floats(allow_nan=False), max_size=4)


@given(st.lists(values, min_size=1, max_size=8), st.data())
def test_resumption_leaves_no_trace(tmp_path_factory, logged, data):
    """Stopped anywhere, even in the middle of a row, and resumed from before, the file is that of an uninterrupted run."""
    folder = tmp_path_factory.mktemp("tables")
    expected, path = folder / "expected.csv", folder / "log.csv"
    stopped = data.draw(st.integers(0, len(logged)))
    resumed = data.draw(st.integers(0, stopped))
    write(expected, logged, 0, len(logged))
    write(path, logged, 0, stopped)
    path.write_text(path.read_text() + data.draw(st.sampled_from(["", "7,0.1"])))
    write(path, logged, resumed, len(logged))
    assert path.read_text() == expected.read_text()


def write(path, logged, start, end):
    """A row each hundred iterations."""
    table = Table(path, start * 100)
    for number in range(start, end):
        table.add((number + 1) * 100, logged[number])


def test_numbers_come_back_exactly(path):
    """A float in the file is the float that was logged."""
    Table(path).add(7, {"loss": 1 / 3})
    assert float(rows(path)[0]["loss"]) == 1 / 3


def test_a_new_run_begins_anew(path):
    """From iteration 0, nothing of an older run is kept."""
    Table(path).add(100, {"l1": 1.0})
    Table(path).add(100, {"l2": 2.0})
    assert rows(path) == [{"iteration": "100", "l2": "2.0"}]
    path.write_text("something else\n1\n")
    Table(path, 50).add(100, {"l2": 2.0})
    assert rows(path) == [{"iteration": "100", "l2": "2.0"}]
