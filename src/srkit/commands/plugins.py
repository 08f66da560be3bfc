"""``srkit plugins``."""

from __future__ import annotations

import click

from .. import plugins as loaded


@click.command()
@click.option("--traceback", "with_traceback", is_flag=True, help="Show where each problem arose.")
def plugins(with_traceback: bool) -> None:
    """List installed plugins: distribution, version, what they register, and what is broken.

    Exits with 1 if a plugin is broken. SRKIT_PLUGINS=a,b limits what is loaded, SRKIT_TRACE_PLUGINS=1 prints hook calls.
    """
    reports = loaded.current().reports
    for report in reports:
        state = click.style("  broken", fg="red") if report.failed else ""
        click.echo(
            click.style(f"{report.distribution} {report.version}", bold=True) + f"  ({report.entry_point}){state}"
        )
        kinds: dict[str, list[str]] = {}
        for kind, name in report.registered:
            kinds.setdefault(kind, []).append(name)
        for kind, names in kinds.items():
            click.echo(f"  {kind + ':':<14}{', '.join(names)}")
        for problem in report.problems:
            click.echo(click.style("  problem: ", fg="red") + problem.message)
            if with_traceback and problem.traceback:
                click.echo(problem.traceback.rstrip())
    if any(report.problems for report in reports):
        if not with_traceback:
            click.echo("run 'srkit plugins --traceback' to see where each problem arose", err=True)
        raise click.exceptions.Exit(1)
