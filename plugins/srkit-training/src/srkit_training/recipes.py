"""The configurations that come with this package."""

from __future__ import annotations

from importlib import resources
from typing import Any

import srkit


def recipes() -> dict[str, str]:
    """Name → what it is for, the first line of its comment."""
    files = [file for file in _folder().iterdir() if file.name.endswith(".yml")]
    texts = {file.name.removesuffix(".yml"): file.read_text("utf-8") for file in files}
    return {name: texts[name].partition("\n")[0].lstrip("# ") for name in sorted(texts)}


def recipe_text(name: str) -> str:
    """The YAML of a recipe, with its comments. Raises UnknownName."""
    if name not in recipes():
        raise srkit.UnknownName("training recipe", name, recipes())
    return str((_folder() / f"{name}.yml").read_text("utf-8"))


def _folder() -> Any:
    return resources.files(__package__) / "recipes"
