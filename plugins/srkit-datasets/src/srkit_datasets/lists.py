"""Text files that name pictures, one a line, or pairs: the ``meta_info`` files of BasicSR and Real-ESRGAN."""

from __future__ import annotations

import re
from pathlib import Path

import srkit

# "0801_s001.png (480,480,3)", in LMDB with the level of compression behind it; names may hold blanks.
_LINE = re.compile(r"(?P<name>.*?)(?:\s+\((?P<size>\d+\s*(?:,\s*\d+\s*){1,2})\)(?:\s+\d+)?)?")


def entry(line: str) -> tuple[str, tuple[int, ...] | None]:
    """The name in a line, and the size (height, width, channels) if it is there."""
    match = _LINE.fullmatch(line.strip())
    size = match["size"] if match else None
    return match["name"] if match else line, tuple(int(part) for part in size.split(",")) if size else None


def line_of(name: str, size: tuple[int, ...]) -> str:
    """The line for a picture of ``size`` (height, width, channels)."""
    return f"{name} ({','.join(map(str, size))})"


def read_list(path: Path) -> list[str]:
    """The names in a list. Raises DatasetError if it cannot be read."""
    return [entry(line)[0] for line in _lines(path)]


def read_pairs(path: Path) -> list[tuple[str, str]]:
    """The names in a list of pairs, ``gt, lq`` a line. Raises DatasetError if a line is no pair."""
    pairs = []
    for number, line in enumerate(_lines(path), 1):
        gt, mark, lq = line.partition(", ")
        if not mark:
            raise srkit.DatasetError(f"{path}, line {number}: {line!r} is no pair; expected 'GT NAME, LQ NAME'")
        pairs.append((entry(gt)[0], entry(lq)[0]))
    return pairs


def _lines(path: Path) -> list[str]:
    try:
        lines = path.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise srkit.DatasetError(f"the list {path} cannot be read: {error}") from error
    return [line.strip() for line in lines if line.strip()]
