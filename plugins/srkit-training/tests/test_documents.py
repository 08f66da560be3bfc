"""docs/training.md says what is the case."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

import attrs
import pytest

from srkit_training import yaml12
from srkit_training.config import RECORDS, Config
from srkit_training.fields import plain
from srkit_training.recipes import recipes

PAGE = Path(__file__).parents[3] / "docs" / "training.md"


def defaults(record=Config, above=""):
    """Dotted key → default of each field, records' own fields in their place."""
    for field in attrs.fields(attrs.resolve_types(record)):
        inner = next((kind for kind in (field.type, *get_args(field.type)) if kind in RECORDS), None)
        default = field.default.factory() if isinstance(field.default, attrs.Factory) else field.default
        if inner is None:
            yield f"{above}{field.name}", default
        else:
            if default is None:
                yield f"{above}{field.name}", default
            yield from defaults(inner, f"{above}{field.name}.")


def rows():
    """What the tables of keys say: key → the cell of the default."""
    keys = PAGE.read_text("utf-8").partition("## Keys")[2]
    return dict(re.findall(r"^\| `([\w.]+)` \| (.*?) \|", keys, re.MULTILINE))


@pytest.mark.parametrize(("key", "default"), [*defaults()], ids=[key for key, _ in defaults()])
def test_every_key_is_documented_with_its_default(key, default):
    """There is a row for each key of a configuration, and the default in it is the record's."""
    if key == "validation":
        assert "`validation: null`" in PAGE.read_text("utf-8")
        return
    cell = rows()[key]
    if default is attrs.NOTHING:
        assert cell == "required"
    else:
        assert yaml12.read(cell) == plain(default)


def test_no_other_keys_are_documented():
    """Every row is of a key that there is."""
    assert {*rows()} <= {key for key, _ in defaults()}


def test_every_recipe_is_listed():
    """The table of recipes has all of them."""
    text = PAGE.read_text("utf-8")
    for name in recipes():
        assert re.search(rf"^\|.*`{name}`.*\|", text, re.MULTILINE), name
