"""Pictures in an LMDB folder (a memory-mapped database) as BasicSR lays it out.

``meta_info.txt`` has a line for each, ``NAME.png (height,width,channels) level``; the encoded file lies under the key
``NAME``.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import attrs

import srkit

from .errors import PictureError
from .files import stem
from .lists import read_list

META = "meta_info.txt"


@attrs.frozen
class Lmdb:
    """The pictures of an LMDB folder."""

    path: Path
    names: Sequence[str]
    keys: Sequence[str]

    @classmethod
    def of(cls, path: Path, pattern: str = "*") -> Lmdb:
        """What its ``meta_info.txt`` names; raises DatasetError if that is nothing."""
        library()
        names = [name for name in read_list(path / META) if fnmatchcase(name, pattern)]
        if not names:
            raise srkit.DatasetError(f"{path / META} names no pictures that match {pattern!r}")
        return cls(path, names, [stem(name) for name in names])

    def data(self, index: int) -> bytes:
        """See :class:`srkit_datasets.Source`."""
        try:
            with _environment(self.path).begin() as transaction:
                found = transaction.get(self.keys[index].encode())
        except library().Error as error:
            raise PictureError(self.label(index), f"cannot be read: {error}") from error
        if found is None:
            raise PictureError(self.label(index), f"{META} names it, but it is not in the database")
        return bytes(found)

    def label(self, index: int) -> str:
        """See :class:`srkit_datasets.Source`."""
        return f"{self.path}:{self.names[index]}"


def library() -> Any:
    """The module ``lmdb``; raises DatasetError if it is not installed."""
    try:
        import lmdb
    except ImportError as error:
        raise srkit.DatasetError(
            'LMDB needs the package lmdb, which is not installed: pip install "srkit-datasets[lmdb]"'
        ) from error
    return lmdb


# A process may open a database only once.
_environments: dict[Path, Any] = {}


def _environment(path: Path) -> Any:
    path = path.resolve()
    if path not in _environments:
        _environments[path] = library().open(str(path), readonly=True, lock=False, readahead=False, meminit=False)
    return _environments[path]


def _close_all() -> None:
    while _environments:
        _environments.popitem()[1].close()


# A process that was forked must not use what was opened before, nor can it open that once more: each opens its own.
if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_close_all)
