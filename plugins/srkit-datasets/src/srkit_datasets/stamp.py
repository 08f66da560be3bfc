"""What a folder of results was made with, so that results of other settings are not mixed with them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import srkit

from .appear import whole

NAME = ".srkit-dataset.json"


def claim(folder: Path, settings: Mapping[str, Any], *, restart: bool) -> int:
    """Note in ``folder`` what its results are made with, if that is not there; gives when that was, in ns since 1970.

    What is older was made with something else, or before all was to be made anew. Raises SettingsError if other settings
    are noted, unless ``restart`` has all made anew.
    """
    noted = read_stamp(folder)
    if noted is not None and noted != settings and not restart:
        other = {key: value for key, value in noted.items() if settings.get(key) != value}
        raise srkit.SettingsError(
            f"{folder} holds results of other settings: {json.dumps(other or noted)}; choose another folder, or make all "
            f"anew with --restart"
        )
    if noted != settings or restart:
        folder.mkdir(parents=True, exist_ok=True)
        with whole(folder / NAME) as part:
            part.write_text(json.dumps(dict(settings)), "utf-8")
    # The file's own age, so that it is by the same clock as that of the results.
    return (folder / NAME).stat().st_mtime_ns


def read_stamp(folder: Path) -> dict[str, Any] | None:
    """What is noted in ``folder``; None if nothing is, or it cannot be read."""
    try:
        noted = json.loads((folder / NAME).read_text("utf-8"))
    except (OSError, ValueError):
        return None
    return noted if isinstance(noted, dict) else None
