"""Recipes: degradations written as YAML.

A degradation is its name, or its name and its options: ``quantise``, ``jpeg: {quality: [30, 95]}``. A list stands for the
first option: ``one-of: [webp, avif]``. A file holds one degradation, or the options of a chain (``scale``, ``steps``).
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping
from importlib import resources
from pathlib import Path
from typing import Any

import attrs
import yaml

import srkit
from srkit import plugins


def build(what: Any) -> srkit.Degradation:
    """The degradation that ``what`` describes: a name, ``{name: options}``, or a degradation already.

    Raises UnknownName for names and options that nobody knows, SettingsError for values that do not fit, both with notes
    that tell where they stand.
    """
    if isinstance(what, srkit.Degradation) and not isinstance(what, type):
        return what
    if isinstance(what, str):
        name, options = what, None
    elif isinstance(what, Mapping) and len(what) == 1:
        ((name, options),) = what.items()
    else:
        raise srkit.SettingsError(f"{what!r} is no degradation; expected a name, or one name with its options")
    if not isinstance(name, str):
        raise srkit.SettingsError(f"{name!r} is no name of a degradation")
    entry = plugins.current().degradations.find(name)
    factory = entry.load()
    try:
        made = _make(factory, name, options)
    except (srkit.SettingsError, srkit.UnknownName) as error:
        error.add_note(f"in {name!r}")
        raise
    if not isinstance(made, srkit.Degradation):
        raise srkit.PluginError(
            f"{name!r} of {entry.owner.label} made {made!r}, which is no degradation", entry.owner.distribution
        )
    return made


def _make(factory: Any, name: str, options: Any) -> Any:
    if options is None:
        return factory()
    if isinstance(options, list):
        return factory(options)
    if not isinstance(options, Mapping):
        raise srkit.SettingsError(f"{options!r} are no options of {name!r}; expected 'option: value' lines, or a list")
    parameters = inspect.signature(factory).parameters
    if not any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values()):
        for option in options:
            if option not in parameters:
                raise srkit.UnknownName(f"option of {name!r}", str(option), parameters)
    return factory(**options)


def shipped() -> list[str]:
    """The names of the recipes that come with this package."""
    return sorted(file.name.removesuffix(".yaml") for file in _folder().iterdir() if file.name.endswith(".yaml"))


def load_recipe(recipe: str | Path) -> srkit.Degradation:
    """The degradation of a shipped recipe, by name, or of a YAML file.

    Raises UnknownName if it is neither, and SettingsError or UnknownName, noting the file, for what is wrong in it.
    """
    path = Path(recipe)
    if path.is_file():
        text = path.read_text("utf-8")
    elif str(recipe) in shipped():
        text = (_folder() / f"{recipe}.yaml").read_text("utf-8")
    elif path.suffix.lower() in {".yaml", ".yml"}:
        raise srkit.SettingsError(
            f"there is no file {str(recipe)!r}; give a YAML file, or one of {', '.join(shipped())}"
        )
    else:
        raise srkit.UnknownName("recipe", str(recipe), shipped())
    try:
        return parse(text)
    except (srkit.SettingsError, srkit.UnknownName) as error:
        error.add_note(f"in recipe {str(recipe)!r}")
        raise


def parse(text: str) -> srkit.Degradation:
    """The degradation that a YAML text describes."""
    try:
        said = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise srkit.SettingsError(f"this is no YAML: {error}") from error
    return described(said)


def described(said: Any) -> srkit.Degradation:
    """The degradation of what a recipe holds: one degradation, or the options of a chain, or its steps alone."""
    if isinstance(said, list) or (isinstance(said, Mapping) and "steps" in said):
        said = {"chain": said}
    return build(said)


def dump(degradation: srkit.Degradation) -> str:
    """The YAML text of a degradation made of frozen attrs records; options that have their defaults are left out."""
    return yaml.safe_dump(_said(degradation), sort_keys=False, allow_unicode=True)


def _said(value: Any) -> Any:
    if isinstance(value, srkit.Degradation):
        kind: Any = type(value)
        given: Iterable[attrs.Attribute[Any]] = attrs.fields(kind)
        options = {field.name: _said(getattr(value, field.name)) for field in given if not _is_default(value, field)}
        return {value.name: options} if options else value.name
    if isinstance(value, Mapping):
        return {key: _said(one) for key, one in value.items()}
    return [_said(one) for one in value] if isinstance(value, tuple | list) else value


def _is_default(owner: Any, field: attrs.Attribute[Any]) -> bool:
    default: Any = field.default
    if isinstance(default, attrs.Factory):  # type: ignore[arg-type]
        default = default.factory()
    return bool(getattr(owner, field.name) == default)


def _folder() -> Any:
    return resources.files(__package__) / "recipes"
