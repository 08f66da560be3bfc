"""The files of a new plugin: from templates, into a folder that appears whole or not at all."""

from __future__ import annotations

import json
import secrets
import shutil
from collections.abc import Iterable, Mapping
from importlib import metadata
from pathlib import Path
from string import Template

from ..errors import SettingsError
from .kinds import KINDS, Kind
from .names import Names

TEMPLATES = Path(__file__).with_name("templates")
LICENCES = tuple(sorted(path.stem for path in (TEMPLATES / "licences").iterdir()))
"""Names, as of SPDX, of the licences whose text is at hand."""


def files_of(names: Names, kind: str, *, author: str, licence: str, year: int) -> dict[str, str]:
    """Every file of the plugin: its path in the folder, with ``/``, → its text.

    Raises SettingsError for an author whose name cannot stand in a line of text.
    """
    if not author.strip() or not author.isprintable():
        raise SettingsError(f"author={author!r} is no name; expected a line of text, such as 'Ada Example'")
    words = {
        "distribution": names.distribution,
        "package": names.package,
        "record": names.record,
        "noun": KINDS[kind].noun,
        "author": author,
        "author_quoted": json.dumps(author, ensure_ascii=False),  # what JSON escapes, TOML escapes alike
        "licence": licence,
        "year": str(year),
        **_requirements(KINDS[kind]),
    }
    words["use"] = _filled(TEMPLATES / kind / "use.md.txt", words).strip()
    files = {"LICENSE": _filled(TEMPLATES / "licences" / f"{licence}.txt", words)}
    for root in (TEMPLATES / "every", TEMPLATES / kind):
        for path in sorted(root.rglob("*.txt")):
            target = path.relative_to(root).with_suffix("").as_posix().replace("/package/", f"/{names.package}/")
            if target != "use.md":
                files[target] = _filled(path, words)
    return files


def _filled(template: Path, words: Mapping[str, str]) -> str:
    return Template(template.read_text("utf-8")).substitute(words)


def _requirements(kind: Kind) -> dict[str, str]:
    """What to install, as lines of TOML; of srkit at least the version that the templates are of."""
    srkit = ".".join(metadata.version("srkit").split(".")[:2])
    return {
        "dependencies": _lines((f"srkit>={srkit}", "torch>=2.10", *kind.needs)),
        "test_dependencies": _lines(("mypy>=1.13", "pytest>=8", "ruff>=0.9", *kind.test_needs)),
    }


def _lines(requirements: Iterable[str]) -> str:
    return "\n".join(f'    "{requirement}",' for requirement in sorted(requirements))


def write(files: Mapping[str, str], folder: Path) -> None:
    """Write ``files`` into ``folder``, which is not there yet, or is empty.

    They are written elsewhere and then moved, so that nobody sees half of them. Raises SettingsError, and leaves everything
    as it was, if the folder holds something or cannot be written.
    """
    folder = folder.resolve()
    # A folder that is there stays the one it was: somebody may stand in it, or have mounted it.
    part = (folder if folder.is_dir() else folder.parent) / f".{secrets.token_hex(8)}.part"
    try:
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise SettingsError(f"{folder} is already there, and nothing is overwritten; choose another folder with -o")
        part.mkdir()
        for name, text in files.items():
            path = part / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(text.encode())
        if folder.exists():
            for path in part.iterdir():
                path.rename(folder / path.name)
        else:
            part.rename(folder)
    except OSError as error:
        raise SettingsError(f"{folder} cannot be written: {error.strerror or error}; choose another with -o") from error
    finally:
        shutil.rmtree(part, ignore_errors=True)
