"""How a run is told: bars on a terminal, a line for each file, and a report for machines."""

from __future__ import annotations

import json
import sys
import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from tqdm import tqdm

import srkit

from .jobs import Outcome
from .targets import Job


class Bars:
    """A bar of files with megapixels a second and time left, and one of rows for a picture that takes its time.

    Lines go above the bars; results to standard output, failures to standard error. In a pipe there are only the lines.
    """

    def __init__(self, total: int, *, quiet: bool) -> None:
        self._quiet = quiet
        self._files = tqdm(total=total, unit="file", disable=None, leave=False, position=0)
        self._rows: tqdm[Any] | None = None
        self._of: Job | None = None
        self._pixels = 0
        self._start = time.monotonic()

    def rows(self, job: Job, done: int, total: int, width: int) -> None:
        """``done`` of ``total`` rows of a job's result are computed."""
        if self._files.disable:
            return
        if self._of is not job:
            self._close_rows()
            self._of, self._before = job, 0
        self._pixels += (done - self._before) * width
        self._before = done
        if self._rows is None and done < total:
            self._rows = tqdm(total=total, unit="row", desc=job.source.name[-40:], leave=False, position=1)
        if self._rows is not None:
            self._rows.update(done - self._rows.n)
        rate = self._pixels / 1e6 / max(time.monotonic() - self._start, 1e-9)
        self._files.set_postfix_str(f"{rate:.2f} megapixels/s", refresh=False)

    def outcome(self, outcome: Outcome) -> None:
        """A file is done, or not."""
        if outcome.error is not None:
            notes = getattr(outcome.error, "__notes__", [])
            said = str(outcome.error)
            source = "" if str(outcome.job.source) in said else f"{outcome.job.source}: "
            tqdm.write("\n  ".join([f"failed: {source}{said}", *notes]), file=sys.stderr)
        elif not self._quiet:
            tqdm.write(_line(outcome))
            sys.stdout.flush()  # whoever reads a pipe wants to know now
        self._files.update()

    def _close_rows(self) -> None:
        if self._rows is not None:
            self._rows.close()
            self._rows = None

    def __enter__(self) -> Bars:
        return self

    def __exit__(self, *_: object) -> None:
        self._close_rows()
        self._files.close()


def _line(outcome: Outcome) -> str:
    source, target = outcome.job.source, outcome.job.target
    if outcome.size is None or outcome.new_size is None:
        return f"{source}: skipped, {outcome.reason}"
    (height, width), (new_height, new_width) = outcome.size, outcome.new_size
    notes = ("" if outcome.exact else ", approximate") + ("" if outcome.pages == 1 else f", {outcome.pages} pages")
    return f"{source} ({width}×{height}) → {target} ({new_width}×{new_height}{notes})"


def summary(counts: Counter[str], total: int) -> str:
    """``3 done, 1 failed``."""
    parts = [f"{counts[status]} {status}" for status in ("done", "skipped", "failed") if counts[status]]
    left = total - counts.total()
    return ", ".join(parts + ([f"{left} not begun or not finished"] if left else [])) or "nothing done"


class Report:
    """A file of JSON lines, one for each outcome as soon as it is known; an existing report is continued.

    Keys: ``source``, ``target``, ``status``; of what was done ``width``, ``height``, ``new_width``, ``new_height``,
    ``pages``, ``exact``, ``seconds`` (``decode``, ``network``, ``encode``, which overlap) and what ``told`` says by then,
    such as the model; of what was not, ``error`` or ``reason``; and ``time``, seconds since 1970.
    """

    def __init__(self, path: str | None, told: Mapping[str, Any]) -> None:
        try:
            self._file = None if path is None else Path(path).open("a", encoding="utf-8")  # noqa: SIM115 -- closed by __exit__
        except OSError as error:
            raise srkit.SettingsError(
                f"the report {path} cannot be written: {error.strerror}; name a file in a folder that is there"
            ) from error
        self._told = told

    def outcome(self, outcome: Outcome) -> None:
        """Add a line."""
        if self._file is not None:
            self._file.write(json.dumps(_entry(outcome, self._told), ensure_ascii=False) + "\n")
            self._file.flush()

    def __enter__(self) -> Report:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            self._file.close()


def _entry(outcome: Outcome, told: Mapping[str, Any]) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "source": str(outcome.job.source),
        "target": str(outcome.job.target),
        "status": outcome.status,
        "time": round(time.time(), 3),
    }
    if outcome.error is not None:
        return entry | {"error": str(outcome.error), "kind": type(outcome.error).__name__}
    if outcome.size is None or outcome.new_size is None:
        return entry | {"reason": outcome.reason}
    spent = outcome.seconds
    return entry | {
        "width": outcome.size[1],
        "height": outcome.size[0],
        "new_width": outcome.new_size[1],
        "new_height": outcome.new_size[0],
        "pages": outcome.pages,
        "exact": outcome.exact,
        "seconds": {name: round(getattr(spent, name), 4) for name in ("decode", "network", "encode")},
        **told,
    }
