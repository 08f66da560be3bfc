"""Film grain as a plugin of srkit."""

from __future__ import annotations

import srkit


@srkit.hookimpl
def srkit_register_degradations(register: srkit.Register[srkit.DegradationSpec]) -> None:
    """Register the degradation; its module is imported when somebody asks for it."""
    register(
        srkit.DegradationSpec(
            name="film-grain",
            target="srkit_film.grain:FilmGrain",
            summary="Grain of photographic film, strongest in the middle tones.",
        )
    )
