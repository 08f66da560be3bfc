"""``srkit degrade``."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from srkit.cli import program


@pytest.fixture
def photo_file(photo, tmp_path):
    path = tmp_path / "phøto.png"
    path.write_bytes(cv2.imencode(".png", cv2.cvtColor(photo[:120, :160], cv2.COLOR_RGB2BGR))[1].tobytes())
    return path


def _srkit(*arguments):
    return CliRunner().invoke(program, ["degrade", *map(str, arguments)])


def _read(path):
    return cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_COLOR_RGB)


def test_a_photo_is_made_worse(photo_file, tmp_path):
    """The result has the recipe's size, the same seed gives the same file, another seed another, and draws are printed."""
    outs = [tmp_path / f"{name}.png" for name in "abc"]
    for out, seed in zip(outs, (7, 7, 8), strict=True):
        result = _srkit(photo_file, out, "--seed", seed)
        assert result.exit_code == 0, result.output
        assert "jpeg" in result.output
    assert _read(outs[0]).shape == (30, 40, 3)
    assert outs[0].read_bytes() == outs[1].read_bytes() != outs[2].read_bytes()
    assert not list(tmp_path.glob(".*"))


def test_recipes_and_scales(photo_file, tmp_path):
    """A recipe of one's own is taken, and --scale replaces its scale."""
    recipe = tmp_path / "mine.yaml"
    recipe.write_text("scale: 4\nsteps: [{resize: {of: goal}}]")
    out = tmp_path / "out.png"
    assert _srkit(photo_file, out, "--recipe", recipe, "--scale", 2).exit_code == 0
    assert _read(out).shape == (60, 80, 3)
    assert _srkit(photo_file, out, "--recipe", "wild").exit_code == 0
    assert _read(out).shape == (30, 40, 3)
    recipe.write_text("jpeg")
    result = _srkit(photo_file, out, "--recipe", recipe, "--scale", 2)
    assert result.exit_code == 2
    assert "is no chain, so it has no scale" in result.output


def test_a_sheet_shows_what_single_runs_give(photo_file, tmp_path):
    """The draws of a sheet are those of the seeds that its captions name, enlarged by repetition."""
    sheet, single = tmp_path / "sheet.png", tmp_path / "single.png"
    result = _srkit(photo_file, sheet, "--sheet", 3, "--seed", 5)
    assert result.exit_code == 0, result.output
    assert [line.split(":")[0] for line in result.output.splitlines()] == ["seed 5", "seed 6", "seed 7"]
    _srkit(photo_file, single, "--seed", 5)
    shown = _read(sheet)
    assert (shown[8:128, 8:168] == _read(photo_file)).all()
    assert (shown[8:128:4, 176:336:4] == _read(single)).all()


@pytest.mark.parametrize("depth", [np.uint8, np.uint16])
def test_grey_deep_and_transparent_photos(tmp_path, depth):
    """Grey becomes colour, 16 bits are scaled, transparency is left out."""
    recipe = tmp_path / "none.yaml"
    recipe.write_text("quantise")
    top = np.iinfo(depth).max
    for channels in (1, 3, 4):
        values = np.full((20, 30, channels), top // 2, depth)
        path, out = tmp_path / "in.png", tmp_path / "out.png"
        path.write_bytes(cv2.imencode(".png", values)[1].tobytes())
        assert _srkit(path, out, "--recipe", recipe).exit_code == 0
        assert abs(_read(out).astype(int) - 127).max() <= 1


def test_photos_come_out_upright(photo, tmp_path):
    """A photo that a camera turned is turned back."""
    turned = Image.fromarray(np.ascontiguousarray(np.rot90(photo[:64, :96])))
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned clockwise
    turned.save(tmp_path / "in.jpg", exif=exif, quality=98)
    (tmp_path / "none.yaml").write_text("quantise")
    assert _srkit(tmp_path / "in.jpg", tmp_path / "out.png", "--recipe", tmp_path / "none.yaml").exit_code == 0
    assert abs(_read(tmp_path / "out.png").astype(int) - photo[:64, :96]).mean() < 5


def test_what_cannot_be_done_is_told(photo_file, tmp_path):
    """A file that is no picture, a format nobody writes, a folder that is not there, a recipe nobody knows."""
    text = tmp_path / "text.png"
    text.write_text("no picture")
    assert "is no picture that OpenCV can read" in _srkit(text, tmp_path / "o.png").output
    assert "nothing here writes '.xyz' files" in _srkit(photo_file, tmp_path / "o.xyz").output
    assert "cannot write" in _srkit(photo_file, tmp_path / "none" / "o.png").output
    assert "unknown recipe 'third-order'" in str(
        _srkit(photo_file, tmp_path / "o.png", "--recipe", "third-order").exception
    )
    assert not list(tmp_path.glob("o.*"))
