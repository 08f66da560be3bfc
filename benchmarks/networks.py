"""The networks that are measured, with random weights: those of a name are the same in every process."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import attrs
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from srkit_archs_realesrgan.rrdb import RRDBNet
from srkit_archs_realesrgan.srvgg import SRVGGNetCompact

SCALE = 4


@attrs.frozen
class Recipe:
    """A network that can be built again, here or in another process."""

    label: str
    architecture: Callable[..., nn.Module]
    config: Mapping[str, Any] = attrs.field(factory=dict)

    def build(self) -> nn.Module:
        torch.manual_seed(0)
        return self.architecture(**self.config).eval().requires_grad_(False)


SRVGG = Recipe("SRVGG 64/16 ×4", SRVGGNetCompact)
RRDB_6 = Recipe("RRDB 64/6 ×4", RRDBNet, {"num_block": 6})
RRDB_23 = Recipe("RRDB 64/23 ×4", RRDBNet, {"num_block": 23})


def flops_per_pixel(network: nn.Module) -> float:
    """Operations of the convolutions per input pixel, a multiplication and an addition counted as two."""
    with FlopCounterMode(display=False) as counter:
        network(torch.zeros(1, 3, 16, 16))
    return float(counter.get_total_flops()) / 16**2
