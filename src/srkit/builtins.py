"""What the core itself registers, through the hooks that every plugin uses."""

from __future__ import annotations

from .declarations import CommandSpec, UpsamplerSpec
from .hookspecs import Register, hookimpl


@hookimpl
def srkit_register_upsamplers(register: Register[UpsamplerSpec]) -> None:
    """Register the whole-image upsampler."""
    register(
        UpsamplerSpec(
            name="whole",
            target="srkit.whole:upsampler",
            summary="The network over the whole picture at once: the reference every other engine is held to.",
        )
    )


@hookimpl
def srkit_register_commands(register: Register[CommandSpec]) -> None:
    """Register the core's commands."""
    register(
        CommandSpec(
            name="models",
            target="srkit.commands.models:models",
            summary="List, describe, fetch, inspect and export models.",
        )
    )
    register(
        CommandSpec(
            name="plugins",
            target="srkit.commands.plugins:plugins",
            summary="List installed plugins, what they register and what is broken.",
        )
    )
    register(
        CommandSpec(
            name="check",
            target="srkit.commands.check:check",
            summary="Hold everything a distribution registers to srkit's contracts.",
        )
    )
    register(
        CommandSpec(
            name="new-plugin",
            target="srkit.commands.new_plugin:new_plugin",
            summary="Write a new plugin, whole and working, to be filled with yours.",
        )
    )
