"""Where and how a network runs: device, precision, memory."""

from __future__ import annotations

import re
from pathlib import Path

import attrs
import torch

from .declarations import Traits
from .errors import SettingsError

PRECISIONS = {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}
_UNITS = {"": 1, "b": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "kib": 2**10, "mib": 2**20, "gib": 2**30}


@attrs.frozen(kw_only=True)
class Settings:
    """What an upsampler is told.

    ``beside``: further devices to share the work with.
    ``memory``: bytes it may use on the device; None leaves it to the upsampler. ``rows``: input rows a step; likewise.
    ``halo``: input pixels around approximate tiles; None asks for the exact result.
    """

    device: torch.device
    dtype: torch.dtype
    traits: Traits
    memory: int | None = None
    rows: int | None = None
    halo: int | None = None
    beside: tuple[torch.device, ...] = ()


def free_memory(device: torch.device = torch.device("cpu")) -> int | None:  # noqa: B008 -- a constant
    """Bytes of memory that are free on ``device``; None where only trying tells."""
    if device.type == "cuda":
        # What torch keeps for tensors to come is free to them.
        kept = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return torch.cuda.mem_get_info(device)[0] + kept
    meminfo = Path("/proc/meminfo")
    if device.type != "cpu" or not meminfo.exists():
        return None
    fields = dict(line.split(":") for line in meminfo.read_text().splitlines())
    return int(fields["MemAvailable"].split()[0]) * 1024


def parse_devices(device: str | torch.device | None) -> tuple[torch.device, ...]:
    """``"cuda:1"`` → its torch.device; ``"cuda:0,cuda:1"`` → both; None picks CUDA, then XPU, then MPS, then the CPU.

    Raises SettingsError if there is no such device here.
    """
    if device is None:
        kinds = {"cuda": torch.cuda, "xpu": torch.xpu, "mps": torch.backends.mps}
        return (torch.device(next((kind for kind, module in kinds.items() if module.is_available()), "cpu")),)
    return tuple(_parse_device(name) for name in (device.split(",") if isinstance(device, str) else [device]))


def _parse_device(device: str | torch.device) -> torch.device:
    try:
        parsed = torch.device(device.strip() if isinstance(device, str) else device)
        torch.zeros(1, device=parsed).item()  # the meta device, too, exists but cannot compute
    except (RuntimeError, AssertionError, NotImplementedError, TypeError) as error:
        here = ["cpu", *(f"cuda:{i}" for i in range(torch.cuda.device_count()))]
        here += [f"xpu:{i}" for i in range(torch.xpu.device_count())]
        if torch.backends.mps.is_available():
            here.append("mps")
        raise SettingsError(
            f"device={str(device)!r} cannot be used with torch {torch.__version__} here; available: {', '.join(here)}"
        ) from error
    return parsed


def parse_precision(precision: str, device: torch.device) -> torch.dtype:
    """``"float16"`` → torch.float16; raises SettingsError for other names or where ``device`` cannot convolve in it."""
    dtype = PRECISIONS.get(precision)
    if dtype is None:
        raise SettingsError(f"precision={precision!r} is unknown; choose from {', '.join(PRECISIONS)}")
    if dtype is not torch.float32:
        image = torch.zeros(1, 1, 3, 3, dtype=dtype, device=device)
        try:
            torch.nn.functional.conv2d(image, image)
        except RuntimeError as error:
            raise SettingsError(
                f"precision={precision!r} is not supported on {device}; use precision='float32'"
            ) from error
    return dtype


def parse_memory(memory: int | str | None) -> int | None:
    """``"4GiB"``, ``"500 MB"`` or a number of bytes → bytes."""
    if memory is None:
        return None
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([a-z]*)\s*", str(memory).casefold())
    unit = _UNITS.get(match[2]) if match else None
    if match is None or unit is None or (value := int(float(match[1]) * unit)) < 1:
        raise SettingsError(f"memory={memory!r} is not an amount of memory; write '4GiB', '500MB' or a number of bytes")
    return value
