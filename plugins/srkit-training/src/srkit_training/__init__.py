"""Training of super-resolution networks for srkit: RealESRNet, RealESRGAN and yours; resumable to the bit."""

from __future__ import annotations

import srkit

_LOSSES = {
    "l1": ("pixels:L1", "Absolute differences."),
    "mse": ("pixels:MSE", "Squared differences."),
    "charbonnier": ("pixels:Charbonnier", "Absolute differences, smooth around 0."),
    "checkerboard": ("pixels:Checkerboard", "What each pixel of the input leaves in the output: a grid."),
    "edges": ("pixels:Edges", "Absolute differences of what neighbours differ by."),
    "perceptual": ("perceptual:Perceptual", "Differences of what VGG sees, layer by layer; style."),
    "ldl": ("ldl:LDL", "Differences where they look like artefacts."),
    "ms-ssim": ("msssim:MSSSIM", "Differences of structure, at five scales."),
    "lpips": ("lpips:LPIPS", "Distances of deep features, weighted as people see them."),
}
_ADVERSARIAL = {
    "vanilla": "Cross entropy, as the first GAN.",
    "lsgan": "Squares.",
    "wgan": "Means: Wasserstein's, for a discriminator that is kept from growing steep.",
    "wgan_softplus": "Means through softplus, as StyleGAN2.",
    "hinge": "Means, cut off where they are good enough.",
}
_PENALTIES = {
    "r1": ("penalties:R1", "Slope at targets."),
    "gradient": ("penalties:GradientPenalty", "Slope between targets and outputs, which should be 1."),
}


@srkit.hookimpl
def srkit_register_losses(register: srkit.Register[srkit.LossSpec]) -> None:
    """Register the losses."""
    for name, (home, summary) in _LOSSES.items():
        target = f"srkit_training.losses.{home}"
        register(srkit.LossSpec(name=name, target=target, summary=summary, average=name == "ldl"))
    for name, summary in _ADVERSARIAL.items():
        target = f"srkit_training.losses.adversarial:{name}"
        register(srkit.LossSpec(name=name, target=target, summary=summary, kind="adversarial"))
    for name, (home, summary) in _PENALTIES.items():
        register(srkit.LossSpec(name=name, target=f"srkit_training.losses.{home}", summary=summary, kind="penalty"))


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
