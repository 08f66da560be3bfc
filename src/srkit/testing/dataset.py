"""What a data set must keep to: batches that follow from the seed and the position alone."""

from __future__ import annotations

import contextlib
import io
import itertools
import logging
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..batches import Batch, Feed
from ..errors import ContractError, DatasetError
from ..protocols import BatchStream, Dataset
from .contract import require
from .surroundings import random_states

BATCHES = 6
"""Batches that are compared, of 4 pictures each: more than an epoch of a small sample."""
PATIENCE = 200
"""Batches within which every file of a small sample must have been tried."""
_FEED = Feed(batch_size=4, seed=5)


@contextlib.contextmanager
def _opened(dataset: Dataset, *, bad: int = 0) -> Iterator[Callable[..., BatchStream]]:
    """A function that opens the sample, with what of the feed is to differ; all streams are closed in the end."""
    from attrs import evolve

    with tempfile.TemporaryDirectory(prefix="srkit-") as folder, contextlib.ExitStack() as stack:
        config = dataset.sample(Path(folder), bad=bad)

        def open_(**changes: Any) -> BatchStream:
            stream = dataset.open(config, evolve(_FEED, **changes))
            stack.callback(stream.close)
            return stream

        yield open_


def _taken(stream: BatchStream, count: int = BATCHES) -> list[Batch]:
    return list(itertools.islice(stream, count))


def _equal(one: list[Batch], other: list[Batch]) -> bool:
    def same(a: Tensor | None, b: Tensor | None) -> bool:
        return (a is None) == (b is None) and (a is None or b is None or torch.equal(a, b))

    return len(one) == len(other) and all(
        same(a.gt, b.gt) and same(a.lq, b.lq) and same(a.gt_usm, b.gt_usm) and a.names == b.names
        for a, b in zip(one, other, strict=True)
    )


def _is_picture(planes: object, batch_size: int) -> bool:
    return (
        isinstance(planes, Tensor)
        and planes.dtype is torch.float32
        and planes.ndim == 4
        and planes.shape[:2] == (batch_size, 3)
        and bool(planes.isfinite().all())
        and 0 <= float(planes.min()) <= float(planes.max()) <= 1
    )


def gives_pictures(dataset: Dataset) -> None:
    """Batches are (B, 3, H, W) float32 in [0, 1], all of one size, the inputs smaller by a whole number, with B names."""
    with _opened(dataset) as open_:
        batches = _taken(open_())
    for batch in batches:
        require(isinstance(batch, Batch), f"it gave {type(batch).__name__}; give srkit.Batch")
        require(_is_picture(batch.gt, 4), f"gt is {_told(batch.gt)}; expected (4, 3, H, W) float32 in [0, 1]")
        require(len(batch.names) == 4, f"there are {len(batch.names)} names for 4 pictures")
        require(batch.gt.shape == batches[0].gt.shape, "batches differ in size; crop to one")
        require(
            batch.gt_usm is None or (_is_picture(batch.gt_usm, 4) and batch.gt_usm.shape == batch.gt.shape),
            f"gt_usm is {_told(batch.gt_usm)}; expected {tuple(batch.gt.shape)} float32 in [0, 1], as gt",
        )
        if batch.lq is not None:
            require(_is_picture(batch.lq, 4), f"lq is {_told(batch.lq)}; expected (4, 3, h, w) float32 in [0, 1]")
            height, width = batch.lq.shape[2:]
            scale = batch.gt.shape[2] // height
            require(
                batch.gt.shape[2:] == (height * scale, width * scale),
                f"gt of {tuple(batch.gt.shape[2:])} is no multiple of lq of {(height, width)}",
            )


def _told(planes: object) -> str:
    if not isinstance(planes, Tensor):
        return type(planes).__name__
    return f"{tuple(planes.shape)} {planes.dtype} in [{float(planes.min()):g}, {float(planes.max()):g}]"


def follows_the_seed(dataset: Dataset) -> None:
    """The same seed gives the same batches to the bit; another seed gives others."""
    with _opened(dataset) as open_:
        one, same, other = (_taken(open_(seed=seed)) for seed in (5, 5, 6))
    require(_equal(one, same), "the same seed gave other batches the second time; draw only from what the seed tells")
    require(not _equal(one, other), "another seed gave the same batches")


def workers_change_nothing(dataset: Dataset) -> None:
    """Without workers, with one and with two, the batches are the same to the bit."""
    with _opened(dataset) as open_:
        expected = _taken(open_())
        for workers in (1, 2):
            require(
                _equal(_taken(open_(workers=workers)), expected),
                f"{workers} workers gave other batches than none; draw by the item's number, not from a running generator",
            )


def goes_on_where_it_was(dataset: Dataset) -> None:
    """A stream with the saved state of another goes on as that one would have, whatever the number of workers."""
    with _opened(dataset) as open_:
        expected = _taken(open_())
        for taken, before, after in ((0, 0, 0), (2, 0, 1), (3, 1, 0)):
            stream = open_(workers=before)
            _taken(stream, taken)
            file = io.BytesIO()
            torch.save(stream.state_dict(), file)
            _taken(stream, 1)
            file.seek(0)
            restored = open_(workers=after)
            restored.load_state_dict(torch.load(file, weights_only=True))
            require(
                _equal(_taken(restored, BATCHES - taken), expected[taken:]),
                f"restored after {taken} batches, it went on otherwise; keep position, pools and random numbers in the state",
            )


def ranks_differ(dataset: Dataset) -> None:
    """Two processes of a group are given different pictures of the same order."""
    with _opened(dataset) as open_:
        first, second = (_taken(open_(rank=rank, world_size=2)) for rank in (0, 1))
    require(not _equal(first, second), "ranks 0 and 1 were given the same batches; use Feed.rank and Feed.world_size")


def leaves_out_bad_files(dataset: Dataset) -> None:
    """A bad file is told in ``bad`` and left out; beyond the limit it is a DatasetError."""
    with _quiet(), _opened(dataset, bad=1) as open_:
        stream = open_(bad_limit=1)
        for batch in itertools.islice(stream, PATIENCE):
            require(len(batch.names) == 4, "a batch with a bad file is not full; take another picture instead")
            if stream.bad:
                break
        require(len(stream.bad) == 1, f"of one bad file, bad told {dict(stream.bad)}")
        strict = open_(bad_limit=0)
        try:
            _taken(strict, PATIENCE)
        except DatasetError:
            return
    raise ContractError("bad_limit=0 and a bad file raised nothing; raise srkit.DatasetError", "leaves_out_bad_files")


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Bad files are what is wanted here, so nothing is logged of them."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(before)


def leaves_other_numbers_alone(dataset: Dataset) -> None:
    """The global random generators are neither read nor moved."""
    with _opened(dataset) as open_:
        before = random_states()
        one = _taken(open_(workers=1), 2)
        require(random_states() == before, "a global random generator moved; draw from one of your own")
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(99)
            other = _taken(open_(), 2)
        require(_equal(one, other), "batches depend on torch's global random generator; draw from one of your own")


DATASET_CHECKS = (
    gives_pictures,
    follows_the_seed,
    workers_change_nothing,
    goes_on_where_it_was,
    ranks_differ,
    leaves_out_bad_files,
    leaves_other_numbers_alone,
)
