"""Many pictures: decoding, the network and encoding at once, whatever happens to one of them.

A thread decodes ahead into a queue bounded by bytes, picture after picture, strip after strip. The calling thread runs the
network. Each result has a thread that encodes it as its rows come. So a picture of any size and thousands of small ones are
the same: rows in a queue. Small ones of equal size go through the network side by side.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import attrs
import numpy as np

import srkit

from .errors import ImageFileError
from .files import open_picture, saving
from .flow import ByteQueue, Drain, Stopped
from .formats import FORMATS
from .journal import Journal
from .light import Survey, survey
from .options import WriteOptions
from .picture import Picture, collected, cut
from .targets import Job
from .wish import Wish, upscaled

SMALL = 8 * 2**20
"""Bytes of pixels up to which a picture is decoded at once."""
BATCH = 8 * 256 * 256
"""Pixels that go through the network side by side: beyond, a batch gains nothing."""
_WAITING = 128 * 2**20
"""Bytes of results that may be still in their encoders."""

Watch: TypeAlias = "Callable[[Job, int, int, int], None]"
"""Called with a job, the rows of its result that are done, all of its rows, and its width."""


@attrs.frozen
class Seconds:
    """Time spent on a picture in each stage, which overlap."""

    decode: float = 0.0
    network: float = 0.0
    encode: float = 0.0


@attrs.frozen
class Outcome:
    """What became of a job: ``"done"``, ``"skipped"`` (``reason`` says why) or ``"failed"`` (``error`` does).

    ``size`` and ``new_size`` are (height, width), of the first page of a picture that was done, which has ``pages``;
    ``exact``: whether the result is the network's for the whole picture, and not of approximate tiles.
    """

    job: Job
    status: str
    size: srkit.Size | None = None
    new_size: srkit.Size | None = None
    error: srkit.SrkitError | None = None
    exact: bool = True
    pages: int = 1
    seconds: Seconds = Seconds()
    reason: str = ""


def run(
    jobs: Sequence[Job],
    load: Callable[[], srkit.Upscaler],
    *,
    skip_existing: bool = False,
    options: WriteOptions | None = None,
    wish: Wish | None = None,
    memory: int | str | None = None,
    journal: Journal | None = None,
    watch: Watch | None = None,
) -> Generator[Outcome]:
    """Do the jobs, one Outcome each, in their order; what fails is told and the rest goes on. Nothing half-written is left.

    ``load`` makes the upscaler, such as ``lambda: srkit.load("RealESRGAN_x4plus")``; it is called once, when the first
    picture needs it, and what it raises ends the run. ``memory``: bytes that a picture may take which cannot be decoded, or
    encoded, row by row. Closing the iterator, or an exception such as KeyboardInterrupt, ends all threads and removes what
    is half-done.
    """
    runner = _Runner(load, options or WriteOptions(), wish or Wish(), memory, watch, journal)
    reader = _Reader(jobs, memory, lambda job: _why_not(job, skip_existing, journal))
    try:
        yield from runner.outcomes(reader)
    finally:
        reader.stop()
        runner.stop()


def _why_not(job: Job, skip_existing: bool, journal: Journal | None) -> Outcome | None:
    """The outcome of a job that need not or cannot be begun."""
    if job.problem is not None:
        return Outcome(job, "failed", error=job.problem)
    if journal is not None and journal.has(job):
        return Outcome(job, "skipped", reason=f"{job.target} was done before the interruption")
    if skip_existing and job.target.exists():
        return Outcome(job, "skipped", reason=f"{job.target} exists")
    return None


@attrs.define(eq=False)
class _Opened:
    """A picture whose strips follow in the queue, all of them or up to a _Failed.

    ``decoding``: seconds spent on it by the reader; ``waited``: seconds that the network waited for it. ``dropped``: nobody
    wants the strips any more.
    """

    job: Job
    picture: Picture
    surveys: tuple[Survey, ...]
    decoding: float = 0.0
    waited: float = 0.0
    dropped: bool = False


@attrs.frozen(eq=False)
class _Failed:
    """The picture of a job could not be read, or not to its end."""

    job: Job
    error: srkit.SrkitError


class _Reader:
    """The thread that decodes: for each job an Outcome, an _Opened and its strips, or a _Failed; None at the end."""

    def __init__(self, jobs: Sequence[Job], memory: int | str | None, why_not: Callable[[Job], Outcome | None]) -> None:
        self._queue: ByteQueue[Any] = ByteQueue()
        self._memory = memory
        self._thread = threading.Thread(target=self._run, args=(jobs, why_not), name="srkit-decode", daemon=True)
        self._thread.start()

    def _run(self, jobs: Sequence[Job], why_not: Callable[[Job], Outcome | None]) -> None:
        try:
            for job in jobs:
                try:
                    outcome = why_not(job)
                    if outcome is None:
                        self._decode(job)
                    else:
                        self._queue.put(outcome, 0)
                except Stopped:
                    raise
                except BaseException as error:  # noqa: BLE001 -- whatever it is, it is this picture's
                    self._queue.put(_Failed(job, _of_this_file(error, job)), 0)
            self._queue.put(None, 0)
        except Stopped:
            pass

    def _decode(self, job: Job) -> None:
        start = time.perf_counter()
        picture = open_picture(job.source, memory=self._memory)
        if picture.nbytes <= SMALL:
            images = collected(picture)
            picture = attrs.evolve(picture, strips=lambda: (strip for image in images for strip in cut(image)))
        opened = _Opened(job, picture, survey(picture))
        opened.decoding = time.perf_counter() - start
        self._queue.put(opened, 0)
        start = time.perf_counter()
        for strip in picture.strips():
            opened.decoding += time.perf_counter() - start
            if opened.dropped:
                return
            self._queue.put(strip, strip.nbytes)
            start = time.perf_counter()

    def next(self) -> Any:
        """The next item."""
        return self._queue.get()

    @property
    def idle(self) -> bool:
        """Whether nothing waits to be taken."""
        return self._queue.empty

    def strips(self, opened: _Opened) -> Iterator[np.ndarray]:
        """The strips of the picture that was opened last."""
        for page in opened.picture.pages:
            left = page.layout.height
            while left:
                start = time.perf_counter()
                item = self._queue.get()
                opened.waited += time.perf_counter() - start
                if isinstance(item, _Failed):
                    opened.dropped = True
                    raise item.error
                left -= len(item)
                yield item

    def stop(self) -> None:
        """End it."""
        self._queue.stop()
        self._thread.join()


def _of_this_file(error: BaseException, job: Job) -> srkit.SrkitError:
    if isinstance(error, srkit.SrkitError) and not isinstance(error, srkit.OutOfMemory):
        return error
    if isinstance(error, MemoryError):
        told: srkit.SrkitError = srkit.OutOfMemory(f"{job.source}: {str(error) or 'not enough memory'}")
    else:
        told = ImageFileError(f"{type(error).__name__}: {error}", job.source)
    told.__cause__ = error
    return told


@attrs.define(eq=False)
class _Encoding:
    """A result on its way to the disk."""

    opened: _Opened
    result: Picture
    drain: Drain
    network: float = 0.0


class _Runner:
    """The network, and what leaves it."""

    def __init__(
        self,
        load: Callable[[], srkit.Upscaler],
        options: WriteOptions,
        wish: Wish,
        memory: int | str | None,
        watch: Watch | None,
        journal: Journal | None,
    ) -> None:
        self._load, self._options, self._wish, self._memory, self._journal = load, options, wish, memory, journal
        self._watch = watch or (lambda *_: None)
        self._loaded: srkit.Upscaler | None = None
        self._group: list[tuple[_Encoding, np.ndarray]] = []
        self._leaving: deque[_Encoding | Outcome] = deque()
        self._begun: set[_Encoding] = set()

    @property
    def _upscaler(self) -> srkit.Upscaler:
        if self._loaded is None:
            self._loaded = self._load()
        return self._loaded

    def outcomes(self, reader: _Reader) -> Iterator[Outcome]:
        """Take what the reader gives, until its end."""
        given_up: Job | None = None
        while (item := reader.next()) is not None:
            if isinstance(item, _Opened):
                if not self._take(item, reader):
                    given_up = item.job
            elif isinstance(item, _Failed) and item.job is not given_up:
                self._tell(Outcome(item.job, "failed", error=item.error))
            elif isinstance(item, Outcome):
                self._tell(item)
            if reader.idle:
                self._flush()  # rather a small batch now than an idle device
            yield from self._left()
        self._flush()
        yield from self._left(all_of_them=True)

    def _tell(self, outcome: Outcome) -> None:
        self._flush()  # outcomes come in the order of the jobs
        self._leaving.append(outcome)

    def _take(self, opened: _Opened, reader: _Reader) -> bool:
        """Begin a picture; False if it was given up before its last strip."""
        upscaler = self._upscaler
        try:
            encoding = self._begin(opened, reader, upscaler)
            if self._goes_in_batches(opened, encoding.result):
                (image,) = collected(attrs.evolve(opened.picture, strips=lambda: reader.strips(opened)))
                self._add(encoding, image)
            else:
                self._flush()
                self._stream(encoding)
        except Exception as error:  # noqa: BLE001 -- whatever it is, it is this picture's, and the others go on
            opened.dropped = True
            self._flush()
            self._give_up(opened, error)
            return False
        return True

    def _begin(self, opened: _Opened, reader: _Reader, upscaler: srkit.Upscaler) -> _Encoding:
        target = opened.job.target
        source = attrs.evolve(opened.picture, strips=lambda: reader.strips(opened))
        wish = self._wish.to(FORMATS.get(target.suffix.lower()))
        result = upscaled(source, upscaler, wish, opened.surveys)
        journal, job = self._journal, opened.job
        # Noted as soon as it is on the disk: the caller may be busy with the next ones for long.
        then = None if journal is None else lambda: journal.note(job)
        # What the format cannot hold is told here, before the work.
        encoding = _Encoding(opened, result, saving(target, result, self._options, then, memory=self._memory))
        _make_folder(target.parent)
        self._begun.add(encoding)
        return encoding

    def _goes_in_batches(self, opened: _Opened, result: Picture) -> bool:
        pages = opened.picture.pages
        if len(pages) > 1 or opened.picture.nbytes > SMALL or opened.surveys[0].curve is not None:
            return False
        before, after = pages[0].layout, result.pages[0].layout
        same = (before.dtype, before.channels) == (after.dtype, after.channels)
        return same and pages[0].linear == result.pages[0].linear and before.height * before.width <= BATCH

    def _add(self, encoding: _Encoding, image: np.ndarray) -> None:
        layout = encoding.opened.picture.pages[0].layout
        if self._group and self._group[0][0].opened.picture.pages[0].layout != layout:
            self._flush()
        self._group.append((encoding, image))
        if len(self._group) * layout.height * layout.width >= BATCH:
            self._flush()

    def _flush(self) -> None:
        """Run the pictures that wait for company."""
        group, self._group = self._group, []
        images = [image for _, image in group]
        start = time.perf_counter()
        try:
            results = self._upscaler.batch(images) if len(group) > 1 else []
        except Exception:  # noqa: BLE001 -- one of them, which by itself tells what is wrong; or too many at once
            results = []
        taken = (time.perf_counter() - start) / max(1, len(group))
        for index, (encoding, image) in enumerate(group):
            start = time.perf_counter()
            try:
                result = results[index] if results else self._upscaler(image)
                encoding.network = taken + time.perf_counter() - start
                self._hand_over(encoding, cut(result))
            except Exception as error:  # noqa: BLE001 -- as above
                self._give_up(encoding.opened, error)

    def _give_up(self, opened: _Opened, error: BaseException) -> None:
        for encoding in [encoding for encoding in self._begun if encoding.opened is opened]:
            encoding.drain.abort()
            self._begun.discard(encoding)
        self._leaving.append(Outcome(opened.job, "failed", error=_of_this_file(error, opened.job)))

    def _stream(self, encoding: _Encoding) -> None:
        start = time.perf_counter()
        putting = self._hand_over(encoding, encoding.result.strips())
        encoding.network = time.perf_counter() - start - putting - encoding.opened.waited

    def _hand_over(self, encoding: _Encoding, strips: Iterator[np.ndarray]) -> float:
        """Give rows to the encoder; the seconds that it made us wait."""
        total = sum(page.layout.height for page in encoding.result.pages)
        done, putting = 0, 0.0
        for strip in strips:
            start = time.perf_counter()
            encoding.drain.put(strip)
            putting += time.perf_counter() - start
            done += len(strip)
            self._watch(encoding.opened.job, done, total, strip.shape[1])
        encoding.drain.close()
        self._leaving.append(encoding)
        return putting

    def _left(self, *, all_of_them: bool = False) -> Iterator[Outcome]:
        """What is on the disk, in order; waits where too much is not."""
        while self._leaving:
            first = self._leaving[0]
            if isinstance(first, _Encoding):
                waiting = sum(item.result.nbytes for item in self._leaving if isinstance(item, _Encoding))
                if not (all_of_them or first.drain.done or waiting > _WAITING):
                    return
                outcome = self._finished(first)
            else:
                outcome = first
            self._leaving.popleft()
            yield outcome

    def _finished(self, encoding: _Encoding) -> Outcome:
        opened, job = encoding.opened, encoding.opened.job
        try:
            encoding.drain.finish()
            self._begun.discard(encoding)
        except Exception as error:  # noqa: BLE001 -- as above
            return Outcome(job, "failed", error=_of_this_file(error, job))
        return Outcome(
            job,
            "done",
            opened.picture.pages[0].size,
            encoding.result.pages[0].size,
            exact=self._upscaler.exact,
            pages=len(opened.picture.pages),
            seconds=Seconds(opened.decoding, encoding.network, encoding.drain.busy),
        )

    def stop(self) -> None:
        """Break off what is not finished."""
        for encoding in self._begun:
            encoding.drain.abort()


def explained(job: Job, upscaler: srkit.Upscaler, memory: int | str | None = None) -> dict[str, str]:
    """How a job would be run, by name; or, under ``"problem"``, why it cannot be."""
    try:
        if job.problem is not None:
            raise job.problem
        picture = open_picture(job.source, memory=memory)
        page = picture.pages[0]
        both = page.layout.has_alpha and upscaler.alpha == "network" and not survey(picture)[0].opaque
        told = {"picture": f"{page.size[1]}×{page.size[0]}"}
        if len(picture.pages) > 1:
            told["pages"] = str(len(picture.pages))
        told["decoded"] = "row by row" if picture.streams else "whole, as its format or its turn asks"
        # Alpha goes along as a second picture.
        return told | upscaler.explain(page.size, 2 if both else 1)
    except srkit.SrkitError as error:
        return {"problem": str(error)}


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        raise ImageFileError(
            "the folder cannot be made: a file is in its place; choose another --output", folder
        ) from error
    except OSError as error:
        raise ImageFileError(f"the folder cannot be made: {error.strerror}", folder) from error
