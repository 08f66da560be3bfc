"""Files that appear whole or not at all."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from .errors import ImageFileError
from .lock import Held, lock


@contextlib.contextmanager
def whole(path: Path, *, folder: bool = False) -> Iterator[Path]:
    """A file, or a folder, beside ``path`` to write to, which takes its place once the block ends, and is gone if it raises.

    Its name follows from the path, so what a killed process left is taken over by the next that writes the same file; a
    lock, which ends with the process, tells leftovers from a file that is just being written.
    """
    # Short, since the name itself may be as long as names can be.
    part = path.with_name(f".srkit-{hashlib.sha256(os.fsencode(path.name)).hexdigest()[:16]}.part")
    try:
        with _cleared(part) if folder else _locked(part, path) as handle:
            try:
                yield part
                if handle is not None:
                    os.fsync(handle)  # else a power cut could leave the name without the content
                if folder and path.exists():
                    _make_way(path)
                part.replace(path)
            except BaseException:
                _remove(part)
                raise
    except OSError as error:
        if isinstance(error, IsADirectoryError | NotADirectoryError) and path.is_dir():
            raise ImageFileError("cannot be written: there is a folder of this name", path) from error
        raise ImageFileError(f"cannot be written: {error.strerror or error}", path) from error


@contextlib.contextmanager
def _locked(part: Path, path: Path) -> Iterator[int]:
    while True:
        handle = os.open(part, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            lock(handle)
            if _is_still(part, handle):
                os.truncate(handle, 0)
                yield handle
                return
            # Else another finished and renamed it between opening and locking.
        except Held as error:
            raise ImageFileError("is just being written by another process; wait for it", path) from error
        finally:
            os.close(handle)


def _is_still(part: Path, handle: int) -> bool:
    try:
        return os.path.samestat(part.stat(), os.fstat(handle))
    except OSError:
        return False


def _make_way(path: Path) -> None:
    """Remove an array that is a folder, since no system puts a folder in another's place; but no other folder."""
    if not path.is_dir() or not {".zarray", "zarr.json"} & {entry.name for entry in path.iterdir()}:
        raise ImageFileError("cannot be written: there is something else of this name", path)
    shutil.rmtree(path)


@contextlib.contextmanager
def _cleared(part: Path) -> Iterator[None]:
    _remove(part)
    yield


def _remove(part: Path) -> None:
    with contextlib.suppress(OSError):
        if part.is_dir():
            shutil.rmtree(part)
        else:
            part.unlink(missing_ok=True)
