"""Configurations: frozen records filled from mappings, such as YAML gives."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any, TypeVar

import attrs

import srkit

T = TypeVar("T")


def filled(record: type[T], given: Mapping[str, Any]) -> T:
    """``record(**given)``, where unknown and missing keys are told by name.

    Raises SettingsError. A key of another spelling is never passed over: it would be a default nobody asked for.
    """
    fields = {field.name: field for field in attrs.fields(record)}  # type: ignore[arg-type]
    for key in given:
        if key not in fields:
            close = difflib.get_close_matches(str(key), fields, n=1)
            hint = f"did you mean {close[0]!r}? " if close else ""
            raise srkit.SettingsError(f"unknown key {key!r}; {hint}Keys: {', '.join(fields)}")
    missing = [name for name, field in fields.items() if field.default is attrs.NOTHING and name not in given]
    if missing:
        raise srkit.SettingsError(f"the key {missing[0]!r} is missing; keys: {', '.join(fields)}")
    try:
        return record(**given)
    except srkit.SettingsError:
        raise
    except (TypeError, ValueError) as error:
        raise srkit.SettingsError(str(error.args[0] if error.args else error)) from error
