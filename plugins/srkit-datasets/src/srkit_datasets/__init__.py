"""Training data for srkit: data sets, and pictures made worse; reproducible to the bit."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

import srkit

if TYPE_CHECKING:
    from .config import filled
    from .degradations.blur import Blur, Sinc
    from .degradations.compose import Chain, OneOf, Shuffle, WithProbability
    from .degradations.compression import AVIF, JPEG, WebP
    from .degradations.jitter import ColourJitter, InSpace
    from .degradations.noise import CameraNoise, GaussianNoise, PoissonNoise
    from .degradations.quantise import Quantise
    from .degradations.recipes import build, dump, load_recipe
    from .degradations.resize import Resize
    from .degradations.samples import explain
    from .degradations.secondorder import second_order
    from .degradations.sharpen import UnsharpMask
    from .degradations.video import Video
    from .errors import PictureError, TooManyBadPictures
    from .paired import PairedConfig
    from .pictures import Pictures, Source, check_pictures, open_pictures
    from .pool import PairPool
    from .realesrgan import RealESRGANConfig
else:
    _HOMES = {
        "config": ("filled",),
        "errors": ("PictureError", "TooManyBadPictures"),
        "paired": ("PairedConfig",),
        "pictures": ("Pictures", "Source", "check_pictures", "open_pictures"),
        "pool": ("PairPool",),
        "realesrgan": ("RealESRGANConfig",),
        "degradations.blur": ("Blur", "Sinc"),
        "degradations.compose": ("Chain", "OneOf", "Shuffle", "WithProbability"),
        "degradations.compression": ("AVIF", "JPEG", "WebP"),
        "degradations.jitter": ("ColourJitter", "InSpace"),
        "degradations.noise": ("CameraNoise", "GaussianNoise", "PoissonNoise"),
        "degradations.quantise": ("Quantise",),
        "degradations.recipes": ("build", "dump", "load_recipe"),
        "degradations.resize": ("Resize",),
        "degradations.samples": ("explain",),
        "degradations.secondorder": ("second_order",),
        "degradations.sharpen": ("UnsharpMask",),
        "degradations.video": ("Video",),
    }
    _HOME = {name: home for home, names in _HOMES.items() for name in names}

    def __getattr__(name: str) -> Any:
        if name in _HOME:
            return getattr(importlib.import_module(f".{_HOME[name]}", __name__), name)
        raise AttributeError(f"module 'srkit_datasets' has no attribute {name!r}")


__all__ = [
    "AVIF",
    "JPEG",
    "Blur",
    "CameraNoise",
    "Chain",
    "ColourJitter",
    "GaussianNoise",
    "InSpace",
    "OneOf",
    "PairPool",
    "PairedConfig",
    "PictureError",
    "Pictures",
    "PoissonNoise",
    "Quantise",
    "RealESRGANConfig",
    "Resize",
    "Shuffle",
    "Sinc",
    "Source",
    "TooManyBadPictures",
    "UnsharpMask",
    "Video",
    "WebP",
    "WithProbability",
    "build",
    "check_pictures",
    "dump",
    "explain",
    "filled",
    "load_recipe",
    "open_pictures",
    "second_order",
]

_DEGRADATIONS = {
    "blur": ("blur:Blur", "A smoothing kernel: Gaussian, generalised or plateau, isotropic or not."),
    "sinc": ("blur:Sinc", "A kernel that cuts high frequencies off, and rings."),
    "unsharp-mask": ("sharpen:UnsharpMask", "Sharpening with a soft mask."),
    "resize": ("resize:Resize", "Larger or smaller, by area, bilinear, bicubic, Lanczos or nearest."),
    "gaussian-noise": ("noise:GaussianNoise", "The same noise everywhere."),
    "poisson-noise": ("noise:PoissonNoise", "Noise of counting, stronger where it is bright."),
    "camera-noise": ("noise:CameraNoise", "Shot and read noise of a sensor, in linear light."),
    "jpeg": ("compression:JPEG", "JPEG with 4:2:0 chroma, as libjpeg does it."),
    "webp": ("compression:WebP", "Lossy WebP."),
    "avif": ("compression:AVIF", "AVIF."),
    "video": ("video:Video", "A frame of H.264, H.265 or MPEG-4; needs PyAV."),
    "colour-jitter": ("jitter:ColourJitter", "Other brightness, contrast, saturation and hue."),
    "in-space": ("jitter:InSpace", "A degradation in another colour space."),
    "quantise": ("quantise:Quantise", "Rounding to the values of a file."),
    "chain": ("compose:Chain", "One degradation after another."),
    "one-of": ("compose:OneOf", "One degradation of several."),
    "shuffle": ("compose:Shuffle", "Degradations in any order."),
    "with-probability": ("compose:WithProbability", "A degradation of some of the pictures."),
}


@srkit.hookimpl
def srkit_register_degradations(register: srkit.Register[srkit.DegradationSpec]) -> None:
    """Register every degradation."""
    for name, (home, summary) in _DEGRADATIONS.items():
        target = f"srkit_datasets.degradations.{home}"
        register(srkit.DegradationSpec(name=name, target=target, summary=summary))


@srkit.hookimpl
def srkit_register_datasets(register: srkit.Register[srkit.DatasetSpec]) -> None:
    """Register the data sets that Real-ESRGAN trains with."""
    register(
        srkit.DatasetSpec(
            name="realesrgan",
            target="srkit_datasets.realesrgan:dataset",
            summary="Targets, degraded on the fly.",
        )
    )
    register(
        srkit.DatasetSpec(
            name="realesrgan-paired",
            target="srkit_datasets.paired:dataset",
            summary="Ready pairs of targets and inputs.",
        )
    )


@srkit.hookimpl
def srkit_register_commands(register: srkit.Register[srkit.CommandSpec]) -> None:
    """Register ``srkit dataset`` and ``srkit degrade``."""
    register(
        srkit.CommandSpec(
            name="dataset",
            target="srkit_datasets.command:dataset",
            summary="Prepare pictures for training: cut, scale, list and pack.",
        )
    )
    register(
        srkit.CommandSpec(
            name="degrade",
            target="srkit_datasets.degrade:degrade",
            summary="Make a photo worse, as for training; contact sheets of recipes.",
        )
    )
