"""Adversarial losses: of a generator that deceives, and of a discriminator that is not to be deceived."""

from __future__ import annotations

import functools
import math
from typing import Any

import attrs
import torch
import torch.nn.functional as F
from torch import Tensor

import srkit
from srkit_datasets.options import known

KINDS = ("vanilla", "lsgan", "wgan", "wgan_softplus", "hinge")
_LABELS = (1.0, 0.0)


def _check_kind(_: object, __: object, value: Any) -> None:
    known(value, KINDS, "adversarial loss")


def _check_label(loss: Adversarial, attribute: attrs.Attribute[Any], value: Any) -> None:
    number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    if not number or (loss.kind == "vanilla" and not 0 <= value <= 1):
        expected = "a probability within [0, 1]" if loss.kind == "vanilla" else "a number"
        raise srkit.SettingsError(f"{attribute.name}={value!r}; expected {expected}, such as {attribute.default:g}")
    if loss.kind not in {"vanilla", "lsgan"} and value != attribute.default:
        raise srkit.SettingsError(
            f"{attribute.name}={value!r}, but {loss.kind!r} knows no labels; leave it out, or choose 'vanilla' or 'lsgan'"
        )


@attrs.frozen
class Adversarial:
    """Three means over the logits D of a discriminator, of any shape; each of its two terms by itself, without a ½.

    ==================  =======================  =======================  ====================
    kind                real                     fake                     generator
    ==================  =======================  =======================  ====================
    ``vanilla``         BCE(D, real_label)       BCE(D, fake_label)       BCE(D, real_label)
    ``lsgan``           (D - real_label)²        (D - fake_label)²        (D - real_label)²
    ``wgan``            -D                       D                        -D
    ``wgan_softplus``   softplus(-D)             softplus(D)              softplus(-D)
    ``hinge``           max(0, 1 - D)            max(0, 1 + D)            -D
    ==================  =======================  =======================  ====================

    BCE is the cross entropy of sigmoid(D). ``vanilla``: I. Goodfellow et al., "Generative Adversarial Nets", NIPS 2014, its
    generator's loss the one that does not saturate; ``lsgan``: X. Mao et al., "Least Squares Generative Adversarial
    Networks", ICCV 2017; ``wgan``: M. Arjovsky, S. Chintala and L. Bottou, "Wasserstein GAN", ICML 2017;
    ``wgan_softplus``: as StyleGAN2 has it, T. Karras et al., CVPR 2020; ``hinge``: J. H. Lim and J. C. Ye, "Geometric GAN",
    2017.

    ``real_label``, ``fake_label``: what a discriminator is to say, of ``vanilla`` and ``lsgan``; softer than 1 and 0, it
    stays less sure of itself. Raises UnknownName or SettingsError.
    """

    kind: str = attrs.field(default="vanilla", validator=_check_kind)
    real_label: float = attrs.field(default=_LABELS[0], validator=_check_label)
    fake_label: float = attrs.field(default=_LABELS[1], validator=_check_label)

    def generator(self, fake_logits: Tensor) -> Tensor:
        """What the generator makes small, of what the discriminator says about its pictures: a scalar."""
        return -fake_logits.mean() if self.kind == "hinge" else self._term(fake_logits, real=True)

    def real(self, real_logits: Tensor) -> Tensor:
        """What the discriminator makes small, of what it says about real pictures: a scalar."""
        return self._term(real_logits, real=True)

    def fake(self, fake_logits: Tensor) -> Tensor:
        """What the discriminator makes small, of what it says about the generator's pictures: a scalar."""
        return self._term(fake_logits, real=False)

    def _term(self, logits: Tensor, *, real: bool) -> Tensor:
        sign = -1 if real else 1
        label = self.real_label if real else self.fake_label
        match self.kind:
            case "vanilla":
                return F.binary_cross_entropy_with_logits(logits, torch.full_like(logits, label))
            case "lsgan":
                return F.mse_loss(logits, torch.full_like(logits, label))
            case "wgan":
                return sign * logits.mean()
            case "wgan_softplus":
                return F.softplus(sign * logits).mean()
            case _:
                return F.relu(1 + sign * logits).mean()


vanilla, lsgan, wgan, wgan_softplus, hinge = (functools.partial(Adversarial, kind) for kind in KINDS)
