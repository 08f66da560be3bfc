"""``srkit check``: the conformance kit on an installed distribution."""

from __future__ import annotations

import click

from .. import plugins
from ..errors import UnknownName
from ..registry import fold


@click.command()
@click.argument("distribution")
@click.option("--only", multiple=True, metavar="CHECK", help="Run only this check; may be repeated.")
@click.option("--skip", multiple=True, metavar="CHECK", help="Leave this check out; may be repeated.")
def check(distribution: str, only: tuple[str, ...], skip: tuple[str, ...]) -> None:
    """Hold everything that an installed DISTRIBUTION registers to srkit's contracts.

    Prints a line for each check; exits with 1 if one fails or the plugin is broken. The same checks run under pytest
    with srkit.testing.
    """
    from ..testing import checks_of

    reports = [report for report in plugins.current().reports if fold(report.distribution) == fold(distribution)]
    if not reports:
        known = {report.distribution for report in plugins.current().reports}
        raise UnknownName("plugin", distribution, known)
    checks = list(checks_of(distribution))
    names = {one.name for _, one in checks}
    for name in (*only, *skip):
        if name not in names:
            raise UnknownName("check", name, names)
    broken = [problem for report in reports for problem in report.problems]
    for problem in broken:
        click.echo(click.style("BROKEN ", fg="red") + problem.message)
    chosen = [(subject, one) for subject, one in checks if (not only or one.name in only) and one.name not in skip]
    passed = 0
    for subject, one in chosen:
        label = f"{subject}: {one.contract}"
        try:
            one()
        except Exception as error:  # noqa: BLE001 -- whatever a plugin raises is its failure, and the next check runs
            click.echo(
                click.style("FAILED ", fg="red") + f"{label}\n       [{one.name}] {type(error).__name__}: {error}"
            )
        else:
            passed += 1
            click.echo(click.style("ok     ", fg="green") + label)
    click.echo(f"{passed} of {len(chosen)} checks passed" + (f", {len(broken)} problems" if broken else ""))
    if broken or passed < len(chosen):
        raise click.exceptions.Exit(1)
