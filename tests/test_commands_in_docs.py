"""Every command line of the documents is one that srkit understands, and the reference tells of all."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import click
import pytest

pytest.importorskip("srkit_datasets")
pytest.importorskip("srkit_io")
pytest.importorskip("srkit_training")

from shell_lines import check_mentioned, check_typed, mentioned, typed

from srkit.cli import program

ROOT = Path(__file__).parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("plugins/*/README.md")])


def _reference() -> str:
    """What the site shows of the command line."""
    spec = importlib.util.spec_from_file_location("commands_of_docs", ROOT / "docs" / "commands.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return "\n\n".join(module.reference(program, "srkit"))


@pytest.fixture
def no_files(monkeypatch):
    """Files that are named are taken to be there."""
    for kind in (click.Path, click.File):
        monkeypatch.setattr(kind, "convert", lambda self, value, param, ctx: value)


@pytest.mark.usefixtures("no_files")
@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_command_lines_are_understood(page):
    """Commands, options, their values and what is required are right, in blocks; names are, in sentences."""
    text = page.read_text()
    for words in typed(text):
        check_typed(words)
    for words in mentioned(text):
        check_mentioned(words)


@pytest.mark.usefixtures("no_files")
@pytest.mark.parametrize(
    "line",
    [
        "upscal in.png",
        "upscale --skale 2 in.png",
        "upscale --scale two in.png",
        "models fetch",
        "models lst",
        "degrade a.png",
    ],
)
def test_wrong_lines_are_found(line):
    """A command, an option, a value or an argument that is wrong does not pass."""
    (words,) = typed(f"```sh\n$(nothing) | X=1 srkit {line} > out.png  # and a remark\n```\n")
    with pytest.raises(click.ClickException):
        check_typed(words)


def _all_commands(command, context):
    yield context.command_path, command
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            yield from _all_commands(below, click.Context(below, info_name=name, parent=context))


def test_the_reference_has_every_command_and_option():
    """Each command has a heading, and below it a row for each of its options."""
    sections = dict(re.findall(r"^#+ (srkit .+?)\n(.*?)(?=^#+ srkit |\Z)", _reference(), re.MULTILINE | re.DOTALL))
    commands = dict(_all_commands(program, click.Context(program, info_name="srkit")))
    assert {"srkit upscale", "srkit models export", "srkit dataset pack", "srkit train"} <= set(commands)
    assert set(sections) == set(commands) - {"srkit"}
    for path, section in sections.items():
        for parameter in commands[path].params:
            if isinstance(parameter, click.Option):
                assert re.search(rf"^\| `[^`]*{parameter.opts[-1]}\b[^`]*` \|", section, re.MULTILINE), parameter.opts


@pytest.mark.usefixtures("no_files")
def test_examples_of_the_help_are_understood():
    """What `--help` shows as examples can be typed."""
    lines = [line for line in _reference().splitlines() if line.startswith("srkit ") and "[OPTIONS]" not in line]
    assert len(lines) > 15
    for line in lines:
        for words in typed(f"```sh\n{line.split('  ')[0]}\n```\n"):
            if "COMMAND" not in words:
                check_typed(words)
