"""The degradation that Real-ESRGAN is trained with, with its figures, in its order."""

from __future__ import annotations

import srkit

from ..options import Range
from .blur import Blur, Sinc
from .compose import Chain, OneOf, WithProbability
from .compression import JPEG
from .draws import Per
from .noise import GaussianNoise, PoissonNoise
from .quantise import Quantise
from .resize import Resize
from .sharpen import UnsharpMask


def second_order(scale: float = 4, *, sharpen: bool = True, per: Per = "sample") -> Chain:
    """Blur, resize, noise, JPEG, and once more; to 1/``scale`` of the size.

    ``sharpen``: begin with an unsharp mask, as the original does with its target; leave it out for pictures that are
    sharpened already. ``per``: draw what to resize by, the kind of noise and the last steps for each picture, or, as the
    original does, once a batch. The recipe ``second-order`` is the same as YAML.
    """
    to_goal = (Resize(of="goal", per=per), WithProbability(Sinc(), p=0.8))
    first = (
        _blur((0.2, 3)),
        Resize(up=0.2, down=0.7, range=(0.15, 1.5), per=per),
        _noise((1, 30), (0.05, 3), per),
        JPEG(quality=(30, 95)),
    )
    second = (
        WithProbability(_blur((0.2, 1.5)), p=0.8, per=per),
        Resize(up=0.3, down=0.4, range=(0.3, 1.2), of="goal", per=per),
        _noise((1, 25), (0.05, 2.5), per),
        OneOf((Chain((*to_goal, JPEG(quality=(30, 95)))), Chain((JPEG(quality=(30, 95)), *to_goal))), per=per),
        Quantise(),
    )
    before: tuple[srkit.Degradation, ...] = (UnsharpMask(),) if sharpen else ()
    return Chain((*before, *first, *second), scale=scale)


def _blur(sigma: Range) -> OneOf:
    """One kernel in ten is a sinc."""
    return OneOf((Blur(sigma=sigma), Sinc(cutoff_large=(1 / 5, 1))), weights=(0.9, 0.1))


def _noise(sigma: Range, scale: Range, per: Per) -> OneOf:
    return OneOf((GaussianNoise(sigma=sigma, grey=0.4), PoissonNoise(scale=scale, grey=0.4)), per=per)
