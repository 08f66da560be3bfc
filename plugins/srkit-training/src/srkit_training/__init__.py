"""Training of super-resolution networks for srkit: RealESRNet, RealESRGAN and yours; resumable to the bit."""

from __future__ import annotations

import srkit


@srkit.hookimpl
def srkit_register_losses(register: srkit.Register[srkit.LossSpec]) -> None:
    """Register the losses."""


@srkit.hookimpl
def srkit_register_trainers(register: srkit.Register[srkit.TrainerSpec]) -> None:
    """Register the trainers of Real-ESRGAN."""
    register(
        srkit.TrainerSpec(
            name="realesrnet",
            target="srkit_training.trainers.realesrnet:RealESRNet",
            summary="Losses of pictures alone.",
        )
    )
    register(
        srkit.TrainerSpec(
            name="realesrgan",
            target="srkit_training.trainers.realesrgan:RealESRGAN",
            summary="Losses of pictures, and a discriminator to be deceived.",
        )
    )


@srkit.hookimpl
def srkit_register_commands(register: srkit.Register[srkit.CommandSpec]) -> None:
    """Register ``srkit train``."""
    register(srkit.CommandSpec(name="train", target="srkit_training.command:train", summary="Train a network."))
