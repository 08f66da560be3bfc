"""Training of super-resolution networks for srkit: RealESRNet, RealESRGAN and yours; resumable to the bit."""

from __future__ import annotations

import srkit


@srkit.hookimpl
def srkit_register_losses(register: srkit.Register[srkit.LossSpec]) -> None:
    """Register the losses."""


@srkit.hookimpl
def srkit_register_trainers(register: srkit.Register[srkit.TrainerSpec]) -> None:
    """Register the trainers of Real-ESRGAN."""
