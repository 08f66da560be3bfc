"""The networks of Real-ESRGAN, its published models and our own, as a plugin of srkit."""

from __future__ import annotations

import srkit

from .catalogue import CARDS


@srkit.hookimpl
def srkit_register_architectures(register: srkit.Register[srkit.ArchitectureSpec]) -> None:
    """Register the generators and the discriminator."""
    register(
        srkit.ArchitectureSpec(
            name="srvgg",
            aliases=("SRVGGNetCompact", "compact"),
            target="srkit_archs_realesrgan.srvgg:architecture",
            summary="SRVGGNetCompact: plain convolutions at low resolution; small and fast.",
            default_model="srkit-compact-x4-faithful",
        )
    )
    register(
        srkit.ArchitectureSpec(
            name="rrdb",
            aliases=("RRDBNet", "esrgan"),
            target="srkit_archs_realesrgan.rrdb:architecture",
            summary="RRDBNet: residual in residual dense blocks, of ESRGAN; large, richest in detail.",
            default_model="RealESRGAN_x4plus",
        )
    )
    register(
        srkit.ArchitectureSpec(
            name="unet-discriminator",
            aliases=("UNetDiscriminatorSN",),
            target="srkit_archs_realesrgan.unet_discriminator:architecture",
            summary="UNetDiscriminatorSN: a U-Net that judges each pixel; for training.",
        )
    )


@srkit.hookimpl
def srkit_register_models(register: srkit.Register[srkit.ModelCard]) -> None:
    """Register our own models and the official ones."""
    for card in CARDS:
        register(card)
