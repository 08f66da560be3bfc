"""Pictures whose decoders give them whole: what that may take, and the rows cut from the result."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from .errors import ImageFileError
from .formats import Format
from .picture import Page, Picture, bytes_of, cut


def held(path: Path, kind: Format, page: Page, decode: Callable[[], np.ndarray], limit: int, extra: int = 0) -> Picture:
    """The picture that ``decode()`` gives, once its rows are asked for; refused if it takes more than ``limit`` bytes.

    ``page``: what the file's header tells; raises ImageFileError if that turns out wrong. ``extra``: bytes that are decoded
    beside the picture.
    """
    layout = page.layout
    needed = bytes_of(layout) + extra
    if needed > limit:
        raise ImageFileError(
            f"is {kind.name} and so must be decoded whole: {layout.width}×{layout.height} pixels need {needed / 1e9:.1f} GB, "
            f"and {limit / 1e9:.1f} GB may be used; raise --memory, or save it as TIFF or as plain PNG",
            path,
        )
    shape = page.size if layout.flat else (*page.size, layout.channels)

    def strips() -> Iterator[np.ndarray]:
        image = decode()
        if image.shape != shape or image.dtype != layout.dtype:
            raise ImageFileError(
                f"is damaged: its header tells of {shape} {layout.dtype}, and {image.shape} {image.dtype} came out",
                path,
            )
        yield from cut(image)

    return Picture((page,), strips, streams=False)


def data_of(path: Path, limit: int) -> bytes:
    """The bytes of a file, for decoders that want them at once."""
    size = path.stat().st_size
    if size > limit:
        raise ImageFileError(
            f"has {size / 1e9:.1f} GB, which must be read at once, and {limit / 1e9:.1f} GB may be used; raise --memory",
            path,
        )
    return path.read_bytes()


def widened(image: np.ndarray, bits: int) -> np.ndarray:
    """Values of ``bits`` bits, 1 to 16, over the whole range of uint8 or uint16, so that white is white."""
    dtype, white = (np.uint8, 2**8 - 1) if bits <= 8 else (np.uint16, 2**16 - 1)
    most = 2**bits - 1
    if white == most:
        return image.astype(dtype, copy=False)
    # By a table: exact, and without the image in 32 bits.
    values = np.arange(most + 1, dtype=np.uint32)
    table = ((values * white + most // 2) // most).astype(dtype)
    return np.asarray(table[np.minimum(image, most)])
