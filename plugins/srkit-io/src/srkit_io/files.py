"""Picture files: opening, reading and writing them, whichever their format."""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import attrs
import numpy as np

import srkit

from .errors import ImageFileError
from .flow import Drain
from .formats import FORMATS, HEAD, ZARR, Format, listing, recognise
from .options import WriteOptions
from .part import whole
from .picture import Metadata, Picture

MOST_PIXELS = 2**40
"""More pixels than this are no picture but a broken header: a million by a million."""


def open_picture(path: str | os.PathLike[str], *, memory: int | str | None = None) -> Picture:
    """The picture in a file, or its pages or frames; rows are decoded when they are asked for, if the format allows.

    ``memory``: bytes (or ``"4GiB"``) that pixels may take where all must be held at once; default: half of what is free.
    EXIF orientation is applied; palettes become grey or RGB, CMYK becomes RGB by its profile. Raises ImageFileError, naming
    the file, for whatever cannot be read; ``strips()`` raises it for what turns out later.
    """
    path = Path(path)
    kind = _kind_of(path)
    limit = _limit(memory)
    picture: Picture = _told(path, kind, lambda codec: codec.open_picture(path, kind, limit))
    for page in picture.pages:
        if min(page.size) < 1 or page.size[0] * page.size[1] > MOST_PIXELS:
            raise ImageFileError(f"says it has {page.size[1]}×{page.size[0]} pixels, which no picture has", path)
    if not picture.streams and picture.nbytes > limit:
        raise ImageFileError(
            f"is {kind.name}, which is decoded whole: {picture.nbytes / 1e9:.1f} GB of pixels, and {limit / 1e9:.1f} GB may "
            f"be used; raise --memory, or save it as TIFF or PNG",
            path,
        )
    strips, rows = picture.strips, sum(page.layout.height for page in picture.pages)
    pages = tuple(attrs.evolve(page, metadata=page.metadata.upright(page.size)) for page in picture.pages)
    return attrs.evolve(picture, pages=pages, strips=lambda: _checked(path, kind, strips, rows))


def read(path: str | os.PathLike[str]) -> np.ndarray:
    """The picture in a file as an array: (H, W), (H, W, 2), (H, W, 3) or (H, W, 4), RGB, uint8, uint16 or float.

    As :func:`open_picture`, of which it is the short form for files of one picture. OpenEXR and Radiance HDR give values
    proportional to light, which may lie above 1.
    """
    picture = open_picture(path)
    if len(picture.pages) > 1:
        raise ImageFileError(
            f"holds {len(picture.pages)} pictures; open it with srkit_io.open_picture(path)", Path(path)
        )
    layout = picture.pages[0].layout
    shape = (layout.height, layout.width) if layout.flat else (layout.height, layout.width, layout.channels)
    try:
        out = np.empty(shape, layout.dtype)
    except (MemoryError, ValueError) as error:
        raise srkit.OutOfMemory(f"{path}: {picture.nbytes / 1e9:.1f} GB of pixels do not fit into memory") from error
    top = 0
    for strip in picture.strips():
        out[top : top + len(strip)] = strip
        top += len(strip)
    return out


def save(path: str | os.PathLike[str], picture: Picture, options: WriteOptions | None = None) -> None:
    """Write a picture in the format of its name, row by row if the format allows; the file appears whole or not at all.

    Raises ImageFileError, naming the file, for what the format cannot hold, before any row is asked for.
    """
    with saving(path, picture, options) as drain:
        for strip in picture.strips():
            drain.put(strip)


def saving(
    path: str | os.PathLike[str],
    picture: Picture,
    options: WriteOptions | None = None,
    then: Callable[[], None] | None = None,
    *,
    memory: int | str | None = None,
) -> Drain:
    """A thread that writes a picture like ``picture``, whose rows are put into it (:meth:`Drain.put`).

    ``then`` is called in it once the file is complete; ``memory`` is that of :func:`check_can_hold`, which comes first.
    """
    path = Path(path)
    check_can_hold(path, picture, memory=memory)
    kind = FORMATS[path.suffix.lower()]
    chosen = options or WriteOptions()

    def encode(strips: Iterator[np.ndarray]) -> None:
        with whole(path, folder=kind is ZARR) as part:
            given = attrs.evolve(picture, strips=lambda: strips)
            if kind.codec != "arrays":
                given = _squeezed(given)
            _told(path, kind, lambda codec: codec.write(part, kind, given, chosen), doing="written")
        if then is not None:
            then()

    return Drain(encode)


def write(
    path: str | os.PathLike[str], img: np.ndarray, *, quality: int = 95, metadata: Metadata | None = None
) -> None:
    """Write an array (H, W) or (H, W, 1 to 4), RGB, in the format of the file's name.

    As :func:`save`, of which it is the short form. ``quality``: of lossy formats, 1 to 100.
    """
    save(path, Picture.of([img], metadata), WriteOptions(quality=quality))


def _limit(memory: int | str | None) -> int:
    return srkit.parse_memory(memory) or (srkit.free_memory() or 2**32) // 2


def check_can_hold(path: str | os.PathLike[str], picture: Picture, *, memory: int | str | None = None) -> None:
    """Raise ImageFileError, saying which formats can, unless the format of ``path`` holds pictures like this one.

    So, too, if what writes it is not installed, or if its encoder would hold more pixels at once than ``memory``, as in
    :func:`open_picture`.
    """
    path = Path(path)
    kind = FORMATS.get(path.suffix.lower())
    if kind is None or not kind.writable:
        raise ImageFileError(
            f"{path.suffix or 'no suffix'!r} is not a format srkit writes; it writes {listing(written=True)}", path
        )
    _told(path, kind, lambda _: None, doing="written")
    if not kind.streams and picture.nbytes > (limit := _limit(memory)):
        raise ImageFileError(
            f"{kind.name} is encoded whole, which takes {picture.nbytes / 1e9:.1f} GB and more, and "
            f"{limit / 1e9:.1f} GB may be used; raise --memory, or write TIFF or PNG (--format tif)",
            path,
        )
    for page in picture.pages:
        layout = page.layout
        if layout.dtype.name not in kind.depths:
            others = ", ".join(_holding(layout.dtype.name)) or "no format can; convert to uint8, uint16 or float32"
            raise ImageFileError(
                f"{kind.name} cannot hold {_DEPTHS.get(layout.dtype.name, layout.dtype.name)}; choose --depth, or write one "
                f"that can: {others}",
                path,
            )
        if max(page.size) > kind.longest_side:
            raise ImageFileError(
                f"{kind.name} cannot hold {layout.width}×{layout.height} pixels, only {kind.longest_side} along a side; "
                f"write PNG or TIFF",
                path,
            )
        if layout.has_alpha and not kind.alpha:
            raise ImageFileError(
                f"{kind.name} cannot hold transparency; write PNG, WebP or TIFF (--format png), or choose --background",
                path,
            )
    if len(picture.pages) > 1 and not kind.pages:
        raise ImageFileError(
            f"{kind.name} holds one picture, and there are {len(picture.pages)}; write TIFF (--format tif), or for "
            f"animations PNG, WebP or GIF",
            path,
        )
    if kind.pages == "frames" and len({page.layout for page in picture.pages}) > 1:
        raise ImageFileError(
            f"{kind.name} holds frames of one size, and the pages differ; write TIFF (--format tif)", path
        )


def _squeezed(picture: Picture) -> Picture:
    """One channel as no axis of its own, (H, W): files know no difference, and encoders then need not."""
    pages = tuple(
        attrs.evolve(page, layout=attrs.evolve(page.layout, flat=page.layout.channels == 1)) for page in picture.pages
    )
    given = picture.strips
    strips = lambda: (strip[..., 0] if strip.shape[2:] == (1,) else strip for strip in given())  # noqa: E731
    return attrs.evolve(picture, pages=pages, strips=strips)


_DEPTHS = {"uint8": "8 bits", "uint16": "16 bits", "float32": "float samples", "float16": "half-float samples"}


def _holding(dtype: str) -> list[str]:
    return [kind.suffixes[0].removeprefix(".") for kind in dict.fromkeys(FORMATS.values()) if dtype in kind.depths]


def _kind_of(path: Path) -> Format:
    if path.suffix.lower() in ZARR.suffixes and path.is_dir():
        return ZARR
    try:
        with path.open("rb") as file:
            head = file.read(HEAD)
    except OSError as error:
        raise ImageFileError(f"cannot be read: {error.strerror}", path) from error
    if not head:
        raise ImageFileError("is empty (0 bytes)", path)
    return recognise(path, head)


def _checked(path: Path, kind: Format, strips: Any, height: int) -> Iterator[np.ndarray]:
    """The strips, and whatever a decoder raises on the way as an error of this file; they make up ``height`` rows."""
    decoded, rows = strips(), 0
    while (strip := _told(path, kind, lambda _: next(decoded, None))) is not None:
        rows += len(strip)
        yield strip
    if rows != height:
        raise ImageFileError(f"is damaged: it tells of {height} rows, and {rows} came out", path)


def _told(path: Path, kind: Format, act: Any, doing: str = "read") -> Any:
    """What ``act(codec)`` gives; whatever the codec raises as an ImageFileError, for libraries fail in their own ways."""
    try:
        return act(importlib.import_module(f".{kind.codec}", __package__))
    except (srkit.SrkitError, MemoryError):
        raise
    except ImportError as error:
        if not kind.needs:
            raise
        raise ImageFileError(
            f'{kind.name} needs the package {kind.needs}, which is not installed: pip install "srkit-io[formats]"', path
        ) from error
    except OSError as error:
        if doing == "written":
            raise  # named by whole()
        raise ImageFileError(f"cannot be read: {error.strerror or error}", path) from error
    except Exception as error:
        what = "is damaged" if doing == "read" else f"cannot be written as {kind.name}"
        raise ImageFileError(f"{what}: {str(error).strip() or type(error).__name__}"[:500], path) from error
