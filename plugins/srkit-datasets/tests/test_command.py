"""``srkit dataset``."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

import srkit
import srkit_io
from srkit.cli import program
from srkit_datasets import open_pictures, packing
from srkit_datasets.cutting import MultiScale, SubImages, resized
from srkit_datasets.pictures import read
from srkit_datasets.work import in_order

BAD = "bad.png"
COMMANDS = {
    "sub-images": ["sub-images", "{in}", "-o", "{out}", "--crop", "24", "--step", "16"],
    "multi-scale": ["multi-scale", "{in}", "-o", "{out}", "--shortest", "20"],
    "list": ["list", "{in}", "-o", "{out}/list.txt", "--check"],
    "lmdb": ["pack", "{in}", "-o", "{out}/a.lmdb"],
    "tar": ["pack", "{in}", "-o", "{out}", "--per-shard", "3"],
}


def filled(name, folder, out):
    """The words of a command."""
    return ["dataset", *(word.format(**{"in": folder, "out": out}) for word in COMMANDS[name])]


def run(name, folder, out, *more):
    """The result of a command, which has no traceback."""
    result = CliRunner().invoke(program, [*filled(name, folder, out), *more])
    if result.exception is not None and not isinstance(result.exception, SystemExit | srkit.SrkitError):
        raise result.exception
    return result


def tree(root):
    """Name → content of all that is to be seen."""
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in root.rglob("*")
        if path.is_file() and path.suffix not in {".mdb", ".index"} and not path.name.startswith(".")
    }


@pytest.mark.parametrize("name", COMMANDS)
def test_a_bad_file_is_told_and_the_rest_goes_on(folder, tmp_path, name):
    """The bad file is named, everything else is done, the summary counts both, and the exit status is 1."""
    expected = run(name, folder, tmp_path / "expected")
    assert expected.exit_code == 0
    assert "7 done" in expected.output
    (folder / BAD).write_bytes((folder / "00 ü.png").read_bytes()[:-500])
    result = run(name, folder, tmp_path / "out", "-j", "3")
    assert result.exit_code == 1
    assert f"failed: {folder / BAD}: " in result.output
    assert "7 done, 1 failed" in result.output
    if name == "tar":  # which shard a picture is in depends on how many are before it
        shards = [open_pictures(f"{tmp_path / out}/*.tar") for out in ("expected", "out")]
        assert list(shards[0].names) == list(shards[1].names)
    else:
        assert tree(tmp_path / "out") == tree(tmp_path / "expected")
    assert not list(tmp_path.rglob("*.part"))


@pytest.mark.parametrize("name", COMMANDS)
def test_what_is_there_is_left_as_it_is(folder, tmp_path, name):
    """Run again, it does nothing; with --restart all; with other settings or pictures it refuses."""
    out = tmp_path / "out"
    run(name, folder, out)
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*") if path.is_file()}
    again = run(name, folder, out)
    assert again.exit_code == 0
    if name == "list":  # which is quick, and is made anew each time
        return
    assert "7 skipped in" in again.output
    assert {path: path.stat().st_mtime_ns for path in out.rglob("*") if path.is_file()} == before
    assert "7 done in" in run(name, folder, out, "--restart").output
    assert "7 skipped in" in run(name, folder, out).output
    other = {"sub-images": ["--step", "8"], "multi-scale": ["--scale", "0.9"], "lmdb": ["--pattern", "0*"]}
    refused = run(name, folder, out, *other.get(name, ["--per-shard", "2"]))
    assert isinstance(refused.exception, srkit.SettingsError)
    assert "--restart" in str(refused.exception)
    assert "done in" in run(name, folder, out, *other.get(name, ["--per-shard", "2"]), "--restart").output


@pytest.mark.parametrize("name", ["sub-images", "multi-scale"])
def test_changed_pictures_are_done_again(folder, tmp_path, name):
    """A picture that is younger than its results is done again, and so is one of whose results one is missing."""
    run(name, folder, tmp_path)
    later = time.time() + 5
    os.utime(folder / "01 ü.png", (later, later))
    next((tmp_path / "sub").glob("05*")).unlink()
    result = run(name, folder, tmp_path)
    assert "2 done, 5 skipped" in result.output


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
@pytest.mark.parametrize(
    ("name", "number"),
    [
        *((name, signal.SIGINT) for name in COMMANDS if name != "sub-images"),
        *((name, signal.SIGKILL) for name in ("sub-images", "lmdb", "tar")),
    ],
)
def test_an_interrupted_run_goes_on(folder, tmp_path, name, number):
    """Stopped by Ctrl-C or killed, and run again, it ends up as if it had never been stopped."""
    rng = np.random.default_rng(0)
    for i in range(15):
        srkit_io.write(folder / f"{i + 20}.png", rng.integers(0, 256, (90, 90, 3), dtype=np.uint8))
    run(name, folder, tmp_path / "expected")
    out = tmp_path / "out"
    source = "import srkit_datasets.packing as p; p._COMMIT = 1 << 15; from srkit.cli import main; main()"
    command = [sys.executable, "-c", source, *filled(name, folder, out), "-j", "2"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    while process.poll() is None and len([*out.rglob("*")]) < 2:
        time.sleep(0.01)
    process.send_signal(number)
    _, err = process.communicate()
    if number == signal.SIGINT and process.returncode:
        # Before the work began it is click that says so, with its own status.
        assert (process.returncode, "interrupted; " in err, "Aborted!" in err) in {(130, True, False), (1, False, True)}
        assert "Traceback" not in err
    result = run(name, folder, out)
    assert result.exit_code == 0
    assert tree(out) == tree(tmp_path / "expected")
    if name == "lmdb":
        expected, found = (open_pictures(tmp_path / where / "a.lmdb") for where in ("expected", "out"))
        assert [found.data(i) for i in range(22)] == [expected.data(i) for i in range(22)]
    assert not list(tmp_path.rglob("*.part"))


@given(st.integers(1, 400), st.integers(1, 60), st.integers(1, 60), st.integers(0, 30))
def test_squares_cover_an_axis(length, crop, step, least):
    """Squares lie inside, step apart, and leave at most ``least`` pixels over at the far border; none is there twice."""
    starts = SubImages(crop, step, least).starts(length)
    assert starts == sorted(set(starts))
    assert all(start >= 0 and (start + crop <= length or start == 0) for start in starts)
    assert all(b - a <= step for a, b in itertools.pairwise(starts))
    assert length - (starts[-1] + crop) <= least


def test_sub_images_of_real_esrgan():
    """480 and 240 cut 2040×1356 as BasicSR does: 8 columns and 5 rows, the last at the border."""
    recipe = SubImages()
    assert recipe.starts(2040) == [0, 240, 480, 720, 960, 1200, 1440, 1560]
    assert recipe.starts(1356) == [0, 240, 480, 720, 876]
    names = recipe.names((1356, 2040))
    assert (names[0], names[-1], len(names)) == ("_s001", "_s040", 40)


def test_sub_images_are_parts(folder, tmp_path):
    """Each result is the part of its picture that its number tells, in full depth, and sub-folders stay."""
    img = np.random.default_rng(0).integers(0, 65536, (40, 30, 4), dtype=np.uint16)
    srkit_io.write(folder / "sub" / "deep.png", img)
    run("sub-images", folder, tmp_path)
    # 40 rows: at 0 and 16; 30 columns: at 0 and 6.
    for number, (top, left) in enumerate([(0, 0), (0, 6), (16, 0), (16, 6)]):
        found = srkit_io.read(tmp_path / "sub" / f"deep_s{number + 1:03d}.png")
        assert np.array_equal(found, img[top : top + 24, left : left + 24])


def test_copies_of_real_esrgan(tmp_path, photo):
    """Three quarters, half, a third, and 400 along the shorter side, by Lanczos; none larger than its picture."""
    assert MultiScale().sizes((1356, 2040)) == [(1017, 1530), (678, 1020), (452, 680), (400, 601)]
    assert MultiScale().sizes((300, 400)) == [(225, 300), (150, 200), (100, 133)]
    assert MultiScale((0.5,), None).sizes((1, 3)) == [(1, 1)]
    (tmp_path / "in").mkdir()
    srkit_io.write(tmp_path / "in" / "a.png", photo)
    run("multi-scale", tmp_path / "in", tmp_path / "out")
    (expected,) = MultiScale((0.75,), None).results(photo)
    assert np.array_equal(srkit_io.read(tmp_path / "out" / "aT0.png"), expected)
    # Pillow's own of 8 bits clips on the way: beside edges it is off, on the whole it is not.
    pillow = np.asarray(Image.fromarray(photo).resize((192, 192), Image.Resampling.LANCZOS))
    assert np.abs(expected.astype(int) - pillow).mean() < 0.2
    assert srkit_io.read(tmp_path / "out" / "aT3.png").shape == (20, 20, 3)


def test_deep_pictures_are_scaled_in_their_depth(photo):
    """16 bits stay 16 bits and agree with the 8-bit result within rounding; grey stays grey; floats stay floats."""
    deep = photo.astype(np.uint16) * 257
    out = resized(deep, (64, 90))
    assert out.dtype == np.uint16
    assert np.abs(out / 257 - resized(photo, (64, 90)).astype(float)).max() <= 1
    assert resized(deep[..., 0], (9, 8)).shape == (9, 8)
    assert resized(photo.astype(np.float32), (9, 8)).dtype == np.float32
    with_alpha = np.concatenate([photo, photo[..., :1]], 2)
    (copy,) = MultiScale((0.5,), None).results(with_alpha)
    assert np.array_equal(copy, resized(photo, (128, 128)))


def test_list_names_what_training_reads(folder, tmp_path):
    """The list can be used as it is; names are relative to the root; sizes are those of the files."""
    run("list", folder, tmp_path)
    lines = (tmp_path / "list.txt").read_text("utf-8").splitlines()
    assert lines[0] == "00 ü.png (40,50,3)"
    source = open_pictures({"path": folder, "list": str(tmp_path / "list.txt")})
    assert [read(source, i).shape[0] for i in range(7)] == [*range(40, 47)]
    run("list", folder, tmp_path, "--root", str(folder.parent))
    assert (tmp_path / "list.txt").read_text("utf-8").startswith("pictures/00 ü.png (40,50,3)\n")
    elsewhere = run("list", folder, tmp_path, "--root", str(folder / "sub"))
    assert "is not below the root" in str(elsewhere.exception)


def test_list_of_pairs_names_what_training_reads(pairs, tmp_path):
    """Pairs are listed with their sizes checked; what does not match is told."""
    gt, lq = map(str, pairs)
    srkit_io.write(pairs[1] / "2.png", np.zeros((9, 9, 3), np.uint8))
    command = ["dataset", "list", gt, "--lq", lq, "-o", str(tmp_path / "pairs.txt")]
    result = CliRunner().invoke(program, command)
    assert result.exit_code == 1
    assert "is not 4 times the 9×9 of" in result.output
    assert (tmp_path / "pairs.txt").read_text() == "0.png, 0.png\n1.png, 1.png\n3.png, 3.png\n4.png, 4.png\n"
    assert CliRunner().invoke(program, [*command, "--check"]).exit_code == 1
    assert "one folder of targets" in CliRunner().invoke(program, [*command, gt]).output


def test_database_grows(folder, tmp_path, monkeypatch):
    """A database that becomes full is enlarged, and holds everything; it is filled in several steps."""
    pytest.importorskip("lmdb")
    monkeypatch.setattr(packing, "_MAP", 1 << 15)
    monkeypatch.setattr(packing, "_COMMIT", 1 << 14)
    assert run("lmdb", folder, tmp_path).exit_code == 0
    source = open_pictures(tmp_path / "a.lmdb")
    assert [source.data(i) for i in range(7)] == [path.read_bytes() for path in sorted(folder.rglob("*.png"))]


def test_names_that_lmdb_cannot_hold(folder, tmp_path):
    """Two pictures that differ in suffix would have one key, and a long name is none: both are told."""
    pytest.importorskip("lmdb")
    srkit_io.write(folder / "00 ü.bmp", np.zeros((4, 4, 3), np.uint8))
    deep = folder / ("a" * 200) / ("b" * 200) / ("c" * 200)
    deep.mkdir(parents=True)
    srkit_io.write(deep / "d.png", np.zeros((4, 4, 3), np.uint8))
    result = run("lmdb", folder, tmp_path)
    assert "is called like 00 ü.bmp" in result.output
    assert "longer than the 511 bytes" in result.output
    assert "7 done, 2 failed" in result.output


def test_shards_are_the_same_each_time(folder, tmp_path):
    """Neither times nor owners nor the number of threads are in a shard, and packing what is packed changes nothing."""
    run("tar", folder, tmp_path / "one", "-j", "1")
    time.sleep(1.1)
    for path in folder.rglob("*.png"):
        path.touch()
    run("tar", folder, tmp_path / "two", "-j", "4")
    run("tar", f"{tmp_path}/two/*.tar", tmp_path / "three")
    assert len(tree(tmp_path / "one")) == 3
    assert tree(tmp_path / "one") == tree(tmp_path / "two") == tree(tmp_path / "three")


def test_only_what_a_list_names_is_packed(folder, tmp_path):
    """--list chooses and orders what goes into a pack."""
    (tmp_path / "list.txt").write_text("sub/06 ü.png\n01 ü.png\n", "utf-8")
    run("tar", folder, tmp_path, "--list", str(tmp_path / "list.txt"))
    assert list(open_pictures(f"{tmp_path}/*.tar").names) == ["sub/06 ü.png", "01 ü.png"]
    assert (
        "would be one tar file" in CliRunner().invoke(program, ["dataset", "pack", str(folder), "-o", "a.tar"]).output
    )


@given(st.lists(st.integers(0, 50), max_size=30), st.integers(1, 4))
def test_jobs_come_in_order(jobs, threads):
    """Results and errors come in the order of the jobs, however many threads there are."""

    def act(job):
        if job % 7 == 0:
            raise srkit.ImageError(str(job))
        if job % 7 == 1:
            raise PermissionError(job)
        return job * 2

    found = list(in_order(jobs, act, threads))
    assert [done.job for done in found] == jobs
    assert all(done.result == done.job * 2 if done.job % 7 > 1 else done.error is not None for done in found)


def test_no_more_is_begun_once_it_is_left():
    """Who stops taking results stops the work: of a thousand jobs few were begun."""
    begun = []
    results = in_order(range(1000), begun.append, 2)
    next(results)
    results.close()
    assert len(begun) <= 10


@pytest.mark.parametrize("command", [[], ["sub-images"], ["multi-scale"], ["list"], ["pack"]])
def test_help_teaches_by_example(command):
    """Each command shows how it is called."""
    result = CliRunner().invoke(program, ["dataset", *command, "--help"])
    assert result.exit_code == 0
    assert "srkit dataset " in result.output


def test_nothing_to_do_is_an_error(tmp_path):
    """A folder without pictures is told, and no results are made."""
    (tmp_path / "in").mkdir()
    for name in COMMANDS:
        result = run(name, tmp_path / "in", tmp_path / "out")
        assert isinstance(result.exception, srkit.SrkitError)
    assert not (tmp_path / "out").exists()
