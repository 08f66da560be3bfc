"""``srkit check``: the conformance kit on an installed distribution."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import click

from .. import plugins
from ..errors import UnknownName
from ..registry import fold

if TYPE_CHECKING:
    from ..testing import Check


@click.command()
@click.argument("distribution")
@click.option("--only", multiple=True, metavar="CHECK", help="Run only this check, and no report; may be repeated.")
@click.option(
    "--skip",
    multiple=True,
    metavar="CHECK=REASON",
    help="Leave this check out, and say why it does not apply; may be repeated.",
)
def check(distribution: str, only: tuple[str, ...], skip: tuple[str, ...]) -> None:
    """Hold everything that an installed DISTRIBUTION registers to srkit's contracts.

    Prints a line for each check; exits with 1 if one fails or the plugin is broken. Then tells of each architecture how its
    network streams, in which precisions it runs, and what becomes of it in files. The same checks run under pytest with
    srkit.testing.
    """
    from ..testing import checks_of, reports_of

    reports = [report for report in plugins.current().reports if fold(report.distribution) == fold(distribution)]
    if not reports:
        known = {report.distribution for report in plugins.current().reports}
        raise UnknownName("plugin", distribution, known)
    checks = list(checks_of(distribution, only=only, skip=_reasons(skip)))
    broken = [problem for report in reports for problem in report.problems]
    for problem in broken:
        click.echo(click.style("BROKEN  ", fg="red") + problem.message)
    passed = sum(_passes(about, one) for about, one in checks if not one.skipped)
    skipped = [(about, one) for about, one in checks if one.skipped]
    for about, one in skipped:
        click.echo(
            click.style("skipped ", fg="yellow") + f"{about}: {one.contract}\n        [{one.name}] {one.skipped}"
        )
    for about, told in () if only else reports_of(distribution):
        click.echo("\n".join([f"\n{about}", *(f"        {key + ':':<12} {value}" for key, value in told.items())]))
    held = len(checks) - len(skipped)
    click.echo(f"\n{passed} of {held} checks passed{_also(len(skipped), 'skipped')}{_also(len(broken), 'problems')}")
    if broken or passed < held:
        raise click.exceptions.Exit(1)


def _reasons(skip: Iterable[str]) -> dict[str, str]:
    """``NAME=REASON`` → name and reason."""
    split = [one.partition("=") for one in skip]
    for name, _, reason in split:
        if not reason.strip():
            raise click.UsageError(f'--skip {name} gives no reason; write it as --skip {name}="why it does not apply"')
    return {name: reason for name, _, reason in split}


def _passes(about: str, one: Check) -> bool:
    """Run a check, print what became of it, and tell whether it passed."""
    label = f"{about}: {one.contract}"
    try:
        one()
    except Exception as error:  # noqa: BLE001 -- whatever a plugin raises is its failure, and the next check runs
        message = f"\n        [{one.name}] {type(error).__name__}: {error}"
        click.echo(click.style("FAILED  ", fg="red") + label + message)
        return False
    click.echo(click.style("ok      ", fg="green") + label)
    return True


def _also(count: int, what: str) -> str:
    return f", {count} {what}" if count else ""
