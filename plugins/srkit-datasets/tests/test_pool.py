"""The training pair pool."""

from __future__ import annotations

import io

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from strategies import seeds

import srkit
from srkit_datasets import PairPool
from srkit_datasets.pool import Pairs


def batch(first, count, *, sharpened=True):
    """Pairs that are told apart by their values."""
    values = torch.arange(first, first + count, dtype=torch.int32).reshape(-1, 1, 1, 1)
    gt, lq = values.expand(-1, 3, 4, 4), -values.expand(-1, 3, 1, 1)
    return Pairs(gt, lq, tuple(f"{n}" for n in range(first, first + count)), 2 * gt if sharpened else None)


def numbers(pairs):
    """Their values, which pair and name must have in common."""
    found = pairs.gt[:, 0, 0, 0].tolist()
    assert [-n for n in pairs.lq[:, 0, 0, 0].tolist()] == found
    assert [n // 2 for n in pairs.gt_usm[:, 0, 0, 0].tolist()] == found
    assert [int(name) for name in pairs.names] == found
    return found


@given(st.integers(1, 5), st.integers(1, 5), st.integers(1, 30), seeds)
def test_every_pair_is_given_or_kept_once(count, times, steps, seed):
    """While it fills, what comes is given back; from then on each pair that comes is given at most once more, whole."""
    pool = PairPool(count * times, count)
    rng = np.random.default_rng(seed)
    given_out = []
    for step in range(steps):
        out = numbers(pool.swap(batch(step * count, count), rng))
        assert len(set(out)) == count
        if step < times:
            assert out == list(range(step * count, (step + 1) * count))
        else:
            given_out += out
    assert len(given_out) == len(set(given_out))
    assert len(pool) == min(steps, times) * count
    kept = numbers(Pairs(**pool.state_dict())) if len(pool) else []
    assert sorted(given_out + kept) == list(range(steps * count))


@given(st.integers(0, 12), seeds)
def test_state_round_trip(steps, seed):
    """A pool with the state of another gives what that one gives, and what is done with one does not touch the other."""
    pool = PairPool(12, 3)
    for step in range(steps):
        pool.swap(batch(3 * step, 3), np.random.default_rng((seed, step)))
    file = io.BytesIO()
    torch.save(pool.state_dict(), file)
    file.seek(0)
    restored = PairPool(12, 3)
    restored.load_state_dict(torch.load(file, weights_only=True), torch.device("cpu"))
    for step in range(steps, steps + 6):
        outs = [numbers(p.swap(batch(3 * step, 3), np.random.default_rng((seed, step)))) for p in (pool, restored)]
        assert outs[0] == outs[1]


def test_old_pairs_are_not_kept_for_ever():
    """Each place is as likely as any other: how long a pair stays is geometric, on average size / batch steps."""
    pool, rng = PairPool(20, 4), np.random.default_rng(0)
    ages = []
    for step in range(3000):
        out = numbers(pool.swap(batch(4 * step, 4), rng))
        ages += [step - n // 4 for n in out] if step >= 5 else []
    assert 4.8 < np.mean(ages) < 5.2


def test_sizes_that_do_not_fit():
    """A pool that no whole number of batches fills is refused, with those that do; so is a larger state."""
    with pytest.raises(srkit.SettingsError, match="choose 176 or 192"):
        PairPool(180, 16)
    with pytest.raises(srkit.SettingsError, match="choose 200"):
        PairPool(180, 200)
    pool = PairPool(8, 4)
    pool.swap(batch(0, 4), np.random.default_rng(0))
    with pytest.raises(srkit.SettingsError, match="use the same size"):
        PairPool(2, 2).load_state_dict(pool.state_dict(), torch.device("cpu"))
    with pytest.raises(
        srkit.SettingsError, match="holds gt, lq, gt_usm of each pair, and gt, lq came; use the same sharpen"
    ):
        pool.swap(batch(0, 4, sharpened=False), np.random.default_rng(0))
    with pytest.raises(srkit.SettingsError, match="does not fit the 4 places left"):
        pool.swap(batch(0, 5), np.random.default_rng(0))
