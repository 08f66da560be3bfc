"""NumPy files and Zarr arrays: rows read where they lie, and written there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

import srkit

from .errors import ImageFileError
from .formats import NPY, Format
from .options import WriteOptions
from .picture import Metadata, Page, Picture, cut, rows_at_once


def open_picture(path: Path, kind: Format, limit: int) -> Picture:  # noqa: ARG001 -- nothing is held
    """The array of a file, (H, W) or (H, W, C)."""
    if kind is NPY:
        try:
            return of_array(np.load(path, mmap_mode="r", allow_pickle=False))
        except ValueError as error:
            raise ImageFileError(f"is damaged, or no plain array: {error}", path) from error
    import zarr

    array = zarr.open(str(path), mode="r")
    if not isinstance(array, zarr.Array):
        raise ImageFileError("is a Zarr group; name the array in it, such as 'group.zarr/0'", path)
    return of_array(array)


def of_array(array: Any) -> Picture:
    """A picture of anything with a shape, a dtype and rows to slice, such as a memory map or a Zarr array."""
    shape, dtype = tuple(array.shape), np.dtype(array.dtype)
    layout = srkit.layout_of(np.broadcast_to(np.zeros((), dtype), shape))

    def strips() -> Iterator[np.ndarray]:
        if isinstance(array, np.ndarray):
            yield from cut(array)
            return
        # Chunks are decoded whole: rows of chunks at a time.
        row = layout.width * layout.channels * dtype.itemsize
        step = int(getattr(array, "chunks", (0,))[0]) or rows_at_once(row)
        for top in range(0, layout.height, step):
            yield np.asarray(array[top : top + step])

    return Picture((Page(layout, Metadata()),), strips)


def write(file: Path, kind: Format, picture: Picture, options: WriteOptions) -> None:  # noqa: ARG001
    """Write the rows into a new array of the picture's shape."""
    layout = picture.pages[0].layout
    shape = (layout.height, layout.width) if layout.flat else (layout.height, layout.width, layout.channels)
    if kind is NPY:
        with file.open("wb") as out:
            header = {"descr": np.lib.format.dtype_to_descr(layout.dtype), "fortran_order": False, "shape": shape}
            np.lib.format.write_array_header_1_0(out, header)
            for strip in picture.strips():
                out.write(np.ascontiguousarray(strip).data)
        return
    import zarr

    rows = 256
    array = zarr.create_array(
        str(file), shape=shape, dtype=layout.dtype, chunks=(min(rows, shape[0]), min(1024, shape[1]), *shape[2:])
    )
    into(array, picture)


def into(array: Any, picture: Picture) -> None:
    """Write the rows of a picture of one page into anything that takes slices of rows, such as a memory map."""
    top, waiting = 0, []
    step = int((getattr(array, "chunks", None) or (1,))[0])
    for strip in picture.strips():
        waiting.append(strip)
        count = sum(map(len, waiting))
        if count >= step or top + count == array.shape[0]:
            # Whole chunks at once: what is written in two parts is encoded twice.
            joined = np.concatenate(waiting) if len(waiting) > 1 else strip
            now = count if top + count == array.shape[0] else count - count % step
            array[top : top + now] = joined[:now]
            top, waiting = top + now, [joined[now:]] if now < count else []
