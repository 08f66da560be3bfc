"""docs/new-plugin.md, read as its reader does: each command and each file, top to bottom."""

from __future__ import annotations

import importlib
import os
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import ruff
from click.testing import CliRunner

pytest.importorskip("torch")
pytest.importorskip("srkit_training")
pytest.importorskip("srkit_engine_tiled")

from srkit import plugins
from srkit.cli import program

PAGE = Path(__file__).parents[2] / "docs" / "new-plugin.md"
BLOCK = re.compile(r"^```(python|sh)(?: file=(\S+))?\n(.*?)^```", re.MULTILINE | re.DOTALL)
# Two updates in place of two thousand, of small squares.
SHORT = ["train.iterations=2", "train.schedule={name: constant}", "validation=null", "data.workers=0"]
SHORT += ["data.batch_size=2", "data.options.crop=32", "data.options.gt_size=32"]


class Reader:
    """Somebody at a terminal, for whom pip is played: what it would install is put where Python finds it."""

    def __init__(self, install, monkeypatch, photo):
        self.install, self.monkeypatch, self.photo = install, monkeypatch, photo
        self.source = ""
        self.ran = []

    def type(self, line):
        """Run a command; it must succeed."""
        words = shlex.split(line)
        self.ran.append(words[0])
        getattr(self, words[0])(*words[1:])

    def cd(self, folder):
        from PIL import Image

        self.monkeypatch.chdir(folder)
        for name in ("photos/train/a.png", "photos/validation/b.png", "photo.jpg"):
            Path(name).parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(self.photo[:64, :80]).save(name)

    def pip(self, *arguments):
        assert arguments == ("install", "-e", ".[test]")
        project = tomllib.loads(Path("pyproject.toml").read_text())["project"]
        points = [f"{name} = {module}\n" for name, module in project["entry-points"]["srkit"].items()]
        self.install(project["name"], None, entry_points="".join(["[srkit]\n", *points]))
        self.source = str(Path("src").resolve())
        self.monkeypatch.syspath_prepend(self.source)

    def srkit(self, command, *arguments):
        forget()
        if command == "train":
            arguments += tuple(part for value in SHORT for part in ("--set", value))
        result = CliRunner().invoke(program, [command, *arguments])
        assert result.exit_code == 0, (command, result.output, result.exception)

    def pytest(self):
        self._run(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider")

    def ruff(self, *arguments):
        self._run(ruff.find_ruff_bin(), *arguments, "--no-cache")

    def _run(self, *command):
        env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "PYTHONDONTWRITEBYTECODE": "1"}
        done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


def forget():
    """As a new program would begin: what was imported of the plugin is read again."""
    for module in [name for name in sys.modules if name.partition(".")[0] == "srkit_archs_widelook"]:
        del sys.modules[module]
    importlib.invalidate_caches()
    plugins.reload()


@pytest.mark.filterwarnings("ignore:This DataLoader will create")
def test_the_page_can_be_followed(install, tmp_path, monkeypatch, photo):
    """From nothing to a published network: every command of the page succeeds, and every block of code runs."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    reader = Reader(install, monkeypatch, photo)
    for language, file, text in BLOCK.findall(PAGE.read_text()):
        if language == "sh":
            for line in text.splitlines():
                reader.type(line)
        elif file:
            assert Path(file).exists(), f"{file} is nothing that srkit new-plugin wrote"
            Path(file).write_text(text)
        else:
            forget()
            exec(compile(text, str(PAGE), "exec"), {})
    assert Path("large.png").exists()
    assert {"srkit", "cd", "pip", "pytest", "ruff"} == set(reader.ran)
    forget()
