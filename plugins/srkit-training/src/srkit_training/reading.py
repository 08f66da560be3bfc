"""Configurations from YAML files, and back."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

import attrs
import cattrs
import yaml

import srkit

from . import yaml12
from .config import RECORDS, Config
from .problems import ConfigError, Problem, unknown_key
from .recipes import recipe_text, recipes


def load_config(path: str | Path, overrides: Sequence[str] = ()) -> Config:
    """The configuration in a YAML file, or of a shipped recipe, by name.

    ``overrides``: ``KEY=VALUE`` each, such as ``train.lr=1e-4`` or ``data.options.gt_size=128``; values are YAML. Raises
    ConfigError, a SettingsError with a line for each key that is wrong, and UnknownName for what is neither file nor recipe.
    """
    file = Path(path)
    if file.is_file():
        try:
            text = file.read_text("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise srkit.SettingsError(f"{path}: cannot be read: {error}; expected YAML in UTF-8") from error
    elif file.exists() or file.suffix.lower() in {".yml", ".yaml"}:
        is_there = "is no file" if file.exists() else "is not there"
        raise srkit.SettingsError(f"{path}: {is_there}; give a YAML file, or one of the recipes {', '.join(recipes())}")
    else:
        text = recipe_text(str(path))
    return parse(text, overrides, file=str(path))


def parse(text: str, overrides: Sequence[str] = (), *, file: str = "configuration") -> Config:
    """The configuration that a YAML text says; ``file`` is what errors call it. Otherwise as :func:`load_config`."""
    try:
        said = yaml12.read(text)
    except yaml.YAMLError as error:
        raise srkit.SettingsError(f"{file}: {_where(error)}; expected YAML, such as 'train: {{lr: 1e-4}}'") from error
    if not isinstance(said, dict):
        raise srkit.SettingsError(f"{file}: {said!r} is no configuration; expected 'name: my-run' and further keys")
    return from_mapping(_put(said, overrides), file=file)


def from_mapping(said: Mapping[str, Any], *, file: str = "configuration") -> Config:
    """The configuration that a mapping says, as YAML would. Raises ConfigError."""
    try:
        return _converter.structure(said, Config)
    except ConfigError as error:
        raise ConfigError(error.problems, file) from None


def dump(config: Config) -> str:
    """YAML that reads back equal, with all keys. Raises SettingsError for what YAML cannot hold, such as functions."""
    try:
        return yaml12.write(_said(config))
    except yaml.YAMLError as error:
        raise srkit.SettingsError(
            f"this configuration cannot be written as YAML: {error}; name what is registered instead of passing objects"
        ) from error


def overridden(config: Config, overrides: Sequence[str], *, file: str = "configuration") -> Config:
    """The configuration with other values, ``KEY=VALUE`` each. Raises ConfigError."""
    return from_mapping(_put(_said(config), overrides), file=file) if overrides else config


def _put(said: Mapping[str, Any], overrides: Sequence[str]) -> dict[str, Any]:
    """The mapping with ``KEY=VALUE`` put in, in order; mappings on the way are made where there are none."""
    result: dict[str, Any] = _copy(said)
    for override in overrides:
        key, sign, text = override.partition("=")
        *way, last = (part.strip() for part in key.split("."))
        if not sign or not all([*way, last]):
            raise srkit.SettingsError(f"{override!r} overrides nothing; expected KEY=VALUE, such as train.lr=1e-4")
        try:
            value = yaml12.read(text)
        except yaml.YAMLError as error:
            raise srkit.SettingsError(
                f"{override!r}: the value is no YAML: {_where(error)}; expected such as 1e-4, [1, 2] or {{a: 1}}"
            ) from error
        _inner(result, way, override)[last] = value
    return result


def _inner(said: dict[str, Any], way: Sequence[str], override: str) -> dict[str, Any]:
    for part in way:
        if said.get(part) is None:
            said[part] = {}
        if not isinstance(said[part], dict):
            raise srkit.SettingsError(
                f"{override!r}: {part}={said[part]!r} has no keys; set it as a whole, as in {part}=VALUE"
            )
        said = said[part]
    return said


def _copy(said: Any) -> Any:
    return {key: _copy(value) for key, value in said.items()} if isinstance(said, Mapping) else said


def _where(error: yaml.YAMLError) -> str:
    mark = getattr(error, "problem_mark", None)
    if mark is None:
        return str(error).replace("\n", " ")
    return f"line {mark.line + 1}, column {mark.column + 1}: {getattr(error, 'problem', error)}"


def _said(value: Any) -> Any:
    """Records as mappings; of what options hold, other records stay, for YAML to refuse them."""
    if isinstance(value, RECORDS):
        return {field.name: _said(getattr(value, field.name)) for field in attrs.fields(type(value))}
    return [*value] if isinstance(value, tuple) else value


_converter = cattrs.Converter()


def _has_record(kind: Any) -> bool:
    return kind in RECORDS or any(one in RECORDS for one in get_args(kind))


# What is no record is judged by the record's own field, so that Python and YAML get the same answers.
_converter.register_structure_hook_func(lambda kind: not _has_record(kind), lambda value, _: value)


@_converter.register_structure_hook_factory(lambda kind: kind in RECORDS)
def _reading(record: type) -> Callable[[Any, Any], Any]:
    """How a record is read: all its keys are looked at, so that all that is wrong is told at once."""
    fields = {field.name: field for field in attrs.fields(attrs.resolve_types(record))}

    def read(given: Any, _: Any) -> Any:
        if not isinstance(given, Mapping):
            raise ConfigError([Problem("", given, f"expected a mapping with the keys {', '.join(fields)}")])
        problems = [Problem(str(key), given[key], unknown_key(key, fields)) for key in given if key not in fields]
        values = {}
        for name, field in fields.items():
            if name in given:
                try:
                    values[name] = _value(field, given[name])
                except ConfigError as error:
                    problems += [problem.below(name) for problem in error.problems]
            elif field.default is attrs.NOTHING:
                problems.append(Problem(name, attrs.NOTHING, f"is missing; keys: {', '.join(fields)}"))
        if problems:
            raise ConfigError(problems)
        return record(**values)

    return read


def _value(field: attrs.Attribute[Any], given: Any) -> Any:
    if _has_record(field.type):
        return _converter.structure(given, field.type)  # type: ignore[arg-type]
    value = given if field.converter is None else field.converter(given)  # type: ignore[operator]
    if field.validator is not None:
        try:
            field.validator(None, field, value)
        except ConfigError as error:
            raise ConfigError([attrs.evolve(problem, key="", value=given) for problem in error.problems]) from None
    return given
