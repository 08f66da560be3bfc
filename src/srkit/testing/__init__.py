"""The conformance kit: what every plugin object must keep to, as checks that anybody can run.

In a test of your plugin::

    import srkit.testing
    from my_nets.espcn import architecture

    @srkit.testing.parametrise(architecture)
    def test_conforms(check):
        check()

On the command line: ``srkit check DISTRIBUTION``. Each check is one function with a one-sentence contract.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import attrs

from .. import plugins
from ..errors import SrkitError
from ..protocols import Architecture, Upsampler
from .architecture import ARCHITECTURE_CHECKS
from .upsampler import UPSAMPLER_CHECKS

__all__ = ["Check", "check_architecture", "check_upsampler", "checks_for", "checks_of", "parametrise"]


@attrs.frozen
class Check:
    """One contract, bound to one object; call it, and it raises ContractError if the object breaks it."""

    name: str
    contract: str
    _run: Callable[[Any], None] = attrs.field(repr=False)
    _subject: Any = attrs.field(repr=False)

    def __call__(self) -> None:
        """Run the check."""
        self._run(self._subject)


def checks_for(subject: Architecture | Upsampler) -> list[Check]:
    """The checks for an object, by the protocol it follows; raises TypeError if it follows none."""
    functions: tuple[Callable[[Any], None], ...]
    if isinstance(subject, Architecture):
        functions = ARCHITECTURE_CHECKS
    elif isinstance(subject, Upsampler):
        functions = UPSAMPLER_CHECKS
    else:
        raise TypeError(f"{subject!r} is neither an Architecture nor an Upsampler; see srkit.protocols")
    return [Check(f.__name__, (f.__doc__ or "").strip().split("\n")[0], f, subject) for f in functions]


def check_architecture(architecture: Architecture) -> None:
    """Run all checks for architectures; raises ContractError at the first that fails."""
    for check in checks_for(architecture):
        check()


def check_upsampler(upsampler: Upsampler) -> None:
    """Run all checks for upsamplers; raises ContractError at the first that fails."""
    for check in checks_for(upsampler):
        check()


def parametrise(*subjects: Architecture | Upsampler) -> Any:
    """A pytest decorator: the test runs once for each check of each object, as its argument ``check``."""
    import pytest

    pairs = [(subject.name, check) for subject in subjects for check in checks_for(subject)]
    return pytest.mark.parametrize("check", [pytest.param(c, id=f"{name}-{c.name}") for name, c in pairs])


def checks_of(distribution: str) -> Iterator[tuple[str, Check]]:
    """Every check of everything that an installed distribution registers, with what it is about."""
    found = plugins.current()
    for registry, protocol in ((found.architectures, Architecture), (found.upsamplers, Upsampler)):
        for entry in registry:
            if entry.owner.distribution == distribution:
                label = f"{registry.kind} {entry.spec.name}"
                try:
                    subject = entry.load(protocol)
                except SrkitError as error:
                    yield label, Check("can_be_loaded", "it can be loaded", _raiser(error), None)
                    continue
                for check in checks_for(subject):
                    yield label, check


def _raiser(error: Exception) -> Callable[[Any], None]:
    def run(_: Any) -> None:
        raise error

    return run
