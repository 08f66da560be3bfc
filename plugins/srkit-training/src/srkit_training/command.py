"""``srkit train``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from .config import Config


@click.command()
@click.argument("config", required=False, metavar="CONFIG")
@click.option(
    "--set",
    "overrides",
    multiple=True,
    metavar="KEY=VALUE",
    help="Another value, such as train.lr=1e-4; may be repeated.",
)
@click.option(
    "--from-basicsr",
    metavar="FILE",
    type=click.Path(dir_okay=False),
    help="Train by an option file of Real-ESRGAN or BasicSR; each of its options is told.",
)
@click.option(
    "-o",
    "--output",
    default="runs",
    show_default=True,
    metavar="FOLDER",
    type=click.Path(file_okay=False, path_type=Path),
    help="Where runs are; each has a folder of its name.",
)
@click.option(
    "--resume",
    metavar="CHECKPOINT",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Go on from this checkpoint, not from the run's latest.",
)
@click.option("--allow-changes", is_flag=True, help="Go on although the configuration is another than before.")
@click.option("--restart", is_flag=True, help="Begin anew; what is there is kept under another name.")
@click.option("--cpu", is_flag=True, help="Train on the processor, whatever else is here.")
@click.option("--check", "only_check", is_flag=True, help="Check the configuration, and do nothing else.")
@click.option(
    "--print",
    "only_print",
    is_flag=True,
    help="Print the configuration as YAML to edit: a recipe with its comments, else with every key.",
)
@click.option("--recipes", "only_recipes", is_flag=True, help="List the recipes that come with srkit.")
@click.pass_context
def train(
    ctx: click.Context,
    config: str | None,
    overrides: tuple[str, ...],
    from_basicsr: str | None,
    output: Path,
    resume: Path | None,
    allow_changes: bool,
    restart: bool,
    cpu: bool,
    only_check: bool,
    only_print: bool,
    only_recipes: bool,
) -> None:
    """Train a network.

    \b
    srkit train tiny                                   a recipe that comes with srkit; --recipes lists them
    srkit train my.yml --set train.lr=1e-4             a configuration of your own
    srkit train realesrgan-x4 --print > my.yml         a copy to edit
    srkit train --from-basicsr train_realesrgan_x4plus.yml
    torchrun --nproc-per-node 4 -m srkit train my.yml  four processes, the same training

    Everything of a run is in FOLDER/NAME: configuration, logs, sample pictures, checkpoints. Ctrl-C stops after the update
    at hand; the same command goes on where it was, and ends with the very weights it would have had without the stop. Weights
    for srkit.upscale are made by 'srkit models export FOLDER/NAME/checkpoints/best.pt OUT.safetensors'.
    """  # noqa: D301 -- \b is click's mark for text to leave as it is
    from .checking import check
    from .reading import dump
    from .recipes import recipe_text, recipes

    if only_recipes:
        for name, summary in recipes().items():
            click.echo(f"{name:<18}{summary}")
        return
    processes = int(os.environ.get("WORLD_SIZE", "1"))
    chosen = _chosen(config, from_basicsr, overrides)
    if only_print:
        as_it_comes = config in recipes() and not overrides
        click.echo(recipe_text(str(config)) if as_it_comes else dump(chosen), nl=False)
        return
    check(chosen, file=config or str(from_basicsr), processes=processes)
    if only_check:
        click.echo(f"{chosen.name}: nothing is wrong with the configuration")
        return
    from .runs import Start, start

    outcome = start(chosen, Start(output, resume=resume, allow_changes=allow_changes, restart=restart, cpu=cpu))
    if outcome.signal is not None:
        ctx.exit(128 + outcome.signal)


def _chosen(config: str | None, from_basicsr: str | None, overrides: tuple[str, ...]) -> Config:
    from .reading import load_config, overridden

    if (config is None) == (from_basicsr is None):
        raise click.UsageError("name a configuration: a file, a recipe (see --recipes), or --from-basicsr FILE")
    if from_basicsr is None:
        return load_config(str(config), overrides)
    from .basicsr import translate

    translated, report = translate(Path(from_basicsr))
    if os.environ.get("RANK", "0") == "0":
        click.echo("\n".join(report), err=True)
    return overridden(translated, overrides, file=from_basicsr)
