"""EDSR as a plugin of srkit."""

from __future__ import annotations

import srkit


@srkit.hookimpl
def srkit_register_architectures(register: srkit.Register[srkit.ArchitectureSpec]) -> None:
    """Register the network; its module is imported when somebody asks for it."""
    register(
        srkit.ArchitectureSpec(
            name="edsr",
            target="srkit_archs_example.edsr:architecture",
            summary="EDSR: residual blocks without normalisation (Lim et al., 2017).",
        )
    )
