"""Pictures that are files in a folder."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath

import attrs

import srkit

from .decode import SUFFIXES
from .errors import PictureError


@attrs.frozen
class Files:
    """Files below ``root``."""

    root: Path
    names: Sequence[str]
    keys: Sequence[str]

    @classmethod
    def of(cls, root: Path, pattern: str = "*", names: Sequence[str] | None = None) -> Files:
        """The files of these names, or all pictures that are found; raises DatasetError if there are none."""
        if not root.is_dir():
            raise srkit.DatasetError(f"there is no folder {root}")
        if names is None:
            names = sorted(name for name in _found(root) if fnmatchcase(name, pattern))
            if not names:
                shards = f"; for the shards in it, write {root}/*.tar" if any(root.glob("*.tar")) else ""
                raise srkit.DatasetError(f"{root} holds no pictures that match {pattern!r}{shards}")
        elif not names:
            raise srkit.DatasetError(f"the list for {root} is empty")
        return cls(root, names, [stem(name) for name in names])

    def data(self, index: int) -> bytes:
        """See :class:`srkit_datasets.Source`."""
        try:
            return (self.root / self.names[index]).read_bytes()
        except OSError as error:
            raise PictureError(self.label(index), f"cannot be read: {error.strerror or error}") from error

    def label(self, index: int) -> str:
        """See :class:`srkit_datasets.Source`."""
        return str(self.root / self.names[index])


def stem(name: str) -> str:
    """The name without its suffix."""
    return name.removesuffix(PurePosixPath(name).suffix)


def _found(root: Path) -> Iterator[str]:
    """Pictures below ``root`` that are not hidden; links are followed, but no folder is searched twice."""
    seen = set()
    for folder, folders, files in os.walk(root, followlinks=True):
        here = Path(folder)
        seen.add(here.resolve())
        folders[:] = sorted(f for f in folders if not f.startswith(".") and (here / f).resolve() not in seen)
        for file in files:
            if not file.startswith(".") and Path(file).suffix.lower() in SUFFIXES:
                yield (here / file).relative_to(root).as_posix()
