"""How a check says what is wrong, and which checks are chosen."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import attrs

from ..errors import ContractError, SettingsError, UnknownName


@attrs.frozen
class Check:
    """One contract, bound to one object; call it, and it raises ContractError if the object breaks it.

    ``about``: what the object is called. ``skipped``: why the check is left out, "" if it is not.
    """

    name: str
    contract: str
    about: str
    _run: Callable[[Any], None] = attrs.field(repr=False)
    _subject: Any = attrs.field(repr=False)
    skipped: str = ""

    def __call__(self) -> None:
        """Run the check."""
        self._run(self._subject)


def bind(functions: Iterable[Callable[[Any], None]], subject: Any, about: str) -> list[Check]:
    """The checks that these functions are, of one object; the first line of a docstring is the contract."""
    return [Check(f.__name__, (f.__doc__ or "").strip().split("\n")[0], about, f, subject) for f in functions]


def choose(checks: Iterable[Check], only: Iterable[str] = (), skip: Mapping[str, str] | None = None) -> list[Check]:
    """The checks named in ``only``, all if that is empty; those in ``skip`` marked with the reason that stands there.

    Raises UnknownName for a name that no check has, SettingsError for a reason that says nothing.
    """
    checks, wanted, skip = list(checks), set(only), dict(skip or {})
    known = {check.name for check in checks}
    for name in (*sorted(wanted), *skip):
        if name not in known:
            raise UnknownName("check", name, known)
    for name, reason in skip.items():
        if not isinstance(reason, str) or not reason.strip():
            raise SettingsError(f"skip={{{name!r}: {reason!r}}} gives no reason; say why the contract does not apply")
    chosen = [check for check in checks if not wanted or check.name in wanted]
    return [attrs.evolve(check, skipped=skip.get(check.name, "")) for check in chosen]


def require(condition: bool, message: str) -> None:
    """Raise ContractError, named after the calling check, with what to change, unless ``condition`` holds."""
    if not condition:
        frame = inspect.currentframe()
        name = frame.f_back.f_code.co_name if frame and frame.f_back else "check"
        raise ContractError(message, name)
