"""The training loop, from top to bottom."""

from __future__ import annotations

import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs
import torch

import srkit
from srkit import plugins

from .checkpoints import Checkpoints, contents, read_checkpoint, versions
from .config import Config
from .interrupts import Interrupts
from .learner import GENERATOR, Learner
from .logs import Logs
from .marks import Marks
from .means import Means
from .processes import largest, make_accelerator, mean_of_all, of_all
from .randomness import random_states, restore_random_states, seed_all
from .starting import start_network, traits_of
from .validation import Validation


@attrs.frozen
class Outcome:
    """How a run ended: after which iteration, with which metrics last, by which signal if by one, early or not."""

    iteration: int
    metrics: Mapping[str, float]
    signal: signal.Signals | None = None
    early: bool = False


class Run:
    """A run in a folder, begun anew or taken up from a checkpoint; ``cpu`` keeps it off accelerators that are here."""

    def __init__(self, config: Config, folder: Path, *, resume: Path | None = None, cpu: bool = False) -> None:
        self._config, self._folder = config, folder
        self._accelerator = make_accelerator(config.train, cpu=cpu)
        self._checkpoints = Checkpoints(folder / "checkpoints", config.checkpoints.keep)
        self._traits = traits_of(config.network)
        self._trainer = make_trainer(config)
        torch.manual_seed(config.seed)  # the same weights in every process
        networks = self._trainer.networks(start_network(config.network), self._traits)
        self._learner = Learner(networks, config.train, self._accelerator)
        seed_all(config.seed, self._accelerator.process_index)
        self._batches = self._open_batches()
        self._means, self._marks = Means(), Marks()
        self._baseline: Mapping[str, float] = {}
        self._saved_at: int | None = None
        if resume is not None:
            self._load(read_checkpoint(resume))

    def __call__(self) -> Outcome:
        """Train to the end, an early stop or a signal; each leaves a checkpoint."""
        config, learner = self._config, self._learner
        validation, logs = self._observers()
        received = 0
        early = config.validation is not None and self._marks.is_over(config.validation)  # it was so when it ended
        try:
            with Interrupts() as interrupts:
                while learner.iteration < config.train.iterations and not early:
                    received = largest(self._accelerator, interrupts.received or 0)
                    if received:
                        break
                    self._update()
                    last = learner.iteration == config.train.iterations
                    if learner.iteration % config.log.every == 0 or last:
                        self._log(logs)
                    best = False
                    if config.validation is not None and (learner.iteration % config.validation.every == 0 or last):
                        best, early = self._validate(validation, logs)
                    if best or learner.iteration % config.checkpoints.every == 0:
                        self._save(best=best)
                if self._saved_at != learner.iteration:
                    self._save()
        finally:
            self._batches.close()
            if logs is not None:
                logs.close()
        return Outcome(learner.iteration, self._marks.metrics, signal.Signals(received) if received else None, early)

    def _update(self) -> None:
        """One update of the networks, by as many batches as are accumulated."""
        for _ in range(self._config.train.accumulate):
            batch = next(self._batches)
            with self._accelerator.accumulate(*self._learner.wrapped):
                try:
                    self._means.add(self._trainer.step(batch, self._learner))
                except srkit.NonFiniteLoss as error:
                    error.add_note(f"the batch is kept in {self._keep(batch)}")
                    raise
        self._learner.finish_iteration()

    def _log(self, logs: Logs | None) -> None:
        told = mean_of_all(self._accelerator, self._means.take())
        rates = {f"lr_{name}" if name != GENERATOR else "lr": rate for name, rate in self._learner.rates.items()}
        if logs is not None:
            logs.log(self._learner.iteration, {**told, **rates, "epoch": self._batches.epoch})

    def _validate(self, validation: Validation | None, logs: Logs | None) -> tuple[bool, bool]:
        """Whether this is the best so far, and whether it is time to stop."""
        best = over = False
        config = self._config.validation
        if validation is not None and logs is not None and config is not None:
            metrics = validation(self._learner.ema(GENERATOR), self._learner.iteration)
            self._marks.note(metrics)
            logs.validated(self._learner.iteration, metrics, baseline=self._baseline)
            best, over = self._marks.is_best(config), self._marks.is_over(config)
        return bool(largest(self._accelerator, best)), bool(largest(self._accelerator, over))

    def _save(self, *, best: bool = False) -> None:
        own = of_all(
            self._accelerator,
            {"random": random_states(), "data": self._batches.state_dict(), "means": self._means.state_dict()},
        )
        if self._accelerator.is_main_process:
            training = {
                "learner": self._learner.state_dict(),
                "processes": own,
                "marks": self._marks.state_dict(),
                "configuration": attrs.asdict(self._config),
                "versions": dict(versions()),
            }
            whole = contents(self._config, training, self._marks.metrics)
            self._checkpoints.write(whole, self._learner.iteration, best=best)
        self._accelerator.wait_for_everyone()
        self._saved_at = self._learner.iteration

    def _load(self, training: Mapping[str, Any]) -> None:
        self._learner.load_state_dict(training["learner"])
        self._marks.load_state_dict(training["marks"])
        then, now = training["processes"], self._accelerator.num_processes
        own = then[self._accelerator.process_index % len(then)]
        self._batches.load_state_dict(own["data"])
        self._means.load_state_dict(own["means"])
        restore_random_states(own["random"])
        self._saved_at = self._learner.iteration
        if len(then) != now:
            self._say(
                f"there were {len(then)} processes and are {now} now, so the weights will not be the same to the bit"
            )
        other = [
            f"{key} {value} then, {versions().get(key)} now"
            for key, value in training["versions"].items()
            if versions().get(key) != value
        ]
        if other:
            self._say(f"{'; '.join(other)}: the weights may not be the same to the bit as without a stop")

    def _say(self, text: str) -> None:
        if self._accelerator.is_main_process:
            sys.stderr.write(f"srkit: {text}\n")

    def _keep(self, batch: srkit.Batch) -> Path:
        rank = self._accelerator.process_index
        path = self._folder / f"nonfinite-{self._learner.iteration:08d}-{rank}.pt"
        torch.save({key: value for key, value in attrs.asdict(batch, recurse=False).items() if value is not None}, path)
        return path

    def _observers(self) -> tuple[Validation | None, Logs | None]:
        """Who validates and who logs: in the main process."""
        if not self._accelerator.is_main_process:
            return None, None
        config = self._config
        validation = None
        if config.validation is not None:
            samples = self._folder / "samples"
            validation = Validation(config.validation, self._traits, samples, self._accelerator.device)
            self._baseline = validation.baseline()
        return validation, Logs(config.log, self._folder, config.train.iterations, resume_at=self._learner.iteration)

    def _open_batches(self) -> srkit.BatchStream:
        data, processes = self._config.data, self._accelerator.num_processes
        dataset: srkit.Dataset = plugins.current().datasets.find(data.dataset).load(srkit.Dataset)
        parts = processes * self._config.train.accumulate
        if data.batch_size % parts:
            raise srkit.SettingsError(
                f"data.batch_size={data.batch_size} cannot be shared among {processes} processes and "
                f"{self._config.train.accumulate} accumulated parts; choose a multiple of {parts}"
            )
        feed = srkit.Feed(
            batch_size=data.batch_size // parts,
            seed=self._config.seed,
            rank=self._accelerator.process_index,
            world_size=processes,
            workers=data.workers,
            device=str(self._accelerator.device),
            bad_limit=data.bad_limit,
        )
        return dataset.open(data.options, feed)


def make_trainer(config: Config) -> srkit.Trainer:
    """The trainer that a configuration names, with its options; raises SettingsError for options that it does not take."""
    make = plugins.current().trainers.find(config.trainer.name).load()
    try:
        trainer: srkit.Trainer = make(**config.trainer.options)
    except TypeError as error:
        raise srkit.SettingsError(f"trainer.options of {config.trainer.name}: {error}") from error
    return trainer
