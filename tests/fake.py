"""Fake distributions for tests: real metadata and a real module on sys.path, found the way installed ones are."""

from __future__ import annotations

import importlib
import itertools
import sys
from pathlib import Path

_counter = itertools.count()


def install(site: Path, distribution: str, source: str, *, entry_point: str = "fake", version: str = "1.2.3") -> str:
    """Put a plugin with this module source into ``site`` (a folder on sys.path); gives the module's name."""
    module = f"fake_plugin_{next(_counter)}"
    (site / f"{module}.py").write_text(source)
    info = site / f"{distribution.replace('-', '_')}-{version}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: {version}\n")
    (info / "entry_points.txt").write_text(f"[srkit]\n{entry_point} = {module}\n")
    importlib.invalidate_caches()
    sys.modules.pop(module, None)
    return module
