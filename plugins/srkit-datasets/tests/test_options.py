"""Fields that say what is wrong with a value, and accept what YAML has."""

from __future__ import annotations

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

import srkit
from srkit_datasets import options


@attrs.frozen
class Everything:
    """A field of each kind."""

    span: options.Range = options.between(0, 10, (1, 2))
    count: options.Range = options.between(0, 10, (1, 2), whole=True)
    odd: options.Range = options.between(1, 9, (3, 5), odd=True)
    share: float = options.probability(0.5)
    size: int = options.whole(1, 9, 3, odd=True)
    bits: int = options.whole(1, 9, 4)
    steps: int = options.whole(1, None, 4)
    yes: bool = options.flag(default=False)
    fruit: str = options.choice("fruit", ("apple", "pear"), "apple")
    fruits: tuple[str, ...] = options.choices("fruit", ("apple", "pear"), ("apple",))
    basket: dict[str, float] = options.shares("fruit", ("apple", "pear"), {"apple": 1})


@given(st.floats(0, 10), st.floats(0, 10))
def test_ranges_take_pairs_and_single_numbers(one, other):
    """A list, a tuple, or a number alone are ranges, if they lie within the bounds and in order."""
    low, high = sorted((one, other))
    assert Everything(span=[low, high]).span == Everything(span=(low, high)).span == (low, high)
    assert Everything(span=low).span == (low, low)
    if low < high:
        with pytest.raises(srkit.SettingsError, match="expected two numbers"):
            Everything(span=[high, low])


@pytest.mark.parametrize(
    ("option", "value", "words"),
    [
        *(
            ("span", value, r"within \[0, 10\]")
            for value in ((0, 11), (-1, 2), (1,), (1, 2, 3), "1", None, (True, 2), (0, float("nan")))
        ),
        *(("count", value, "two whole numbers") for value in ((0.5, 2), 1.0)),
        *(("odd", value, "two odd numbers") for value in ((3, 4), 4, (3.0, 5))),
        *(("share", value, r"a number within \[0, 1\]") for value in (-0.1, 1.1, "half", None, True)),
        *(("size", value, "an odd number") for value in (2, 3.0, 11)),
        *(("bits", value, "a whole number") for value in (0, 2.5, True)),
        *(("steps", value, "a whole number of at least 1") for value in (0, "4", True)),
        *(("yes", value, "true or false") for value in (1, "yes", None)),
        ("fruit", "pair", "unknown fruit 'pair'; did you mean 'pear'"),
        *(("fruits", value, "a list of some of apple, pear") for value in ("apple", [], 3)),
        ("fruits", ["aple"], "did you mean 'apple'"),
        ("basket", {"aple": 1}, "did you mean 'apple'"),
        ("basket", ["apple"], "a mapping of fruits to weights"),
        *(("basket", {"apple": weight}, "weights that are not negative") for weight in (0, -1, "much", float("inf"))),
    ],
)
def test_what_does_not_fit_is_told(option, value, words):
    """The error has the option, the value and what was expected, and is what a caller would catch."""
    with pytest.raises((srkit.SettingsError, srkit.UnknownName), match=words) as caught:
        Everything(**{option: value})
    assert isinstance(caught.value, ValueError | LookupError)
    assert option in str(caught.value) or "unknown" in str(caught.value)


def test_defaults_are_not_shared():
    """Each object has a mapping of its own."""
    assert Everything() == Everything()
    assert Everything().basket is not Everything().basket
