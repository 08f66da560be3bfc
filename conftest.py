"""Fixtures of all tests, the core's and the plugins'."""

from __future__ import annotations

import importlib
import itertools
import os
import signal
import sys
from pathlib import Path

import pytest
from hypothesis import settings

ROOT = Path(__file__).parent

# Machines differ too much for deadlines; CI repeats what it ran before.
settings.register_profile("srkit", deadline=None, max_examples=50)
settings.register_profile("ci", parent=settings.get_profile("srkit"), derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "srkit")

# A shell starts what runs in the background with Ctrl-C ignored, and programs that tests start and stop would inherit that.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def _closed_world(monkeypatch, tmp_path_factory):
    """No test sees the user's cache, reaches the network unasked or keeps the plugins of another."""
    monkeypatch.setenv("SRKIT_CACHE", str(tmp_path_factory.mktemp("cache")))
    monkeypatch.setenv("SRKIT_OFFLINE", "1")
    monkeypatch.delenv("SRKIT_PLUGINS", raising=False)
    monkeypatch.delenv("SRKIT_TRACE_PLUGINS", raising=False)
    from srkit import plugins

    plugins._current = None  # collecting may have loaded some, before the first test of a process
    yield
    plugins._current = None


_number = itertools.count()


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Install a distribution of one module, found the way real ones are; gives the module's name, new each time."""
    site = tmp_path / "site-packages"
    site.mkdir()
    monkeypatch.syspath_prepend(site)
    modules = []

    def install(distribution, source, *, version="1.2", entry_point="fake", entry_points=None, files=()):
        module = f"fake_plugin_{next(_number)}"
        modules.append(module)
        if source is not None:
            (site / f"{module}.py").write_text(source, "utf-8")
        info = site / f"{distribution.replace('-', '_')}-{version}.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: {version}\n")
        (info / "entry_points.txt").write_text(entry_points or f"[srkit]\n{entry_point} = {module}\n")
        for path, text in dict(files).items():
            (site / path).parent.mkdir(exist_ok=True)
            (site / path).write_text(text, "utf-8")
        importlib.invalidate_caches()
        return module

    yield install
    for module in modules:
        sys.modules.pop(module, None)


@pytest.fixture(scope="session")
def shared_weights() -> Path:
    """Real weights kept beside the repository; tests that want them skip without."""
    path = ROOT.parent / "shared" / "data" / "weights"
    if not path.is_dir():
        pytest.skip(f"no weights in {path}")
    return path


@pytest.fixture(scope="session")
def photo():
    """The sample photo, (256, 256, 3) uint8 RGB."""
    import numpy as np
    from PIL import Image

    with Image.open(ROOT / "docs" / "images" / "astronaut.png") as image:
        return np.asarray(image.convert("RGB"))
