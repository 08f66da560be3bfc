"""Training of super-resolution networks for srkit: RealESRNet, RealESRGAN and yours; resumable to the bit."""

from __future__ import annotations

import srkit

_LOSSES = {
    "l1": ("pixels:L1", "Absolute differences."),
    "mse": ("pixels:MSE", "Squared differences."),
    "charbonnier": ("pixels:Charbonnier", "Absolute differences, smooth around 0."),
    "perceptual": ("perceptual:Perceptual", "Differences of what VGG sees, layer by layer; style."),
    "ldl": ("ldl:LDL", "Differences where they look like artefacts."),
    "ms-ssim": ("msssim:MSSSIM", "Differences of structure, at five scales."),
    "lpips": ("lpips:LPIPS", "Distances of deep features, weighted as people see them."),
}


@srkit.hookimpl
def srkit_register_losses(register: srkit.Register[srkit.LossSpec]) -> None:
    """Register the losses."""
    for name, (home, summary) in _LOSSES.items():
        target = f"srkit_training.losses.{home}"
        register(srkit.LossSpec(name=name, target=target, summary=summary, average=name == "ldl"))


@srkit.hookimpl
def srkit_register_trainers(register: srkit.Register[srkit.TrainerSpec]) -> None:
    """Register the trainers of Real-ESRGAN."""
