"""srkit_io.flow and srkit_io.part: bounded queues, encoders that fail, files that appear whole."""

from __future__ import annotations

import contextlib
import os
import threading
from pathlib import Path

import numpy as np
import pytest

from srkit_io import ImageFileError
from srkit_io.flow import ByteQueue, Drain, Stopped
from srkit_io.part import whole


def test_a_queue_holds_no_more_than_its_bytes():
    """put waits while the bytes do not fit; an item larger than the limit passes alone."""
    queue: ByteQueue[int] = ByteQueue(limit=10)
    most = 0

    def fill():
        for item in range(50):
            queue.put(item, 4 if item % 7 else 40)

    thread = threading.Thread(target=fill)
    thread.start()
    for item in range(50):
        most = max(most, queue._held)
        assert queue.get() == item
    thread.join()
    assert most <= 40
    assert queue.empty


def test_a_stopped_queue_wakes_whoever_waits():
    """stop ends a get and a put that wait, and all later ones."""
    queue: ByteQueue[int] = ByteQueue(limit=1)
    ended = []

    def wait():
        try:
            queue.get()
        except Stopped:
            ended.append(True)

    thread = threading.Thread(target=wait)
    thread.start()
    queue.stop()
    thread.join()
    assert ended == [True]
    with pytest.raises(Stopped):
        queue.put(1, 1)


def test_what_an_encoder_raises_reaches_the_feeder():
    """A consumer that fails midway is told by put or by finish, and nobody waits for ever."""

    def consume(strips):
        next(strips)
        raise OSError("no space left")

    def feed():
        for _ in range(100):
            drain.put(np.zeros(2**20, np.uint8))

    drain = Drain(consume)
    with pytest.raises(OSError, match="no space left"):
        feed()
    with pytest.raises(OSError, match="no space left"):
        drain.finish()


def _write_half(path, error):
    """Begin a file and end with an exception; where its part was."""
    with contextlib.suppress(error), whole(path) as part:
        part.write_text("half")
        raise error
    return part


def test_a_file_appears_whole_or_not_at_all(tmp_path):
    """After an exception neither the file nor its part is there; an older file stays."""
    path = tmp_path / "a.png"
    path.write_text("old")
    _write_half(path, RuntimeError)
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.png"]
    assert path.read_text() == "old"
    with whole(path) as part:
        part.write_text("new")
        assert path.read_text() == "old"
    assert path.read_text() == "new"


def test_what_a_killed_process_left_is_taken_over(tmp_path):
    """The part of a file that nobody writes any more is begun anew by who next writes that file."""
    path = tmp_path / "a.png"
    left = _write_half(path, KeyboardInterrupt)
    left.write_text("left behind, longer than what comes")
    with whole(path) as part:
        assert part == left
        part.open("r+").close()
        assert part.read_text() == ""
        part.write_text("new")
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.png"]


def test_two_writers_of_one_file(tmp_path):
    """While a file is being written, another writer of it is refused, and does not disturb the first."""
    path = tmp_path / "a.png"
    with whole(path) as part:
        part.write_text("first")
        with pytest.raises(ImageFileError, match="just being written by another process"), whole(path):
            pass
    assert path.read_text() == "first"


@pytest.mark.skipif(os.geteuid() == 0 if hasattr(os, "geteuid") else True, reason="root may write everywhere")
def test_a_folder_that_may_not_be_written(tmp_path):
    """A read-only folder is an error of the file."""
    tmp_path.chmod(0o500)
    with pytest.raises(ImageFileError, match="cannot be written: Permission denied"), whole(tmp_path / "a.png"):
        pass


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no device that is always full")
@pytest.mark.parametrize("suffix", [".png", ".tif", ".jpg", ".npy"])
def test_a_full_disk(tmp_path, suffix):
    """Where nothing more fits on the disk, the error names the file, and no half of it stays."""
    import resource
    import signal

    import srkit_io

    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        # To a process, a limit of file size is a disk that is full: writing fails, with part of it written.
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, before[1]))
        image = np.random.default_rng(0).integers(0, 256, (300, 300, 3), dtype=np.uint8)
        with pytest.raises(ImageFileError, match=rf"a\{suffix}: cannot be written"):
            srkit_io.write(tmp_path / f"a{suffix}", image)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    assert list(tmp_path.iterdir()) == []


def test_an_encoder_begins_with_its_first_strip():
    """Broken off before it was given anything, it has done nothing, so nothing of it can be left."""
    begun = []
    drain = Drain(lambda strips: begun.append(True))
    drain.abort()
    assert drain.done
    assert begun == []
