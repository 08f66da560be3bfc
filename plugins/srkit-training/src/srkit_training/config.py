"""What a run is told: frozen records, one for each part of the YAML file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import attrs


@attrs.frozen(kw_only=True)
class NetworkConfig:
    """A network: a registered architecture, what it is built with, and the weights it begins with.

    ``weights``: a file, a model's name, or a URL with its digest (``URL#sha256=HEX``); None for random ones.
    """

    arch: str
    options: Mapping[str, Any] = attrs.field(factory=dict)
    weights: str | None = None


@attrs.frozen(kw_only=True)
class TrainerConfig:
    """A registered trainer and what it is made with."""

    name: str
    options: Mapping[str, Any] = attrs.field(factory=dict)


@attrs.frozen(kw_only=True)
class DataConfig:
    """A registered data set, what it is opened with, and how it is read.

    ``batch_size``: pictures an update, by all processes and accumulated parts together. ``workers``: processes that read
    ahead, for each process that trains. ``bad_limit``: so many different files may be bad.
    """

    dataset: str
    options: Mapping[str, Any] = attrs.field(factory=dict)
    batch_size: int = 12
    workers: int = 4
    bad_limit: int = 100


@attrs.frozen(kw_only=True)
class OptimiserConfig:
    """Any optimiser of ``torch.optim``, by its name there or in small letters; ``options`` are its keywords but ``lr``."""

    name: str = "adam"
    options: Mapping[str, Any] = attrs.field(factory=lambda: {"betas": (0.9, 0.99)})


@attrs.frozen(kw_only=True)
class ScheduleConfig:
    """How the learning rate goes on after the warm-up: ``constant``, ``multistep`` or ``cosine``.

    ``milestones``: iterations at which it is multiplied by ``gamma``. ``periods``: lengths of the cosine's periods, each
    begun anew at ``restarts[i]`` times the rate (all 1 if none are given), down to ``least`` times it.
    """

    name: str = "constant"
    milestones: Sequence[int] = ()
    gamma: float = 0.5
    periods: Sequence[int] = ()
    restarts: Sequence[float] = ()
    least: float = 0.0


@attrs.frozen(kw_only=True)
class TrainConfig:
    """How networks are trained.

    ``lr``: learning rate of every network, but those of ``rates`` (network → its own). ``warmup``: iterations in which it
    rises in a line from nothing. ``ema``: decay of the generator's moving average, 0 for none. ``accumulate``: parts in
    which a batch is computed. ``clip``: largest norm of a network's gradients. ``precision``: float32, bfloat16 or float16.
    ``deterministic``: only kernels that give the same bits each time.
    """

    iterations: int
    lr: float = 1e-4
    rates: Mapping[str, float] = attrs.field(factory=dict)
    optimiser: OptimiserConfig = attrs.field(factory=OptimiserConfig)
    warmup: int = 0
    schedule: ScheduleConfig = attrs.field(factory=ScheduleConfig)
    ema: float = 0.999
    accumulate: int = 1
    clip: float | None = None
    precision: str = "float32"
    compile: bool = False
    channels_last: bool = True
    deterministic: bool = False


@attrs.frozen(kw_only=True)
class StopConfig:
    """When to stop early: ``metric`` of the validation was no better for ``patience`` validations."""

    metric: str = "psnr"
    patience: int = 10


@attrs.frozen(kw_only=True)
class ValidationConfig:
    """Held-out pictures, and what is measured on them every so many iterations.

    ``gt``: a place of targets (see docs/datasets.md); ``lq``: one of their inputs, called ``lq_name``; without it inputs
    are made of the targets by ``degradation``, a recipe as of a data set, or by bicubic downscaling. ``crop``: pixels a side
    cut out of the middle of a target, None for whole pictures. ``border``: pixels left out at each side of what metrics
    see, the scale if None; ``channel``: ``rgb`` or ``y``. ``samples``: so many results are kept as pictures, side by side
    with input and target. ``best``: the metric whose best checkpoint is kept.
    """

    gt: Any
    lq: Any = None
    lq_name: str = "{}"
    degradation: Any = None
    crop: int | None = None
    every: int = 5000
    metrics: Sequence[str] = ("psnr", "ssim")
    border: int | None = None
    channel: str = "rgb"
    samples: int = 4
    best: str = "psnr"
    stop: StopConfig | None = None
    lpips_weights: Mapping[str, str] = attrs.field(factory=dict)


@attrs.frozen(kw_only=True)
class CheckpointConfig:
    """Every how many iterations a checkpoint is written, and how many numbered ones are kept beside latest and best."""

    every: int = 5000
    keep: int = 3


@attrs.frozen(kw_only=True)
class LogConfig:
    """Every how many iterations a line is logged, and where to, beside the terminal and ``log.csv``.

    ``tensorboard``: None for if it is installed. ``wandb``: the project of Weights & Biases to log to, None for none.
    """

    every: int = 100
    tensorboard: bool | None = None
    wandb: str | None = None


@attrs.frozen(kw_only=True)
class Config:
    """A whole run; ``name`` is that of its folder."""

    name: str
    trainer: TrainerConfig
    network: NetworkConfig
    data: DataConfig
    train: TrainConfig
    validation: ValidationConfig | None = None
    checkpoints: CheckpointConfig = attrs.field(factory=CheckpointConfig)
    log: LogConfig = attrs.field(factory=LogConfig)
    seed: int = 0
