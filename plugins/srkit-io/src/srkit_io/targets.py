"""Which pictures there are, and where the result of each goes."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import attrs

import srkit

from .errors import ImageFileError
from .formats import FORMATS, NPY, ZARR, listing


@attrs.frozen
class Job:
    """One picture: from where to where; ``problem`` says why it cannot be done, if that is known beforehand."""

    source: Path
    target: Path
    problem: srkit.SrkitError | None = None


def plan(
    inputs: Sequence[str | os.PathLike[str]],
    output: str | os.PathLike[str] | None = None,
    *,
    recursive: bool = False,
    suffix: str = "",
    format: str | None = None,  # noqa: A002 -- the name the option has everywhere
) -> list[Job]:
    """Where the result of each input goes.

    ``inputs``: files, folders, and patterns such as ``"photos/**/*.jpg"``; of a folder its pictures, with ``recursive``
    those of its sub-folders too, which the output repeats. ``output``: a folder, or for a single file a file; None puts
    each result beside its input. The name is the input's with ``suffix`` added, the format the input's or ``format``.
    Raises SettingsError if ``output`` is a file for many inputs, or for one of a kind that is not written (a folder called
    like that ends in ``/``); what is wrong with one picture is in its job.
    """
    extension = _extension(format)
    if any(os.fspath(item) == "" for item in (*inputs, *(() if output is None else (output,)))):
        raise srkit.SettingsError("an empty name is no file and no folder; was a variable not set?")
    if {"/", os.sep, "\0"} & set(suffix):
        raise srkit.SettingsError(f"suffix={suffix!r} is not part of a file name; it must not lead into another folder")
    inputs = [path for item in inputs for path in _matching(item)]
    into = None if output is None else Path(output)
    to_file = into is not None and output is not None and _is_meant_as_file(into, os.fspath(output), inputs)

    found = [*dict(_found(inputs, recursive, into, suffix)).items()]
    originals = {source.absolute() for source, _ in found}
    jobs: list[Job] = []
    taken: dict[Path, Path] = {}
    for source, relative in found:
        target = into if to_file and into is not None else _target(source, relative, into, suffix, extension)
        try:
            problem = _problem(source, target, originals, taken)
            if problem is not None and into is None and len(found) > 1 and source == found[-1][0]:
                problem = _perhaps_the_result(source) or problem
        except OSError as error:
            problem = ImageFileError(f"cannot be reached, or its result {target}: {error.strerror}", source)
        taken.setdefault(target.absolute(), source)
        jobs.append(Job(source, target, problem))
    return jobs


def _extension(name: str | None) -> str | None:
    if name is None:
        return None
    extension = "." + name.lower().removeprefix(".")
    kind = FORMATS.get(extension)
    if kind is None or not kind.writable:
        known = ", ".join(known.removeprefix(".") for known, kind in FORMATS.items() if kind.writable)
        raise srkit.SettingsError(f"format={name!r} is not one srkit writes; choose from {known}")
    return extension


def _matching(item: str | os.PathLike[str]) -> list[str | os.PathLike[str]]:
    """The paths a pattern matches; what is no pattern, or there by that very name, is itself."""
    if not isinstance(item, str) or not glob.has_magic(item) or os.path.lexists(item):
        return [item]
    matches = sorted(glob.glob(item, recursive=True))  # noqa: PTH207 -- Path.glob takes no absolute patterns
    if not matches:
        raise srkit.SettingsError(f"the pattern {item!r} matches nothing")
    return [*matches]


def _is_meant_as_file(into: Path, written: str, inputs: Sequence[str | os.PathLike[str]]) -> bool:
    """Whether the output is a file: if it is called like one, unless a folder of that name is there."""
    kind = FORMATS.get(into.suffix.lower())
    if _is_folder(into) and not (kind is ZARR and len(inputs) == 1 and not _is_folder(Path(inputs[0]))):
        return False
    if kind is not None and kind.writable:
        if len(inputs) != 1 or (_is_folder(Path(inputs[0])) and not _is_zarr(Path(inputs[0]))):
            raise srkit.SettingsError(
                f"output {str(into)!r} is a file, but there is more than one picture; name a folder"
            )
        return True
    if kind is not None or os.path.lexists(into) or into.suffix.lower() in _OTHERS:
        raise srkit.SettingsError(
            f"output {str(into)!r} is neither a folder nor a picture file srkit writes ({listing(written=True)})"
        )
    one = len(inputs) == 1 and not _is_folder(Path(inputs[0]))
    if one and re.fullmatch(r"\.[A-Za-z]\w{1,4}", into.suffix) and not written.endswith(("/", os.sep)):
        raise srkit.SettingsError(
            f"output {written!r} is no picture file srkit writes ({listing(written=True)}); if it is to be a folder, "
            f"write '{written}/'"
        )
    return False


# Other things than folders are called like this; who names one as the output expects such a file.
_OTHERS = {".ico", ".psd", ".svg", ".pdf", ".tga", ".ppm", ".pgm", ".pbm", ".dds", ".mp4", ".webm", ".mkv"}


def _target(source: Path, relative: Path, into: Path | None, suffix: str, extension: str | None) -> Path:
    kind = FORMATS.get(source.suffix.lower())
    kept = source.suffix if kind is not None and kind.writable else ".png"
    folder = source.parent if into is None else into / relative.parent
    return folder / f"{source.stem}{suffix}{extension or kept}"


def _found(
    inputs: Iterable[str | os.PathLike[str]], recursive: bool, into: Path | None, suffix: str
) -> Iterator[tuple[Path, Path]]:
    """Each picture, and its path relative to the input it was found under; what cannot be searched is found itself.

    Left out: results of an earlier run (a folder of results inside of the input, or pictures beside it with the suffix),
    hidden files, folders that only a link leads to, and arrays, which may be anything.
    """
    for item in map(Path, inputs):
        if not _is_folder(item) or _is_zarr(item):
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
                kind = FORMATS.get(path.suffix.lower())
                if kind is not None and kind not in {NPY, ZARR} and not ours and not path.name.startswith("."):
                    yield path, path.relative_to(item)
        for error in unreadable:
            yield Path(error.filename), Path(error.filename).relative_to(item)


def _is_zarr(path: Path) -> bool:
    return path.suffix.lower() in ZARR.suffixes


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:  # a name too long, a folder that may not be searched: told when the job is
        return False


def _problem(source: Path, target: Path, originals: set[Path], taken: dict[Path, Path]) -> srkit.SrkitError | None:
    if source.is_symlink() and not source.exists():
        return ImageFileError("is a link that leads to nothing, or round in a circle", source)
    if not source.exists():
        return ImageFileError("there is no such file or folder", source)
    if source.is_dir() and not _is_zarr(source):
        return ImageFileError("the folder cannot be searched; check its permissions", source)
    if target.absolute() in originals or (target.exists() and target.samefile(source)):
        return ImageFileError(
            f"the result would overwrite the input {target}; choose another --output or a --suffix", source
        )
    other = taken.get(target.absolute())
    if other is not None:
        return ImageFileError(f"its result {target} is already that of {other}; use --format or separate runs", source)
    return None


def _perhaps_the_result(source: Path) -> srkit.SrkitError | None:
    """``srkit upscale small.png big.png``: what is not there and named last was meant as the output."""
    if os.path.lexists(source):
        return None
    return ImageFileError(f"there is no such file or folder; if it is to be the result, write -o {source}", source)
