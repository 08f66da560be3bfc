"""``srkit new-plugin``."""

from __future__ import annotations

import datetime
import shlex
from pathlib import Path

import click

from ..new_plugin.files import LICENCES, files_of, write
from ..new_plugin.kinds import KINDS
from ..new_plugin.names import names_for


@click.command()
@click.argument("name")
@click.option("--kind", type=click.Choice(list(KINDS)), required=True, help="What the plugin adds to srkit.")
@click.option(
    "-o",
    "--output",
    metavar="FOLDER",
    type=click.Path(path_type=Path),
    help="Where to write it: a folder that is not there yet, or is empty. Default: NAME.",
)
@click.option("--name", "record", metavar="RECORD", help="What users call it. Default: NAME without 'srkit-archs-'.")
@click.option("--author", help="Who writes it, for the licence and the package. Default: the NAME developers.")
@click.option(
    "--licence",
    type=click.Choice(LICENCES),
    default="MIT",
    show_default=True,
    help="Its text goes along.",
)
def new_plugin(name: str, kind: str, output: Path | None, record: str | None, author: str | None, licence: str) -> None:
    """Write a new plugin called NAME, as a distribution that works at once.

    \b
    srkit new-plugin srkit-archs-mine --kind arch --author "Ada Example"
    cd srkit-archs-mine
    pip install -e ".[test]"
    pytest                                   what it does, and srkit's contracts
    srkit check srkit-archs-mine             the contracts alone

    It holds a small example of its kind that really does something, to be replaced by yours: typed source, tests, a README,
    a licence, and checks that GitHub runs for each push. NAME is what pip will install; the import package is called alike
    (srkit_archs_mine), and users of srkit say RECORD (mine): --arch mine, --engine mine, or mine in a configuration.

    \b
    arch         a network in PyTorch, recognised by its weights, and streamed exactly
    degradation  what makes pictures worse, for training
    dataset      pictures to train with
    trainer      a way of training: losses, and which networks are updated when
    upsampler    a way of running networks over pictures

    Nothing is overwritten.
    """  # noqa: D301 -- \b is click's mark for text to leave as it is
    names = names_for(name, kind, record)
    folder = output or Path(name)
    author = author or f"the {name} developers"
    write(files_of(names, kind, author=author, licence=licence, year=datetime.date.today().year), folder)
    click.echo(f"{folder}: the {KINDS[kind].noun} {names.record!r}, an example to be replaced by yours. Now:\n")
    for command in (f"cd {shlex.quote(str(folder))}", 'pip install -e ".[test]"', "pytest", f"srkit check {name}"):
        click.echo(f"  {command}")
