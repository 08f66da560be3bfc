"""Logs of a run: the terminal, CSV files, TensorBoard, Weights & Biases."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol

import torch

import srkit

from .config import LogConfig
from .table import Table
from .terminal import Terminal, told


class Curves(Protocol):
    """Somewhere else to log to."""

    def add(self, iteration: int, values: Mapping[str, float]) -> None:
        """Numbers by name."""

    def close(self) -> None:
        """Nothing comes any more."""


class Logs:
    """What a run tells while it goes on, in its ``folder``; ``total``: its iterations, ``resume_at``: those done already.

    ``log.csv`` and ``validation.csv`` are after a resumption as if there had been none, but for times; so are the curves of
    TensorBoard, in ``folder/tensorboard``. Weights & Biases goes on with the run it began in this folder; it keeps what it
    was sent, and leaves out iterations that come again. Nothing is sent if ``SRKIT_OFFLINE`` is set; ``WANDB_MODE`` comes
    first. Raises SettingsError for what is asked for and not installed. Only one process of a run makes one.
    """

    def __init__(self, config: LogConfig, folder: Path, total: int, *, resume_at: int = 0) -> None:
        self._curves: list[Curves] = []
        folder.mkdir(parents=True, exist_ok=True)
        if config.tensorboard is not False:
            self._curves += _tensorboard(folder / "tensorboard", resume_at, wanted=config.tensorboard is True)
        if config.wandb is not None:
            self._curves.append(_WandB(config.wandb, folder, resume_at))
        self._log = Table(folder / "log.csv", resume_at)
        self._validation = Table(folder / "validation.csv", resume_at)
        self._terminal = Terminal(total, resume_at)
        self._before = resume_at, time.perf_counter()

    def log(self, iteration: int, values: Mapping[str, float]) -> None:
        """Losses, learning rates and the like after so many iterations."""
        rate, memory = self._rate(iteration), peak_memory()
        self._terminal.progress(iteration, values, rate, memory)
        around = {"iterations_per_second": round(rate, 4), "memory_gb": round(memory, 3)}
        self._log.add(iteration, {"time": _now(), **around, **values})
        self._draw("train", iteration, {**values, **around})

    def validated(
        self, iteration: int, values: Mapping[str, float], *, baseline: Mapping[str, float] | None = None
    ) -> None:
        """Metrics of a validation; ``baseline``: what bicubic upscaling has, to be told beside them."""
        beside = f"; bicubic: {told(baseline)}" if baseline else ""
        self.say(f"validation after {iteration}: {told(values)}{beside}")
        self._validation.add(iteration, {"time": _now(), **values})
        self._draw("validation", iteration, values)
        self._before = iteration, time.perf_counter()  # iterations are no slower for the validation

    def say(self, text: str) -> None:
        """A line on the terminal, which the bar does not cover."""
        self._terminal.say(text)

    def close(self) -> None:
        """Write what is still held back; again, no harm is done."""
        self._terminal.close()
        while self._curves:
            self._curves.pop().close()

    def __enter__(self) -> Logs:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _rate(self, iteration: int) -> float:
        (before, then), now = self._before, time.perf_counter()
        self._before = iteration, now
        return (iteration - before) / max(now - then, 1e-9)

    def _draw(self, group: str, iteration: int, values: Mapping[str, float]) -> None:
        for curves in self._curves:
            curves.add(iteration, {f"{group}/{name}": value for name, value in values.items()})


def peak_memory() -> float:
    """Gigabytes (10⁹ bytes) that this process took at most: of the GPU if it uses one, else of main memory.

    NaN where the system does not tell.
    """
    if torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        return torch.cuda.max_memory_reserved() / 1e9
    try:
        import resource
    except ImportError:  # not on Windows
        return float("nan")
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e9


def _now() -> str:
    return datetime.now().astimezone().isoformat(timespec="seconds")


def _tensorboard(folder: Path, resume_at: int, *, wanted: bool) -> list[Curves]:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        if not wanted:
            return []
        raise srkit.SettingsError(
            "tensorboard=True, and TensorBoard is not installed; pip install 'srkit-training[tensorboard]', or leave it out"
        ) from error
    # What an earlier process drew of later iterations is purged.
    return [_TensorBoard(SummaryWriter(str(folder), purge_step=resume_at + 1))]


class _TensorBoard:
    def __init__(self, writer: Any) -> None:
        self._writer = writer

    def add(self, iteration: int, values: Mapping[str, float]) -> None:
        for name, value in values.items():
            self._writer.add_scalar(name, value, iteration)

    def close(self) -> None:
        self._writer.close()


class _WandB:
    def __init__(self, project: str, folder: Path, resume_at: int) -> None:
        try:
            import wandb
        except ImportError as error:
            raise srkit.SettingsError(
                f"wandb={project!r}, and Weights & Biases is not installed; pip install wandb, or leave it out"
            ) from error
        kept = folder / "wandb-id.txt"
        known = kept.read_text("utf-8").strip() if resume_at and kept.is_file() else None
        offline = os.environ.get("SRKIT_OFFLINE", "0") not in {"", "0"} and "WANDB_MODE" not in os.environ
        self._run = wandb.init(
            project=project,
            name=folder.resolve().name,
            dir=str(folder),
            id=known,
            resume="allow" if known else None,
            mode="offline" if offline else None,
        )
        kept.write_text(self._run.id, "utf-8")

    def add(self, iteration: int, values: Mapping[str, float]) -> None:
        self._run.log(dict(values), step=iteration)

    def close(self) -> None:
        self._run.finish()
