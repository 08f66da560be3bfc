"""Numbers and orders told by the seed and a position."""

from __future__ import annotations

import pickle

import torch
from hypothesis import given
from hypothesis import strategies as st
from strategies import seeds

from srkit_datasets.draws import Order, draws, torch_draws


@given(st.integers(1, 40), seeds, st.integers(0, 5))
def test_each_epoch_has_every_picture_once(count, seed, epoch):
    """An epoch is a permutation, and looking elsewhere in between does not change it."""
    order = Order(count, seed)
    first = [order[epoch * count + place] for place in range(count)]
    assert sorted(first) == list(range(count))
    for number in range(0, 9 * count, count):
        assert 0 <= order[number] < count
    assert [pickle.loads(pickle.dumps(order))[epoch * count + place] for place in range(count)] == first
    assert [Order(count, seed, shuffle=False)[place] for place in range(count)] == list(range(count))


def test_epochs_and_seeds_differ():
    """Another epoch, and another seed, is another order."""
    one, other = Order(50, 1), Order(50, 2)
    orders = [tuple(order[start + place] for place in range(50)) for order in (one, other) for start in (0, 50)]
    assert len(set(orders)) == 4


def test_positions_have_numbers_of_their_own():
    """No two purposes or positions share their numbers; the same one gives the same."""
    keys = [(seed, purpose, *at) for seed in (0, 1) for purpose in (0, 1) for at in ((0, 0), (0, 1), (1, 0))]
    found = {draws(*key).bytes(16) for key in keys}
    assert len(found) == len(keys)
    drawn = [torch.rand(2, generator=torch_draws(*key)) for key in keys]
    assert len({tuple(numbers.tolist()) for numbers in drawn}) == len(keys)
    assert draws(*keys[3]).bytes(16) == draws(*keys[3]).bytes(16)
    assert torch.equal(torch.rand(2, generator=torch_draws(*keys[3])), drawn[3])
