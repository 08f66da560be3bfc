"""The training pair pool: batches mixed with what came before."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs
import numpy as np
import torch
from torch import Tensor

import srkit


@attrs.frozen(eq=False)
class Pairs:
    """Aligned pairs: (B, 3, H, W), (B, 3, H / s, W / s), and B names."""

    gt: Tensor
    lq: Tensor
    names: tuple[str, ...]


class PairPool:
    """Up to ``size`` pairs. Full, it gives random ones for those that come, which take their places.

    What is degraded together has much in common, as the factor of its resizing; the pool puts pairs of many batches into one
    (Wang et al., "Real-ESRGAN", 2021, section 3.4). ``size`` must be a multiple of the batches'.
    """

    def __init__(self, size: int, batch_size: int) -> None:
        if size % batch_size:
            below = size // batch_size * batch_size
            choices = " or ".join(str(n) for n in (below, below + batch_size) if n)
            raise srkit.SettingsError(f"pool={size} is not a multiple of the batch size {batch_size}; choose {choices}")
        self.size = size
        self._gt: Tensor | None = None
        self._lq: Tensor | None = None
        self._names: list[str] = []

    def __len__(self) -> int:
        return len(self._names)

    def swap(self, pairs: Pairs, rng: np.random.Generator) -> Pairs:
        """Pairs for pairs; while the pool fills, what came is kept and given back."""
        count = len(pairs.names)
        if self._gt is None or self._lq is None:
            self._gt = pairs.gt.new_empty((self.size, *pairs.gt.shape[1:]))
            self._lq = pairs.lq.new_empty((self.size, *pairs.lq.shape[1:]))
        filled = len(self)
        if filled + count <= self.size:
            self._gt[filled : filled + count], self._lq[filled : filled + count] = pairs.gt, pairs.lq
            self._names.extend(pairs.names)
            return pairs
        if filled < self.size:
            raise srkit.SettingsError(
                f"a batch of {count} does not fit the {self.size - filled} places left in the pool"
            )
        places = rng.choice(self.size, count, replace=False)
        chosen = torch.from_numpy(places).to(pairs.gt.device)
        out = Pairs(self._gt[chosen], self._lq[chosen], tuple(self._names[place] for place in places))
        self._gt[chosen], self._lq[chosen] = pairs.gt, pairs.lq
        for place, name in zip(places, pairs.names, strict=True):
            self._names[place] = name
        return out

    def state_dict(self) -> dict[str, Any]:
        """The pairs in it, copied."""
        if self._gt is None or self._lq is None:
            return {"names": []}
        gt, lq = (tensor[: len(self)].cpu().clone() for tensor in (self._gt, self._lq))
        return {"gt": gt, "lq": lq, "names": [*self._names]}

    def load_state_dict(self, state: Mapping[str, Any], device: torch.device) -> None:
        """Hold what it held when the state was taken. Raises SettingsError if that is more than it has places for."""
        names = list(state["names"])
        if len(names) > self.size:
            raise srkit.SettingsError(
                f"the state has a pool of {len(names)} pairs, and pool={self.size}; use the same size"
            )
        self._names, self._gt, self._lq = names, None, None
        if names:
            gt, lq = state["gt"].to(device), state["lq"].to(device)
            self._gt, self._lq = (tensor.new_empty((self.size, *tensor.shape[1:])) for tensor in (gt, lq))
            self._gt[: len(names)], self._lq[: len(names)] = gt, lq
