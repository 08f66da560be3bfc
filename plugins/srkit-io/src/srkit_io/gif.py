"""Whether a GIF is whole: libvips shows the frames there are, and says nothing of what was cut off."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

from .errors import ImageFileError

_EXTENSION, _IMAGE = 0x21, 0x2C


def check_whole(path: Path) -> None:
    """Raise ImageFileError if the file ends within a block (GIF89a, 12 to 26); without a trailer it may end after one."""
    with path.open("rb") as file:
        screen = file.read(13)
        if len(screen) < 13:
            raise ImageFileError("is cut off in its header", path)
        _skip_colours(file, screen[10])
        while (kind := file.read(1)) and kind[0] in {_EXTENSION, _IMAGE}:
            head = file.read(9 if kind[0] == _IMAGE else 1)
            if kind[0] == _IMAGE and len(head) == 9:
                _skip_colours(file, head[8])
                file.read(1)
            while size := file.read(1):
                if not size[0]:
                    break
                if len(file.read(size[0])) < size[0]:
                    raise ImageFileError("is cut off: the data of a frame ends before its time", path)
            else:
                raise ImageFileError("is cut off: a block has no end", path)


def _skip_colours(file: BinaryIO, flags: int) -> None:
    if flags & 0x80:
        file.read(3 * 2 ** ((flags & 7) + 1))
