"""The folder of a run: what is there already, and whether to go on with it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import attrs
import click

import srkit

from .checkpoints import Checkpoints, read_checkpoint
from .config import Config
from .loop import Outcome, Run
from .reading import dump

_MAY_CHANGE = (
    "train.iterations",
    "validation.",
    "validation",
    "checkpoints.",
    "log.",
    "data.workers",
    "data.bad_limit",
)
"""Keys that have no part in what the weights become, but for how long they are trained."""


@attrs.frozen
class Start:
    """Where and how a run is to begin; see ``srkit train --help``."""

    output: Path
    resume: Path | None = None
    allow_changes: bool = False
    restart: bool = False
    cpu: bool = False


def start(config: Config, how: Start) -> Outcome:
    """Begin a run, or go on with the one in its folder, and tell of it.

    Raises SettingsError if that one was configured otherwise.
    """
    folder = how.output / config.name
    main = os.environ.get("RANK", "0") == "0"
    if how.restart and main:
        _set_aside(folder)
    latest = Checkpoints(folder / "checkpoints", config.checkpoints.keep).latest
    checkpoint = how.resume or (latest if latest.exists() and not how.restart else None)
    if checkpoint is not None and not how.allow_changes:
        _compare(config, read_checkpoint(checkpoint)["configuration"], checkpoint)
    if main:
        _note(config, folder)
    run = Run(config, folder, resume=checkpoint, cpu=how.cpu)
    if main:
        begun = f"begins in {folder}" if checkpoint is None else f"goes on from {checkpoint}"
        click.echo(f"srkit: {config.name} {begun}", err=True)
    outcome = run()
    if main:
        click.echo(_told(outcome, config, folder), err=True)
    return outcome


def _note(config: Config, folder: Path) -> None:
    """Write the configuration where it belongs; raises SettingsError if that cannot be."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "config.yml").write_text(dump(config), "utf-8")
    except OSError as error:
        raise srkit.SettingsError(
            f"{folder} cannot be written: {error.strerror or error}; name another folder with --output"
        ) from error


def _compare(config: Config, before: Mapping[str, Any], checkpoint: Path) -> None:
    then, now = dict(_flat(before)), dict(_flat(attrs.asdict(config)))
    other = [
        f"{key}: {then.get(key)!r} then, {now.get(key)!r} now"
        for key in sorted(then.keys() | now.keys())
        if then.get(key) != now.get(key) and not key.startswith(_MAY_CHANGE)
    ]
    if other:
        raise srkit.SettingsError(
            f"{checkpoint} was trained otherwise ({'; '.join(other)}); --allow-changes goes on with what is new, --restart "
            f"begins anew, another name= makes another run"
        )


def _flat(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Leaves by dotted key; lists and tuples are equal."""
    if isinstance(value, Mapping) and value:
        for key, inner in value.items():
            yield from _flat(inner, f"{path}.{key}" if path else str(key))
    else:
        yield path, list(value) if isinstance(value, tuple) else value


def _set_aside(folder: Path) -> None:
    if folder.exists():
        number = next(n for n in range(1, 10**6) if not folder.with_name(f"{folder.name}-{n}").exists())
        folder.rename(folder.with_name(f"{folder.name}-{number}"))


def _told(outcome: Outcome, config: Config, folder: Path) -> str:
    if outcome.signal is not None:
        why = f"stopped after iteration {outcome.iteration} by {outcome.signal.name}"
        return f"srkit: {why}; the same command goes on where it was"
    best, latest = (folder / "checkpoints" / name for name in ("best.pt", "latest.pt"))
    why = "stopped early, for the metric was no better any more," if outcome.early else "done"
    source = best if best.exists() else latest
    return (
        f"srkit: {why} after iteration {outcome.iteration}; for weights run: srkit models export {source} "
        f"{config.name}.safetensors"
    )
