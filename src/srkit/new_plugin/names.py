"""What a new plugin is called: everywhere, and as nobody else is."""

from __future__ import annotations

import contextlib
import importlib.util
import keyword
import re
import sys
from importlib import metadata

import attrs

from .. import plugins
from ..errors import SettingsError
from ..registry import fold
from .kinds import KINDS, Kind

LONGEST = 50
"""Characters of a name; lines of the templates are short enough for those."""

_RECORD = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")


@attrs.frozen(kw_only=True)
class Names:
    """``distribution``: what is installed. ``package``: what is imported. ``record``: what srkit's users call it."""

    distribution: str
    package: str
    record: str


def names_for(distribution: str, kind: str, record: str | None = None) -> Names:
    """The names of a new plugin; ``record`` follows from ``distribution`` where it is None.

    ``srkit-archs-my-net``, of the kind ``arch``, is imported as ``srkit_archs_my_net`` and registers ``my-net``. Raises
    SettingsError for a name that cannot be one, or is taken by an installed plugin or package.
    """
    _check_distribution(distribution)
    names = Names(
        distribution=distribution,
        package=distribution.replace("-", "_"),
        record=_without_prefix(distribution, KINDS[kind]) if record is None else record,
    )
    _check_package(names)
    _check_record(names, KINDS[kind], given=record is not None)
    return names


def _check_distribution(name: str) -> None:
    # PEP 508 says what a name is, PEP 503 which of its spellings is the one that indexes use.
    if not re.fullmatch(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?", name):
        raise SettingsError(
            f"{name!r} cannot be the name of a distribution; use letters, digits and '-', such as 'srkit-archs-mine'"
        )
    normal = re.sub(r"[-_.]+", "-", name).lower()
    if name != normal:
        raise SettingsError(f"package indexes write {name!r} as {normal!r}; call it that")
    if len(name) > LONGEST:
        raise SettingsError(f"{name!r} has {len(name)} characters; use at most {LONGEST}")
    with contextlib.suppress(metadata.PackageNotFoundError):
        raise SettingsError(
            f"{name!r} is taken: {name} {metadata.version(name)} is installed here; choose another name, or run "
            f"'pip uninstall {name}' first"
        )
    for report in plugins.current().reports:
        if fold(name) == fold(report.entry_point):
            raise SettingsError(f"{name!r} is what {report.label} is called; choose another name")


def _check_package(names: Names) -> None:
    package = names.package
    if not package.isidentifier() or keyword.iskeyword(package):
        raise SettingsError(
            f"{names.distribution!r} would be imported as {package!r}, which Python cannot; begin it with a letter, such as "
            f"'srkit-{names.distribution}'"
        )
    if _is_module(package):
        raise SettingsError(
            f"{names.distribution!r} would be imported as {package!r}, as a module is that is already here; choose another "
            f"name, such as 'srkit-{names.distribution}'"
        )


def _is_module(name: str) -> bool:
    if name in sys.stdlib_module_names or name in sys.modules:
        return True
    spec = importlib.util.find_spec(name)
    # Python would import any folder of that name from where it runs, but nobody means to: such have no origin.
    return spec is not None and spec.origin is not None


def _without_prefix(distribution: str, kind: Kind) -> str:
    """The distribution's name without 'srkit-' and the kind's words, as long as something is left."""
    name = distribution
    for prefix in ("srkit", *kind.words):
        name = name.removeprefix(f"{prefix}-")
    return name


def _check_record(names: Names, kind: Kind, *, given: bool) -> None:
    name, way_out = names.record, "" if given else "; say with --name what users are to call it"
    if not _RECORD.fullmatch(name) or len(name) > LONGEST:
        raise SettingsError(
            f"{name!r} cannot be the name of a {kind.noun}: expected at most {LONGEST} lower-case letters, digits and "
            f"single '-', a letter first{way_out}"
        )
    registry = getattr(plugins.current(), kind.registry)
    if name in registry:
        owner = registry.find(name).owner.label
        raise SettingsError(
            f"the {kind.noun} {name!r} is already registered by {owner}{way_out or '; choose another name'}"
        )
