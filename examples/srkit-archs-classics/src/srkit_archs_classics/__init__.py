"""Three networks of the literature, FSRCNN, CARN and RCAN, as one plugin of srkit."""

from __future__ import annotations

import srkit


@srkit.hookimpl
def srkit_register_architectures(register: srkit.Register[srkit.ArchitectureSpec]) -> None:
    """Register each; a module, and PyTorch with it, is imported when somebody asks for its network."""
    register(
        srkit.ArchitectureSpec(
            name="fsrcnn",
            target="srkit_archs_classics.fsrcnn:architecture",
            summary="FSRCNN (Dong et al., 2016): small, and enlarges last.",
        )
    )
    register(
        srkit.ArchitectureSpec(
            name="carn",
            target="srkit_archs_classics.carn:architecture",
            summary="CARN and CARN-M (Ahn et al., 2018): cascades of residual blocks.",
        )
    )
    register(
        srkit.ArchitectureSpec(
            name="classic-rcan",
            target="srkit_archs_classics.rcan:architecture",
            summary="RCAN (Zhang et al., 2018): deep, with attention to channels; not streamable.",
        )
    )
