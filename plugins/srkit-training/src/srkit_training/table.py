"""Numbers in a CSV file, a row an iteration, columns as they come."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TypeAlias

from srkit_datasets.appear import whole

Cell: TypeAlias = float | str

KEY = "iteration"


class Table:
    """The file ``path``: rows after the iteration ``resume_at`` are dropped, for they will be written again.

    So is a last row that is not whole, as a killed process leaves it.
    """

    def __init__(self, path: Path, resume_at: int = 0) -> None:
        self._path = path
        self._columns, rows = _kept(path, resume_at)
        self._write(rows)

    def add(self, iteration: int, values: Mapping[str, Cell]) -> None:
        """One more row. A column that is new is added to the right; rows before have nothing in it."""
        row: dict[str, Cell] = {KEY: iteration, **values}
        new = [column for column in row if column not in self._columns]
        if new:
            rows = _read(self._path)[1:]
            self._columns += new
            self._write(rows)
        with self._path.open("a", encoding="utf-8", newline="") as file:
            file.write(_lines([[row.get(column, "") for column in self._columns]]))

    def _write(self, rows: Iterable[Sequence[str]]) -> None:
        with whole(self._path) as part:
            part.write_text(
                _lines([self._columns, *(_filled(row, len(self._columns)) for row in rows)]), "utf-8", newline=""
            )


def _kept(path: Path, resume_at: int) -> tuple[list[str], list[list[str]]]:
    """The columns, and the rows up to an iteration."""
    columns, *rows = _read(path) or [[KEY]]
    if columns[:1] != [KEY] or resume_at < 1:
        return [KEY], []
    return columns, [row for row in rows if row and row[0].isdecimal() and int(row[0]) <= resume_at]


def _read(path: Path) -> list[list[str]]:
    if not path.is_file():
        return []
    lines = path.read_text("utf-8").splitlines(keepends=True)
    return [*csv.reader(line for line in lines if line.endswith("\n"))]


def _lines(rows: Iterable[Sequence[Cell]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()


def _filled(row: Sequence[str], count: int) -> list[str]:
    return [*row, *[""] * (count - len(row))]
