"""What the distribution registers, held to srkit's contracts, and that it costs nothing to look at."""

from __future__ import annotations

import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest

import srkit
import srkit_datasets
from srkit import plugins
from srkit.testing import checks_of

CHECKS = list(checks_of("srkit-datasets"))


@pytest.mark.parametrize("check", [pytest.param(c, id=f"{about}-{c.name}".replace(" ", "-")) for about, c in CHECKS])
def test_conforms(check):
    """Everything that is registered can be loaded and keeps its contract."""
    if "Video" in repr(check._subject):
        pytest.importorskip("av")
    check()


def test_what_is_registered():
    """The data sets and the commands are there under their names, from a plugin without problems."""
    found = plugins.current()
    assert {"realesrgan", "realesrgan-paired"} <= set(found.datasets.names())
    assert "dataset" in found.commands
    assert "degrade" in found.commands
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


@pytest.mark.parametrize("arguments", [["--help"], ["dataset", "--help"], ["degrade", "--help"], ["plugins"]])
def test_help_is_light(arguments):
    """Registration and help import neither torch nor OpenCV."""
    code = f"""
import sys
from pathlib import Path
sys.argv = ["srkit", *{arguments!r}]
from srkit.cli import main
try:
    main()
except SystemExit as end:
    assert not end.code, end.code
assert not {{"torch", "cv2", "yaml"}} & set(sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "data" in done.stdout or "degrade" in done.stdout


def test_every_degradation_and_option_is_documented():
    """docs/degradations.md has a row for each degradation, with all of its options."""
    text = (Path(__file__).parents[3] / "docs" / "degradations.md").read_text()
    for entry in plugins.current().degradations:
        (row,) = re.findall(rf"^\| `{entry.spec.name}` \| (.*)$", text, re.MULTILINE)
        for option in inspect.signature(entry.load()).parameters:
            assert f"`{option}`" in row, (entry.spec.name, option)


def test_every_key_of_the_data_sets_is_documented():
    """docs/datasets.md has a row for each key of a data set's configuration."""
    text = (Path(__file__).parents[3] / "docs" / "datasets.md").read_text()
    for name, record in (
        ("realesrgan", srkit_datasets.RealESRGANConfig),
        ("realesrgan-paired", srkit_datasets.PairedConfig),
    ):
        (table,) = re.findall(rf"^\| key of `{name}` .*\n((?:\|.*\n)+)", text, re.MULTILINE)
        for key in inspect.signature(record).parameters:
            assert f"`{key}`" in table, (name, key)


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
