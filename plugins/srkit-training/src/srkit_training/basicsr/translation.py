"""An option file as a whole."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

import srkit

from ..config import Config
from ..problems import ConfigError
from ..reading import from_mapping
from .data import data, validation
from .ledger import Ledger
from .networks import network, weights
from .training import trainer, training

MODELS = {
    "RealESRNetModel": "realesrnet",
    "SRModel": "realesrnet",
    "RealESRGANModel": "realesrgan",
    "SRGANModel": "realesrgan",
}
"""What BasicSR calls a model → the trainer that does the same."""


def translate(path: str | Path) -> tuple[Config, list[str]]:
    """The configuration of an option file of Real-ESRGAN or BasicSR, and a line for what became of each option.

    Raises ConfigError, naming each option that srkit cannot follow, and SettingsError for what is no such file.
    """
    ledger = Ledger(_read(Path(path)))
    said = {
        "name": ledger.take("name", "name"),
        "trainer": {"name": _trainer_name(ledger), "options": trainer(ledger)},
        "network": {**network(ledger, "g", "network"), "weights": weights(ledger, "g", "network.weights")},
        "data": data(ledger),
        "train": training(ledger),
        "validation": validation(ledger),
        "checkpoints": _given(every=ledger.take("logger.save_checkpoint_freq", "checkpoints.every")),
        "log": _given(
            every=ledger.take("logger.print_freq", "log.every"),
            tensorboard=ledger.take("logger.use_tb_logger", "log.tensorboard"),
            wandb=ledger.take("logger.wandb.project", "log.wandb"),
        ),
        "seed": ledger.take("manual_seed", "seed", 0),
    }
    _leave_out(ledger)
    if ledger.problems:
        raise ConfigError(ledger.problems, str(path))
    return from_mapping(said, file=f"{path}, translated"), ledger.report()


def _read(path: Path) -> dict[str, Any]:
    try:
        said = yaml.safe_load(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        words = (getattr(error, "strerror", None) or str(error)).replace("\n", " ")
        raise srkit.SettingsError(f"{path} cannot be read as an option file of BasicSR: {words}") from error
    if not isinstance(said, dict) or not {"model_type", "network_g", "train", "datasets"} <= said.keys():
        raise srkit.SettingsError(
            f"{path} is no option file for training; expected one of BasicSR or Real-ESRGAN, with model_type, datasets, "
            f"network_g and train; srkit's own are read without --from-basicsr"
        )
    return said


def _trainer_name(ledger: Ledger) -> str:
    name = str(ledger.get("model_type"))
    if name in MODELS:
        ledger.take("model_type", f"trainer.name={MODELS[name]}")
    elif name == "ESRGANModel":
        why = "srkit has no relativistic average GAN; with SRGANModel the discriminator judges each picture by itself"
        ledger.refuse("model_type", why)
    else:
        ledger.refuse("model_type", f"srkit has no trainer for it; expected one of {', '.join(MODELS)}")
    return MODELS.get(name, "realesrnet")


def _leave_out(ledger: Ledger) -> None:
    """Note what makes no difference, and what is found out without being told."""
    if ledger.get("path.resume_state"):
        ledger.ignore("path.resume_state", why="states of BasicSR cannot be taken up; begin with its weights instead")
    ledger.ignore("path.resume_state", why="the same command goes on where it was")
    ledger.ignore("dist_params", why="torchrun, or accelerate launch, says how processes find each other")
    ledger.ignore("logger.wandb.resume_id", why="a run that goes on keeps its own")
    ledger.ignore("find_unused_parameters", "auto_resume", "is_train", why="srkit needs no such hint")


def _given(**values: Any) -> dict[str, Any]:
    return {key: value for key, value in values.items() if value is not None}
