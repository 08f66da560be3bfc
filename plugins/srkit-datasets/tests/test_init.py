"""What the distribution registers, and that it costs nothing to look at."""

from __future__ import annotations

import subprocess
import sys

import pytest

import srkit
import srkit_datasets
from srkit import plugins


def test_what_is_registered():
    """The data sets and the command are there under their names, from a plugin without problems."""
    found = plugins.current()
    assert {"realesrgan", "realesrgan-paired"} <= set(found.datasets.names())
    assert "dataset" in found.commands
    (report,) = (report for report in found.reports if report.distribution == "srkit-datasets")
    assert report.problems == []
    for name in ("realesrgan", "realesrgan-paired"):
        assert found.datasets.find(name).load(srkit.Dataset).name == name


@pytest.mark.parametrize(
    "code", ["import srkit_datasets", "import srkit.plugins; srkit.plugins.current()", "import srkit_datasets.command"]
)
def test_heavy_modules_are_left_alone(code):
    """Neither the entry point nor the command's help loads what only pictures need."""
    absent = ["torch", "cv2", "numpy", "PIL", "pyvips", "lmdb"]
    check = f"{code}\nimport sys\nprint([name for name in {absent} if name in sys.modules])"
    if "plugins" in code:
        check = check.replace("'numpy', ", "")  # another plugin may want it
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_public_names_resolve():
    """Every public name is there, and others are told."""
    for name in srkit_datasets.__all__:
        assert getattr(srkit_datasets, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'open_picturs'"):
        _ = srkit_datasets.open_picturs


def test_without_lmdb_it_is_told_how_to_get_it(tmp_path, monkeypatch):
    """Where lmdb is not installed, the error says what to install."""
    monkeypatch.setitem(sys.modules, "lmdb", None)
    (tmp_path / "data.mdb").touch()
    (tmp_path / "meta_info.txt").write_text("a.png (1,1,3) 1\n")
    with pytest.raises(srkit.DatasetError, match=r'pip install "srkit-datasets\[lmdb\]"'):
        srkit_datasets.open_pictures(tmp_path)
