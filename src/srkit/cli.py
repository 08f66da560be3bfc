"""The ``srkit`` program. Its commands come from plugins and are imported when they are run."""

from __future__ import annotations

import io
import sys
from importlib import metadata
from typing import Any

import click

from . import plugins
from .errors import PluginError, SrkitError, UnknownName
from .registry import fold

# Commands of distributions that may not be installed: asked for, they say how to get them.
_ELSEWHERE = {
    "dataset": "srkit-datasets",
    "degrade": "srkit-datasets",
    "train": "srkit-training",
    "upscale": "srkit-io",
}


class _Commands(click.Group):
    """Commands by name from the registry, none of them imported to be listed."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 -- click's signature
        return plugins.current().commands.names()

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 -- click's signature
        try:
            entry = plugins.current().commands.find(cmd_name)
        except UnknownName as error:
            distribution = _ELSEWHERE.get(fold(cmd_name))
            if distribution is not None:
                raise click.ClickException(
                    f"'srkit {cmd_name}' comes with {distribution}, {_why_absent(distribution)}"
                ) from error
            raise click.UsageError(str(error)) from error
        except PluginError as error:
            raise click.ClickException(str(error)) from error
        command = entry.load()
        if not isinstance(command, click.Command):
            raise click.ClickException(f"{entry.spec.target!r} of {entry.owner.label} is not a click command")
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 -- click's signature
        rows = [(entry.spec.name, entry.spec.summary) for entry in plugins.current().commands]
        with formatter.section("Commands"):
            formatter.write_dl(rows)


def _why_absent(distribution: str) -> str:
    try:
        metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return f"which is not installed; run: pip install {distribution}"
    return "which SRKIT_PLUGINS excludes, or which is broken; see 'srkit plugins'"


def _print_version(ctx: click.Context, _: click.Parameter, wanted: bool) -> None:
    if wanted and not ctx.resilient_parsing:
        from . import __version__

        click.echo(f"srkit {__version__}")
        ctx.exit()


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_print_version,
    help="Show the version and exit.",
)
def program() -> None:
    """Upscale pictures with neural networks.

    \b
    srkit upscale photo.jpg -o big.png       upscale a picture
    srkit upscale photos/ -o big/            upscale a folder
    srkit models list                        which models there are
    srkit COMMAND --help                     what a command can do
    """  # noqa: D301 -- \b is click's mark for text to leave as it is


def main() -> Any:
    """Run the program; an error that srkit raised on purpose is a message, not a traceback."""
    for stream in (sys.stdout, sys.stderr):
        # A file name need not be text in any encoding; to print it must not end a batch.
        if isinstance(stream, io.TextIOWrapper) and stream.errors == "strict":
            stream.reconfigure(errors="backslashreplace")
    try:
        return program()
    except ModuleNotFoundError as error:
        if error.name != "torch":
            raise
        click.echo(
            "Error: this needs PyTorch, which is not installed; see https://pytorch.org for the build you want",
            err=True,
        )
        sys.exit(1)
    except SrkitError as error:
        notes = getattr(error, "__notes__", [])
        click.echo("\n".join([f"Error: {error}", *notes]), err=True)
        sys.exit(1)
