"""Files and folders that appear whole or not at all."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def whole(path: Path, *, shared: bool = False) -> Iterator[Path]:
    """A file beside ``path`` to write to, which takes its place once the block ends, and is gone if it raises.

    Its name follows from the path, so what a killed process left is overwritten by the next; with ``shared``, where several
    processes may write the same at once, from the process, too.
    """
    part = part_of(path, f"{os.getpid()}-{threading.get_ident()}" if shared else "")
    try:
        yield part
        with part.open("rb") as file:
            os.fsync(file.fileno())  # else a power cut could leave the name without the content
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def part_of(path: Path, mark: str = "") -> Path:
    """The hidden name of what is not complete yet."""
    return path.with_name(f".{path.name}{mark and '.'}{mark}.part")
