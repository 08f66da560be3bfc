"""How pictures are written."""

from __future__ import annotations

import attrs

import srkit


@attrs.frozen(kw_only=True)
class WriteOptions:
    """What a writer is told; each format takes what concerns it.

    ``quality``: of lossy formats, 1 to 100. ``compression``: effort of lossless ones, 0 (none) to 9. ``tile``: TIFF in
    square tiles of so many pixels a side, a multiple of 16, instead of strips. ``pyramid``: TIFF with the picture at half,
    a quarter … of its size beside it.
    """

    quality: int = 95
    compression: int = 3
    tile: int | None = None
    pyramid: bool = False

    def __attrs_post_init__(self) -> None:
        for option, value, low, high in (("quality", self.quality, 1, 100), ("compression", self.compression, 0, 9)):
            if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
                raise srkit.SettingsError(f"{option}={value!r} is not a whole number from {low} to {high}")
        if self.tile is not None and (self.tile < 16 or self.tile % 16):
            raise srkit.SettingsError(f"tile={self.tile!r} is not a multiple of 16, as TIFF wants it")
