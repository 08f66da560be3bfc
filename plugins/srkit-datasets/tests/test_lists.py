"""The text files that name pictures."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

import srkit
from srkit_datasets.lists import entry, line_of, read_list, read_pairs

names = st.text("abcdefü ()-_,.0123456789", min_size=1).map(str.strip).filter(bool).map(lambda name: f"a/{name}.png")


@given(names, st.tuples(st.integers(1, 9999), st.integers(1, 9999), st.sampled_from([1, 3])))
def test_lines_round_trip(name, size):
    """Name and size come back from a line, whatever blanks and brackets are in the name; the LMDB level does not matter."""
    assert entry(line_of(name, size)) == (name, size)
    assert entry(f"{line_of(name, size)} 1\n") == (name, size)
    assert entry(name) == (name, None)


def test_lists_of_real_esrgan(tmp_path):
    """Both of its kinds of list are read; empty lines are none; what is no pair is told with its line."""
    path = tmp_path / "meta_info.txt"
    path.write_text("DF2K/0001.png\n\nDF2K/0002 b.png (480,480,3)\n", "utf-8")
    assert read_list(path) == ["DF2K/0001.png", "DF2K/0002 b.png"]
    path.write_text("gt/0001.png, lq/0001x4.png\ngt/2.png (8,8,3), lq/2.png (2,2,3)\n", "utf-8")
    assert read_pairs(path) == [("gt/0001.png", "lq/0001x4.png"), ("gt/2.png", "lq/2.png")]
    path.write_text("gt/0001.png, lq/0001.png\ngt/0002.png\n", "utf-8")
    with pytest.raises(srkit.DatasetError, match="line 2: 'gt/0002.png' is no pair"):
        read_pairs(path)
    with pytest.raises(srkit.DatasetError, match="cannot be read"):
        read_list(tmp_path / "absent.txt")
