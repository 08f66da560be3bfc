"""The `srkit …` lines of a page, and whether the command line understands them; nothing is run."""

from __future__ import annotations

import contextlib
import re
import shlex
from collections.abc import Iterator

import click

from srkit.cli import program

_BLOCK = re.compile(r"^```(?:sh|text)\n(.*?)^```", re.MULTILINE | re.DOTALL)
_INLINE = re.compile(r"`(srkit [^`\n]+)`")


def typed(text: str) -> Iterator[list[str]]:
    """What a reader may type: the words after `srkit` in every shell block, in blocks of text after a prompt."""
    for block in _BLOCK.finditer(text):
        for line in block[1].replace("\\\n", " ").splitlines():
            if block[0].startswith("```text"):
                if not line.startswith("$ "):
                    continue
                line = line[2:]
            for words in _simple_commands(line):
                yield from _of_srkit(words)


def mentioned(text: str) -> Iterator[list[str]]:
    """The words after `srkit` where a sentence speaks of it; arguments may be left out there."""
    without_blocks = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    for found in _INLINE.finditer(without_blocks):
        for words in _simple_commands(found[1]):
            yield from _of_srkit(words)


def _simple_commands(line: str) -> Iterator[list[str]]:
    """The commands of a line, without pipes, what follows a redirection, and comments."""
    reader = shlex.shlex(line, posix=True, punctuation_chars="|;&<>")
    reader.whitespace_split = True
    words: list[str] = []
    for word in reader:
        if set(word) <= set("<>"):
            next(reader, None)
        elif set(word) <= set("|;&"):
            yield words
            words = []
        else:
            words.append(word)
    yield words


def _of_srkit(words: list[str]) -> Iterator[list[str]]:
    while words and re.fullmatch(r"[A-Z_]+=.*", words[0]):
        words = words[1:]
    if words[:1] == ["srkit"]:
        yield words[1:]
    elif "-m" in words and words[words.index("-m") + 1 :][:1] == ["srkit"]:
        yield words[words.index("-m") + 2 :]


def resolve(words: list[str]) -> tuple[click.Command, click.Context, list[str]]:
    """The command that words name, the context it runs in, and the words that are left for it.

    Raises click.UsageError for a command that is not there.
    """
    command: click.Command = program
    context = click.Context(program, info_name="srkit")
    while (
        isinstance(command, click.Group) and words and words[0].isascii() and words[0].islower() and words[0][0] != "-"
    ):
        name, *words = words
        found = command.get_command(context, name)
        if found is None:
            raise click.UsageError(f"{context.command_path} has no command {name!r}")
        command, context = found, click.Context(found, info_name=name, parent=context)
    return command, context, words


def check_typed(words: list[str]) -> None:
    """Parse all of it: names, values, what is required. Raises click.UsageError; files need not be there."""
    command, context, left = resolve(words)
    with contextlib.suppress(click.exceptions.Exit):  # --help and --version
        command.make_context(context.info_name, left, parent=context.parent)


def check_mentioned(words: list[str]) -> None:
    """The command and its options are there. Raises click.UsageError."""
    command, context, left = resolve(words)
    known = {name for parameter in command.get_params(context) for name in parameter.opts + parameter.secondary_opts}
    for word in left:
        option = word.partition("=")[0]
        if option.startswith("-") and option != "-" and option not in known:
            raise click.NoSuchOption(option, ctx=context)
