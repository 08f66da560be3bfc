"""What the processes of a run tell each other, and how accelerate is set up for them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import torch
from accelerate import Accelerator, DistributedDataParallelKwargs
from accelerate.state import AcceleratorState, GradientState
from accelerate.utils import DistributedType, gather_object

import srkit

from .config import TrainConfig

_PRECISIONS = {"float32": "no", "bfloat16": "bf16", "float16": "fp16"}
_SPLITTING = {"FSDP", "DEEPSPEED", "MEGATRON_LM", "TP"}


def make_accelerator(config: TrainConfig, *, cpu: bool = False) -> Accelerator:
    """Devices, precision and processes, as the environment has them (torchrun, accelerate launch) and ``config`` wants them.

    Raises SettingsError for a precision that there is not here, and for launchers that split a network among processes.
    """
    # A program may do one run after another, of other precision; accelerate keeps its state for the process.
    AcceleratorState._reset_state(reset_partial_state=True)  # noqa: SLF001
    GradientState._reset_state()  # noqa: SLF001
    if config.deterministic:
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.use_deterministic_algorithms(config.deterministic)
    torch.backends.cudnn.benchmark = not config.deterministic
    try:
        accelerator = Accelerator(
            mixed_precision=_PRECISIONS[config.precision],
            gradient_accumulation_steps=config.accumulate,
            step_scheduler_with_optimizer=False,
            cpu=cpu,
            # Spectral normalisation changes its buffers in each forward pass, in every process alike.
            kwargs_handlers=[DistributedDataParallelKwargs(broadcast_buffers=False)],
        )
    except ValueError as error:
        raise srkit.SettingsError(
            f"train.precision={config.precision!r} cannot be had here ({error}); use bfloat16 or float32"
        ) from error
    if config.precision == "float16" and accelerator.scaler is None:
        raise srkit.SettingsError(
            f"train.precision='float16' needs a scale for its gradients, which {accelerator.device} has not; use bfloat16 or "
            f"float32"
        )
    if accelerator.distributed_type.value in _SPLITTING:
        raise srkit.SettingsError(
            f"{accelerator.distributed_type.value} splits a network among processes, which checkpoints do not know; these "
            f"networks fit into any device, so launch with torchrun, or accelerate launch --multi_gpu"
        )
    return accelerator


def largest(accelerator: Accelerator, number: int) -> int:
    """The largest that any process says: what one of them knows, all do."""
    if accelerator.distributed_type is DistributedType.NO:
        return number
    told = torch.tensor(number, device=accelerator.device)
    torch.distributed.all_reduce(told, torch.distributed.ReduceOp.MAX)
    return int(told)


def of_all(accelerator: Accelerator, mine: Any) -> list[Any]:
    """What each process has, by rank, in every process."""
    return [mine] if accelerator.distributed_type is DistributedType.NO else list(gather_object([mine]))


def mean_of_all(accelerator: Accelerator, mine: Mapping[str, float]) -> dict[str, float]:
    """The mean of each number over the processes that have it."""
    everybody = of_all(accelerator, dict(mine))
    names = {name: None for one in everybody for name in one}
    having = {name: [one[name] for one in everybody if name in one] for name in names}
    return {name: sum(values) / len(values) for name, values in having.items()}
