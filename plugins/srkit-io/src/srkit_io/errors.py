"""The error every reader and writer raises."""

from __future__ import annotations

from pathlib import Path

import srkit


class ImageFileError(srkit.ImageError):
    """The picture file ``path`` cannot be read or written."""

    def __init__(self, message: str, path: Path) -> None:
        self.path = path
        super().__init__(f"{path}: {message}")
