"""A lock on an open file that ends with the process, where the system has such."""

from __future__ import annotations

import contextlib
import sys

if sys.platform != "win32":
    import fcntl


class Held(Exception):
    """Another process has the lock."""


def lock(handle: int) -> None:
    """Lock the open file ``handle``; raises Held. On Windows, and on file systems without locks, does nothing."""
    if sys.platform == "win32":
        return
    with contextlib.suppress(OSError):
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise Held from error
