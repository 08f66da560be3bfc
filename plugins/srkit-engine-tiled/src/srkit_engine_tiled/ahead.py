"""Keeping an accelerator busy: copies to and from it run beside what it computes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor


def ahead(
    strips: Iterable[Tensor], step: Callable[[Tensor], Iterable[Tensor]], like: Tensor, module: Any
) -> Iterator[Tensor]:
    """The rows that ``step`` makes of each strip, as ``like`` is; it works on the next while these are being taken.

    ``module``: of torch, what has the streams of the device (torch.cuda). The network runs on a stream of its own; strips
    reach the device on another; who takes the rows does so on the current one, and waits there for no more than the step
    that made them.
    """
    work, copies = module.Stream(like.device), module.Stream(like.device)
    steps: list[tuple[Tensor, Sequence[Tensor], Any]] = []
    try:
        for strip in strips:
            current = module.current_stream(like.device)
            # Memory that was given back since is used again only when what the taker did with it is done.
            work.wait_stream(current)
            copies.wait_stream(current)
            if len(steps) > 1:
                copies.wait_event(steps.pop(0)[2])  # its strip's memory is free from here on
            with module.stream(copies):
                source = strip.pin_memory() if strip.device.type == "cpu" and like.device.type != "cpu" else strip
                # In two steps: a copy that also converts would first be made on the host, and waited for.
                there = source.to(like.device, non_blocking=True).to(like.dtype)
                arrived = copies.record_event()
            with module.stream(work):
                work.wait_event(arrived)
                steps.append((there, list(step(there)), work.record_event()))
            if len(steps) > 1:
                yield from _taken(*steps[-2][1:], current)
        if steps:
            yield from _taken(*steps[-1][1:], module.current_stream(like.device))
    finally:
        # Nobody, on whatever stream, gets memory that is still being written.
        copies.synchronize()
        work.synchronize()


def _taken(made: Sequence[Tensor], done: Any, current: Any) -> Iterator[Tensor]:
    current.wait_event(done)
    yield from made


def streams_of(device: torch.device) -> Any | None:
    """The module of torch with the streams of ``device``; None where it has none, or the CPU's, which do nothing."""
    module = None if device.type == "cpu" else torch.get_device_module(device)
    return module if hasattr(module, "Stream") else None
