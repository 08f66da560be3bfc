"""``srkit upscale`` as a program: lists, patterns, pipes, reports, interruptions and going on after them."""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from safetensors.torch import save_file

import srkit
import srkit_io
from srkit.cli import program
from srkit_archs_realesrgan.srvgg import SRVGGNetCompact
from srkit_io import open_journal, plan, read, write
from srkit_io.formerly import FORMERLY

PROGRAM = [sys.executable, "-c", "from srkit.cli import main; main()", "upscale"]
KILLS = int(os.environ.get("SRKIT_KILLS", "3"))
"""Times a running job is killed; the session ``formats`` has more."""


@pytest.fixture(scope="module")
def weights(tmp_path_factory) -> str:
    """A small ×4 network in a file."""
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("weights") / "small.safetensors"
    save_file(SRVGGNetCompact(num_feat=8, num_conv=1).state_dict(), path)
    return str(path)


@pytest.fixture(scope="module")
def slow(tmp_path_factory) -> str:
    """A network that takes some time over thirty pictures."""
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("weights") / "slow.safetensors"
    save_file(SRVGGNetCompact(num_feat=32, num_conv=8).state_dict(), path)
    return str(path)


@pytest.fixture
def pictures(tmp_path) -> Path:
    """Thirty pictures, some of one size, of several formats and depths."""
    rng = np.random.default_rng(0)
    folder = tmp_path / "in"
    (folder / "sub").mkdir(parents=True)
    for index in range(24):
        write(folder / f"{index:02}.png", rng.integers(0, 256, (90 - index // 6, 100, 3), dtype=np.uint8))
    for index in range(3):
        write(folder / f"grey{index}.tif", rng.integers(0, 65536, (31, 17)).astype(np.uint16))
        write(folder / "sub" / f"clear{index}.webp", rng.integers(0, 256, (20, 30, 4), dtype=np.uint8))
    return folder


def _srkit(*arguments: object, **options):
    return CliRunner().invoke(program, ["upscale", *map(str, arguments)], catch_exceptions=False, **options)


def _all(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_batches_change_nothing(pictures, weights, tmp_path):
    """In a folder, where pictures of a size go through the network together, each result is that of the call."""
    result = _srkit(pictures, "-o", tmp_path / "out", "-r", "--weights", weights)
    assert result.exit_code == 0, result.output
    upscaler = srkit.load(weights=weights)
    done = _all(tmp_path / "out")
    assert len(done) == 30
    for name in done:
        if name.endswith(".webp"):
            continue
        np.testing.assert_array_equal(read(tmp_path / "out" / name), upscaler(read(pictures / name)))


def test_patterns(pictures, weights, tmp_path):
    """A pattern the shell left alone is matched, in sub-folders too; one that matches nothing is told."""
    names = {job.source.name for job in plan([str(pictures / "**" / "*[02].*")], tmp_path)}
    assert {"00.png", "02.png", "grey0.tif", "clear2.webp"} <= names
    assert not {"01.png", "clear1.webp"} & names
    with pytest.raises(srkit.SettingsError, match="matches nothing"):
        plan([str(pictures / "*.bmp")], tmp_path)
    write(tmp_path / "a[1].png", np.zeros((4, 4), np.uint8))
    assert plan([str(tmp_path / "a[1].png")], tmp_path / "o")[0].source.name == "a[1].png"


def test_a_list(pictures, weights, tmp_path):
    """Names come from a file or from standard input, a line each, beside those of the command."""
    names = "\n".join(str(pictures / f"{index:02}.png") for index in (3, 4)) + "\n\n"
    (tmp_path / "list.txt").write_text(names)
    result = _srkit(pictures / "05.png", "--from", tmp_path / "list.txt", "-o", tmp_path / "a", "-w", weights)
    assert result.exit_code == 0
    assert sorted(_all(tmp_path / "a")) == ["03.png", "04.png", "05.png"]
    result = _srkit("--from", "-", "-o", tmp_path / "b", "-w", weights, input=names)
    assert sorted(_all(tmp_path / "b")) == ["03.png", "04.png"]
    assert "no pictures were named" in _srkit("-o", tmp_path / "c").stderr


def test_pipes(pictures, weights, tmp_path):
    """- reads the picture from standard input and writes it to standard output, and nothing else goes there."""
    given = (pictures / "00.png").read_bytes()
    command = [*PROGRAM, "-", "-w", weights]
    done = subprocess.run(command, input=given, capture_output=True, check=True)
    (tmp_path / "piped.png").write_bytes(done.stdout)
    _srkit(pictures / "00.png", "-o", tmp_path / "named.png", "-w", weights)
    np.testing.assert_array_equal(read(tmp_path / "piped.png"), read(tmp_path / "named.png"))
    done = subprocess.run([*command, "-o", str(tmp_path / "x.jpg")], input=given, capture_output=True, check=True)
    assert read(tmp_path / "x.jpg").shape == (360, 400, 3)
    done = subprocess.run([*command, "--format", "tif"], input=given, capture_output=True, check=True)
    assert done.stdout[:2] == b"II"
    done = subprocess.run([*PROGRAM, "-"], input=b"no picture", capture_output=True, check=False)
    assert done.returncode == 1
    assert done.stdout == b""
    assert b"standard input" in done.stderr
    assert b"is not a picture" in done.stderr
    assert b"Traceback" not in done.stderr


def test_a_report(pictures, weights, tmp_path):
    """The report has a line of JSON for each file: what was done with which model, and what was not and why."""
    (pictures / "bad.png").write_bytes(b"\x89PNG\r\n\x1a\nnonsense")
    write(tmp_path / "out" / "grey0.tif", np.zeros((2, 2), np.uint8)) if (tmp_path / "out").mkdir() else None
    report = tmp_path / "report.jsonl"
    result = _srkit(pictures, "-o", tmp_path / "out", "-w", weights, "--report", report)
    assert result.exit_code == 1
    lines = [json.loads(line) for line in report.read_text().splitlines()]
    assert len(lines) == 28
    by_name = {Path(line["source"]).name: line for line in lines}
    done = by_name["00.png"]
    assert (done["width"], done["height"], done["new_width"], done["new_height"]) == (100, 90, 400, 360)
    assert (done["status"], done["model"], done["exact"], done["pages"]) == ("done", "small", True, 1)
    assert all(done["seconds"][stage] > 0 for stage in ("decode", "network", "encode"))
    assert by_name["bad.png"]["status"] == "failed"
    assert "bad.png" in by_name["bad.png"]["error"]
    _srkit(pictures / "01.png", "-o", tmp_path / "out", "-w", weights, "--report", report, "--skip-existing")
    (line,) = report.read_text().splitlines()[28:]
    assert "exists" in json.loads(line)["reason"]


def test_another_depth_and_background(tmp_path, weights):
    """--depth and --background do what the format could not hold otherwise."""
    image = np.zeros((8, 8, 4), np.uint16)
    image[:, 4:] = 65535
    write(tmp_path / "a.png", image)
    refused = _srkit(tmp_path / "a.png", "-o", tmp_path / "a.jpg", "-w", weights)
    assert "--depth" in refused.stderr
    result = _srkit(
        tmp_path / "a.png", "-o", tmp_path / "a.jpg", "-w", weights, "--depth", 8, "--background", "#ff0000"
    )
    assert result.exit_code == 0, result.output
    back = read(tmp_path / "a.jpg")
    assert back.dtype == np.uint8
    assert back[16, 2, 0] > 200
    assert back[16, 2, 2] < 60


def test_pages_and_frames(tmp_path, weights):
    """Every page of a TIFF and every frame of an animation is upscaled; delays and loop stay."""
    rng = np.random.default_rng(0)
    pages = [rng.integers(0, 256, (5, 6, 3), dtype=np.uint8), rng.integers(0, 65536, (7, 8)).astype(np.uint16)]
    srkit_io.save(tmp_path / "a.tif", srkit_io.Picture.of(pages))
    frames = [np.full((10, 12, 3), value, np.uint8) for value in (10, 120, 250)]
    moving = srkit_io.Picture.of(frames)
    srkit_io.save(tmp_path / "a.webp", srkit_io.Picture(moving.pages, moving.strips, (40, 100, 250), 3))
    result = _srkit(tmp_path / "a.tif", tmp_path / "a.webp", "-o", tmp_path / "out", "-w", weights)
    assert result.exit_code == 0, result.output
    assert "2 pages" in result.stdout
    opened = srkit_io.open_picture(tmp_path / "out" / "a.tif")
    assert [page.size for page in opened.pages] == [(20, 24), (28, 32)]
    opened = srkit_io.open_picture(tmp_path / "out" / "a.webp")
    assert (opened.delays, opened.loop) == ((40, 100, 250), 3)
    assert [page.size for page in opened.pages] == [(40, 48)] * 3
    assert (
        "holds one picture" in _srkit(tmp_path / "a.tif", "-o", tmp_path / "x.jpg", "-w", weights, "--depth", 8).stderr
    )


def test_going_on(pictures, weights, tmp_path, monkeypatch):
    """What a journal says was done is left out, unless input, result or options have changed since."""
    jobs = plan([pictures], tmp_path / "out")
    options = {"model": "a"}
    (tmp_path / "out").mkdir()
    journal = open_journal(jobs, tmp_path / "out", options)
    for job in jobs[:3]:
        write(job.target, np.zeros((2, 2), np.uint8))
        journal.note(job)
    with pytest.raises(srkit.SettingsError, match="another run with the same options is writing to"):
        open_journal(jobs, tmp_path / "out", options)
    journal.close(complete=False)
    write(jobs[1].target, np.zeros((3, 3), np.uint8))
    os.utime(jobs[2].source, (1, 1))
    journal.path.write_bytes(journal.path.read_bytes() + b'{"target": "cut o')
    again = open_journal(jobs, tmp_path / "out", options)
    assert [again.has(job) for job in jobs[:4]] == [True, False, False, False]
    again.close(complete=True)
    assert not again.path.exists()
    other = open_journal(jobs, tmp_path / "out", {"model": "b"})
    assert not other.has(jobs[0])
    other.close(complete=True)
    assert open_journal(jobs[:1], tmp_path / "out", options) is None


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="there is no SIGKILL")
def test_killed_jobs_go_on(pictures, slow, tmp_path):
    """Killed at any moment and started again, a job ends with what an uninterrupted one gives, and leaves nothing else."""
    _srkit(pictures, "-o", tmp_path / "whole", "-r", "--weights", slow)
    expected = _all(tmp_path / "whole")
    command = [*PROGRAM, "in", "-o", "out", "-r", "-w", slow]
    out, rng = tmp_path / "out", random.Random(0)
    for kill in range(KILLS):
        process = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wanted = len(_results(out)) + rng.randrange(8)
        # The first time, in the middle for sure: something is done, and there is much more to do.
        while process.poll() is None and not (_noted(out) if kill == 0 else len(_results(out)) >= wanted):
            time.sleep(0.001)
        time.sleep(rng.random() * 0.2 if kill else 0)
        process.kill()
        process.communicate()
        if kill in {0, KILLS - 1} or len(_results(out)) == len(expected) or rng.random() < 0.1:
            done = subprocess.run(command, cwd=tmp_path, capture_output=True, check=True, text=True)
            assert kill or "was done before the interruption" in done.stdout
            assert _all(out) == expected
            shutil.rmtree(out)


def _noted(folder: Path) -> bool:
    return any(path.stat().st_size for path in folder.glob(".*.journal"))


def _results(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file() and not path.name.startswith(".")]


def _lines(process):
    """The lines of a process that tell of a new result."""
    return (line for line in process.stdout if b"\xe2\x86\x92" in line)


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGTERM")
def test_termination(pictures, weights, tmp_path):
    """SIGTERM ends like Ctrl-C: with 143, a word on how to go on, and nothing half-written."""
    command = [*PROGRAM, "in", "-o", "out", "-w", weights, "--rows", "1"]
    process = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    next(_lines(process))
    process.terminate()
    _, errors = process.communicate()
    if process.returncode == 0:
        pytest.skip("the machine was faster than the signal")
    assert process.returncode == 143, errors
    assert b"the same command goes on from here" in errors
    assert b"Traceback" not in errors
    assert not list((tmp_path / "out").glob(".*.part"))
    left = list((tmp_path / "out").glob("[!.]*"))
    assert left
    assert all(read(path).shape[0] in {360, 356, 352, 348, 124} for path in left)


def test_links_in_a_circle(pictures, weights, tmp_path):
    """A link to itself is that file's error, a folder that links to its parent is not followed, the rest is done."""
    (pictures / "loop.png").symlink_to(pictures / "loop.png")
    (pictures / "sub" / "up").symlink_to(pictures, target_is_directory=True)
    result = _srkit(pictures, "-o", tmp_path / "out", "-r", "-w", weights)
    assert result.exit_code == 1
    assert "30 done, 1 failed" in result.stderr
    assert "loop.png: is a link that leads to nothing" in result.stderr


def test_a_file_that_changes_while_it_is_read(tmp_path):
    """Rows of two versions of a file are never one picture."""
    image = np.random.default_rng(0).integers(0, 256, (3000, 400, 3), dtype=np.uint8)
    write(tmp_path / "a.png", image)
    strips = srkit_io.open_picture(tmp_path / "a.png").strips()
    next(strips)
    (tmp_path / "a.png").write_bytes((tmp_path / "a.png").read_bytes() + b"more")
    with pytest.raises(srkit_io.ImageFileError, match="changed"):
        list(strips)
    write(tmp_path / "b.png", image)
    strips = srkit_io.open_picture(tmp_path / "b.png").strips()
    next(strips)
    os.truncate(tmp_path / "b.png", 5000)
    with pytest.raises(srkit_io.ImageFileError, match="changed|vanished"):
        list(strips)


def test_a_picture_larger_than_the_queues(tmp_path, weights):
    """A tall picture goes from disk to disk in strips, equal to the same in memory; so do its tiles and smaller versions."""
    image = np.random.default_rng(0).integers(0, 256, (3000, 120, 3), dtype=np.uint8)
    write(tmp_path / "a.tif", image)
    result = _srkit(tmp_path / "a.tif", "-o", tmp_path / "b.tif", "-w", weights, "--pyramid", "--tile", 64)
    assert result.exit_code == 0, result.output
    np.testing.assert_array_equal(read(tmp_path / "b.tif"), srkit.upscale(image, weights=weights))


MIGRATION = Path(__file__).parents[3] / "docs" / "migrate.md"


def test_every_old_option_is_told_of():
    """Each option of Real-ESRGAN's program in the table of the migration guide is one of ours, or has a hint."""
    table = MIGRATION.read_text("utf-8").partition("### inference_realesrgan.py\n")[2].partition("\n### ")[0]
    old = re.findall(r"`(-[-\w]+)", "".join(re.findall(r"^\| (`-.*?) \|", table, re.MULTILINE)))
    ours = {option for parameter in program.get_command(None, "upscale").params for option in parameter.opts}
    assert {"-d" if option == "-dn" else option for option in old} - ours == {*FORMERLY}


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        (["-n", "RealESRGAN_x4plus"], "-n is an option of Real-ESRGAN's: say --model NAME"),
        (["-dn", "0.5"], "-d is an option of Real-ESRGAN's: -dn is --denoise now"),
        (["--fp32"], "leave it out: it is the default"),
        (["--fp33"], "No such option '--fp33'"),
    ],
)
def test_options_of_old(typed, told):
    """Who types an option of Real-ESRGAN's is told what to type; who types any other gets click's own answer."""
    result = CliRunner().invoke(program, ["upscale", "a.png", *typed])
    assert result.exit_code == 2
    assert told in result.output
