"""What the distribution registers, held to srkit's contracts."""

from __future__ import annotations

import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest

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


def test_public_names_are_there():
    """Every public name can be had, and a name that is not public is told as such."""
    for name in srkit_datasets.__all__:
        assert getattr(srkit_datasets, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'Rain'"):
        srkit_datasets.Rain  # noqa: B018


@pytest.mark.parametrize("arguments", [["--help"], ["degrade", "--help"], ["plugins"]])
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
    assert "degrade" in done.stdout


def test_every_degradation_and_option_is_documented():
    """docs/degradations.md has a row for each degradation, with all of its options."""
    text = (Path(__file__).parents[3] / "docs" / "degradations.md").read_text()
    for entry in plugins.current().degradations:
        (row,) = re.findall(rf"^\| `{entry.spec.name}` \| (.*)$", text, re.MULTILINE)
        for option in inspect.signature(entry.load()).parameters:
            assert f"`{option}`" in row, (entry.spec.name, option)
