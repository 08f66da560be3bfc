"""What the training loop adds to a bare one of the same networks, and what an iteration consists of."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import attrs
import numpy as np
import torch
from timing import interleaved
from torch import Tensor
from torch.nn import functional as F

import srkit
import srkit_io
from srkit import plugins
from srkit_archs_realesrgan.srvgg import SRVGGNetCompact
from srkit_archs_realesrgan.unet_discriminator import UNetDiscriminatorSN
from srkit_training.config import Config, DataConfig, LogConfig, NetworkConfig, TrainConfig, TrainerConfig
from srkit_training.loop import Run

SCALE = 4
NETWORK = {"num_feat": 64, "num_conv": 16, "upscale": SCALE}
RATE, BETAS, DECAY = 1e-4, (0.9, 0.99), 0.999
GAN_WEIGHT = 0.1


@attrs.frozen
class Case:
    """A trainer, batches of ``batch`` targets of ``side`` pixels, and how many updates a run has."""

    trainer: str
    batch: int
    side: int
    iterations: int

    @property
    def label(self) -> str:
        return f"`{self.trainer}`, {self.batch} × {self.side} px"


CASES = (Case("realesrnet", 4, 128, 80), Case("realesrgan", 2, 128, 10))
QUICK_CASES = (Case("realesrnet", 2, 64, 10),)


class Repeated:
    """A data set of one batch."""

    name = "repeated"
    epoch = 0.0
    bad: Mapping[str, str] = {}

    def __init__(self, batch: srkit.Batch | None = None) -> None:
        self.batch = batch

    def open(self, config: Mapping[str, Any], feed: srkit.Feed) -> Repeated:
        return Repeated(_batch(feed.batch_size, config["side"]))

    def sample(self, folder: Path, *, bad: int = 0) -> Mapping[str, Any]:  # noqa: ARG002
        return {"side": 32}

    def __iter__(self) -> Repeated:
        return self

    def __next__(self) -> srkit.Batch:
        assert self.batch is not None
        return self.batch

    def state_dict(self) -> dict[str, Any]:
        return {}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        pass

    def close(self) -> None:
        pass


dataset = Repeated()


def _batch(count: int, side: int) -> srkit.Batch:
    gt = torch.rand(count, 3, side, side, generator=torch.Generator().manual_seed(0))
    return srkit.Batch(gt=gt, lq=F.avg_pool2d(gt, SCALE))


def table(cases: tuple[Case, ...], repeats: int) -> Iterator[str]:
    """The lines of the page."""
    found = plugins.current()
    if "repeated" not in found.datasets:
        found.datasets.add(srkit.DatasetSpec(name="repeated", target="training:dataset", summary=""), found.reports[0])
    yield "| training | srkit | bare loop | ratio |"
    yield "|---|---|---|---|"
    for case in cases:
        with tempfile.TemporaryDirectory() as folder:
            sides = {"srkit": partial(_srkit, case, Path(folder)), "bare": partial(_bare, case)}
            took = interleaved(sides, repeats)
        each = {name: seconds / case.iterations for name, seconds in took.items()}
        yield f"| {case.label} | {each['srkit']:.3f} s | {each['bare']:.3f} s | {each['srkit'] / each['bare']:.3f} |"
    yield ""
    yield "| training, real data | data | forward | backward | optimiser | the rest |"
    yield "|---|---|---|---|---|---|"
    for case in cases:
        yield f"| {case.label} | {' | '.join(f'{share:.1%}' for share in _shares(case))} |"


def _config(case: Case, data: DataConfig) -> Config:
    options: dict[str, Any] = {"losses": {"l1": 1.0}}
    if case.trainer == "realesrgan":
        options["gan"] = {"weight": GAN_WEIGHT}
    return Config(
        name="benchmark",
        trainer=TrainerConfig(name=case.trainer, options=options),
        network=NetworkConfig(arch="srvgg", options=NETWORK),
        data=data,
        train=TrainConfig(iterations=case.iterations, lr=RATE, ema=DECAY),
        log=LogConfig(every=10, tensorboard=False),
    )


def _srkit(case: Case, folder: Path) -> None:
    data = DataConfig(dataset="repeated", options={"side": case.side}, batch_size=case.batch, workers=0)
    Run(_config(case, data), folder, cpu=True)()


def _bare(case: Case) -> None:
    """What somebody would write who needs nothing but the weights."""
    torch.manual_seed(0)
    batch = _batch(case.batch, case.side)
    generator = SRVGGNetCompact(**NETWORK).to(memory_format=torch.channels_last)
    average = SRVGGNetCompact(**NETWORK).requires_grad_(False)
    average.load_state_dict(generator.state_dict())
    optimiser = torch.optim.Adam(generator.parameters(), RATE, BETAS)
    judge = optimiser_d = None
    if case.trainer == "realesrgan":
        judge = UNetDiscriminatorSN().to(memory_format=torch.channels_last)
        optimiser_d = torch.optim.Adam(judge.parameters(), RATE, BETAS)
    for _ in range(case.iterations):
        optimiser.zero_grad()
        output = generator(batch.lq)
        loss = F.l1_loss(output, batch.gt)
        if judge is not None:
            judge.requires_grad_(False)
            loss = loss + GAN_WEIGHT * _bce(judge(output), 1.0)
        loss.backward()
        optimiser.step()
        if judge is not None and optimiser_d is not None:
            judge.requires_grad_(True)
            optimiser_d.zero_grad()
            (_bce(judge(batch.gt), 1.0) + _bce(judge(output.detach()), 0.0)).backward()
            optimiser_d.step()
        torch._foreach_lerp_([*average.parameters()], [p.detach() for p in generator.parameters()], 1 - DECAY)
        loss.item()


def _bce(logits: Tensor, label: float) -> Tensor:
    return F.binary_cross_entropy_with_logits(logits, torch.full_like(logits, label))


def _shares(case: Case) -> list[float]:
    """Of the time of updates: data, forward, backward, optimiser, and what is none of these."""
    with tempfile.TemporaryDirectory() as folder, _clocks() as clocks:
        (Path(folder) / "photos").mkdir()
        rng = np.random.default_rng(0)
        for number in range(8):
            srkit_io.write(f"{folder}/photos/{number}.png", rng.integers(0, 256, (400, 400, 3), dtype=np.uint8))
        sides = {"crop": 2 * case.side, "gt_size": case.side}
        options = {"targets": f"{folder}/photos", "degradation": "second-order", "pool": 0, **sides}
        data = DataConfig(dataset="realesrgan", options=options, batch_size=case.batch, workers=1)
        run = Run(_config(case, data), Path(folder) / "run", cpu=True)
        start = time.perf_counter()
        run()
        total = time.perf_counter() - start
    forward = clocks["step"] - clocks["backward"] - clocks["optimiser"]
    parts = [clocks["data"], forward, clocks["backward"], clocks["optimiser"]]
    return [*(part / total for part in parts), 1 - sum(parts) / total]


@contextmanager
def _clocks() -> Iterator[dict[str, float]]:
    """Seconds spent in each part, on a processor, where nothing runs behind one's back."""
    from accelerate import Accelerator
    from accelerate.optimizer import AcceleratedOptimizer

    from srkit_datasets.stream import Stream
    from srkit_training.trainers.realesrgan import RealESRGAN
    from srkit_training.trainers.realesrnet import RealESRNet

    spent = dict.fromkeys(("data", "step", "backward", "optimiser"), 0.0)

    def timed(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            start = time.perf_counter()
            try:
                return function(*args, **kwargs)
            finally:
                spent[name] += time.perf_counter() - start

        return call

    places: list[tuple[type[Any], str, str]] = [
        (Stream, "__next__", "data"),
        (RealESRNet, "step", "step"),
        (RealESRGAN, "step", "step"),
        (Accelerator, "backward", "backward"),
        (AcceleratedOptimizer, "step", "optimiser"),
    ]
    before = [(owner, attribute, getattr(owner, attribute)) for owner, attribute, _ in places]
    try:
        for (owner, attribute, original), (*_, name) in zip(before, places, strict=True):
            setattr(owner, attribute, timed(name, original))
        yield spent
    finally:
        for owner, attribute, original in before:
            setattr(owner, attribute, original)
