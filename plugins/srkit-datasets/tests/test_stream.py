"""Batches that follow from the seed and the position alone."""

from __future__ import annotations

import io
import itertools
import logging
import multiprocessing
import os
import pickle
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import srkit
from srkit_datasets import PictureError, TooManyBadPictures, open_pictures
from srkit_datasets.packing import pack_lmdb, pack_tar
from srkit_datasets.paired import dataset as paired
from srkit_datasets.reader import Reader
from srkit_datasets.realesrgan import dataset, shrink
from srkit_datasets.stream import Finish, Stream, _begin_work

CONFIG = {"degradation": shrink, "crop": 32, "gt_size": 16, "pool": 12}


def opened(folder, *, config=None, **feed):
    """A stream of the pictures in a folder."""
    return dataset.open(
        {"targets": folder, **CONFIG, **(config or {})}, srkit.Feed(**{"batch_size": 4, "seed": 1, **feed})
    )


def taken(stream, count):
    """So many batches, as plain lists that compare by every bit."""
    return [
        (batch.names, *(p is not None and p.numpy().tobytes() for p in (batch.gt, batch.lq, batch.gt_usm)))
        for batch in itertools.islice(stream, count)
    ]


def saved(stream):
    """The state, through a file that is read without executing anything."""
    file = io.BytesIO()
    torch.save(stream.state_dict(), file)
    file.seek(0)
    return torch.load(file, weights_only=True)


@pytest.fixture
def places(folder, tmp_path):
    """The same pictures as a folder, LMDB and tar shards."""
    pytest.importorskip("lmdb")
    pack_lmdb(open_pictures(folder), tmp_path / "a.lmdb", threads=1, restart=False)
    pack_tar(open_pictures(folder), tmp_path / "shards", per_shard=3, threads=1, restart=False)
    return [str(folder), str(tmp_path / "a.lmdb"), f"{tmp_path}/shards/*.tar"]


def test_workers_and_storage_change_nothing(places):
    """With 0, 1 and 4 workers, from folder, LMDB and shards, every batch is the same to the bit, over epochs and pool."""
    expected = taken(opened(places[0]), 10)
    for place, workers in ((places[0], 1), (places[0], 4), (places[1], 0), (places[1], 4), (places[2], 4)):
        stream = opened(place, workers=workers)
        assert taken(stream, 10) == expected
        stream.close()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25)
@given(stops=st.lists(st.integers(0, 5), max_size=4), pool=st.sampled_from([0, 4, 12]))
def test_stopping_anywhere_changes_nothing(folder, stops, pool):
    """However often it is stopped and restored, in whatever batch of whatever epoch, the stream is the uninterrupted one."""
    config = {"pool": pool}
    total = sum(stops) + 3
    stream, found = opened(folder, config=config), []
    for count in stops:
        found += taken(stream, count)
        state = saved(stream)
        taken(stream, 1)  # what is done after the state was taken must not be in it
        stream = opened(folder, config=config)
        stream.load_state_dict(state)
    found += taken(stream, total - len(found))
    assert found == taken(opened(folder, config=config), total)


@pytest.mark.parametrize(("before", "after"), [(4, 0), (0, 1), (1, 4)])
def test_stopping_with_workers_changes_nothing(folder, before, after):
    """What workers had read ahead when the state was taken makes no difference, nor does their number."""
    expected = taken(opened(folder), 9)
    with_workers = opened(folder, workers=before)
    found = taken(with_workers, 5)
    state = saved(with_workers)
    with_workers.close()
    restored = opened(folder, workers=after)
    restored.load_state_dict(state)
    assert found + taken(restored, 4) == expected
    restored.load_state_dict(state)  # back again, in a stream that was already on its way
    assert taken(restored, 4) == expected[5:]
    restored.close()


def test_degrading_in_workers_changes_nothing_but_the_place(folder):
    """Pairs made by 0, 1 or 4 workers are the same to the bit, and go on exactly from a state that any of them left."""
    config = {"degrade_in_workers": True}
    expected = taken(opened(folder, config=config), 8)
    assert expected == taken(opened(folder), 8)
    for workers in (1, 4):
        stream = opened(folder, config=config, workers=workers)
        assert taken(stream, 5) == expected[:5]
        restored = opened(folder, config=config)
        restored.load_state_dict(saved(stream))
        stream.close()
        assert taken(restored, 3) == expected[5:]
    stream = opened(folder, config={**config, "degradation": wrong}, workers=1)
    with pytest.raises(srkit.SettingsError, match="the degradation made"):
        next(stream)
    stream.close()


@pytest.mark.parametrize("sharpen", [False, True])
@pytest.mark.parametrize("in_workers", [False, True])
def test_recipes_make_the_same_with_any_workers(folder, in_workers, sharpen):
    """Real-ESRGAN's degradation, by its name, gives the same bits with 0, 1 and 4 workers, and after a restart."""
    config = {"degradation": "second-order", "sharpen": sharpen, "degrade_in_workers": in_workers}
    expected = taken(opened(folder, config={**config, "degrade_in_workers": False}), 6)
    for workers in (0, 1, 4):
        stream = opened(folder, config=config, workers=workers)
        assert taken(stream, 4) == expected[:4]
        restored = opened(folder, config=config, workers=1 - min(workers, 1))
        restored.load_state_dict(saved(stream))
        stream.close()
        assert taken(restored, 2) == expected[4:]
        restored.close()


def test_workers_start_after_opencv_used_threads(folder):
    """A program whose OpenCV has threads already can fork workers, which do not wait for them."""
    program = (
        "import sys, cv2, numpy, srkit\n"
        "from srkit_datasets.realesrgan import dataset\n"
        "cv2.setNumThreads(4)\n"
        "cv2.GaussianBlur(numpy.zeros((2000, 2000, 3), numpy.float32), (31, 31), 0)\n"
        "stream = dataset.open({'targets': sys.argv[1], 'crop': 32}, srkit.Feed(batch_size=2, workers=1))\n"
        "print(len(next(stream).names))\n"
        "stream.close()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, folder], capture_output=True, text=True, check=False, timeout=120
    )
    assert (done.stdout, done.returncode) == ("2\n", 0), done.stderr


def wrong(images, rng):
    """A degradation of another scale."""
    return images


@pytest.mark.parametrize("world_size", [2, 3])
def test_ranks_together_give_what_one_would(folder, world_size):
    """The batches of all ranks, side by side, are those of one process with the larger batch."""
    config = {"pool": 0}
    whole = opened(folder, config=config, batch_size=2 * world_size)
    ranks = [opened(folder, config=config, batch_size=2, rank=r, world_size=world_size) for r in range(world_size)]
    for _ in range(8):
        expected, parts = next(whole), [next(rank) for rank in ranks]
        assert sum((part.names for part in parts), ()) == expected.names
        assert torch.equal(torch.cat([part.gt for part in parts]), expected.gt)
    assert {stream.epoch for stream in (whole, *ranks)} == {8 * 2 * world_size / 7}


def test_batches_of_another_size_go_on_with_the_next_picture(folder):
    """A state may be taken up by another number of processes with batches of another size: no picture is lost or doubled."""
    config = {"pool": 0, "degradation": None}
    expected = [name for names, *_ in taken(opened(folder, config=config, batch_size=1), 14) for name in names]
    stream = opened(folder, config=config, batch_size=2)
    found = [name for names, *_ in taken(stream, 3) for name in names]
    ranks = [opened(folder, config=config, batch_size=4, rank=rank, world_size=2) for rank in (0, 1)]
    for rank in ranks:
        rank.load_state_dict(saved(stream))
        found += next(rank).names
    assert found == expected


def test_an_epoch_has_every_picture_once(folder):
    """Seven pictures in batches of four: after seven batches each was there four times, and no batch was short."""
    names = [name for batch in itertools.islice(opened(folder, config={"pool": 0}), 7) for name in batch.names]
    assert len(names) == 28
    for epoch in range(4):
        assert len(set(names[7 * epoch : 7 * epoch + 7])) == 7
    stream = opened(folder, config={"shuffle": False, "pool": 0})
    assert next(stream).names == tuple(open_pictures(folder).names[:4])
    assert stream.epoch == 4 / 7


def test_bad_files_are_left_out(folder, caplog):
    """A bad file is logged once, kept in ``bad``, replaced by another picture; the same with workers and after a restart."""
    bad = folder / "03 ü.png"
    bad.write_bytes(bad.read_bytes()[:-300])
    with caplog.at_level(logging.WARNING, "srkit_datasets"):
        stream = opened(folder, bad_limit=1)
        expected = taken(stream, 10)
    assert [record.getMessage() for record in caplog.records] == [f"left out: {bad}: {stream.bad[str(bad)]}"]
    assert not [name for names, *_ in expected for name in names if name.startswith("03")]
    with_workers = opened(folder, bad_limit=1, workers=2)
    assert taken(with_workers, 5) == expected[:5]
    restored = opened(folder, bad_limit=1)
    restored.load_state_dict(saved(with_workers))
    with_workers.close()
    assert restored.bad == stream.bad
    assert taken(restored, 5) == expected[5:]


@pytest.mark.parametrize("workers", [0, 1])
def test_too_many_bad_files_end_it(folder, workers):
    """One more bad file than allowed is an error that carries them all and names the last."""
    for number in (1, 2, 3):
        (folder / f"{number:02d} ü.png").write_bytes(b"")
    stream = opened(folder, bad_limit=2, workers=workers)
    with pytest.raises(
        TooManyBadPictures, match="3 pictures cannot be used, and 2 may be bad; the last is .*file is empty"
    ) as caught:
        taken(stream, 50)
    assert len(caught.value.bad) == 3
    with pytest.raises(TooManyBadPictures):  # asked again, it says so again
        next(stream)
    assert isinstance(caught.value, srkit.DatasetError)
    stream.close()


def test_only_bad_files(folder):
    """Where nothing can be read, that is an error and no endless search."""
    for path in folder.rglob("*.png"):
        path.write_bytes(b"")
    with pytest.raises(srkit.DatasetError, match="none of the 7 pictures can be used"):
        next(opened(folder))


def test_a_pool_of_pairs_without_sharpened_targets_is_refused(folder):
    """A state whose pool holds no sharpened targets cannot go on with them, which the first batch tells."""
    stream = opened(folder)
    taken(stream, 1)
    restored = opened(folder, config={"sharpen": True})
    restored.load_state_dict(saved(stream))
    with pytest.raises(srkit.SettingsError, match="use the same sharpen"):
        next(restored)


def test_states_of_others_are_refused(folder):
    """A state of other pictures, or of another seed, is an error, since it could not go on as it was."""
    state = saved(opened(folder))
    with pytest.raises(srkit.DatasetError, match="other seed: 1 then, 2 now"):
        opened(folder, seed=2).load_state_dict(state)
    with pytest.raises(srkit.DatasetError, match="other pictures"):
        opened(folder / "sub").load_state_dict(state)


class Failing(Finish):
    """Fails once, as a device that runs out of memory does."""

    failed = False

    def __call__(self, raw):
        if not self.failed:
            self.failed = True
            raise RuntimeError("out of memory")
        return super().__call__(raw)


class Numbers:
    """Pictures that are their number."""

    def __init__(self, count):
        self.names = [str(n) for n in range(count)]

    def item(self, index, rng):
        if index == 99:
            raise PictureError("99", "is bad")
        return (np.full((2, 2, 3), index, np.uint8),)


@pytest.mark.parametrize("workers", [0, 1])
def test_a_batch_that_failed_comes_again(workers):
    """After an error in the middle of a batch, the stream goes on with that very batch."""
    feed = srkit.Feed(batch_size=3, workers=workers)
    stream = Stream(Numbers(20), feed, Failing(feed))
    with pytest.raises(RuntimeError, match="out of memory"):
        next(stream)
    assert taken(stream, 4) == taken(Stream(Numbers(20), feed, Finish(feed)), 4)
    stream.close()


def test_what_workers_get_can_be_pickled(places, pairs):
    """Readers can be sent to processes that were not forked."""
    streams = [opened(place) for place in places]
    streams.append(paired.open({"gt": str(pairs[0]), "lq": str(pairs[1]), "gt_size": 16}, srkit.Feed(batch_size=2)))
    for stream in streams:
        there = pickle.loads(pickle.dumps(stream._reader))
        assert isinstance(there, Reader)
        assert all(torch.equal(a, b) for a, b in zip(there[4].tensors, stream._reader[4].tensors, strict=True))


def test_values_are_those_of_the_file():
    """8-bit values are given as n / 255 exactly, channels first."""
    feed = srkit.Feed(batch_size=2)
    batch = next(Stream(Numbers(200), feed, Finish(feed), shuffle=False))
    assert batch.lq is None
    assert torch.equal(batch.gt, (torch.tensor([0.0, 1.0]) / 255).reshape(2, 1, 1, 1).expand(2, 3, 2, 2))


PROGRAM = """
import sys, time
import srkit
from srkit_datasets.realesrgan import dataset, shrink
if __name__ == "__main__":
    stream = dataset.open(
        {"targets": sys.argv[1], "degradation": shrink, "crop": 32, "gt_size": 16, "pool": 0},
        srkit.Feed(batch_size=4, workers=2),
    )
    next(stream)
    try:
        print("going", *[worker.pid for worker in stream._batches._workers], flush=True)
        for batch in stream:
            time.sleep(float(sys.argv[2]))
    except KeyboardInterrupt:
        print("interrupted", flush=True)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="signals to groups of processes")
@pytest.mark.parametrize(("number", "pause"), [(signal.SIGINT, 0), (signal.SIGINT, 60), (signal.SIGKILL, 0)])
def test_workers_end_with_their_program(folder, tmp_path, number, pause):
    """Ctrl-C, which reaches all processes of a terminal, ends the workers without a word; so does the end of the program.

    Whether it waits for a batch then, or is at work with one.
    """
    (tmp_path / "program.py").write_text(textwrap.dedent(PROGRAM))
    program = subprocess.Popen(
        [sys.executable, tmp_path / "program.py", folder, str(pause)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    workers = [int(pid) for pid in program.stdout.readline().split()[1:]]
    assert len(workers) == 2
    if number == signal.SIGINT:
        os.killpg(program.pid, number)
    else:
        program.kill()
    out, err = program.communicate()
    if number == signal.SIGINT:
        assert (out, err, program.returncode) == ("interrupted\n", "", 0)
    while any(_is_running(pid) for pid in workers):
        time.sleep(0.1)


@pytest.mark.skipif(sys.platform == "win32", reason="there are no masks of signals")
def test_workers_begin_undisturbed(folder, monkeypatch):
    """Ctrl-C between a worker's start and its first words does nothing to it: the signal waits."""
    waits = []
    start = multiprocessing.Process.start

    def started(process):
        waits.append(signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, ()))
        start(process)

    monkeypatch.setattr(multiprocessing.Process, "start", started)
    stream = opened(folder, workers=2)
    next(stream)
    stream.close()
    assert waits == [True, True]
    assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, ())


@pytest.mark.parametrize("gone", [False, True])
def test_a_worker_that_begins_without_its_program_ends(gone):
    """A program killed while its workers begin leaves none behind: they ask who their parent is."""
    worker = multiprocessing.get_context("spawn").Process(target=_begin_work, args=(os.getpid() + gone, 0))
    worker.start()
    worker.join()
    assert worker.exitcode == gone


def _is_running(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    status = Path(f"/proc/{pid}/stat")
    # A process that has ended, but nobody has asked how, is a zombie.
    return not status.exists() or status.read_text().rpartition(")")[2].split()[0] != "Z"
