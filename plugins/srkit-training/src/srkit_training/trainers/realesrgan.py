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
from ..starting import start_network
from .objective import Objective, checked_weight, inputs_of, make_loss, target_of
from .realesrnet import averaged

DISCRIMINATOR = "discriminator"


@attrs.frozen(kw_only=True)
class Options:
    """What the two learn from; the figures are Real-ESRGAN's.

    ``losses`` and ``sharpened``: of the generator against targets, as of ``realesrnet``; ``sharpened`` may name ``gan``, the
    targets that the discriminator sees. ``gan``: ``kind``, the name of a registered adversarial loss, its ``weight`` in what
    the generator learns from, and its options. ``discriminator``: as ``network`` of a configuration. ``penalties``: names of
    registered ones, each with its ``weight`` (10) and options, computed in one of ``every`` (1) updates and as many times as
    strong there. The generator is updated in one of ``net_d_iters`` iterations, not in the first ``net_d_init_iters``; the
    discriminator in each.
    """

    losses: Mapping[str, Any] = attrs.field(factory=lambda: {"l1": {"weight": 1.0}, "perceptual": {"weight": 1.0}})
    gan: Mapping[str, Any] = attrs.field(factory=dict)
    discriminator: Mapping[str, Any] = attrs.field(factory=lambda: {"arch": "unet-discriminator"})
    sharpened: Mapping[str, bool] = attrs.field(factory=dict)
    penalties: Mapping[str, Any] = attrs.field(factory=dict)
    net_d_iters: int = 1
    net_d_init_iters: int = 0

    def __attrs_post_init__(self) -> None:
        check_count(self.net_d_iters, "net_d_iters", 1)
        check_count(self.net_d_init_iters, "net_d_init_iters", 0)


@attrs.frozen
class Slope:
    """A penalty on the discriminator, its weight, and that it is computed in one of ``every`` updates."""

    penalty: srkit.Penalty
    weight: float
    every: int


class RealESRGAN:
    """Wang et al., "Real-ESRGAN", 2021, section 4.1: the second stage."""

    name = "realesrgan"

    def __init__(self, **options: Any) -> None:
        self._options = chosen = filled(Options, options)
        self._objective = Objective(chosen.losses, chosen.sharpened)
        gan = mapping(chosen.gan, "gan")
        self._weight = checked_weight(gan.pop("weight", 0.1), "gan.weight")
        self._adversarial: srkit.AdversarialLoss = make_loss(gan.pop("kind", "vanilla"), "adversarial", gan, "gan")[0]
        self._discriminator = described(chosen.discriminator)
        self._slopes = {name: _slope(name, more) for name, more in mapping(chosen.penalties, "penalties").items()}

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
        for name, slope in self._slopes.items():
            if learner.iteration % slope.every == 0:
                told[name] = slope.penalty(judge, target, output)
                loss = loss + slope.weight * slope.every * told[name]
        learner.update(DISCRIMINATOR, loss)
        return {name: value.detach() for name, value in told.items()}


def _slope(name: str, given: Any) -> Slope:
    options = mapping(given, f"penalties.{name}")
    weight = checked_weight(options.pop("weight", 10.0), f"penalties.{name}.weight")
    every = check_count(options.pop("every", 1), f"penalties.{name}.every", 1)
    return Slope(make_loss(name, "penalty", options, f"penalties.{name}")[0], weight, every)


def described(given: Any) -> NetworkConfig:
    """The discriminator that options describe; raises SettingsError or UnknownName."""
    try:
        network: NetworkConfig = filled(NetworkConfig, mapping(given, "discriminator"))
    except srkit.SettingsError as error:
        raise srkit.SettingsError(f"discriminator: {error}") from error
    plugins.current().architectures.find(network.arch)
    return network


def mapping(given: Any, key: str) -> dict[str, Any]:
    """A copy; nothing is an empty one. Raises SettingsError, naming ``key``, for what is none."""
    if given is not None and not isinstance(given, Mapping):
        raise srkit.SettingsError(f"{key}={given!r}; expected a mapping of its options")
    return dict(given or {})


def check_count(value: Any, key: str, least: int) -> int:
    """Raise SettingsError unless it is a whole number of at least ``least``."""
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise srkit.SettingsError(f"{key}={value!r}; expected a whole number of at least {least}")
    return value
