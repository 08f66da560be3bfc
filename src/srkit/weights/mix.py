"""Network interpolation: a weighted mean of networks, tensor by tensor (Wang et al., "ESRGAN", 2018, section 3.4)."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from torch import Tensor

from ..errors import MismatchedWeights, SettingsError


def mix(parts: Sequence[tuple[str, dict[str, Tensor], float]]) -> dict[str, Tensor]:
    """Σ share · tensor over ``(name, tensors, share)``; float32.

    Raises SettingsError if the shares do not sum to 1, MismatchedWeights if the networks differ.
    """
    check_shares([(name, share) for name, _, share in parts])
    first_name, first, first_share = parts[0]
    mixed = {key: tensor * first_share if tensor.is_floating_point() else tensor for key, tensor in first.items()}
    for name, tensors, share in parts[1:]:
        for key in sorted(first.keys() | tensors.keys()):
            ours, theirs = first.get(key), tensors.get(key)
            if ours is None or theirs is None or ours.shape != theirs.shape:
                shapes = " against ".join("none" if t is None else str(tuple(t.shape)) for t in (ours, theirs))
                raise MismatchedWeights(
                    f"{first_name} and {name} are different networks and cannot be mixed: {key} is {shapes}"
                )
            if theirs.is_floating_point():
                mixed[key] += theirs * share
    return mixed


def check_shares(shares: Sequence[tuple[str, float]]) -> None:
    """Raise SettingsError unless the shares are finite numbers that sum to 1."""
    listing = ", ".join(f"{name}: {share}" for name, share in shares)
    if not shares:
        raise SettingsError("weights={} mixes nothing; name at least one file or model with the share 1")
    if not all(isinstance(share, int | float | np.number) and math.isfinite(share) for _, share in shares):
        raise SettingsError(f"shares must be numbers; got {listing}")
    if abs(sum(share for _, share in shares) - 1) > 1e-6:
        raise SettingsError(f"shares must sum to 1, but these sum to {sum(share for _, share in shares):g}: {listing}")
