"""The checks of upsamplers: good ones pass, and every check fails for one that breaks its contract."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

import attrs  # noqa: E402
from torch import nn  # noqa: E402

import srkit  # noqa: E402
import srkit.testing  # noqa: E402
from srkit.whole import WholeImage, upsampler  # noqa: E402


@srkit.testing.parametrise(upsampler)
def test_the_whole_image_upsampler_conforms(check):
    """The reference keeps the contract it is the reference for."""
    check()


class _Approximate:
    """One that wants a halo."""

    name = "approximate"

    def prepare(self, network, settings):
        if settings.halo is None:
            raise srkit.SettingsError("say halo=")
        return WholeImage().prepare(network, attrs.evolve(settings, halo=None))


@srkit.testing.parametrise(_Approximate())
def test_an_upsampler_that_wants_a_halo_is_given_one(check):
    """What only approximates is held to the contract where it is right: with a halo beyond the network's reach."""
    check()


class _Upsampler:
    name = "fake"

    def prepare(self, network, settings):
        return WholeImage().prepare(self.twist(network), settings)

    def twist(self, network):
        return network


class _Blurred(_Upsampler):
    def twist(self, network):
        return nn.Sequential(network, nn.AvgPool2d(3, 1, 1))


class _Tiled(_Upsampler):
    """Each strip by itself, as tiles without overlap are."""

    def prepare(self, network, settings):
        def stream(strips, size):
            for strip in strips:
                yield network(strip)

        return stream


class _NeedsTwo(_Upsampler):
    def prepare(self, network, settings):
        whole = super().prepare(network, settings)

        def stream(strips, size):
            out = torch.cat(list(whole(strips, size)), 2)
            yield out * (min(size) > 1)

        return stream


class _FirstOnly(_Upsampler):
    def prepare(self, network, settings):
        whole = super().prepare(network, settings)

        def stream(strips, size):
            for out in whole(strips, size):
                yield out[:1].expand(len(out), -1, -1, -1)

        return stream


class _OneState(_Upsampler):
    def prepare(self, network, settings):
        rows = []

        def stream(strips, size):
            rows.clear()
            for strip in strips:
                rows.append(strip)
                if sum(r.shape[2] for r in rows) < size[0]:
                    yield strip.new_zeros(strip.shape[0], 3, 0, size[1] * 2)
            yield network(torch.cat(rows, 2).contiguous(memory_format=torch.channels_last))

        return stream


class _Dirty(_Upsampler):
    def prepare(self, network, settings):
        whole = super().prepare(network, settings)

        def stream(strips, size):
            held = list(strips)
            yield from whole(iter([strip.clone() for strip in held]), size)
            for strip in held:
                strip.zero_()

        return stream


UPSAMPLER_CULPRITS = [
    (_Blurred, "equals_the_network"),
    (_Tiled, "strips_make_no_difference"),
    (_NeedsTwo, "takes_every_size"),
    (_FirstOnly, "takes_batches"),
    (_OneState, "keeps_no_trace"),
    (_Dirty, "leaves_its_input_alone"),
]


@pytest.mark.parametrize(("culprit", "check"), UPSAMPLER_CULPRITS)
def test_every_upsampler_check_can_fail(culprit, check):
    """An upsampler that breaks one contract fails the check of that name."""
    failing = {one.name: one for one in srkit.testing.checks_for(culprit())}[check]
    with pytest.raises(srkit.ContractError) as caught:
        failing()
    assert caught.value.check == check


def test_every_check_has_its_culprit():
    """No check is left without an object that fails it, above."""
    assert {name for _, name in UPSAMPLER_CULPRITS} == {c.name for c in srkit.testing.checks_for(upsampler)}


def test_the_whole_of_them():
    """check_upsampler runs every check."""
    srkit.testing.check_upsampler(upsampler)
    with pytest.raises(srkit.ContractError):
        srkit.testing.check_upsampler(_Dirty())
