"""What is in a new plugin, and that it is written whole or not at all."""

from __future__ import annotations

import errno
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import ruff
from click.testing import CliRunner

import srkit
from srkit.cli import program
from srkit.new_plugin.files import LICENCES, files_of, write
from srkit.new_plugin.kinds import KINDS
from srkit.new_plugin.names import LONGEST, Names


def made(kind="arch", *, distribution="srkit-mine", record="mine", author="Ada Example", licence="MIT"):
    """The files of a new plugin."""
    names = Names(distribution=distribution, package=distribution.replace("-", "_"), record=record)
    return files_of(names, kind, author=author, licence=licence, year=2031)


@pytest.mark.parametrize("kind", KINDS)
def test_it_is_a_whole_distribution(kind):
    """Metadata, typed source, tests, README, licence, checks for each push: nothing is left to be filled in."""
    files = made(kind)
    project = tomllib.loads(files["pyproject.toml"])
    assert project["project"]["name"] == "srkit-mine"
    assert project["project"]["requires-python"] == ">=3.11"
    assert project["project"]["entry-points"]["srkit"] == {"srkit-mine": "srkit_mine"}
    needs = [*project["project"]["dependencies"], *project["project"]["optional-dependencies"]["test"]]
    assert all(">=" in requirement for requirement in needs)
    assert {re.split("[>=]", requirement)[0] for requirement in needs} >= {"srkit", "torch", "pytest", "mypy", "ruff"}
    assert project["tool"]["mypy"]["strict"] is True
    assert {"src/srkit_mine/py.typed", "src/srkit_mine/__init__.py", "LICENSE", "README.md", ".gitignore"} <= set(files)
    assert any(name.startswith("tests/test_") for name in files)
    assert not [name for name, text in files.items() if re.search(r"\$[a-z]", text)]


@pytest.mark.parametrize("kind", KINDS)
def test_srkit_must_be_as_new_as_the_templates(kind):
    """The plugin asks for no older srkit than the one that wrote it."""
    needs = tomllib.loads(made(kind)["pyproject.toml"])["project"]["dependencies"]
    (floor,) = (need.removeprefix("srkit>=") for need in needs if need.startswith("srkit>="))
    assert srkit.__version__.startswith(floor)


def test_checks_of_each_push():
    """The workflow is YAML, and runs the tests, the type checker, ruff and srkit's contracts on all Pythons."""
    yaml = pytest.importorskip("yaml")
    job = yaml.safe_load(made()[".github/workflows/checks.yml"])["jobs"]["checks"]
    commands = [step["run"] for step in job["steps"] if "run" in step]
    assert {"pytest", "mypy --strict", "ruff check", "ruff format --check", "srkit check srkit-mine"} <= set(commands)
    assert job["strategy"]["matrix"]["python"] == ["3.11", "3.12", "3.13"]
    assert any(step.get("with", {}).get("python-version") == "${{ matrix.python }}" for step in job["steps"])


@pytest.mark.parametrize("licence", LICENCES)
def test_licences(licence):
    """The text is that of the licence, with year and author where it has a place for them."""
    files = made(licence=licence)
    assert tomllib.loads(files["pyproject.toml"])["project"]["license"] == licence
    text = " ".join(files["LICENSE"].split())
    words = {
        "Apache-2.0": "Apache License Version 2.0, January 2004",
        "BSD-3-Clause": "BSD 3-Clause License Copyright (c) 2031, Ada Example Redistribution and use",
        "GPL-3.0-or-later": "GNU GENERAL PUBLIC LICENSE Version 3, 29 June 2007",
        "MIT": "MIT License Copyright (c) 2031 Ada Example Permission is hereby granted",
    }
    assert text.startswith(words[licence])


@pytest.mark.parametrize("author", ['"Ada" \\ $HOME', "Ædá 例え", "${package}"])
def test_any_name_of_an_author(author):
    """What an author is called comes out of the metadata as it went in, and is nothing's placeholder."""
    files = made(author=author)
    assert tomllib.loads(files["pyproject.toml"])["project"]["authors"] == [{"name": author}]
    assert author in files["LICENSE"]


@pytest.mark.parametrize("author", ["", " ", "two\nlines", "\x7f", "\udcff"])
def test_what_is_no_name_of_an_author(author):
    """What cannot stand in a line of text is refused."""
    with pytest.raises(srkit.SettingsError, match="author="):
        made(author=author)


@pytest.mark.parametrize("length", [1, LONGEST])
def test_source_is_clean_whatever_the_names(tmp_path, length):
    """ruff finds nothing and would lay nothing out otherwise, with names as short and as long as they may be."""
    for kind in KINDS:
        write(made(kind, distribution="a" * length, record="b" * length), tmp_path / kind)
    for command in (["check"], ["format", "--diff"]):
        options = [*command, "--no-cache", tmp_path]
        done = subprocess.run([ruff.find_ruff_bin(), *options], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


def test_an_empty_folder_is_filled(tmp_path):
    """A folder that is there and empty stays the same folder, so that a shell in it sees the files."""
    inode = tmp_path.stat().st_ino
    write(made(), tmp_path)
    assert tmp_path.stat().st_ino == inode
    assert {str(p.relative_to(tmp_path)) for p in tmp_path.rglob("*") if p.is_file()} == set(made())


def test_nothing_is_overwritten(tmp_path):
    """A folder that holds something, be it hidden, and a file are left alone, and the way out is told."""
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / ".hidden").touch()
    (tmp_path / "file").touch()
    for name in ("folder", "file"):
        with pytest.raises(srkit.SettingsError, match="already there.*choose another folder with -o"):
            write(made(), tmp_path / name)
    assert {path.name for path in tmp_path.rglob("*")} == {"folder", ".hidden", "file"}


@pytest.mark.parametrize("there", [False, True])
def test_nothing_half_written_is_left(tmp_path, monkeypatch, there):
    """When the disk is full, everything is as it was, and the reason is told."""
    if there:
        (tmp_path / "new").mkdir()
    write_bytes, count = Path.write_bytes, iter(range(100))

    def full(self, data):
        if next(count) == 3:
            raise OSError(errno.ENOSPC, "No space left on device")
        return write_bytes(self, data)

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(srkit.SettingsError, match="No space left on device; choose another with -o"):
        write(made(), tmp_path / "new")
    assert [path.name for path in tmp_path.rglob("*")] == (["new"] if there else [])


def test_the_folder_around_it_must_be_there(tmp_path):
    """No folders are made above the new one, and a missing one is told."""
    with pytest.raises(srkit.SettingsError, match=r"a.b cannot be written: No such file or directory"):
        write(made(), tmp_path / "a" / "b")
    assert list(tmp_path.iterdir()) == []


def test_folders_and_files_have_usual_permissions(tmp_path):
    """They are as readable as any other that is made here."""
    (tmp_path / "usual").mkdir()
    write(made(), tmp_path / "new")
    assert (tmp_path / "new").stat().st_mode == (tmp_path / "usual").stat().st_mode


def test_the_command(tmp_path, monkeypatch):
    """It writes into a folder called NAME, says what to do next, and needs no torch."""
    monkeypatch.chdir(tmp_path)
    code = """
import sys
sys.argv = ["srkit", "new-plugin", "srkit-archs-mine", "--kind", "arch", "--licence", "BSD-3-Clause"]
from srkit.cli import main
try:
    main()
except SystemExit as end:
    assert not end.code, end.code
assert "torch" not in sys.modules
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "the network architecture 'mine'" in done.stdout
    assert "\n  cd srkit-archs-mine\n" in done.stdout
    assert "the srkit-archs-mine developers" in (tmp_path / "srkit-archs-mine" / "LICENSE").read_text()


def test_output_and_name(tmp_path):
    """-o chooses the folder, --name what users call it, --author who holds the rights."""
    arguments = ["srkit-mine", "--kind", "trainer", "-o", str(tmp_path / "x"), "--name", "distil", "--author", "Ada"]
    assert CliRunner().invoke(program, ["new-plugin", *arguments]).exit_code == 0
    assert 'name="distil"' in (tmp_path / "x" / "src" / "srkit_mine" / "__init__.py").read_text()
    assert "Ada" in (tmp_path / "x" / "LICENSE").read_text()


def test_help_teaches():
    """The help has an example to copy, and says what each kind is."""
    text = CliRunner().invoke(program, ["new-plugin", "--help"]).output
    assert "\n  srkit new-plugin srkit-archs-mine --kind arch" in text
    assert all(f"\n  {kind} " in text for kind in KINDS)
    assert all(licence in text for licence in LICENCES)
