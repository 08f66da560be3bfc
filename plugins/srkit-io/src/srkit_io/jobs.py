"""Many files: which goes where, and running them one after another, whatever happens to one of them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import attrs
from PIL import Image

import srkit

from .files import FORMATS, ImageFileError, check_can_hold, read, write


@attrs.frozen
class Job:
    """One picture: from where to where; ``problem`` says why it cannot be done, if that is known beforehand."""

    source: Path
    target: Path
    problem: srkit.SrkitError | None = None


@attrs.frozen
class Outcome:
    """What became of a job: ``"done"``, ``"skipped"`` or ``"failed"``, and why.

    ``size`` and ``new_size`` are (height, width), of a picture that was done; ``exact``: whether the result is the
    network's for the whole picture, and not of approximate tiles.
    """

    job: Job
    status: str
    size: srkit.Size | None = None
    new_size: srkit.Size | None = None
    error: srkit.SrkitError | None = None
    exact: bool = True


def plan(
    inputs: Sequence[str | os.PathLike[str]],
    output: str | os.PathLike[str] | None = None,
    *,
    recursive: bool = False,
    suffix: str = "",
    format: str | None = None,  # noqa: A002 -- the name the option has everywhere
) -> list[Job]:
    """Where the result of each input goes.

    ``inputs``: files and folders; of a folder its pictures, with ``recursive`` those of its sub-folders too, which the
    output repeats. ``output``: a folder, or for a single file a file; None puts each result beside its input. The name is
    the input's with ``suffix`` added, the format the input's or ``format``. Raises SettingsError if ``output`` is a file
    for many inputs; what is wrong with one picture is in its job.
    """
    extension = None if format is None else "." + format.lower().removeprefix(".")
    if extension is not None and extension not in FORMATS:
        known = ", ".join(known.removeprefix(".") for known in FORMATS)
        raise srkit.SettingsError(f"format={format!r} is not one srkit writes; choose from {known}")
    if any(os.fspath(item) == "" for item in (*inputs, *(() if output is None else (output,)))):
        raise srkit.SettingsError("an empty name is no file and no folder; was a variable not set?")
    if {"/", os.sep, "\0"} & set(suffix):
        raise srkit.SettingsError(f"suffix={suffix!r} is not part of a file name; it must not lead into another folder")
    into = None if output is None else Path(output)
    # A file is meant if it is called like one, unless a folder of that name is there.
    named_like_a_file = (
        into is not None and into.suffix.lower() in Image.registered_extensions() and not _is_folder(into)
    )
    to_file = into is not None and named_like_a_file and into.suffix.lower() in FORMATS
    if to_file and (len(inputs) != 1 or _is_folder(Path(inputs[0]))):
        raise srkit.SettingsError(f"output {str(into)!r} is a file, but there is more than one picture; name a folder")
    if into is not None and not to_file and (named_like_a_file or os.path.exists(into)) and not _is_folder(into):  # noqa: PTH110
        raise srkit.SettingsError(
            f"output {str(into)!r} is neither a folder nor a picture file srkit writes ({', '.join(FORMATS)})"
        )

    found = [*dict(_found(inputs, recursive, into, suffix)).items()]
    originals = {source.absolute() for source, _ in found}
    jobs: list[Job] = []
    taken: dict[Path, Path] = {}
    for source, relative in found:
        if to_file and into is not None:
            target = into
        else:
            kept = source.suffix if source.suffix.lower() in FORMATS else ".png"
            name = f"{source.stem}{suffix}{extension or kept}"
            target = (source.parent if into is None else into / relative.parent) / name
        try:
            problem = _problem(source, target, originals, taken)
        except OSError as error:
            problem = ImageFileError(f"cannot be reached, or its result {target}: {error.strerror}", source)
        taken.setdefault(target.absolute(), source)
        jobs.append(Job(source, target, problem))
    return jobs


def _found(
    inputs: Iterable[str | os.PathLike[str]], recursive: bool, into: Path | None, suffix: str
) -> Iterator[tuple[Path, Path]]:
    """Each picture, and its path relative to the input it was found under; what cannot be searched is found itself.

    Results of an earlier run are left out: a folder of results inside of the input, or pictures beside it with the suffix.
    """
    for item in map(Path, inputs):
        if not _is_folder(item):
            yield item, Path(item.name)
            continue
        unreadable: list[OSError] = []
        for folder, folders, files in os.walk(item, onerror=unreadable.append):
            here = Path(folder)
            folders[:] = sorted(
                f for f in folders if recursive and (into is None or (here / f).absolute() != into.absolute())
            )
            for path in (here / name for name in sorted(files)):
                ours = into is None and suffix and path.stem.endswith(suffix)
                if path.suffix.lower() in FORMATS and not ours:
                    yield path, path.relative_to(item)
        for error in unreadable:
            yield Path(error.filename), Path(error.filename).relative_to(item)


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:  # a name too long, a folder that may not be searched: told when the job is
        return False


def _problem(source: Path, target: Path, originals: set[Path], taken: dict[Path, Path]) -> srkit.SrkitError | None:
    if not source.exists():
        return ImageFileError("there is no such file", source)
    if source.is_dir():
        return ImageFileError("the folder cannot be searched; check its permissions", source)
    if target.absolute() in originals or (target.exists() and target.samefile(source)):
        return ImageFileError(
            f"the result would overwrite the input {target}; choose another --output or a --suffix", source
        )
    other = taken.get(target.absolute())
    if other is not None:
        return ImageFileError(f"its result {target} is already that of {other}; use --format or separate runs", source)
    return None


def run(
    jobs: Iterable[Job], load: Callable[[], srkit.Upscaler], *, skip_existing: bool = False, quality: int = 95
) -> Iterator[Outcome]:
    """Do the jobs, one Outcome each; what fails is told and the rest goes on. Nothing half-written is left.

    ``load`` makes the upscaler, such as ``lambda: srkit.load("RealESRGAN_x4plus")``; it is called once, when the first
    picture needs it, and what it raises ends the run.
    """
    upscaler: srkit.Upscaler | None = None
    for job in jobs:
        if job.problem is not None:
            yield Outcome(job, "failed", error=job.problem)
        elif skip_existing and job.target.exists():
            yield Outcome(job, "skipped")
        else:
            upscaler = upscaler or load()
            yield _do(job, upscaler, quality)


def explained(job: Job, upscaler: srkit.Upscaler) -> dict[str, str]:
    """How a job would be run, by name; or, under ``"problem"``, why it cannot be."""
    try:
        if job.problem is not None:
            raise job.problem
        picture = read(job.source)
        layout = srkit.layout_of(picture)
        size = (layout.height, layout.width)
        # Alpha goes along as a second picture.
        both = layout.has_alpha and upscaler.alpha == "network" and not (picture[..., -1] == layout.white).all()
        return {"picture": f"{size[1]}×{size[0]}"} | upscaler.explain(size, 2 if both else 1)
    except srkit.SrkitError as error:
        return {"problem": str(error)}


def _do(job: Job, upscaler: srkit.Upscaler, quality: int) -> Outcome:
    try:
        picture = read(job.source)
        check_can_hold(job.target, picture, upscaler.result_size(picture.shape[:2]))  # before the work, not after
        _make_folder(job.target.parent)
        result = upscaler(picture)
        write(job.target, result, quality=quality)
    except srkit.ImageError as error:
        return Outcome(job, "failed", error=error)
    except MemoryError as error:
        reason = str(error) or "not enough memory"
        return Outcome(job, "failed", error=srkit.OutOfMemory(f"{job.source}: {reason}"))
    except srkit.SrkitError as error:
        error.add_note(f"while upscaling {job.source}")
        return Outcome(job, "failed", error=error)
    except Exception as error:  # noqa: BLE001 -- whatever it is, it is this picture's, and the others go on
        unforeseen = ImageFileError(f"{type(error).__name__}: {error}", job.source)
        unforeseen.__cause__ = error
        return Outcome(job, "failed", error=unforeseen)
    return Outcome(job, "done", picture.shape[:2], result.shape[:2], exact=upscaler.exact)


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ImageFileError(f"the folder cannot be made: {error.strerror}", folder) from error
