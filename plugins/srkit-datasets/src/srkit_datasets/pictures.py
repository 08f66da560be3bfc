"""Where the pictures of a data set are: folders, lists, LMDB and tar shards, one like the other."""

from __future__ import annotations

import glob
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from itertools import accumulate
from pathlib import Path
from typing import Any, Protocol

import attrs
import numpy as np

import srkit

from .config import filled
from .decode import decode

_NOTHING_THERE = "there is no {}; expected a folder of pictures, an LMDB folder or tar shards"


class Source(Protocol):
    """Encoded pictures, numbered. It can be pickled, and read in any process."""

    @property
    def names(self) -> Sequence[str]:
        """Of each its name, a path with / from where the source begins."""

    @property
    def keys(self) -> Sequence[str]:
        """What each is called in pairs: the name without suffix."""

    def data(self, index: int) -> bytes:
        """The file. Raises PictureError if it cannot be had."""

    def label(self, index: int) -> str:
        """How messages call it."""


def read(source: Source, index: int) -> np.ndarray:
    """The pixels of a picture, (H, W, 3) uint8, RGB. Raises PictureError."""
    return decode(source.data(index), source.label(index))


@attrs.frozen(kw_only=True)
class Pictures:
    """Pictures in one place.

    ``path``: a folder, searched with its sub-folders; an LMDB folder as BasicSR writes them; or tar shards, such as
    ``shards/*.tar``. ``list``: a text file that names the pictures to take, one a line, each maybe with its size, in the
    order they are numbered. ``pattern``: what names must match, such as ``*.png``; ``*`` spans folders.
    """

    path: str = attrs.field(converter=str)
    list: str | Sequence[str] | None = None
    pattern: str = "*"


def open_pictures(where: str | Path | Mapping[str, Any] | Sequence[Any] | Pictures) -> Source:
    """The pictures of a path, of a mapping with the keys of :class:`Pictures`, or of several of them, one after another.

    Raises DatasetError if there are none.
    """
    meant = _meant(where)
    if isinstance(meant, Pictures):
        return _opened(meant)
    parts = [open_pictures(part) for part in meant]
    return parts[0] if len(parts) == 1 else Joined(parts)


def _meant(where: Any) -> Pictures | Sequence[Any]:
    """One place, or several, each to be asked again; raises SettingsError for what names none."""
    if isinstance(where, str | Path):
        return Pictures(path=str(where))
    if isinstance(where, Mapping):
        return filled(Pictures, where)
    if isinstance(where, Pictures) or (isinstance(where, Sequence) and where):
        return where
    raise srkit.SettingsError(f"{where!r} names no pictures; give a path, a mapping with 'path', or several of them")


def _opened(where: Pictures) -> Source:
    from .files import Files
    from .shards import Shards

    path = Path(where.path)
    source: Source
    if path.suffix == ".tar" or (glob.has_magic(where.path) and not path.exists()):
        source = Shards.of(where.path, where.pattern)
    elif (path / "data.mdb").is_file():
        from .lightning import Lmdb

        source = Lmdb.of(path, where.pattern)
    elif path.is_dir():
        names = None if where.list is None else named(where.list)
        return Files.of(path, where.pattern, names)
    elif path.is_file():
        raise srkit.DatasetError(
            f"{path} is a file; if it lists pictures, write {{path: FOLDER, list: {path}}}, and tar shards end in .tar"
        )
    else:
        raise srkit.DatasetError(_NOTHING_THERE.format(path))
    return source if where.list is None else Chosen.of(source, named(where.list), where.path)


def check_pictures(where: Any) -> None:
    """Raise what :func:`open_pictures` would for a place that is not there, without a look at what is in it."""
    meant = _meant(where)
    if not isinstance(meant, Pictures):
        for part in meant:
            check_pictures(part)
        return
    path = Path(meant.path)
    if not path.exists() and next(glob.iglob(meant.path, recursive=True), None) is None:  # noqa: PTH207
        raise srkit.DatasetError(_NOTHING_THERE.format(path))
    if isinstance(meant.list, str) and not Path(meant.list).is_file():
        raise srkit.DatasetError(f"there is no list {meant.list}; expected a text file that names pictures, one a line")


def check_place(key: str, where: Any) -> None:
    """:func:`check_pictures`, with a note that names the key."""
    try:
        check_pictures(where)
    except (srkit.SettingsError, srkit.DatasetError) as error:
        error.add_note(f"in the key {key!r}")
        raise


def named(names: str | Sequence[str]) -> list[str]:
    """The names in a list: of a text file (its path), or as they are."""
    from .lists import read_list

    return read_list(Path(names)) if isinstance(names, str) else [*names]


@attrs.frozen
class Joined:
    """Several sources, one after another."""

    parts: Sequence[Source]
    names: Sequence[str] = attrs.field(init=False)
    keys: Sequence[str] = attrs.field(init=False)
    _starts: Sequence[int] = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        object.__setattr__(self, "names", [name for part in self.parts for name in part.names])
        object.__setattr__(self, "keys", [key for part in self.parts for key in part.keys])
        object.__setattr__(self, "_starts", [0, *accumulate(len(part.names) for part in self.parts)])

    def _part(self, index: int) -> tuple[Source, int]:
        number = bisect_right(self._starts, index) - 1
        return self.parts[number], index - self._starts[number]

    def data(self, index: int) -> bytes:
        """See :class:`Source`."""
        part, place = self._part(index)
        return part.data(place)

    def label(self, index: int) -> str:
        """See :class:`Source`."""
        part, place = self._part(index)
        return part.label(place)


@attrs.frozen
class Chosen:
    """Some pictures of a source, in an order of their own."""

    source: Source
    places: Sequence[int]
    names: Sequence[str]
    keys: Sequence[str]

    @classmethod
    def of(cls, source: Source, names: Sequence[str], where: str) -> Chosen:
        """The pictures of these names; raises DatasetError if one is not there."""
        known = {name: place for place, name in enumerate(source.names)}
        for name in names:
            if name not in known:
                raise srkit.DatasetError(f"{where} holds no picture {name!r}, which the list names")
        places = [known[name] for name in names]
        return cls(source, places, [*names], [source.keys[place] for place in places])

    def data(self, index: int) -> bytes:
        """See :class:`Source`."""
        return self.source.data(self.places[index])

    def label(self, index: int) -> str:
        """See :class:`Source`."""
        return self.source.label(self.places[index])
