"""The exact engine of srkit: a network as a stream of rows, in bounded memory, with no recomputation."""

from __future__ import annotations

import srkit


@srkit.hookimpl
def srkit_register_upsamplers(register: srkit.Register[srkit.UpsamplerSpec]) -> None:
    """Register the exact engine, preferred to all others; and approximate tiles, for who asks for them."""
    register(
        srkit.UpsamplerSpec(
            name="stream",
            target="srkit_engine_tiled.engine:upsampler",
            summary="The network as a stream of rows: bounded memory, equal to the whole image, for local networks.",
            preference=10,
        )
    )
    register(
        srkit.UpsamplerSpec(
            name="tiles",
            target="srkit_engine_tiled.tiles:upsampler",
            summary="Approximate: tiles with halo= pixels around, for networks that are not local.",
            preference=-10,
        )
    )
