"""Pictures in tar files (shards, as WebDataset has them), read at their place without unpacking."""

from __future__ import annotations

import contextlib
import glob
import json
import tarfile
from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath

import attrs

import srkit

from .appear import whole
from .decode import SUFFIXES
from .errors import PictureError


@attrs.frozen
class Member:
    """A file in a shard: its name, and the bytes it lies in."""

    name: str
    offset: int
    size: int


@attrs.frozen
class Shards:
    """The pictures of tar files, one after another."""

    members: Sequence[tuple[Path, Member]]
    names: Sequence[str]
    keys: Sequence[str]

    @classmethod
    def of(cls, where: str, pattern: str = "*") -> Shards:
        """Those of the shards that match ``where``, in the order of their names; raises DatasetError if there are none."""
        # Path.glob takes no absolute patterns.
        paths = [Path(where)] if Path(where).exists() else [*map(Path, sorted(glob.glob(where, recursive=True)))]  # noqa: PTH207
        members = [
            (path, member)
            for path in paths
            for member in index_of(path)
            if fnmatchcase(member.name, pattern) and PurePosixPath(member.name).suffix.lower() in SUFFIXES
        ]
        if not members:
            found = f"{len(paths)} tar files" if paths else "no files"
            raise srkit.DatasetError(f"{where} matches {found}, with no pictures in them that match {pattern!r}")
        names = [member.name for _, member in members]
        return cls(members, names, [key_of(name) for name in names])

    def data(self, index: int) -> bytes:
        """See :class:`srkit_datasets.Source`."""
        path, member = self.members[index]
        try:
            with path.open("rb") as file:
                file.seek(member.offset)
                data = file.read(member.size)
        except OSError as error:
            raise PictureError(self.label(index), f"cannot be read: {error.strerror or error}") from error
        if len(data) < member.size:
            raise PictureError(self.label(index), "the tar file ends before it")
        return data

    def label(self, index: int) -> str:
        """See :class:`srkit_datasets.Source`."""
        path, member = self.members[index]
        return f"{path}:{member.name}"


def key_of(name: str) -> str:
    """What WebDataset calls the sample a file belongs to: its path up to the first dot of the file's own name."""
    folder, slash, file = name.rpartition("/")
    return folder + slash + file.partition(".")[0]


def index_file(path: Path) -> Path:
    """Where the index of a shard is kept."""
    return path.with_name(path.name + ".index")


def index_of(path: Path) -> list[Member]:
    """The files in a shard.

    Kept beside it, if one may write there, for a shard is searched from header to header, which takes minutes for a big one
    on a slow disk. Raises DatasetError if it is no plain tar file.
    """
    try:
        status = path.stat()
        stamp = [status.st_size, status.st_mtime_ns]
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            kept = json.loads(index_file(path).read_text("utf-8"))
            if kept["shard"] == stamp:
                return [Member(*member) for member in kept["members"]]
        with tarfile.open(path, "r:") as tar:
            members = [
                Member(item.name.removeprefix("./"), item.offset_data, item.size) for item in tar if item.isreg()
            ]
    except (OSError, tarfile.TarError) as error:
        raise srkit.DatasetError(f"{path} is no tar file that can be read (not compressed): {error}") from error
    with contextlib.suppress(OSError), whole(index_file(path), shared=True) as part:
        rows = [[member.name, member.offset, member.size] for member in members]
        part.write_text(json.dumps({"shard": stamp, "members": rows}), "utf-8")
    return members
