"""Random numbers and orders that are told by the seed and a position alone.

Nothing is drawn from a running generator, so nothing depends on what was drawn before: by which worker, or before a restart.
"""

from __future__ import annotations

import numpy as np
import torch

from .degradations.draws import seeded

ORDER, ITEM, PAIR, POOL, DEGRADATION = range(5)
"""What numbers are drawn for; each has a stream of its own."""


def draws(seed: int, purpose: int, *position: int) -> np.random.Generator:
    """The numbers for one purpose at one position."""
    return np.random.Generator(np.random.Philox(np.random.SeedSequence((seed, purpose, *position))))


def torch_draws(seed: int, purpose: int, *position: int) -> torch.Generator:
    """Likewise, for torch, on the CPU: so they are the same wherever the pictures are."""
    (word,) = np.random.SeedSequence((seed, purpose, *position)).generate_state(1, np.uint64)
    # torch takes what fits a signed number; the CPU's generator keeps the lower half of it, so hashing comes first.
    return seeded(int(word) >> 1)


class Order:
    """The order of ``count`` pictures, another in each epoch: item number → picture.

    Items are numbered on and on: number n is item n % count of epoch n // count. ``shuffle=False``: as they are.
    """

    def __init__(self, count: int, seed: int, *, shuffle: bool = True) -> None:
        self.count, self.seed, self.shuffle = count, seed, shuffle
        self._epochs: dict[int, np.ndarray] = {}

    def __getitem__(self, number: int) -> int:
        epoch, place = divmod(number, self.count)
        return int(self._epoch(epoch)[place])

    def _epoch(self, epoch: int) -> np.ndarray:
        if epoch not in self._epochs:
            if len(self._epochs) > 1:  # a batch may lie on the border of two
                del self._epochs[min(self._epochs)]
            everything = np.arange(self.count)
            self._epochs[epoch] = draws(self.seed, ORDER, epoch).permutation(everything) if self.shuffle else everything
        return self._epochs[epoch]
