"""What a data set gives, and how it is asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from .errors import SettingsError

if TYPE_CHECKING:
    from torch import Tensor


@attrs.frozen(eq=False, kw_only=True)
class Batch:
    """Pictures to learn from.

    ``gt``: targets, (B, 3, H, W) float32, RGB, in [0, 1]. ``lq``: what the network is given, (B, 3, H / s, W / s) likewise;
    None where the trainer makes it. ``names``: the file each came from. ``gt_usm``: the same targets sharpened, like ``gt``,
    for losses that want the network to reach those; None where none were asked for.
    """

    gt: Tensor
    lq: Tensor | None = None
    names: tuple[str, ...] = ()
    gt_usm: Tensor | None = None


@attrs.frozen(kw_only=True)
class Feed:
    """How batches are wanted.

    ``batch_size``: pictures a batch, of this process. ``rank`` of ``world_size`` processes: each gives its own share of
    one order of pictures. ``workers``: processes that read ahead, 0 for none; they change nothing but the speed.
    ``device``: where the batches are wanted. ``bad_limit``: so many different files may be bad.
    """

    batch_size: int
    seed: int = 0
    rank: int = 0
    world_size: int = 1
    workers: int = 0
    device: str = "cpu"
    bad_limit: int = 100

    def __attrs_post_init__(self) -> None:
        for name, least in (
            ("batch_size", 1),
            ("world_size", 1),
            ("seed", 0),
            ("rank", 0),
            ("workers", 0),
            ("bad_limit", 0),
        ):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < least:
                raise SettingsError(f"{name}={value!r} is not a whole number of at least {least}")
        if self.rank >= self.world_size:
            raise SettingsError(f"rank={self.rank} is not below world_size={self.world_size}; ranks count from 0")
