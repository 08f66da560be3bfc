"""Runs a compiled function on torch's own threads."""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import torch

Together = Callable[[int, int, int], None]
"""Calls the function at an address with a pointer, on so many threads at once; returns when all have returned."""


def together(address: int, argument: int, threads: int) -> None:
    """Call ``void function(void *argument)``, which shares its work out itself, on ``threads`` threads."""
    if threads == 1:
        _function(address)(argument)
    else:
        _team()(address, argument, threads)


@functools.lru_cache(512)
def _function(address: int) -> Callable[[int], None]:
    return ctypes.CFUNCTYPE(None, ctypes.c_void_p)(address)


@functools.lru_cache(1)
def _team() -> Together:
    try:
        # What torch's parallel loops are compiled to. Threads of our own would compete with torch's, which wait busily.
        call = ctypes.CDLL(torch._C.__file__).GOMP_parallel  # noqa: SLF001 -- the library that torch is linked with
    except (AttributeError, OSError):
        return _with_own_threads
    call.argtypes, call.restype = (ctypes.c_void_p, ctypes.c_void_p, ctypes.c_uint, ctypes.c_uint), None

    def with_openmp(address: int, argument: int, threads: int) -> None:
        call(address, argument, threads, 0)

    return with_openmp


def _with_own_threads(address: int, argument: int, threads: int) -> None:
    others = [_pool(threads).submit(_function(address), argument) for _ in range(threads - 1)]
    _function(address)(argument)
    for other in others:
        other.result()


@functools.lru_cache(1)
def _pool(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads, "srkit-team")
