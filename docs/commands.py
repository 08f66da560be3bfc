"""The reference of the command line, as Markdown, out of the click objects themselves."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator

import click


def reference(command: click.Command, name: str, parent: click.Context | None = None) -> Iterator[str]:
    """Blocks of Markdown for a command and all below it: a heading, what its help says, usage, arguments, options."""
    context = click.Context(command, info_name=name, parent=parent)
    if parent is not None:
        yield f"{'#' * (1 + context.command_path.count(' '))} {context.command_path}"
    yield from _help(command)
    usage = " ".join([context.command_path, *command.collect_usage_pieces(context)])
    yield f"```text\n{usage}\n```"
    options = [one for one in command.get_params(context) if isinstance(one, click.Option) and "--help" not in one.opts]
    rows = [option.get_help_record(context) for option in options]
    yield from _table([row for row in rows if row is not None])
    if isinstance(command, click.Group):
        for below in command.list_commands(context):
            found = command.get_command(context, below)
            if found is not None:
                yield from reference(found, below, context)


def _help(command: click.Command) -> Iterator[str]:
    """Paragraphs; those that click is told to leave as they are (``\\b``) as code."""
    for paragraph in inspect.cleandoc(command.help or "").split("\n\n"):
        if paragraph.startswith("\b\n"):
            yield f"```text\n{inspect.cleandoc(paragraph[2:])}\n```"
        else:
            yield _escaped(paragraph)


def _table(rows: list[tuple[str, str]]) -> Iterator[str]:
    if rows:
        lines = [f"| `{_piped(names)}` | {_escaped(told)} |" for names, told in rows]
        yield "\n".join(["| option | |", "|---|---|", *lines])


def _escaped(text: str) -> str:
    return re.sub(r"([\\`*_\[\]<>|#$])", r"\\\1", text)


def _piped(code: str) -> str:
    """Code in a cell of a table, where a bar would end the cell."""
    return code.replace("|", r"\|")
