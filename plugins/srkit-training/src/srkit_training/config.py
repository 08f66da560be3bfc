"""What a run is told: frozen records, one for each part of the YAML file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import attrs

from .fields import choice, file_name, flag, names, number, numbers, options, plain, shares, text, texts, whole, wholes
from .problems import ConfigError, Problem

SCHEDULES = ("constant", "multistep", "cosine")
PRECISIONS = ("float32", "bfloat16", "float16")
CHANNELS = ("rgb", "y")


@attrs.frozen(kw_only=True)
class NetworkConfig:
    """A network: a registered architecture, what it is built with, and the weights it begins with.

    ``weights``: a file, a model's name, or a URL with its digest (``URL#sha256=HEX``); None for random ones.
    """

    arch: str = text("the name of an architecture, such as rrdb")
    options: Mapping[str, Any] = options()
    weights: str | None = text("a file, a model's name, or a URL with its digest (URL#sha256=HEX)", None)


@attrs.frozen(kw_only=True)
class TrainerConfig:
    """A registered trainer and what it is made with."""

    name: str = text("the name of a trainer, such as realesrgan")
    options: Mapping[str, Any] = options()


@attrs.frozen(kw_only=True)
class DataConfig:
    """A registered data set, what it is opened with, and how it is read.

    ``batch_size``: pictures an update, by all processes and accumulated parts together. ``workers``: processes that read
    ahead, for each process that trains. ``bad_limit``: so many different files may be bad.
    """

    dataset: str = text("the name of a data set, such as realesrgan")
    options: Mapping[str, Any] = options()
    batch_size: int = whole(1, 12)
    workers: int = whole(0, 4)
    bad_limit: int = whole(0, 100)


@attrs.frozen(kw_only=True)
class OptimiserConfig:
    """Any optimiser of ``torch.optim``, by its name there or in small letters; ``options`` are its keywords but ``lr``."""

    name: str = text("the name of an optimiser, such as adam", "adam")
    options: Mapping[str, Any] = options({"betas": (0.9, 0.99)})


@attrs.frozen(kw_only=True)
class ScheduleConfig:
    """How the learning rate goes on after the warm-up: ``constant``, ``multistep`` or ``cosine``.

    ``milestones``: iterations at which it is multiplied by ``gamma``. ``periods``: lengths of the cosine's periods, each
    begun anew at ``restarts[i]`` times the rate (all 1 if none are given), down to ``least`` times it.
    """

    name: str = choice("schedule", SCHEDULES, "constant")
    milestones: Sequence[int] = wholes(1, "[50000, 100000]")
    gamma: float = number("above 0", lambda v: v > 0, 0.5, such_as="0.5")
    periods: Sequence[int] = wholes(1, "[250000, 250000]")
    restarts: Sequence[float] = numbers("[1, 0.5]")
    least: float = number("within [0, 1]", lambda v: 0 <= v <= 1, 0.0, such_as="1e-3")

    def __attrs_post_init__(self) -> None:
        problems = []
        if self.name == "multistep" and not self.milestones:
            problems.append(Problem("milestones", self.milestones, "multistep needs some, such as [50000, 100000]"))
        if any(later <= former for former, later in pairwise(self.milestones)):
            problems.append(
                Problem("milestones", self.milestones, "expected iterations that grow from one to the next")
            )
        if self.name == "cosine" and not self.periods:
            problems.append(Problem("periods", self.periods, "cosine needs some, such as [the number of iterations]"))
        if self.restarts and len(self.restarts) != len(self.periods):
            words = f"expected one for each of the {len(self.periods)} periods, or none"
            problems.append(Problem("restarts", self.restarts, words))
        if problems:
            raise ConfigError(problems)


@attrs.frozen(kw_only=True)
class TrainConfig:
    """How networks are trained.

    ``lr``: learning rate of every network, but those of ``rates`` (network → its own). ``warmup``: iterations in which it
    rises in a line from nothing. ``ema``: decay of the generator's moving average, which is what
    comes out; 0 for the weights themselves. ``accumulate``: parts in
    which a batch is computed. ``clip``: largest norm of a network's gradients. ``precision``: float32, bfloat16 or float16.
    ``deterministic``: only kernels that give the same bits each time.
    """

    iterations: int = whole(1, such_as=400_000)
    lr: float = number("above 0", lambda v: v > 0, 1e-4, such_as="1e-4")
    rates: Mapping[str, float] = shares("learning rates of networks", "{discriminator: 1e-4}")
    optimiser: OptimiserConfig = attrs.field(factory=OptimiserConfig)
    warmup: int = whole(0, 0)
    schedule: ScheduleConfig = attrs.field(factory=ScheduleConfig)
    ema: float = number("of at least 0 and below 1", lambda v: 0 <= v < 1, 0.999, such_as="0.999")
    accumulate: int = whole(1, 1)
    clip: float | None = number("above 0", lambda v: v > 0, None, such_as="1.0")
    precision: str = choice("precision", PRECISIONS, "float32")
    compile: bool = flag(default=False)
    channels_last: bool = flag(default=True)
    deterministic: bool = flag(default=False)

    def __attrs_post_init__(self) -> None:
        problems = []
        last = f"below iterations={self.iterations}"
        if self.warmup >= self.iterations:
            problems.append(Problem("warmup", self.warmup, f"expected a number {last}"))
        if self.schedule.name == "multistep" and self.schedule.milestones[-1] >= self.iterations:
            words = f"expected iterations {last}; leave those out that come later, or raise iterations"
            problems.append(Problem("schedule.milestones", self.schedule.milestones, words))
        if problems:
            raise ConfigError(problems)


@attrs.frozen(kw_only=True)
class StopConfig:
    """When to stop early: ``metric`` of the validation was no better for ``patience`` validations."""

    metric: str = text("the name of a metric, such as psnr", "psnr")
    patience: int = whole(1, 10)


@attrs.frozen(kw_only=True)
class ValidationConfig:
    """Held-out pictures, and what is measured on them every so many iterations.

    ``gt``: a place of targets (see docs/datasets.md); ``lq``: one of their inputs, called ``lq_name``; without it inputs
    are made of the targets by ``degradation``, a recipe as of a data set, or by bicubic downscaling. ``crop``: pixels a side
    cut out of the middle of a target, None for whole pictures. ``border``: pixels left out at each side of what metrics
    see, the scale if None; ``channel``: ``rgb`` or ``y``. ``samples``: so many results are kept as pictures, side by side
    with input and target. ``best``: the metric whose best checkpoint is kept.
    """

    gt: Any = attrs.field(converter=plain)
    lq: Any = attrs.field(default=None, converter=plain)
    lq_name: str = text("a name with {} where the target's name goes, such as '{}x4'", "{}")
    degradation: Any = attrs.field(default=None, converter=plain)
    crop: int | None = whole(1, None, such_as=256)
    every: int = whole(1, 5000)
    metrics: Sequence[str] = names(("psnr", "ssim"))
    border: int | None = whole(0, None, such_as=4)
    channel: str = choice("channel", CHANNELS, "rgb")
    samples: int = whole(0, 4)
    best: str = text("the name of a metric, such as psnr", "psnr")
    stop: StopConfig | None = None
    lpips_weights: Mapping[str, str] = texts("files of weights", "{vgg: vgg16.pth}")

    def __attrs_post_init__(self) -> None:
        problems = []
        if self.lq_name.count("{}") != 1:
            words = "expected {} in it once, where the target's name goes, as in '{}x4'"
            problems.append(Problem("lq_name", self.lq_name, words))
        elif self.lq is None and self.lq_name != "{}":
            problems.append(
                Problem("lq_name", self.lq_name, "there is no lq whose pictures it could name; give lq, too")
            )
        if self.lq is not None and self.degradation is not None:
            words = "the inputs are read from lq; give one of lq and degradation"
            problems.append(Problem("degradation", self.degradation, words))
        if problems:
            raise ConfigError(problems)


@attrs.frozen(kw_only=True)
class CheckpointConfig:
    """Every how many iterations a checkpoint is written, and how many numbered ones are kept beside latest and best."""

    every: int = whole(1, 5000)
    keep: int = whole(0, 3)


@attrs.frozen(kw_only=True)
class LogConfig:
    """Every how many iterations a line is logged, and where to, beside the terminal and ``log.csv``.

    ``tensorboard``: None for if it is installed. ``wandb``: the project of Weights & Biases to log to, None for none.
    """

    every: int = whole(1, 100)
    tensorboard: bool | None = flag(default=None)
    wandb: str | None = text("the name of a project", None)


@attrs.frozen(kw_only=True)
class Config:
    """A whole run; ``name`` is that of its folder."""

    name: str = file_name()
    trainer: TrainerConfig
    network: NetworkConfig
    data: DataConfig
    train: TrainConfig
    validation: ValidationConfig | None = None
    checkpoints: CheckpointConfig = attrs.field(factory=CheckpointConfig)
    log: LogConfig = attrs.field(factory=LogConfig)
    seed: int = whole(0, 0)


RECORDS = (
    NetworkConfig,
    TrainerConfig,
    DataConfig,
    OptimiserConfig,
    ScheduleConfig,
    TrainConfig,
    StopConfig,
    ValidationConfig,
    CheckpointConfig,
    LogConfig,
    Config,
)
