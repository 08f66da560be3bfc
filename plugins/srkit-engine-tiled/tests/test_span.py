"""Spans: what they say of rows agrees with itself."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from srkit_engine_tiled.span import Border, Divide, Interpolate, Multiply, Transposed, Window

small = st.integers(1, 5)
spans = st.one_of(
    st.builds(Window, small, small, st.integers(1, 3), st.integers(0, 4), st.integers(0, 4)),
    st.builds(Multiply, small),
    st.builds(Divide, small),
    st.builds(Border, st.integers(-3, 6), st.integers(-3, 6), st.booleans()),
    st.builds(Transposed, st.integers(2, 9), small, st.integers(1, 2), st.integers(0, 4), st.just(0)),
    st.builds(Interpolate, st.integers(2, 4), st.integers(1, 2)),
)


@given(span=spans, n=st.integers(40, 60))
def test_what_a_span_says(span, n):
    """Needs only move down; and the outputs that some inputs allow are those whose needs these are."""
    outputs = range(span.size(n))
    firsts, lasts = [span.first(o, n) for o in outputs], [span.last(o, n) for o in outputs]
    assert firsts == sorted(firsts)
    assert lasts == sorted(lasts)
    assert all(first <= last + 1 for first, last in zip(firsts, lasts, strict=True))
    for there in range(1, n):
        allowed = sum(last < there for last in lasts)
        assert min(max(span.count(there, n), 0), len(lasts)) == allowed


@given(span=spans)
def test_the_rate_is_that_of_sizes(span):
    """Far from the ends, so many more inputs give so many more outputs."""
    period = span.rate.denominator
    assert span.size(1000 + 60 * period) - span.size(1000) == 60 * period * span.rate
