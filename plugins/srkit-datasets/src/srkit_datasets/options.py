"""Fields of records that say what is wrong with a value, and accept what YAML has."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeAlias

import attrs

import srkit

Range: TypeAlias = tuple[float, float]
"""From, to; both included."""


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _refuse(attribute: attrs.Attribute[Any], value: object, expected: str) -> None:
    raise srkit.SettingsError(f"{attribute.name}={value!r}; expected {expected}")


def _pair(value: Any) -> Any:
    """A single number is the range of that number alone."""
    if _is_number(value):
        return (value, value)
    return tuple(value) if isinstance(value, list) else value


def between(low: float, high: float, default: Range, *, whole: bool = False, odd: bool = False) -> Any:
    """A range within [low, high] to draw from; a single number is drawn always."""
    kind = ("odd numbers" if odd else "whole numbers") if whole or odd else "numbers"

    def check(_: object, attribute: attrs.Attribute[Any], value: Any) -> None:
        fits = (
            isinstance(value, tuple)
            and len(value) == 2
            and all(_is_number(v) and low <= v <= high for v in value)
            and value[0] <= value[1]
            and (not (whole or odd) or all(isinstance(v, int) for v in value))
            and (not odd or all(v % 2 for v in value))
        )
        if not fits:
            _refuse(attribute, value, f"two {kind} [from, to] within [{low:g}, {high:g}], or one, such as {default}")

    return attrs.field(default=default, converter=_pair, validator=check, kw_only=True)


def number(low: float, high: float, default: float) -> Any:
    """A number within [low, high]."""

    def check(_: object, attribute: attrs.Attribute[Any], value: Any) -> None:
        if not (_is_number(value) and low <= value <= high):
            _refuse(attribute, value, f"a number within [{low:g}, {high:g}], such as {default:g}")

    return attrs.field(default=default, validator=check, kw_only=True)


def probability(default: float) -> Any:
    """A number within [0, 1]."""
    return number(0, 1, default)


def whole(low: int, high: int | None, default: int, *, odd: bool = False) -> Any:
    """A whole number within [low, high], or of at least ``low``."""
    bounds = f"of at least {low}" if high is None else f"within [{low}, {high}]"

    def check(_: object, attribute: attrs.Attribute[Any], value: Any) -> None:
        fits = isinstance(value, int) and not isinstance(value, bool) and low <= value
        if not fits or (high is not None and value > high) or (odd and value % 2 == 0):
            _refuse(attribute, value, f"{'an odd' if odd else 'a whole'} number {bounds}, such as {default}")

    return attrs.field(default=default, validator=check, kw_only=True)


def flag(*, default: bool) -> Any:
    """True or false."""

    def check(_: object, attribute: attrs.Attribute[Any], value: Any) -> None:
        if not isinstance(value, bool):
            _refuse(attribute, value, "true or false")

    return attrs.field(default=default, validator=check, kw_only=True)


def known(name: str, values: Iterable[str], kind: str) -> None:
    """Raise UnknownName, with the nearest, unless ``name`` is one of ``values``."""
    values = tuple(values)
    if name not in values:
        raise srkit.UnknownName(kind, str(name), values)


def choice(kind: str, values: Sequence[str], default: str) -> Any:
    """One of ``values``."""

    def check(_: object, _attribute: attrs.Attribute[Any], value: Any) -> None:
        known(value, values, kind)

    return attrs.field(default=default, validator=check, kw_only=True)


def choices(kind: str, values: Sequence[str], default: tuple[str, ...]) -> Any:
    """Some of ``values``, to draw from with equal chances."""

    def check(_: object, attribute: attrs.Attribute[Any], value: Any) -> None:
        if not (isinstance(value, tuple) and value):
            _refuse(attribute, value, f"a list of some of {', '.join(values)}")
        for one in value:
            known(one, values, kind)

    return attrs.field(
        default=default, converter=lambda v: tuple(v) if isinstance(v, list) else v, validator=check, kw_only=True
    )


def shares(kind: str, values: Sequence[str], default: Mapping[str, float]) -> Any:
    """Some of ``values``, with weights to draw by; those left out are never drawn."""

    def check(_: object, attribute: attrs.Attribute[Any], value: Any) -> None:
        if not isinstance(value, Mapping):
            _refuse(attribute, value, f"a mapping of {kind}s to weights, such as {dict(default)}")
        for one in value:
            known(one, values, kind)
        check_weights(attribute, tuple(value.values()))

    return attrs.field(factory=lambda: dict(default), converter=_as_dict, validator=check, kw_only=True)


def _as_dict(value: Any) -> Any:
    return dict(value) if isinstance(value, Mapping) else value


def check_weights(attribute: attrs.Attribute[Any], weights: Sequence[Any]) -> None:
    """Raise SettingsError unless something can be drawn by ``weights``."""
    if not all(_is_number(w) and w >= 0 for w in weights) or not sum(weights) > 0:
        _refuse(attribute, tuple(weights), "weights that are not negative, and not all 0")


def per() -> Any:
    """How often to draw: see :data:`~srkit_datasets.degradations.draws.Per`."""
    return choice("way of drawing", ("sample", "batch"), "sample")
