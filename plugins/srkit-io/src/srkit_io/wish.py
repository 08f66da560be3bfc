"""A picture upscaled, lazily: pages in, pages out, whatever their depth, light and transparency."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import attrs
import numpy as np

import srkit

from .formats import Format
from .light import Survey, srgb_decoded, srgb_encoded, survey
from .picture import Page, Picture

DEPTHS = {"8": "uint8", "16": "uint16", "half": "float16", "float": "float32"}


def parse_background(background: str | None) -> tuple[float, float, float] | None:
    """``"#ffffff"`` → (1.0, 1.0, 1.0); None stays None. Raises SettingsError for what is no colour."""
    if background is None:
        return None
    digits = {"white": "ffffff", "black": "000000"}.get(background.lower(), background.removeprefix("#"))
    if not re.fullmatch(r"[0-9a-fA-F]{6}", digits):
        raise srkit.SettingsError(f"background={background!r} is no colour; write '#rrggbb', 'white' or 'black'")
    red, green, blue = (int(digits[at : at + 2], 16) / 255 for at in (0, 2, 4))
    return red, green, blue


@attrs.frozen
class Wish:
    """How the result should differ from the input, beside its size.

    ``depth``: one of ``DEPTHS``; None keeps the file's. ``background``: a colour to put under what is transparent; None
    keeps transparency. ``linear``: values proportional to light, as OpenEXR and Radiance HDR want them; None as they come.
    """

    depth: str | None = attrs.field(default=None)
    background: tuple[float, float, float] | None = None
    linear: bool | None = None

    @depth.validator
    def _known(self, _: Any, depth: str | None) -> None:
        if depth is not None and depth not in DEPTHS:
            raise srkit.SettingsError(f"depth={depth!r} is unknown; choose from {', '.join(DEPTHS)}")

    def to(self, target: Format | None) -> Wish:
        """The wish for a file of a format: those of light get light, the others what the eye sees."""
        return self if target is None else attrs.evolve(self, linear=target.linear)

    def of(self, page: Page, new_size: srkit.Size) -> Page:
        """What a page becomes."""
        layout, dtype = page.layout, page.layout.dtype
        if self.depth is not None:
            dtype = np.dtype(DEPTHS[self.depth])
        elif self.linear and dtype.kind != "f":
            dtype = np.dtype(np.float32)
        flattened = self.background is not None and layout.has_alpha
        channels = layout.channels - flattened
        new = srkit.Layout(new_size[0], new_size[1], channels, dtype.newbyteorder("="), layout.flat or channels == 1)
        linear = page.linear if self.linear is None else self.linear
        return Page(new, page.metadata.scaled(page.size, new_size), linear)


def upscaled(
    picture: Picture, upscaler: srkit.Upscaler, wish: Wish | None = None, surveys: tuple[Survey, ...] | None = None
) -> Picture:
    """The picture that an upscaler makes of one; rows are computed as they are asked for.

    ``surveys``: what :func:`srkit_io.light.survey` says of the picture, if that is known already.
    """
    wished = wish or Wish()
    pages = tuple(wished.of(page, upscaler.result_size(page.size)) for page in picture.pages)

    def strips() -> Iterator[np.ndarray]:
        known = surveys or survey(picture)
        given = picture.strips()
        for page, new, told in zip(picture.pages, pages, known, strict=True):
            yield from _page(_of_page(given, page), page, new, told, upscaler, wished)

    return attrs.evolve(picture, pages=pages, strips=strips, streams=True)


def _of_page(strips: Iterator[np.ndarray], page: Page) -> Iterator[np.ndarray]:
    left = page.layout.height
    while left:
        strip = next(strips)
        left -= len(strip)
        yield strip


def _page(
    strips: Iterator[np.ndarray], page: Page, new: Page, told: Survey, upscaler: srkit.Upscaler, wish: Wish
) -> Iterator[np.ndarray]:
    layout, curve = page.layout, told.curve
    alpha: Any = "resize" if layout.has_alpha and told.opaque else None
    flattened = new.layout.channels != layout.channels
    if curve is None and page.linear == new.linear and not flattened:
        yield from upscaler.strips(strips, layout, new.size, alpha=alpha, dtype=new.layout.dtype)
        return
    colours = slice(0, layout.channels - layout.has_alpha)
    if curve is not None:
        strips = (_on(strip, colours, curve.encode) for strip in strips)
        layout = attrs.evolve(layout, dtype=np.dtype(np.float32))
    for rows in upscaler.strips(strips, layout, new.size, alpha=alpha, dtype="float32"):
        # As the eye sees it, [0, 1] and above: here colours are mixed, and from here light is made.
        if curve is not None:
            rows = _on(rows, colours, curve.decode)
        if page.linear and (flattened or not new.linear):
            rows = _on(rows, colours, srgb_encoded)
        if flattened and wish.background is not None:
            rows = _flattened(rows, wish.background)
        if new.linear and (flattened or not page.linear):
            rows = _on(rows, slice(0, new.layout.channels - new.layout.has_alpha), srgb_decoded)
        yield _as(rows, new.layout)


def _on(rows: np.ndarray, channels: slice, function: Any) -> np.ndarray:
    """The rows with a function applied to some of the channels."""
    if rows.ndim == 2:
        return np.asarray(function(rows))
    changed = rows.astype(np.float32)
    changed[..., channels] = function(rows[..., channels])
    return changed


def _flattened(rows: np.ndarray, background: tuple[float, float, float]) -> np.ndarray:
    colour, alpha = rows[..., :-1], rows[..., -1:]
    under = np.asarray(background, np.float32)
    if colour.shape[-1] == 1:
        under = np.asarray([np.dot(under, (0.299, 0.587, 0.114))], np.float32)  # ITU-R BT.601 luma
    mixed = colour * alpha + under * (1 - alpha)
    return np.asarray(mixed[..., 0] if mixed.shape[-1] == 1 else mixed)


def _as(rows: np.ndarray, layout: srkit.Layout) -> np.ndarray:
    if layout.dtype.kind == "u":
        rows = np.rint(np.clip(rows, 0, 1) * layout.white)
    return rows.astype(layout.dtype)
