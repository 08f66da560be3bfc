"""What lies around a check: devices, global random generators, what a value is computed from."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import torch
from torch import Tensor


def devices() -> list[torch.device]:
    """The processor, and an accelerator if there is one."""
    accelerator = torch.accelerator.current_accelerator(check_available=True)
    return [torch.device("cpu"), *([accelerator] if accelerator is not None else [])]


def random_states() -> tuple[Any, ...]:
    """Those of the global generators of Python, numpy and torch, to be compared."""
    return (
        random.getstate(),
        np.random.get_state(legacy=False)["state"]["key"].tobytes(),
        torch.get_rng_state().tolist(),
    )


def leaves(value: Tensor) -> list[Tensor]:
    """The tensors that ``value.backward()`` would give gradients to."""
    found: list[Tensor] = []
    seen, left = set(), [value.grad_fn]
    while left:
        node = left.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        if hasattr(node, "variable"):  # where a gradient is accumulated
            found.append(node.variable)
        left += [before for before, _ in node.next_functions]
    return found
