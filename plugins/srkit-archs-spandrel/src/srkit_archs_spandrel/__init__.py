"""The architectures of spandrel as a plugin of srkit."""

from __future__ import annotations

import srkit

from .families import FAMILIES


@srkit.hookimpl
def srkit_register_architectures(register: srkit.Register[srkit.ArchitectureSpec]) -> None:
    """Register every family; architectures of other plugins, which are asked first, keep the files that are theirs too."""
    for family in FAMILIES:
        register(
            srkit.ArchitectureSpec(
                name=family.name,
                target=f"srkit_archs_spandrel.bridge:{family.attribute}",
                summary=family.summary,
                preference=-10,
            )
        )
