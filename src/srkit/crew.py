"""Small pictures side by side on a processor: a thread for each, with its share of the cores.

One small picture keeps many cores busy badly: after each layer all wait for the last. Pictures do not wait for each other.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import torch

T = TypeVar("T")
R = TypeVar("R")

_MOST = 4
"""Threads: each holds what its picture needs."""


def side_by_side(function: Callable[[T], R], items: Iterable[T]) -> list[R]:
    """``[function(item) for item in items]``, some at a time, each with its share of torch's threads."""
    total = torch.get_num_threads()
    return list(_crew(total).map(function, items)) if total > 1 else [function(item) for item in items]


@functools.lru_cache(1)
def _crew(total: int) -> ThreadPoolExecutor:
    count = min(total, _MOST)
    pool = ThreadPoolExecutor(count, "srkit-crew", functools.partial(torch.set_num_threads, total // count))
    together = threading.Barrier(count)
    list(pool.map(lambda _: together.wait(), range(count)))  # all have begun
    torch.set_num_threads(total)  # what one of them set, threads that begin later would take for theirs
    return pool
