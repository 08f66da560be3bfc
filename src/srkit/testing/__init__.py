"""The conformance kit: what every plugin object must keep to, as checks that anybody can run.

In a test of your plugin::

    import srkit.testing
    from my_nets.espcn import architecture

    @srkit.testing.parametrise(architecture)
    def test_conforms(check):
        check()

On the command line: ``srkit check DISTRIBUTION``. Each check is one function with a one-sentence contract. Those that do not
apply are left out with a reason, ``skip={"leaves_others_alone": "reads ResNet's files on purpose"}``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ..protocols import AdversarialLoss, Architecture, Dataset, Degradation, Loss, Penalty, Trainer, Upsampler
from .contract import Check
from .kinds import Subject, checks_for
from .registered import checks_of, reports_of
from .report import report

__all__ = [
    "Check",
    "check_architecture",
    "check_dataset",
    "check_degradation",
    "check_loss",
    "check_trainer",
    "check_upsampler",
    "checks_for",
    "checks_of",
    "parametrise",
    "report",
    "reports_of",
]


def check_architecture(
    architecture: Architecture, *, only: Iterable[str] = (), skip: Mapping[str, str] | None = None
) -> None:
    """Run the checks for architectures; raises ContractError at the first that fails.

    ``only``: names of checks, for no others. ``skip``: name of a check → why it does not apply. If the architecture has a
    function ``sample``, networks are built with the options that it gives: small ones are checked faster.
    """
    _run(checks_for(architecture, only=only, skip=skip))


def check_upsampler(upsampler: Upsampler, *, only: Iterable[str] = (), skip: Mapping[str, str] | None = None) -> None:
    """Run the checks for upsamplers; see :func:`check_architecture`."""
    _run(checks_for(upsampler, only=only, skip=skip))


def check_degradation(
    degradation: Degradation, *, only: Iterable[str] = (), skip: Mapping[str, str] | None = None
) -> None:
    """Run the checks for degradations; see :func:`check_architecture`."""
    _run(checks_for(degradation, only=only, skip=skip))


def check_dataset(dataset: Dataset, *, only: Iterable[str] = (), skip: Mapping[str, str] | None = None) -> None:
    """Run the checks for data sets; see :func:`check_architecture`."""
    _run(checks_for(dataset, only=only, skip=skip))


def check_trainer(trainer: Trainer, *, only: Iterable[str] = (), skip: Mapping[str, str] | None = None) -> None:
    """Run the checks for trainers; see :func:`check_architecture`."""
    _run(checks_for(trainer, only=only, skip=skip))


def check_loss(
    loss: Loss | AdversarialLoss | Penalty,
    *,
    kind: str = "picture",
    average: bool = False,
    only: Iterable[str] = (),
    skip: Mapping[str, str] | None = None,
) -> None:
    """Run the checks for losses; ``kind`` and ``average`` as in :class:`srkit.LossSpec`; see :func:`check_architecture`."""
    _run(checks_for(loss, kind=kind, average=average, only=only, skip=skip))


def _run(checks: Iterable[Check]) -> None:
    for check in checks:
        if not check.skipped:
            check()


def parametrise(
    *subjects: Subject,
    kind: str | None = None,
    average: bool = False,
    only: Iterable[str] = (),
    skip: Mapping[str, str] | None = None,
) -> Any:
    """A pytest decorator: the test runs once for each check of each object, as its argument ``check``.

    The options are those of :func:`checks_for`; what is in ``skip`` is a skipped test with that reason.
    """
    import pytest

    only = tuple(only)
    checks = [
        check for subject in subjects for check in checks_for(subject, kind=kind, average=average, only=only, skip=skip)
    ]
    return pytest.mark.parametrize("check", [_parameter(check) for check in checks])


def _parameter(check: Check) -> Any:
    import pytest

    marks = [pytest.mark.skip(reason=check.skipped)] if check.skipped else []
    return pytest.param(check, id=f"{check.about}-{check.name}", marks=marks)
