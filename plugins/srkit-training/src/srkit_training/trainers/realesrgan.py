"""``realesrgan``: a generator that also learns to deceive a discriminator, which learns to tell its output from targets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs
from torch import Tensor, nn

import srkit
from srkit import plugins
from srkit_datasets import filled

from ..config import NetworkConfig
from ..learner import GENERATOR
from ..losses.adversarial import Adversarial
from ..losses.penalties import gradient_penalty, r1
from ..starting import start_network
from .objective import Objective, inputs_of, target_of
from .realesrnet import averaged

DISCRIMINATOR = "discriminator"
_PENALTIES = ("r1", "gradient")


@attrs.frozen(kw_only=True)
class GANOptions:
    """``weight`` is the generator's; for ``kind`` and labels see :class:`srkit_training.losses.adversarial.Adversarial`."""

    kind: str = "vanilla"
    weight: float = 0.1
    real_label: float = 1.0
    fake_label: float = 0.0


@attrs.frozen(kw_only=True)
class PenaltyOptions:
    """A penalty on the discriminator's gradients, in one of ``every`` updates, ``every`` times as strong there."""

    weight: float = 10.0
    every: int = 1

    def __attrs_post_init__(self) -> None:
        if isinstance(self.every, bool) or not isinstance(self.every, int) or self.every < 1:
            raise srkit.SettingsError(f"every={self.every!r}; expected a whole number of at least 1")


@attrs.frozen(kw_only=True)
class Options:
    """What the two learn from; the figures are Real-ESRGAN's.

    ``losses`` and ``sharpened``: of the generator against targets, as of ``realesrnet``; ``sharpened`` may name ``gan``, the
    targets that the discriminator sees. ``gan``: see :class:`GANOptions`. ``discriminator``: as ``network`` of a
    configuration. ``penalties``: ``r1`` or ``gradient`` → :class:`PenaltyOptions`. The generator is updated in one of
    ``net_d_iters`` iterations, and not in the first ``net_d_init_iters``; the discriminator in each.
    """

    losses: Mapping[str, Any] = attrs.field(factory=lambda: {"l1": {"weight": 1.0}, "perceptual": {"weight": 1.0}})
    gan: Mapping[str, Any] = attrs.field(factory=dict)
    discriminator: Mapping[str, Any] = attrs.field(factory=lambda: {"arch": "unet-discriminator"})
    sharpened: Mapping[str, bool] = attrs.field(factory=dict)
    penalties: Mapping[str, Any] = attrs.field(factory=dict)
    net_d_iters: int = 1
    net_d_init_iters: int = 0

    def __attrs_post_init__(self) -> None:
        for name, least in (("net_d_iters", 1), ("net_d_init_iters", 0)):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < least:
                raise srkit.SettingsError(f"{name}={value!r}; expected a whole number of at least {least}")


class RealESRGAN:
    """Wang et al., "Real-ESRGAN", 2021, section 4.1: the second stage."""

    name = "realesrgan"

    def __init__(self, **options: Any) -> None:
        self._options = chosen = filled(Options, options)
        self._objective = Objective(chosen.losses, chosen.sharpened)
        gan = _part(GANOptions, chosen.gan, "gan")
        self._adversarial = Adversarial(gan.kind, gan.real_label, gan.fake_label)
        self._weight = gan.weight
        self._discriminator = _part(NetworkConfig, chosen.discriminator, "discriminator")
        plugins.current().architectures.find(self._discriminator.arch)
        for name in chosen.penalties:
            if name not in _PENALTIES:
                raise srkit.UnknownName("penalty", name, _PENALTIES)
        self._penalties = {
            name: _part(PenaltyOptions, more, f"penalties.{name}") for name, more in chosen.penalties.items()
        }

    @staticmethod
    def sample() -> Mapping[str, Any]:
        """Options with small networks and nothing to fetch."""
        return {"losses": {"l1": {}}, "discriminator": {"arch": "unet-discriminator", "options": {"num_feat": 4}}}

    def networks(self, network: nn.Module, traits: srkit.Traits) -> Mapping[str, nn.Module]:  # noqa: ARG002
        """The generator and the discriminator."""
        return {GENERATOR: network, DISCRIMINATOR: start_network(self._discriminator)}

    def step(self, batch: srkit.Batch, learner: srkit.Learner) -> Mapping[str, Tensor]:
        """The generator's update, if it is its turn, then the discriminator's on the same output."""
        lq, number = inputs_of(batch), learner.iteration + 1
        output = learner[GENERATOR](lq)
        told: dict[str, Tensor] = {}
        if number % self._options.net_d_iters == 0 and number > self._options.net_d_init_iters:
            total, told = self._objective(output, batch, averaged(self._objective, lq, learner))
            with learner.frozen(DISCRIMINATOR) as judge:
                deceived = self._weight * self._adversarial.generator(judge(output))
                learner.update(GENERATOR, total + deceived)
            told["gan"] = deceived.detach()
        return {**told, **self._judge(batch, output.detach(), learner)}

    def _judge(self, batch: srkit.Batch, output: Tensor, learner: srkit.Learner) -> dict[str, Tensor]:
        judge = learner[DISCRIMINATOR]
        target = target_of(batch, sharpened=bool(self._options.sharpened.get("gan")))
        on_real, on_fake = judge(target), judge(output)
        real, fake = self._adversarial.real(on_real), self._adversarial.fake(on_fake)
        told = {"d_real": real, "d_fake": fake, "out_d_real": on_real.mean(), "out_d_fake": on_fake.mean()}
        loss = real + fake
        for name, options in self._penalties.items():
            if learner.iteration % options.every == 0:
                value = r1(judge, target) if name == "r1" else gradient_penalty(judge, target, output)
                loss = loss + options.weight * options.every * value
                told[name] = value
        learner.update(DISCRIMINATOR, loss)
        return {name: value.detach() for name, value in told.items()}


def _part(record: type[Any], given: Any, name: str) -> Any:
    """A part of the options; errors name it."""
    if given is not None and not isinstance(given, Mapping):
        raise srkit.SettingsError(
            f"{name}={given!r}; expected a mapping of {', '.join(f.name for f in attrs.fields(record))}"
        )
    try:
        return filled(record, given or {})
    except srkit.SettingsError as error:
        raise srkit.SettingsError(f"{name}: {error}") from error
