"""srkit_io.boxes: boxes in and out."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from srkit_io.boxes import box, boxes, exif_in


@given(parts=st.lists(st.tuples(st.binary(min_size=4, max_size=4), st.binary(max_size=40))))
def test_what_is_put_in_comes_out(parts):
    """Boxes one after another are found with their contents and places."""
    data = b"".join(box(kind, contents) for kind, contents in parts)
    found = list(boxes(data))
    assert [(each.type, bytes(each.data)) for each in found] == parts
    assert all(data[each.at : each.at + len(each.data)] == bytes(each.data) for each in found)


def test_sizes():
    """A size of 0 reaches to the end, one of 1 is told in 64 bits."""
    long = struct.pack(">I4sQ", 1, b"long", 19) + b"abc"
    rest = struct.pack(">I4s", 0, b"rest") + b"all that follows"
    assert [(each.type, bytes(each.data)) for each in boxes(long + rest)] == [
        (b"long", b"abc"),
        (b"rest", b"all that follows"),
    ]


@pytest.mark.parametrize(
    "data",
    [
        struct.pack(">I4s", 20, b"less") + b"abc",
        struct.pack(">I4s", 5, b"tiny") + b"abc",
        struct.pack(">I4sQ", 1, b"huge", 2**63),
        struct.pack(">I4s", 1, b"head") + b"abc",
    ],
)
def test_lying_sizes(data):
    """A box that ends beyond the file, or before itself, is refused."""
    with pytest.raises(ValueError, match="ends within"):
        list(boxes(data))


def test_exif_is_a_tiff():
    """Only what begins like a TIFF is Exif, with or without JPEG's mark before it."""
    assert exif_in(b"Exif\0\0II*\0rest") == exif_in(b"II*\0rest") == b"II*\0rest"
    assert exif_in(b"MM\0*") == b"MM\0*"
    assert exif_in(b"rubbish") is None
