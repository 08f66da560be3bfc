"""The records that plugins declare: what they accept, and that nonsense is told where it is made."""

from __future__ import annotations

import re

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from srkit.declarations import (
    ArchitectureSpec,
    CommandSpec,
    Control,
    DegradationSpec,
    ModelCard,
    PackagedWeights,
    Recognition,
    Traits,
    UpsamplerSpec,
)

SPECS = {kind: {"name": "net", "target": "pkg.module:net", "summary": "words"} for kind in (
    ArchitectureSpec, UpsamplerSpec, DegradationSpec, CommandSpec,
)}  # fmt: skip
RECORDS = {
    **SPECS,
    ModelCard: {"name": "net-x4", "architecture": "net", "scale": 4, "licence": "MIT", "summary": "words"},
    PackagedWeights: {"distribution": "a-package", "path": "a_package/net.param"},
    Control: {"partner": "net-x4", "summary": "words"},
    Traits: {"scale": 4},
}
WRONG = [
    *((kind, "name", value) for kind in (*SPECS, ModelCard) for value in ("", "two words", "-net", "ä", 3, None)),
    *((kind, "target", value) for kind in SPECS for value in ("", "net", "pkg.net", ":net", "a:b:c", "a-b:c", None)),
    *((kind, "aliases", value) for kind in (*SPECS, ModelCard) for value in ("alias", ["alias"], ("two words",))),
    *((kind, "summary", None) for kind in (*SPECS, ModelCard, Control)),
    (ArchitectureSpec, "default_model", "two words"),
    (UpsamplerSpec, "preference", "high"),
    *((ModelCard, "scale", value) for value in (0, -1, 2.5, "4")),
    *((ModelCard, "sha256", value) for value in ("", "0" * 63, "0" * 65, "A" * 64, "g" * 64, "0" * 64 + "\n")),
    (ModelCard, "architecture", "two words"),
    (ModelCard, "licence", None),
    (ModelCard, "tags", "photo"),
    (ModelCard, "url", 3),
    (ModelCard, "size", "big"),
    (ModelCard, "packaged", ("a_package/net.param",)),
    (ModelCard, "controls", {"denoise": "net-x4"}),
    (ModelCard, "default", "yes"),
    (PackagedWeights, "distribution", "two words"),
    *((PackagedWeights, "path", value) for value in (None, "net.param", "/a_package/net.param", "a-package/net.param")),
    (Control, "partner", None),
    *((Traits, field, value) for field in ("scale", "in_channels", "out_channels", "multiple_of")
      for value in (0, -2, 1.5)),
]  # fmt: skip


@pytest.mark.parametrize("kind", RECORDS)
def test_plain_records_are_accepted(kind):
    """The least that each record wants is enough, and is kept."""
    record = kind(**RECORDS[kind])
    assert {name: getattr(record, name) for name in RECORDS[kind]} == RECORDS[kind]
    assert attrs.evolve(record) == record


@pytest.mark.parametrize(("kind", "field", "value"), WRONG)
def test_nonsense_is_refused_where_it_is_made(kind, field, value):
    """A field that makes no sense is refused by the record, naming the field; so a plugin learns it when it registers."""
    with pytest.raises((ValueError, TypeError), match=field):
        kind(**RECORDS[kind] | {field: value})


@pytest.mark.parametrize("kind", RECORDS)
def test_records_are_keyword_only_and_frozen(kind):
    """Nothing is given by place, and nothing changes afterwards."""
    with pytest.raises(TypeError):
        kind(*RECORDS[kind].values())
    record = kind(**RECORDS[kind])
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        setattr(record, next(iter(RECORDS[kind])), "other")


@given(st.one_of(st.text(max_size=6), st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]*")))
def test_names(text):
    """A name starts with an ASCII letter or digit and goes on with these, '.', '_' and '-': nothing a shell minds."""
    good = text != "" and re.sub(r"[A-Za-z0-9._-]", "", text) == "" and text[0] not in "._-"
    if good:
        assert Control(partner=text, summary="").partner == text
    else:
        with pytest.raises(ValueError, match=re.escape(f"partner={text!r}")):
            Control(partner=text, summary="")


def test_digest_and_address_are_optional():
    """A model without a known digest or address can be declared."""
    card = ModelCard(**RECORDS[ModelCard])
    assert (card.url, card.sha256, card.packaged, dict(card.controls), card.default) == (
        None,
        None,
        (),
        {},
        False,
    )
    assert ModelCard(**RECORDS[ModelCard], sha256="0af9" * 16).sha256 == "0af9" * 16


def test_traits_default_to_colour_of_any_size():
    """A network that says only its scale takes and gives RGB of any size."""
    traits = Traits(scale=3)
    assert (traits.in_channels, traits.out_channels, traits.multiple_of, traits.minimum) == (3, 3, 1, 1)


@pytest.mark.parametrize(
    ("multiple_of", "minimum", "sides"),
    [
        (1, 1, {1: 1, 7: 7}),
        (4, 1, {1: 4, 4: 4, 5: 8}),
        (1, 16, {1: 16, 16: 16, 17: 17}),
        (8, 12, {1: 16, 16: 16, 17: 24}),
    ],
)
def test_padded_sides(multiple_of, minimum, sides):
    """A side is padded to the least that is a multiple, and not below the minimum."""
    traits = Traits(scale=1, multiple_of=multiple_of, minimum=minimum)
    assert {side: traits.padded(side) for side in sides} == sides


@pytest.mark.parametrize(
    ("maximum", "units"),
    [(None, {1: 16, 3: 24, 100: 800}), (16, {1: 16, 3: 16, 100: 16}), (30, {1: 16, 3: 24, 100: 24})],
)
def test_sides_between_minimum_and_maximum(maximum, units):
    """A side of some units is a multiple that the network takes: not below the minimum, nor above the maximum."""
    traits = Traits(scale=1, multiple_of=8, minimum=12, maximum=maximum)
    assert {count: traits.units(count) for count in units} == units


def test_maximum_that_leaves_no_size():
    """A maximum below the least aligned side is refused."""
    with pytest.raises(ValueError, match="maximum=15 leaves no size: the least that the network takes is 16"):
        Traits(scale=1, multiple_of=8, minimum=12, maximum=15)


def test_recognition_is_made_by_place():
    """A recognition is a pair: configuration, then names."""
    recognition = Recognition({"scale": 4}, {"a": "b"})
    assert (recognition.config, recognition.names) == ({"scale": 4}, {"a": "b"})
