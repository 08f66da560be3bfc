"""Fields of the records that configure a run: each takes what YAML has, and says what it expects."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import PurePath
from typing import Any

import attrs

import srkit

from .problems import ConfigError, Problem, told

_REQUIRED: Any = attrs.NOTHING


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _field(
    fits: Callable[[Any], bool], expected: str, default: Any, convert: Callable[[Any], Any] | None = None
) -> Any:
    def check(_: object, attribute: attrs.Attribute[Any], value: Any) -> None:
        if not fits(value):
            raise ConfigError([Problem(attribute.name, value, f"expected {expected}")])

    return attrs.field(default=default, validator=check, converter=convert)


def _or_none(fits: Callable[[Any], bool], expected: str, default: Any) -> tuple[Callable[[Any], bool], str]:
    if default is not None:
        return fits, expected
    return lambda value: value is None or fits(value), f"{expected}, or null"


def _rounded(value: Any) -> Any:
    """4e5 is a float, and means a count."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def whole(least: int, default: int | None = _REQUIRED, *, such_as: int | None = None) -> Any:
    """A whole number of at least ``least``; with None as its default it may be null."""
    example = such_as if such_as is not None else default
    expected = f"a whole number of at least {least}, such as {example}"
    return _field(*_or_none(lambda v: _is_whole(v) and v >= least, expected, default), default, _rounded)


def number(words: str, fits: Callable[[float], bool], default: float | None = _REQUIRED, *, such_as: str) -> Any:
    """A finite number that ``fits``, as ``words`` tell."""
    expected = f"a number {words}, such as {such_as}"
    return _field(
        *_or_none(lambda v: _is_number(v) and fits(v), expected, default),
        default,
        lambda v: float(v) if _is_whole(v) else v,
    )


def flag(*, default: bool | None) -> Any:
    """True or false."""
    return _field(*_or_none(lambda v: isinstance(v, bool), "true or false", default), default)


def text(what: str, default: str | None = _REQUIRED) -> Any:
    """Text that is not empty."""
    return _field(*_or_none(lambda v: isinstance(v, str) and bool(v), what, default), default)


def file_name(default: str = _REQUIRED) -> Any:
    """Text that may be the name of a folder."""

    def fits(value: Any) -> bool:
        return isinstance(value, str) and value.strip(". ") == value != "" and not set(value) & set('/\\:*?"<>|\0\n')

    return _field(fits, "the name of a folder, such as my-run, in quotes if it looks like a number or a date", default)


def choice(kind: str, values: Sequence[str], default: str) -> Any:
    """One of ``values``."""

    def check(_: object, attribute: attrs.Attribute[Any], value: Any) -> None:
        if value not in values:
            raise ConfigError([Problem(attribute.name, value, told(srkit.UnknownName(kind, str(value), values)))])

    return attrs.field(default=default, validator=check)


def wholes(least: int, such_as: str) -> Any:
    """A list of whole numbers of at least ``least``."""
    expected = f"a list of whole numbers of at least {least}, such as {such_as}"

    def convert(value: Any) -> Any:
        return tuple(map(_rounded, value)) if isinstance(value, list | tuple) else value

    def fits(value: Any) -> bool:
        return isinstance(value, tuple) and all(_is_whole(one) and one >= least for one in value)

    return _field(fits, expected, (), convert)


def numbers(such_as: str) -> Any:
    """A list of numbers above 0."""

    def convert(value: Any) -> Any:
        return tuple(value) if isinstance(value, list | tuple) else value

    def fits(value: Any) -> bool:
        return isinstance(value, tuple) and all(_is_number(one) and one > 0 for one in value)

    return _field(fits, f"a list of numbers above 0, such as {such_as}", (), convert)


def names(default: tuple[str, ...]) -> Any:
    """A list of names, each once."""

    def convert(value: Any) -> Any:
        return tuple(value) if isinstance(value, list | tuple) else value

    def fits(value: Any) -> bool:
        return isinstance(value, tuple) and all(isinstance(one, str) for one in value) and len({*value}) == len(value)

    return _field(fits, f"a list of names, each once, such as [{', '.join(default)}]", default, convert)


def options(default: Mapping[str, Any] | None = None) -> Any:
    """Names and values of anything; kept as YAML has them, so that what is written reads back equal."""

    def fits(value: Any) -> bool:
        return isinstance(value, dict) and all(isinstance(key, str) for key in value)

    return _field(fits, "a mapping of names to values", attrs.Factory(lambda: plain(default or {})), plain)


def shares(what: str, such_as: str) -> Any:
    """Names and numbers above 0."""

    def fits(value: Any) -> bool:
        return isinstance(value, dict) and all(
            isinstance(key, str) and _is_number(one) and one > 0 for key, one in value.items()
        )

    return _field(fits, f"{what}: a mapping of names to numbers above 0, such as {such_as}", attrs.Factory(dict), plain)


def texts(what: str, such_as: str) -> Any:
    """Names and texts."""

    def fits(value: Any) -> bool:
        return isinstance(value, dict) and all(isinstance(one, str) for pair in value.items() for one in pair)

    return _field(fits, f"{what}: a mapping of names to texts, such as {such_as}", attrs.Factory(dict), plain)


def plain(value: Any) -> Any:
    """Mappings as dicts, sequences as lists, paths as text; what is something else stays."""
    if isinstance(value, Mapping):
        return {key: plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    return str(value) if isinstance(value, PurePath) else value
