"""The exact engine of srkit: a network as a stream of rows, in bounded memory, with no recomputation."""

from __future__ import annotations

import srkit


@srkit.hookimpl
def srkit_register_upsamplers(register: srkit.Register[srkit.UpsamplerSpec]) -> None:
    """Register the engine; below the whole-image one, so that it runs where it is asked for."""
    register(
        srkit.UpsamplerSpec(
            name="stream",
            target="srkit_engine_tiled.engine:upsampler",
            summary="The network as a stream of rows: bounded memory, equal to the whole image, for local networks.",
            preference=-1,
        )
    )
