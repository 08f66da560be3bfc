"""The networks that come along: there without a network, small, well-behaved, and better than bicubic."""

import hashlib
import io
from importlib import resources

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import srkit  # noqa: E402
from srkit.weights.read import read_file  # noqa: E402

OWN = ("srkit-compact-x4-restoring", "srkit-compact-x4-faithful")
REACH = 4 * 18
"""Pixels of the result from a border on."""
WEIGHTS = resources.files("srkit_archs_realesrgan") / "weights"


@pytest.fixture(scope="module", params=OWN)
def own(request):
    """Each of our networks, whole pictures at a time, as the name and what upscales."""
    return request.param, srkit.load(request.param, device="cpu", engine="whole")


@pytest.mark.parametrize("name", OWN)
def test_they_come_along(name, monkeypatch, tmp_path):
    """They are read from the package, fetch nothing, are small, and say whose they are, how made, and by what licence."""
    monkeypatch.setenv("SRKIT_OFFLINE", "1")
    monkeypatch.setenv("SRKIT_CACHE", str(tmp_path))
    loaded = srkit.load_network(model=name)
    assert next(iter(loaded.sources)).startswith("package srkit-archs-realesrgan")
    file = WEIGHTS / f"{name}.safetensors"
    assert file.stat().st_size <= 2_500_000
    assert (loaded.card["name"], loaded.card["licence"]) == (name, "BSD-3-Clause")
    assert loaded.card["recipe"].startswith("recipes/default/")
    dtypes = {tensor.dtype for tensor in read_file(file).tensors.values() if tensor.dim() == 4}
    assert dtypes <= {torch.float16, torch.float32}


@pytest.mark.parametrize("name", OWN)
def test_the_model_card_is_of_this_file(name):
    """It has the file's digest, the licence, and the authors of the photos."""
    card = (WEIGHTS / f"{name}.md").read_text("utf-8")
    assert hashlib.sha256((WEIGHTS / f"{name}.safetensors").read_bytes()).hexdigest() in card
    assert "BSD-3-Clause" in card
    assert "CC0-1.0" in card
    assert card.count("| debian/") >= 40


def test_denoise_goes_from_one_to_the_other():
    """At 0 the restoring network is the faithful one, at 1 itself."""
    ends = [srkit.load_network(model=OWN[0], denoise=share).network.state_dict() for share in (0.0, 1.0)]
    for end, name in zip(ends, reversed(OWN), strict=True):
        own = srkit.load_network(model=name).network.state_dict()
        assert all(torch.equal(end[key], own[key]) for key in own)


@pytest.mark.parametrize("colour", [(0, 0, 0), (255, 255, 255), (128, 128, 128), (200, 30, 60), (20, 90, 160)])
def test_flat_stays_flat(own, colour):
    """A picture of one colour stays it: no tint, no grid; a little is off only where the network sees beyond the border."""
    off = np.abs(own[1](np.full((48, 48, 3), colour, np.uint8)).astype(int) - colour)
    assert off[REACH:-REACH, REACH:-REACH].max() <= 1
    assert off.max() <= {"faithful": 3, "restoring": 6}[flavour(own)]


def test_grey_stays_grey(own, photo):
    """Channels that are equal stay so, nearly."""
    grey = np.repeat(photo[:64, :64].mean(2, keepdims=True).astype(np.uint8), 3, 2)
    assert np.abs(np.diff(own[1](grey).astype(int), axis=2)).mean() <= 1.5


def flavour(own):
    """What the network of the fixture is for."""
    return own[0].rsplit("-", 1)[1]


def gain_over_bicubic(upscale, target):
    """In dB, on a (256, 256, 3) picture made four times smaller; 8 pixels of border left out."""
    bicubic, metrics = (pytest.importorskip(f"srkit_training.{name}") for name in ("bicubic", "metrics"))
    small = bicubic.to_8_bit(bicubic.bicubic(target, (64, 64)))
    enlarged = upscale(small), bicubic.to_8_bit(bicubic.bicubic(small, (256, 256)))
    ours, theirs = (metrics.psnr(big, target, border=8) for big in enlarged)
    return ours - theirs


def test_closer_than_bicubic(own, photo):
    """The faithful network is much closer to a photo than bicubic is, the restoring one not far off."""
    assert gain_over_bicubic(own[1], photo) > {"faithful": 0.8, "restoring": -1}[flavour(own)]


def test_colour_is_enlarged_as_brightness_is(own):
    """A disc that differs from what is around it in colour alone has a sharp edge, not one in squares."""
    rows, columns = np.mgrid[:256, :256] - 128
    inside = np.hypot(rows, columns)[..., None] < 80
    disc = np.where(inside, (210, 60, 90), (60, 210, 90)).astype(np.uint8)
    assert gain_over_bicubic(own[1], disc) > {"faithful": 1, "restoring": -1}[flavour(own)]


def test_no_grid_where_noise_and_jpeg_were(photo):
    """Of what the restoring network makes of a bad picture, less than half a level is the same in all cells nearby."""
    image = pytest.importorskip("PIL.Image")
    noisy = photo[:128, :128] + np.random.default_rng(0).normal(0, 12, (128, 128, 3))
    file = io.BytesIO()
    image.fromarray(noisy.clip(0, 255).astype(np.uint8)).save(file, "jpeg", quality=60)
    bad = np.asarray(image.open(file))
    grid = shared_by_cells(srkit.upscale(bad, model=OWN[0], device="cpu", engine="whole"))
    assert np.median(grid) < 0.4
    assert np.quantile(grid, 0.9) < 0.8


def shared_by_cells(picture):
    """The root mean square, in levels, of what 8×8 cells of 4×4 pixels share, in each such window of (H, W, 3) uint8.

    Seen is what is finer than a cell. What they share by chance is taken off.
    """
    cells = torch.from_numpy(picture).permute(2, 0, 1)[:, None].float()
    weights = torch.tensor([0.5, 1, 1, 1, 0.5]) / 4
    fine = cells - torch.nn.functional.conv2d(cells, weights.outer(weights)[None, None], padding=2)
    windows = fine[:, 0, 32:-32, 32:-32].unfold(1, 32, 32).unfold(2, 32, 32)
    cells = windows.unflatten(-1, (8, 4)).unflatten(-3, (8, 4))
    squares = cells.mean((3, 5)) ** 2 - cells.var((3, 5)) / 64
    return squares.mean((0, 3, 4)).clamp(min=0).sqrt().numpy()
