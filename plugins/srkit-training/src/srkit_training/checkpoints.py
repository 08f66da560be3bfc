"""Checkpoints: files that hold a whole run, appear whole or not at all, and are weights that srkit reads."""

from __future__ import annotations

import functools
import json
import os
import platform
import re
import secrets
import subprocess
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

import attrs
import torch

import srkit
from srkit.weights.read import CARD_KEY, CONFIG_KEY

from .config import Config
from .learner import GENERATOR
from .starting import traits_of

TRAINING_KEY = "training"
_NUMBERED = re.compile(r"\d{8}\.pt")


@attrs.frozen
class Checkpoints:
    """The checkpoints in a folder: one numbered by its iteration each time, ``latest.pt`` and ``best.pt``."""

    folder: Path
    keep: int

    @property
    def latest(self) -> Path:
        """The last one written."""
        return self.folder / "latest.pt"

    def write(self, contents: Mapping[str, Any], iteration: int, *, best: bool) -> Path:
        """Write one; of those numbered the last ``keep`` stay. Raises SettingsError, naming the file, if that fails."""
        path = self.folder / f"{iteration:08d}.pt"
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            for left in self.folder.glob(".*.part"):
                left.unlink()  # of a process that was killed
            part = self._part()
            with part.open("wb") as file:
                torch.save(dict(contents), file)
                file.flush()
                os.fsync(file.fileno())
            part.replace(path)
            for name in ("latest.pt", "best.pt") if best else ("latest.pt",):
                self._give_name(path, name)
            numbered = self.numbered()
            for old in numbered[: max(0, len(numbered) - self.keep)]:
                old.unlink()
        except OSError as error:
            raise srkit.SettingsError(
                f"{path} cannot be written: {error.strerror or error}; make room, or train elsewhere with --output"
            ) from error
        return path

    def numbered(self) -> list[Path]:
        """Those numbered by their iteration, first to last."""
        return sorted(path for path in self.folder.glob("*.pt") if _NUMBERED.fullmatch(path.name))

    def _part(self) -> Path:
        return self.folder / f".{secrets.token_hex(8)}.part"

    def _give_name(self, path: Path, name: str) -> None:
        """A second name of the same file, not a copy, where the file system has such."""
        part = self._part()
        try:
            os.link(path, part)
        except OSError:
            part.write_bytes(path.read_bytes())
        part.replace(self.folder / name)


def read_checkpoint(path: Path) -> dict[str, Any]:
    """What a run is resumed from; raises WeightsError for another file, or a damaged one."""
    try:
        contents = torch.load(path, map_location="cpu", weights_only=True)
        training: dict[str, Any] = contents[TRAINING_KEY]
    except FileNotFoundError as error:
        raise srkit.WeightsNotFound(f"there is no checkpoint {path}; begin anew without it") from error
    except Exception as error:  # torch's reader raises whatever damaged bytes lead it to
        raise srkit.WeightsError(
            f"{path} is no checkpoint of srkit, or is damaged ({type(error).__name__}); take an earlier one with "
            f"--resume FILE",
            path,
        ) from error
    return training


def contents(config: Config, training: Mapping[str, Any], metrics: Mapping[str, float]) -> dict[str, Any]:
    """What a checkpoint holds: ``training`` for resuming; the generator's weights and card for everybody else."""
    learner = training["learner"]
    prefix = "module."  # AveragedModel's
    average = {name.removeprefix(prefix): v for name, v in learner["average"].items() if name.startswith(prefix)}
    return {
        "params_ema": average,
        "params": learner["networks"][GENERATOR],
        CONFIG_KEY: json.dumps(dict(config.network.options)),
        CARD_KEY: json.dumps(card(config, learner["iteration"], metrics), ensure_ascii=False),
        TRAINING_KEY: dict(training),
    }


def card(config: Config, iteration: int, metrics: Mapping[str, float]) -> dict[str, Any]:
    """A model card: what network, how it was trained, what it reached; without the folders of this machine."""
    whole: dict[str, Any] = {
        "name": config.name,
        "architecture": config.network.arch,
        "configuration": dict(config.network.options),
        "scale": traits_of(config.network).scale,
        "training": {
            "iterations": iteration,
            "trainer": config.trainer.name,
            "started from": config.network.weights or "random weights",
            "validation": dict(metrics),
            "configuration": attrs.asdict(config),
        },
        "versions": dict(versions()),
    }
    cleaned: dict[str, Any] = _without_folders(whole)
    return cleaned


def _without_folders(value: Any) -> Any:
    """Names in place of absolute paths: where somebody keeps things is nobody's business."""
    if isinstance(value, Mapping):
        return {str(key): _without_folders(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_without_folders(inner) for inner in value]
    return Path(value).name if isinstance(value, str) and Path(value).is_absolute() else value


@functools.cache
def versions() -> Mapping[str, str]:
    """What the run is computed with; other versions may give other bits."""
    found = {"python": platform.python_version(), "threads": str(torch.get_num_threads())}
    for name in ("torch", "numpy", "srkit", "srkit-datasets", "srkit-training"):
        found[name] = metadata.version(name)
    commit = _commit()
    return found | ({"commit": commit} if commit else {})


def _commit() -> str | None:
    """The commit of the repository that training is started in, marked if files differ from it."""
    try:
        told = subprocess.run(
            ["git", "describe", "--always", "--dirty", "--abbrev=40"],  # noqa: S607 -- whichever git the user has
            capture_output=True,
            text=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return told.stdout.strip()
