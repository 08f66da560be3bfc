"""srkit_io.jobs and ``srkit upscale``: many files, whatever happens to one of them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from functools import partial
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
from srkit_io import plan, read, run, write


@pytest.fixture(scope="module")
def weights(tmp_path_factory) -> str:
    """A small ×4 network in a file."""
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("weights") / "small.safetensors"
    save_file(SRVGGNetCompact(num_feat=8, num_conv=1).state_dict(), path)
    return str(path)


@pytest.fixture
def folder(tmp_path) -> Path:
    """Pictures of several formats and depths in a folder and a sub-folder of it."""
    rng = np.random.default_rng(0)
    (tmp_path / "in" / "sub").mkdir(parents=True)
    write(tmp_path / "in" / "a.png", rng.integers(0, 256, (5, 6, 3), dtype=np.uint8))
    write(tmp_path / "in" / "b.png", rng.integers(0, 65536, (5, 6)).astype(np.uint16))
    write(tmp_path / "in" / "sub" / "ç.tif", rng.integers(0, 256, (4, 4, 4), dtype=np.uint8))
    (tmp_path / "in" / "notes.txt").write_text("not a picture")
    return tmp_path / "in"


def _srkit(*arguments: object):
    return CliRunner().invoke(program, ["upscale", *map(str, arguments)], catch_exceptions=False)


def test_folder(folder, weights, tmp_path):
    """A folder is done with its sub-folders, each picture in its format, depth and channels, four times the size."""
    result = _srkit(folder, "-o", tmp_path / "out", "-r", "--weights", weights)
    assert result.exit_code == 0, result.output
    for name in ("a.png", "b.png", "sub/ç.tif"):
        source, target = read(folder / name), read(tmp_path / "out" / name)
        assert target.dtype == source.dtype
        assert target.shape == (source.shape[0] * 4, source.shape[1] * 4, *source.shape[2:])
    assert sorted(p.name for p in (tmp_path / "out").rglob("*.*")) == ["a.png", "b.png", "ç.tif"]


def test_the_file_equals_the_call(folder, weights, tmp_path):
    """The command writes what upscale() returns for the array."""
    _srkit(folder / "a.png", "-o", tmp_path / "x.png", "--weights", weights, "--scale", 2.5)
    expected = srkit.upscale(read(folder / "a.png"), weights=weights, scale=2.5)
    np.testing.assert_array_equal(read(tmp_path / "x.png"), expected)


def test_without_recursive_sub_folders_are_left_out(folder, tmp_path):
    """Only --recursive descends."""
    assert {job.source.name for job in plan([folder], tmp_path)} == {"a.png", "b.png"}
    assert {job.source.name for job in plan([folder], tmp_path, recursive=True)} == {"a.png", "b.png", "ç.tif"}


def test_one_bad_file_does_not_end_the_batch(folder, weights, tmp_path):
    """Damaged, missing and mislabelled files are told on standard error by name; the rest is done; the exit code is 1."""
    (folder / "bad.png").write_bytes(b"\x89PNG\r\n\x1a\nnonsense")
    (folder / "empty.jpg").touch()
    result = _srkit(folder, folder / "gone.png", "-o", tmp_path / "out", "--weights", weights)
    assert result.exit_code == 1
    for name in ("bad.png", "empty.jpg", "gone.png"):
        assert name in result.stderr
    assert "2 done, 3 failed" in result.stderr
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["a.png", "b.png"]


def test_what_the_format_cannot_hold_is_told_before_the_work(folder, tmp_path):
    """A 16-bit picture to JPEG fails by name, and the network never ran for it."""

    class Never:
        def result_size(self, size):
            return size

        def __call__(self, img):
            raise AssertionError("the network ran")

    outcomes = list(run(plan([folder / "b.png"], tmp_path / "out", format="jpg"), lambda: Never()))
    assert [outcome.status for outcome in outcomes] == ["failed"]
    assert "cannot hold 16 bits" in str(outcomes[0].error)


def test_skip_existing(folder, weights, tmp_path):
    """What is there is left as it is, and no network is loaded if all is there."""
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "a.png").write_bytes(b"mine")
    (tmp_path / "out" / "b.png").write_bytes(b"mine")
    result = _srkit(folder, "-o", tmp_path / "out", "--skip-existing", "--weights", "nowhere.pth")
    assert result.exit_code == 0
    assert "2 skipped" in result.stderr
    assert (tmp_path / "out" / "a.png").read_bytes() == b"mine"


def test_names(folder, tmp_path):
    """Suffix, format and output folder make the name; without output the result is beside the input."""
    assert (
        plan([folder / "a.png"], tmp_path / "o", suffix="_x4", format="webp")[0].target == tmp_path / "o" / "a_x4.webp"
    )
    assert plan([folder / "a.png"], suffix="_big")[0].target == folder / "a_big.png"
    assert plan([folder / "a.png"], tmp_path / "b.tif")[0].target == tmp_path / "b.tif"
    assert plan([folder / "notes.txt"], tmp_path)[0].target == tmp_path / "notes.png"


def test_collisions_and_overwriting_are_refused(folder, tmp_path):
    """Two inputs for one output, and an output that is its input, fail beforehand; the first of two is done."""
    write(folder / "a.tif", np.zeros((2, 2), np.uint8))
    jobs = plan([folder], tmp_path / "out", format="png")
    assert [job.source.name for job in jobs if job.problem] == ["a.tif"]
    assert "already that of" in str(next(job.problem for job in jobs if job.problem))
    assert all("overwrite the input" in str(job.problem) for job in plan([folder], folder))


def test_bad_arguments(folder, tmp_path):
    """Arguments that cannot be meant end with what to do instead."""
    with pytest.raises(srkit.SettingsError, match="more than one picture"):
        plan([folder], tmp_path / "out.png")
    with pytest.raises(srkit.SettingsError, match="format='dng'.*choose from png"):
        plan([folder], tmp_path, format="dng")
    assert "sub-folders need --recursive" in _srkit(tmp_path, "-o", tmp_path / "o").stderr
    with pytest.raises(srkit.SettingsError, match="neither a folder nor a picture file"):
        plan([folder], folder / "notes.txt")


def test_mixing_weights(folder, weights, tmp_path):
    """--weights FILE=SHARE mixes; a share that is missing is told."""
    other = str(Path(weights).with_name("other.safetensors"))
    torch.manual_seed(1)
    save_file(SRVGGNetCompact(num_feat=8, num_conv=1).state_dict(), other)
    result = _srkit(folder / "a.png", "-o", tmp_path / "x.png", "-w", f"{weights}=0.25", "-w", f"{other}=0.75")
    assert result.exit_code == 0, result.output
    expected = srkit.upscale(read(folder / "a.png"), weights={weights: 0.25, other: 0.75})
    np.testing.assert_array_equal(read(tmp_path / "x.png"), expected)
    twice = _srkit(folder / "a.png", "-w", f"{weights}=0.25", "-w", f"{weights}=0.75")
    assert "named twice" in twice.stderr
    assert "lacks its share" in _srkit(folder / "a.png", "-w", weights, "-w", other).stderr


def test_read_only_output_folder(folder, weights, tmp_path):
    """A place that cannot be written to fails by name; nothing else happens."""
    (tmp_path / "file").write_text("a file, not a folder")
    result = _srkit(folder, "-o", tmp_path / "file" / "out", "--weights", weights)
    assert result.exit_code == 1
    assert "the folder cannot be made: a file is in its place" in result.stderr


def test_ctrl_c_leaves_nothing_half_written(tmp_path, weights):
    """SIGINT in the middle of a folder ends with 130 and a summary; only whole pictures are there."""
    (tmp_path / "in").mkdir()
    for i in range(60):
        write(tmp_path / "in" / f"{i:02}.png", np.full((120, 120, 3), i, np.uint8))
    command = [sys.executable, "-c", "from srkit.cli import main; main()", "upscale", "in", "-o", "out", "-w", weights]
    process = subprocess.Popen(
        command,
        cwd=tmp_path,
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
        # What a shell runs in the background ignores the signal, and so would its children.
        preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),
    )
    while process.poll() is None and not list(tmp_path.glob("out/*.png")):
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate()
    assert process.returncode == 130, errors
    assert "interrupted" in errors
    left = list((tmp_path / "out").glob("[!.]*"))
    assert left
    assert {path.suffix for path in (tmp_path / "out").glob(".*")} <= {".journal"}
    assert all(path.suffix == ".png" and read(path).shape == (480, 480, 3) for path in left)


def test_nothing_but_lines_in_a_pipe(folder, weights, tmp_path):
    """In a pipe there is a line per file on standard output and no progress bar."""
    command = [sys.executable, "-c", "from srkit.cli import main; main()", "upscale", str(folder), "-o", "out"]
    done = subprocess.run([*command, "-w", weights], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[0].endswith("a.png (24×20)")
    assert "%" not in done.stdout + done.stderr
    assert "\r" not in done.stderr


def test_errors_of_the_network_are_messages(folder):
    """An unknown model ends the run with a suggestion and no traceback."""
    command = [
        sys.executable,
        "-c",
        "from srkit.cli import main; main()",
        "upscale",
        str(folder),
        "-m",
        "realesrgan_x4plu",
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ})
    assert done.returncode == 1
    assert "did you mean 'RealESRGAN_x4plus'?" in done.stderr
    assert "Traceback" not in done.stderr


def test_run_loads_once(folder, weights, tmp_path):
    """However many pictures, the network is loaded once."""
    loads = []

    def load():
        loads.append(1)
        return srkit.load(weights=weights)

    outcomes = list(srkit_io.run(plan([folder], tmp_path / "out", recursive=True), load))
    assert [outcome.status for outcome in outcomes] == ["done"] * 3
    assert loads == [1]


def test_no_input_is_ever_overwritten(tmp_path):
    """With another format, the result of one input would be the other input: it is refused, whichever comes first."""
    write(tmp_path / "x.jpg", np.zeros((4, 4, 3), np.uint8))
    write(tmp_path / "x.png", np.zeros((4, 4, 3), np.uint8))
    jobs = plan([tmp_path], tmp_path, format="png")
    assert all("overwrite the input" in str(job.problem) for job in jobs)
    assert len(jobs) == 2


def test_results_of_an_earlier_run_are_no_inputs(folder):
    """A second run leaves out the folder of results inside the input, and results beside it."""
    (folder / "out").mkdir()
    write(folder / "out" / "a.png", np.zeros((2, 2), np.uint8))
    write(folder / "a_upscaled.png", np.zeros((2, 2), np.uint8))
    names = {job.source.name for job in plan([folder], folder / "out", recursive=True)}
    assert names == {"a.png", "a_upscaled.png", "b.png", "ç.tif"}
    assert len(plan([folder], folder / "out", recursive=True)) == 4
    assert {job.source.name for job in plan([folder], suffix="_upscaled")} == {"a.png", "b.png"}


def test_names_that_cannot_be_meant(folder, tmp_path):
    """Empty names, suffixes that lead elsewhere and outputs of no known format are refused beforehand."""
    for arguments, words in [
        ({"inputs": [""]}, "empty name"),
        ({"inputs": [folder], "output": ""}, "empty name"),
        ({"inputs": [folder], "output": tmp_path, "suffix": "/../evil"}, "must not lead into another folder"),
        ({"inputs": [folder / "a.png"], "output": tmp_path / "a.ico"}, "neither a folder nor a picture file"),
        (
            {"inputs": [folder / "a.png"], "output": tmp_path / "a.pgn"},
            r"no picture file srkit writes.*write '.*a\.pgn/'",
        ),
    ]:
        with pytest.raises(srkit.SettingsError, match=words):
            plan(**arguments)
    assert [job.source for job in plan([folder / "a.png", folder / "a.png"], tmp_path)] == [folder / "a.png"]


def test_folders_may_have_any_name(folder, tmp_path):
    """What looks like a file of no known kind is a folder if it ends in a slash, is there, is dated, or takes a folder."""
    (tmp_path / "there.old").mkdir()
    for name in (f"{tmp_path}/new.old/", tmp_path / "there.old", tmp_path / "scans.2024", tmp_path / "v1.5"):
        assert plan([folder / "a.png"], name)[0].target == Path(name) / "a.png"
    assert plan([folder], tmp_path / "all.old")[0].target.parent == tmp_path / "all.old"


def test_a_result_named_without_its_option(folder):
    """A last name that is not there was meant as the output, and the error says how that is written; others were not."""
    big = folder / "big.png"
    *others, last = plan([folder / "a.png", folder / "gone.png", big])
    assert f"write -o {big}" in str(last.problem)
    assert "gone.png: there is no such file or folder" in str(others[1].problem)
    assert all(
        "write -o" not in str(job.problem) for job in [*others, *plan([big]), *plan([folder / "a.png", big], folder)]
    )


def test_what_is_wrong_with_all_is_told_once(folder, tmp_path):
    """A report that cannot be opened and an amount that is none end the run before any picture, without a traceback."""
    for arguments, words in [
        (("--report", tmp_path / "nowhere" / "r.jsonl"), "the report .* cannot be written: No such file"),
        (("--memory", "lots"), "memory='lots'"),
    ]:
        with pytest.raises(srkit.SettingsError, match=words):
            _srkit(folder, "-o", tmp_path / "out", *arguments)
        assert not (tmp_path / "out" / "a.png").exists()


def test_the_longest_name_a_file_can_have(tmp_path, weights):
    """Names of 255 bytes are written; longer ones fail by name, and the rest goes on."""
    long = "界" * 83 + "x.png"
    write(tmp_path / long[-80:], np.zeros((4, 4), np.uint8))
    result = _srkit(tmp_path / long[-80:], "n" * 300 + ".png", "-o", tmp_path / "out", "--weights", weights)
    assert result.exit_code == 1
    assert "1 done, 1 failed" in result.stderr
    write(tmp_path / ("a" * 251 + ".png"), np.zeros((4, 4), np.uint8))


def test_whatever_happens_to_a_picture_is_its_own(folder, tmp_path):
    """Any exception while a picture is upscaled fails that picture, with its name and the cause, and the next is done."""

    class Moody:
        calls = 0
        exact = True

        def result_size(self, size):
            return size

        def __call__(self, img):
            Moody.calls += 1
            if Moody.calls == 1:
                raise ZeroDivisionError("unforeseen")
            if Moody.calls == 2:
                raise MemoryError
            return img

    outcomes = list(run(plan([folder], tmp_path / "out", recursive=True), Moody))
    assert [outcome.status for outcome in outcomes] == ["failed", "failed", "done"]
    assert "a.png: ZeroDivisionError: unforeseen" in str(outcomes[0].error)
    assert isinstance(outcomes[1].error, srkit.OutOfMemory)


def test_a_result_that_is_too_large_fails_alone(folder, weights, tmp_path):
    """A scale no memory can hold fails each file by name, with the size it would take."""
    result = _srkit(folder, "-o", tmp_path / "out", "--weights", weights, "--scale", 1e7)
    assert result.exit_code == 1
    assert "2 failed" in result.stderr
    assert "GB; choose a smaller scale" in result.stderr


def test_output_that_is_not_utf8(folder, weights, tmp_path):
    """Where standard output can hold neither arrows nor the name of a file, the batch goes on."""
    (folder / "a.png").rename(folder / "\udcff-ä.png")
    command = [sys.executable, "-m", "srkit", "upscale", str(folder), "-o", "out", "-w", weights]
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, check=True, env=environment)
    assert done.stdout.count(b"24x20") + done.stdout.count(b"\\u2192") + done.stdout.count(b"\\xd7") > 0
    assert len(list((tmp_path / "out").iterdir())) == 2
