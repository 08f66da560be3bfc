"""What spandrel reads out of the values of tensors, told by shapes instead.

Four families keep a part of their configuration as numbers in tensors. Whoever recognises a network knows names and shapes
alone, so these numbers are found from the shapes of others. What they leave open is taken to be as it was published.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from .effortless import Effortless

Shapes = Mapping[str, tuple[int, ...]]


def values(family: str, classes: Mapping[str, Any], shapes: Shapes) -> dict[str, Tensor]:
    """The tensors whose values matter, by name, for spandrel's ``family``; {} for most."""
    found = _OF.get(family)
    return {} if found is None else found(classes, shapes)


def _dat(_: Mapping[str, Any], shapes: Shapes) -> dict[str, Tensor]:
    """DAT: the two sides of its windows; the first is taken to be the shorter.

    Of sides a and b, the window has a·b places, and the biases (2a - 1)(2b - 1) = 4ab - 2(a + b) + 1 rows.
    """
    tensors = {}
    for name, (rows, columns) in ((n, s) for n, s in shapes.items() if n.endswith(".rpe_biases")):
        places = shapes[name.replace("rpe_biases", "relative_position_index")][0]
        both = (4 * places + 1 - rows) // 2
        difference = math.isqrt(both**2 - 4 * places)
        biases = torch.zeros(rows, columns)
        biases[-1] = torch.tensor([(both - difference) // 2 - 1, (both + difference) // 2 - 1])
        tensors[name] = biases
    return tensors


def _ipt(*_: object) -> dict[str, Tensor]:
    """IPT: the range of its values, taken to be 255; the mean colour is that of DIV2K."""
    return {"sub_mean.bias": -255 * torch.tensor([0.4488, 0.4371, 0.4040])}


def _fdat(classes: Mapping[str, Any], shapes: Shapes) -> dict[str, Tensor]:
    kinds = ("conv", "pixelshuffledirect", "pixelshuffle", "nearest+conv", "dysample", "transpose+conv", "lda", "pa_up")
    features, channels = _ends(shapes, "conv_first")

    def small(kind: str, scale: int, mid: int) -> Any:
        return classes["FDAT"](
            num_out_ch=channels,
            embed_dim=features,
            num_heads=1,
            num_groups=1,
            depth_per_group=1,
            aim_reduction_ratio=1,
            upsampler_type=kind,
            scale=scale,
            mid_dim=mid,
        ).upsampler

    return _meta(shapes, "upsampler.", kinds, small, (3, features, channels))


def _moesr(classes: Mapping[str, Any], shapes: Shapes) -> dict[str, Tensor]:
    kinds = ("conv", "pixelshuffledirect", "pixelshuffle", "nearest+conv", "dysample")
    features, channels = _ends(shapes, "in_to_dim")

    def small(kind: str, scale: int, mid: int) -> Any:
        return classes["MoESR"](
            in_ch=channels,
            out_ch=channels,
            dim=features,
            n_blocks=1,
            n_block=1,
            upsampler=kind,
            scale=scale,
            upsample_dim=mid,
        ).upscale

    return _meta(shapes, "upscale.", kinds, small, (1, features, channels))


def _ends(shapes: Shapes, first: str) -> tuple[int, int]:
    """Features and channels, of which as many are taken to come out as go in; unshuffled input has 3."""
    if f"{first}.weight" in shapes:
        features, channels = shapes[f"{first}.weight"][:2]
        return features, channels
    return shapes[f"{first}.1.weight"][0], 3


def _meta(
    shapes: Shapes,
    prefix: str,
    kinds: tuple[str, ...],
    small: Callable[[str, int, int], Any],
    fixed: tuple[int, int, int],
) -> dict[str, Tensor]:
    """``MetaUpsample``: the kind of upsampler, its scale and width are those of the one that has tensors of these shapes."""
    version, features, channels = fixed
    own = {name.removeprefix(prefix): shape for name, shape in shapes.items() if name.startswith(prefix)}
    widths = dict.fromkeys([64, features, *(size for shape in own.values() for size in shape[:1])])
    for (index, kind), scale, mid in itertools.product(enumerate(kinds), (1, 2, 3, 4, 8), widths):
        try:
            with Effortless():
                made = small(kind, scale, mid).state_dict()
        except (ValueError, AssertionError):  # no such scale
            continue
        if {name: tuple(tensor.shape) for name, tensor in made.items()} == own:
            meta = [version, index, scale, features, channels, mid, 4]
            return {f"{prefix}MetaUpsample": torch.tensor(meta, dtype=torch.uint8)}
    return {}


_OF: Mapping[str, Callable[[Mapping[str, Any], Shapes], dict[str, Tensor]]] = {
    "DAT": _dat,
    "FDAT": _fdat,
    "IPT": _ipt,
    "MoESR": _moesr,
}
