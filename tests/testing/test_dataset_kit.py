"""The checks of data sets: good ones pass, and every check fails for one that breaks its contract."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

import attrs  # noqa: E402
from torch.nn import functional as F  # noqa: E402

import srkit  # noqa: E402
import srkit.testing  # noqa: E402


class _Numbers:
    """Batches of pictures that are filled with numbers drawn for their position."""

    def __init__(self, data, config, feed):
        self.data, self.config, self.feed, self.taken = data, config, feed, 0
        self.bad = {}

    @property
    def epoch(self):
        return self.taken * self.feed.batch_size / 5

    def __iter__(self):
        return self

    def __next__(self):
        if self.config["bad"] and self.taken:
            self.bad = {"bad.png": "is bad"}
            if not self.feed.bad_limit:
                raise srkit.DatasetError("too many are bad")
        batch = self.data.batch(self)
        self.taken += 1
        return batch

    def state_dict(self):
        return {"taken": self.taken}

    def load_state_dict(self, state):
        self.taken = state["taken"]

    def close(self):
        pass


class GoodData:
    """A small data set that keeps every contract."""

    name = "good-data"
    stream = _Numbers

    def open(self, config, feed):
        return self.stream(self, config, feed)

    def sample(self, folder, *, bad=0):
        return {"bad": bad}

    def batch(self, stream):
        feed = stream.feed
        number = stream.taken * feed.world_size + feed.rank
        rng = torch.Generator().manual_seed(1000 * feed.seed + number)
        gt = self.numbers((feed.batch_size, 3, 8, 8), rng)
        return srkit.Batch(gt=gt, lq=F.avg_pool2d(gt, 4), names=("a.png",) * feed.batch_size)

    def numbers(self, shape, rng):
        return torch.rand(shape, generator=rng)


class _Loud(GoodData):
    def numbers(self, shape, rng):
        return super().numbers(shape, rng) * 255


class _Oversharp(GoodData):
    def batch(self, stream):
        batch = super().batch(stream)
        return attrs.evolve(batch, gt_usm=batch.lq)


class _Global(GoodData):
    def numbers(self, shape, rng):
        return torch.rand(shape)


class _Sticky(GoodData):
    def open(self, config, feed):
        return super().open(config, attrs.evolve(feed, seed=0))


class _Running(GoodData):
    """Numbers go on within a worker, so their number matters."""

    def batch(self, stream):
        return (
            super().batch(stream) if not stream.feed.workers else attrs.evolve(super().batch(stream), names=("b",) * 4)
        )


class _Amnesia(GoodData):
    class stream(_Numbers):
        def state_dict(self):
            return {"taken": 0}


class _Twins(GoodData):
    def open(self, config, feed):
        return super().open(config, attrs.evolve(feed, rank=0))


class _Silent(GoodData):
    def sample(self, folder, *, bad=0):
        return {"bad": 0}


class _Moving(GoodData):
    def numbers(self, shape, rng):
        torch.rand(1)
        return super().numbers(shape, rng)


DATASET_CULPRITS = [
    (_Loud, "gives_pictures", r"gt is \(4, 3, 8, 8\) torch.float32 in"),
    (_Oversharp, "gives_pictures", r"gt_usm is \(4, 3, 2, 2\) torch.float32 .*; expected \(4, 3, 8, 8\)"),
    (_Global, "follows_the_seed", "gave other batches the second time"),
    (_Sticky, "follows_the_seed", "another seed gave the same"),
    (_Running, "workers_change_nothing", "1 workers gave other batches"),
    (_Amnesia, "goes_on_where_it_was", "restored after 2 batches"),
    (_Twins, "ranks_differ", "given the same batches"),
    (_Silent, "leaves_out_bad_files", "of one bad file, bad told {}"),
    (_Moving, "leaves_other_numbers_alone", "a global random generator moved"),
]


@srkit.testing.parametrise(GoodData())
def test_a_good_data_set_passes(check):
    """Nothing is asked beyond the contract."""
    check()


@pytest.mark.parametrize(("culprit", "check", "words"), DATASET_CULPRITS)
def test_every_data_set_check_can_fail(culprit, check, words):
    """A data set that breaks one contract fails the check of that name, which says what to change."""
    failing = {one.name: one for one in srkit.testing.checks_for(culprit())}[check]
    with pytest.raises(srkit.ContractError, match=words) as caught:
        failing()
    assert caught.value.check == check


def test_every_check_has_its_culprit():
    """No check is left without an object that fails it, above."""
    assert {name for _, name, _ in DATASET_CULPRITS} == {c.name for c in srkit.testing.checks_for(GoodData())}


def test_the_whole_of_them():
    """check_dataset runs every check."""
    srkit.testing.check_dataset(GoodData())
    with pytest.raises(srkit.ContractError):
        srkit.testing.check_dataset(_Moving())
