"""What an interrupted job had done, so that the same command goes on where it was."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import srkit

from .lock import Held, lock
from .targets import Job


class Journal:
    """A hidden file beside the results, one line for each that is complete; gone once the run came to its end.

    ``options``: everything the results depend on; runs with other options have a journal of their own. What was done is
    believed as long as input and result are of the size and age that were noted. Raises SettingsError if another run with
    the same options is at work on the same folder.
    """

    def __init__(self, folder: Path, options: Mapping[str, Any], *, restart: bool = False) -> None:
        text = json.dumps(dict(options), sort_keys=True, default=str)
        self.path = folder / f".srkit-{hashlib.sha256(text.encode()).hexdigest()[:12]}.journal"
        folder.mkdir(parents=True, exist_ok=True)
        self._file = self.path.open("a+b")
        self._writing = threading.Lock()
        try:
            lock(self._file.fileno())
        except Held as error:
            self._file.close()
            raise srkit.SettingsError(
                f"another run with the same options is writing to {folder}; wait for it, or choose another folder"
            ) from error
        if restart:
            self._file.truncate(0)
        self._done = self._read()

    def _read(self) -> dict[str, list[Any]]:
        self._file.seek(0)
        done: dict[str, list[Any]] = {}
        for line in self._file:
            # The last may be cut off, where the process was killed.
            with contextlib.suppress(ValueError, KeyError, TypeError):
                entry = json.loads(line)
                done[entry["target"]] = [entry["source"], entry["input"], entry["result"]]
        return done

    def has(self, job: Job) -> bool:
        """Whether the job was done, and neither its input nor its result has changed since."""
        noted = self._done.get(str(job.target.absolute()))
        return noted is not None and noted == _state(job)

    def note(self, job: Job) -> None:
        """The job is done; may be called from several threads."""
        source, before, after = _state(job)
        entry = {"target": str(job.target.absolute()), "source": source, "input": before, "result": after}
        with self._writing:
            self._file.write(json.dumps(entry).encode() + b"\n")
            self._file.flush()

    def close(self, *, complete: bool) -> None:
        """Remove it if the run came to its end, else leave it for the next."""
        if complete or not self.path.stat().st_size:
            self.path.unlink(missing_ok=True)
        self._file.close()


def _state(job: Job) -> list[Any]:
    return [str(job.source.absolute()), _stamp(job.source), _stamp(job.target)]


def _stamp(path: Path) -> list[int]:
    try:
        status = path.stat()
    except OSError:
        return []
    return [status.st_size, status.st_mtime_ns]


def open_journal(
    jobs: Sequence[Job], output: str | os.PathLike[str] | None, options: Mapping[str, Any], *, restart: bool = False
) -> Journal | None:
    """The journal for jobs whose results go to ``output``, or beside their inputs; none for a single picture.

    ``restart``: forget what was done. None, too, where none can be written, as the results themselves will tell.
    """
    if len(jobs) < 2:
        return None
    folder = (
        Path(output) if output is not None else Path(os.path.commonpath([job.target.parent.absolute() for job in jobs]))
    )
    with contextlib.suppress(OSError):
        return Journal(folder, options, restart=restart)
    return None
