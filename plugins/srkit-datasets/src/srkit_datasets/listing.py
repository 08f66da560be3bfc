"""``srkit dataset list``: the names and sizes of pictures, or of pairs, in a text file."""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Callable, Sequence
from pathlib import Path

import srkit
import srkit_io

from .appear import part_of
from .decode import decode
from .errors import PictureError
from .files import Files
from .lists import line_of
from .partners import partners
from .work import Done, Tally, in_order


def list_pictures(
    folders: Sequence[str], output: str, *, root: str | None, pattern: str, check: bool, threads: int, restart: bool
) -> int:
    """Write ``NAME (height,width,channels)`` for each picture of the folders, names relative to ``root``; the exit status."""
    base = Path(root) if root is not None else Path(os.path.commonpath([Path(folder).absolute() for folder in folders]))
    names = []
    for folder in folders:
        found = Files.of(Path(folder), pattern)
        names += [_relative(found.root / name, base) for name in found.names]

    def act(name: str) -> str:
        return line_of(name, _size(base / name, check=check))

    part = part_of(Path(output), _mark(base.absolute(), check))
    return _write(
        names, act, lambda line: line.rpartition(" (")[0], Path(output), part, threads=threads, restart=restart
    )


def list_pairs(
    gt: str, lq: str, output: str, *, lq_name: str, scale: int, check: bool, threads: int, restart: bool
) -> int:
    """Write ``GT, LQ`` for each target of ``gt`` and its input in ``lq``, if their sizes match; the exit status."""
    targets, inputs = Files.of(Path(gt)), Files.of(Path(lq))
    names = [
        f"{name}, {inputs.names[place]}"
        for name, place in zip(targets.names, partners(targets, inputs, lq_name), strict=True)
    ]

    def act(name: str) -> str:
        high, _, low = name.partition(", ")
        size, small = _size(Path(gt) / high, check=check), _size(Path(lq) / low, check=check)
        if size[:2] != (small[0] * scale, small[1] * scale):
            raise PictureError(
                str(Path(gt) / high),
                f"has {size[1]}×{size[0]} pixels, which is not {scale} times the {small[1]}×{small[0]} of {Path(lq) / low}",
            )
        return name

    part = part_of(Path(output), _mark(Path(gt).absolute(), Path(lq).absolute(), scale, check))
    return _write(names, act, str, Path(output), part, threads=threads, restart=restart)


def _mark(*settings: object) -> str:
    """Part of the name of what is not complete, so that only a run with the same settings goes on with it."""
    return hashlib.sha256(repr(settings).encode()).hexdigest()[:12]


def _relative(path: Path, base: Path) -> str:
    try:
        return path.absolute().relative_to(base.absolute()).as_posix()
    except ValueError as error:
        raise srkit.SettingsError(
            f"{path} is not below the root {base}; choose a --root that holds all folders"
        ) from error


def _size(path: Path, *, check: bool) -> tuple[int, int, int]:
    """(height, width, channels), as the file's head tells; with ``check`` all of it is decoded, as training will."""
    layout = srkit_io.open_picture(path).pages[0].layout
    if check:
        height, width, _ = decode(path.read_bytes(), str(path)).shape
        return height, width, layout.channels
    return layout.height, layout.width, layout.channels


def _write(
    names: Sequence[str],
    act: Callable[[str], str],
    name_of: Callable[[str], str],
    output: Path,
    part: Path,
    *,
    threads: int,
    restart: bool,
) -> int:
    """Write the line of each name, in order, into a part that an interrupted run leaves for the next."""
    output.parent.mkdir(parents=True, exist_ok=True)
    if restart:
        part.unlink(missing_ok=True)
    kept = _kept(part)
    known = {name_of(line) for line in kept}
    left = [name for name in names if name not in known]
    lines = {name_of(line): line for line in kept}
    with Tally(len(names)) as tally, part.open("a", encoding="utf-8") as file:
        tally.add("skipped", len(names) - len(left))
        for done in in_order(left, act, threads):
            _note(done, tally, lines, file.write)
            file.flush()
    if tally.counts.total() == len(names):
        text = "".join(f"{lines[name]}\n" for name in names if name in lines)
        part.write_text(text, "utf-8")
        part.replace(output)
    return tally.code


def _note(done: Done[str, str], tally: Tally, lines: dict[str, str], write: Callable[[str], object]) -> None:
    if done.result is None:
        tally.fail(done.error or srkit.ImageError("nothing came of it"), done.job)
        return
    lines[done.job] = done.result
    write(f"{done.result}\n")
    tally.add("done")


def _kept(part: Path) -> list[str]:
    """The lines an interrupted run wrote; the last may be torn."""
    with contextlib.suppress(OSError):
        return [line.rstrip("\n") for line in part.read_text("utf-8").splitlines(keepends=True) if line.endswith("\n")]
    return []
