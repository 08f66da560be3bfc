"""Network interpolation, tensor by tensor."""

# ruff: noqa: E402 -- where torch is not installed this file is skipped before it imports it

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from hypothesis import given
from hypothesis import strategies as st

from srkit.errors import MismatchedWeights, SettingsError
from srkit.weights.mix import mix


def network(seed):
    """Tensors of a small network, with a counter that is no weight."""
    noise = torch.Generator().manual_seed(seed)
    return {
        "conv.weight": torch.randn(4, 3, 3, 3, generator=noise),
        "conv.bias": torch.randn(4, generator=noise),
        "norm.count": torch.tensor(seed),
    }


@given(shares=st.lists(st.floats(0, 1), min_size=1, max_size=3))
def test_arithmetic(shares):
    """The mixture is the weighted sum of every tensor, to float32's rounding; what is no weight is the first network's."""
    shares = [*shares, 1 - sum(shares)]
    parts = [(f"n{seed}", network(seed), share) for seed, share in enumerate(shares)]
    mixed = mix(parts)
    assert mixed.keys() == network(0).keys()
    for key in ("conv.weight", "conv.bias"):
        exact = sum(tensors[key].double() * share for _, tensors, share in parts)
        assert mixed[key].dtype == torch.float32
        torch.testing.assert_close(mixed[key].double(), exact, rtol=1e-6, atol=1e-5)
    assert mixed["norm.count"] == 0


def test_one_share_of_all():
    """The share 1, alone or beside 0, gives the network bit for bit."""
    for parts in ([("a", network(1), 1)], [("a", network(1), 1.0), ("b", network(2), 0.0)]):
        for key, tensor in mix(parts).items():
            assert torch.equal(tensor, network(1)[key])


def test_inputs_are_not_modified():
    """The networks that were mixed stay as they were."""
    first, second = network(1), network(2)
    mixed = mix([("a", first, 0.25), ("b", second, 0.75)])
    for tensor in mixed.values():
        tensor.zero_() if tensor.is_floating_point() else None
    for tensors, seed in ((first, 1), (second, 2)):
        for key, tensor in network(seed).items():
            assert torch.equal(tensors[key], tensor)


def test_order_of_tensors():
    """Tensors are matched by name, not by place."""
    reversed_ = dict(reversed(network(2).items()))
    mixed = mix([("a", network(1), 0.5), ("b", reversed_, 0.5)])
    plain = mix([("a", network(1), 0.5), ("b", network(2), 0.5)])
    assert all(torch.equal(mixed[key], plain[key]) for key in plain)


def test_equal_names():
    """Files of one name in two folders are two networks."""
    mixed = mix([("net", network(1), 0.5), ("net", network(2), 0.5)])
    assert torch.equal(mixed["conv.bias"], network(1)["conv.bias"] * 0.5 + network(2)["conv.bias"] * 0.5)


@pytest.mark.parametrize(
    ("shares", "told"),
    [
        ((0.5, 0.6), r"sum to 1, but these sum to 1\.1: a: 0\.5, b: 0\.6"),
        ((0.5, 0.499), "sum to 1"),
        ((float("nan"), 0.5), "must be numbers; got a: nan, b: 0.5"),
        ((float("inf"), float("-inf")), "must be numbers"),
        (("0.5", 0.5), "must be numbers"),
        ((None, 1), "must be numbers"),
        ((), "name at least one"),
    ],
)
def test_shares(shares, told):
    """Shares must be numbers that sum to 1; the error lists them."""
    with pytest.raises(SettingsError, match=told):
        mix([(name, network(seed), share) for seed, (name, share) in enumerate(zip("ab", shares, strict=False))])


def test_rounding_of_shares():
    """Shares written as decimals need not sum to exactly 1."""
    assert sum([0.1] * 10) != 1
    mix([(f"n{n}", network(n), 0.1) for n in range(10)])


other_shape = {**network(2), "conv.bias": torch.zeros(5)}
one_more = {**network(2), "extra.weight": torch.zeros(1)}
one_less = {key: tensor for key, tensor in network(2).items() if key != "conv.weight"}


@pytest.mark.parametrize(
    ("second", "told"),
    [
        (other_shape, r"conv.bias is \(4,\) against \(5,\)"),
        (one_more, r"extra.weight is none against \(1,\)"),
        (one_less, r"conv.weight is \(4, 3, 3, 3\) against none"),
    ],
)
def test_different_networks(second, told):
    """Networks that differ are refused with both names and the first tensor that differs, wherever they stand."""
    with pytest.raises(MismatchedWeights, match=f"^photo.pth and anime.pth are different.*{told}"):
        mix([("photo.pth", network(1), 0.5), ("anime.pth", second, 0.5)])
    with pytest.raises(MismatchedWeights, match="^photo.pth and anime.pth"):
        mix([("photo.pth", network(1), 0.3), ("like.pth", network(3), 0.3), ("anime.pth", second, 0.4)])
