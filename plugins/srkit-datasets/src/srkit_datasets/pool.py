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
    """Aligned pairs: (B, 3, H, W), (B, 3, H / s, W / s), B names, and perhaps the targets sharpened, (B, 3, H, W)."""

    gt: Tensor
    lq: Tensor
    names: tuple[str, ...]
    gt_usm: Tensor | None = None

    @property
    def planes(self) -> dict[str, Tensor]:
        """The tensors, by name."""
        planes = {"gt": self.gt, "lq": self.lq}
        return planes if self.gt_usm is None else {**planes, "gt_usm": self.gt_usm}


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
        self._planes: dict[str, Tensor] = {}
        self._names: list[str] = []

    def __len__(self) -> int:
        return len(self._names)

    def swap(self, pairs: Pairs, rng: np.random.Generator) -> Pairs:
        """Pairs for pairs; while the pool fills, what came is kept and given back."""
        count = len(pairs.names)
        if not self._planes:
            self._planes = {key: self._places(tensor) for key, tensor in pairs.planes.items()}
        if self._planes.keys() != pairs.planes.keys():
            raise srkit.SettingsError(
                f"the pool holds {', '.join(self._planes)} of each pair, and {', '.join(pairs.planes)} came; use the same "
                f"sharpen as when the state was taken"
            )
        filled = len(self)
        if filled + count <= self.size:
            for key, tensor in pairs.planes.items():
                self._planes[key][filled : filled + count] = tensor
            self._names.extend(pairs.names)
            return pairs
        if filled < self.size:
            raise srkit.SettingsError(
                f"a batch of {count} does not fit the {self.size - filled} places left in the pool"
            )
        places = rng.choice(self.size, count, replace=False)
        chosen = torch.from_numpy(places).to(pairs.gt.device)
        given = {key: tensor[chosen] for key, tensor in self._planes.items()}
        out = Pairs(names=tuple(self._names[place] for place in places), **given)
        for key, tensor in pairs.planes.items():
            self._planes[key][chosen] = tensor
        for place, name in zip(places, pairs.names, strict=True):
            self._names[place] = name
        return out

    def state_dict(self) -> dict[str, Any]:
        """The pairs in it, copied."""
        held = {key: tensor[: len(self)].cpu().clone() for key, tensor in self._planes.items()}
        return {**held, "names": [*self._names]}

    def load_state_dict(self, state: Mapping[str, Any], device: torch.device) -> None:
        """Hold what it held when the state was taken. Raises SettingsError if that is more than it has places for."""
        names = list(state["names"])
        if len(names) > self.size:
            raise srkit.SettingsError(
                f"the state has a pool of {len(names)} pairs, and pool={self.size}; use the same size"
            )
        held = {key: tensor.to(device) for key, tensor in state.items() if key != "names"}
        self._names, self._planes = names, {key: self._places(tensor) for key, tensor in held.items()}
        for key, tensor in held.items():
            self._planes[key][: len(names)] = tensor

    def _places(self, tensor: Tensor) -> Tensor:
        return tensor.new_empty((self.size, *tensor.shape[1:]))
