"""``srkit check``: the conformance kit on an installed distribution."""

from __future__ import annotations

import click

from .. import plugins


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

    reports = [report for report in plugins.current().reports if report.distribution == distribution]
    if not reports:
        known = sorted({report.distribution for report in plugins.current().reports})
        raise click.ClickException(f"{distribution!r} is not an installed plugin; plugins: {', '.join(known)}")
    failures = count = 0
    for report in reports:
        for problem in report.problems:
            failures += 1
            click.echo(click.style("BROKEN ", fg="red") + problem.message)
    for subject, one in checks_of(distribution):
        if (only and one.name not in only) or one.name in skip:
            continue
        count += 1
        label = f"{subject}: {one.contract}"
        try:
            one()
        except Exception as error:  # noqa: BLE001 -- whatever a plugin raises is its failure, and the next check runs
            failures += 1
            click.echo(
                click.style("FAILED ", fg="red") + f"{label}\n       [{one.name}] {type(error).__name__}: {error}"
            )
        else:
            click.echo(click.style("ok     ", fg="green") + label)
    click.echo(f"{count - failures if failures <= count else 0} of {count} checks passed")
    if failures:
        raise click.exceptions.Exit(1)
