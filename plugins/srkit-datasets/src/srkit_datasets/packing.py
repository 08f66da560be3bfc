"""``srkit dataset pack``: many small files into few large ones, which disks and networks read faster."""

from __future__ import annotations

import hashlib
import io
import shutil
import tarfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import attrs

import srkit

from .appear import part_of, whole
from .decode import decode
from .errors import PictureError
from .lightning import META, library
from .lists import entry, line_of
from .pictures import Source
from .shards import index_file, index_of
from .stamp import claim, read_stamp
from .work import Tally, in_order

_COMMIT = 64 << 20
"""Bytes that are put into a database at once: few commits, and little to do again after an interruption."""
_MAP = 1 << 30
_LONGEST_KEY = 511


@attrs.frozen
class Checked:
    """A picture that was decoded without complaint: its bytes as they are, and (height, width, channels)."""

    data: bytes
    size: tuple[int, ...]


def _checked(source: Source) -> Callable[[int], Checked]:
    def act(index: int) -> Checked:
        data = source.data(index)
        return Checked(data, decode(data, source.label(index)).shape)

    return act


def _identity(source: Source) -> dict[str, Any]:
    digest = hashlib.sha256("\n".join(source.names).encode("utf-8", "surrogateescape")).hexdigest()
    return {"command": "pack", "pictures": len(source.names), "names": digest}


def pack_lmdb(source: Source, output: Path, *, threads: int, restart: bool) -> int:
    """Put all pictures into an LMDB folder, which appears once it is complete; the exit status."""
    part = part_of(output)
    settings = _identity(source)
    if output.exists():
        if not restart and read_stamp(output) != settings:
            raise srkit.SettingsError(
                f"{output} is there already, with other pictures; choose another, or use --restart"
            )
        if not restart:
            with Tally(len(source.names)) as tally:
                tally.add("skipped", len(source.names))
            return tally.code
    if restart or read_stamp(part) != settings:
        shutil.rmtree(part, ignore_errors=True)
    claim(part, settings, restart=restart)
    with Tally(len(source.names)) as tally:
        _fill(source, part, tally, threads)
    if tally.counts.total() == len(source.names):
        if output.exists():
            shutil.rmtree(output)
        part.replace(output)
    return tally.code


def _fill(source: Source, part: Path, tally: Tally, threads: int) -> None:
    meta = part / META
    kept = meta.read_text("utf-8").splitlines(keepends=True) if meta.exists() else []
    kept = [line for line in dict.fromkeys(kept) if line.endswith("\n")]  # the last may be torn, or there twice
    meta.write_text("".join(kept), "utf-8")
    known = {entry(line)[0] for line in kept}
    keys: dict[str, str] = {}
    with _database(part) as database, meta.open("a", encoding="utf-8") as lines:
        pending: list[tuple[int, Checked]] = []
        waiting = 0

        def commit() -> None:
            _put(database, [(source.keys[index].encode(), checked.data) for index, checked in pending])
            # Only after they are safe: what is named here will not be put again.
            lines.writelines(f"{line_of(source.names[i], checked.size)} 1\n" for i, checked in pending)
            lines.flush()
            tally.add("done", len(pending))
            pending.clear()

        for index, name in enumerate(source.names):
            keys.setdefault(source.keys[index], name)
        left = [index for index, name in enumerate(source.names) if name not in known]
        tally.add("skipped", len(source.names) - len(left))
        try:
            for done in in_order(left, _checked(source), threads):
                problem = done.error or _key_problem(source, done.job, keys)
                if problem is not None or done.result is None:
                    tally.fail(problem or srkit.ImageError("nothing came of it"), source.label(done.job))
                    continue
                pending.append((done.job, done.result))
                waiting += len(done.result.data)
                if waiting >= _COMMIT:
                    commit()
                    waiting = 0
        finally:
            commit()


def _key_problem(source: Source, index: int, keys: dict[str, str]) -> srkit.SrkitError | None:
    key = source.keys[index]
    if len(key.encode()) > _LONGEST_KEY:
        return PictureError(source.label(index), f"its name is longer than the {_LONGEST_KEY} bytes that LMDB takes")
    if keys[key] != source.names[index]:
        return PictureError(
            source.label(index), f"but for its suffix it is called like {keys[key]}; rename one of them"
        )
    return None


def _database(part: Path) -> Any:
    return library().open(str(part), map_size=_MAP, subdir=True, lock=True, readahead=False)


def _put(database: Any, items: Sequence[tuple[bytes, bytes]]) -> None:
    while True:
        try:
            with database.begin(write=True) as transaction:
                for key, value in items:
                    transaction.put(key, value)
        except library().MapFullError:
            database.set_mapsize(database.info()["map_size"] * 2)
        else:
            return


def pack_tar(source: Source, output: Path, *, per_shard: int, threads: int, restart: bool) -> int:
    """Put all pictures into tar shards of ``per_shard`` in a folder, each of which appears once complete; the exit status."""
    since = claim(output, {**_identity(source), "per_shard": per_shard}, restart=restart)
    count = len(source.names)
    shards = [range(start, min(start + per_shard, count)) for start in range(0, count, per_shard)]
    paths = [output / f"shard-{number:06d}.tar" for number in range(len(shards))]
    for left in output.glob(".shard-*.part"):  # by a process that was killed
        left.unlink()
    for old in {*output.glob("shard-*.tar")} - {*paths}:  # of an earlier run, with more of them
        old.unlink()
        index_file(old).unlink(missing_ok=True)
    with Tally(count) as tally:
        for path, indices in zip(paths, shards, strict=True):
            if path.exists() and path.stat().st_mtime_ns >= since:
                tally.add("skipped", len(indices))
            else:
                _write_shard(source, path, indices, tally, threads)
    return tally.code


def _write_shard(source: Source, path: Path, indices: range, tally: Tally, threads: int) -> None:
    with whole(path) as part, tarfile.open(part, "w", format=tarfile.PAX_FORMAT) as tar:
        for name, data in _good(source, indices, tally, threads):
            # No times and owners: the same pictures make the same shard.
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    index_of(path)


def _good(source: Source, indices: range, tally: Tally, threads: int) -> Iterator[tuple[str, bytes]]:
    for done in in_order(indices, _checked(source), threads):
        if done.result is None:
            tally.fail(done.error or srkit.ImageError("nothing came of it"), source.label(done.job))
        else:
            yield source.names[done.job], done.result.data
            tally.add("done")
