"""NIQE: its fits, its features, and what it tells apart."""

from __future__ import annotations

import hashlib
import math
import os
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage, special, stats

import srkit
from srkit_training.bicubic import bicubic
from srkit_training.metrics import NaturalModel, niqe
from srkit_training.metrics.naturalness import MODEL_SHA256, MODEL_URL, _tables, features, fit


def texture(seed, side=288):
    """A picture with structure of all sizes, like a natural one: (side, side, 3) uint8."""
    rng = np.random.default_rng(seed)
    layers = [ndimage.gaussian_filter(rng.standard_normal((side, side)), 2.0**k) * 2**k for k in range(5)]
    values = np.sum(layers, 0)
    grey = 128 + 40 * values / values.std()
    return np.clip(grey[..., None] + [8, 0, -8], 0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def model():
    """A model of what is natural, fitted to textures."""
    found = np.concatenate([features(texture(seed)) for seed in range(8)])
    return NaturalModel(found.mean(0), np.cov(found, rowvar=False))


@settings(max_examples=20)
@given(st.floats(0.7, 4), st.floats(0.2, 2), st.floats(0.2, 2), st.integers(0, 99))
def test_fit_finds_the_distribution(alpha, left, right, seed):
    """Of values of an asymmetric generalised Gaussian, the fit finds the shape and both scales."""
    rng = np.random.default_rng(seed)
    count = 200_000
    # |x| of a generalised Gaussian is a power of a gamma variable; sides are as likely as their scales.
    size = stats.gamma.rvs(1 / alpha, size=count, random_state=rng) ** (1 / alpha)
    values = np.where(rng.random(count) < left / (left + right), -left * size, right * size)
    shape, found_left, found_right = fit(values.reshape(1, 400, 500))
    assert _tables().alpha[shape[0]] == pytest.approx(alpha, rel=0.1)
    assert found_left[0] == pytest.approx(left, rel=0.1)
    assert found_right[0] == pytest.approx(right, rel=0.1)


def aggd(values):
    """The fit of one block, step by step as the authors' code goes."""
    shapes = np.arange(0.2, 10.001, 0.001)
    ratios = special.gamma(2 / shapes) ** 2 / (special.gamma(1 / shapes) * special.gamma(3 / shapes))
    left = math.sqrt(np.mean(values[values < 0] ** 2))
    right = math.sqrt(np.mean(values[values > 0] ** 2))
    g = left / right
    r = np.mean(np.abs(values)) ** 2 / np.mean(values**2) * (g**3 + 1) * (g + 1) / (g**2 + 1) ** 2
    alpha = shapes[np.argmin((ratios - r) ** 2)]
    to_scale = math.sqrt(special.gamma(1 / alpha) / special.gamma(3 / alpha))
    return alpha, left * to_scale, right * to_scale


def block_features(block):
    """Eighteen numbers of a normalised block."""
    alpha, left, right = aggd(block)
    found = [alpha, (left + right) / 2]
    for shift in ((0, 1), (1, 0), (1, 1), (1, -1)):
        alpha, left, right = aggd(block * np.roll(block, shift, (0, 1)))
        found += [alpha, (right - left) * special.gamma(2 / alpha) / special.gamma(1 / alpha), left, right]
    return found


def expected_features(grey):
    """All 36, block by block."""
    bell = np.exp(-(np.arange(-3, 4) ** 2) / (2 * (7 / 6) ** 2))
    window = np.outer(bell, bell) / bell.sum() ** 2
    found = []
    for side in (96, 48):
        mean = ndimage.convolve(grey, window, mode="nearest")
        deviation = np.sqrt(np.abs(ndimage.convolve(grey**2, window, mode="nearest") - mean**2))
        values = (grey - mean.astype(np.float32)) / (deviation + 1)  # so that flat areas are 0
        rows, columns = (n // side for n in grey.shape)
        places = [(i * side, j * side) for i in range(rows) for j in range(columns)]
        found.append([block_features(values[y : y + side, x : x + side]) for y, x in places])
        grey = bicubic(grey, (grey.shape[0] // 2, grey.shape[1] // 2))
    return np.concatenate(found, 1)


def test_features_are_the_published_ones(photo):
    """Border, luma, blocks, normalisation and fits, against the method written out one block at a time."""
    r, g, b = np.moveaxis(photo[8:-8, 8:-8].astype(np.float64), 2, 0)
    grey = np.round(16 + (65.481 * r + 128.553 * g + 24.966 * b) / 255)[:192, :192]
    found = features(photo, border=8)
    assert found.shape == (4, 36)
    # Shapes lie 0.001 apart: a value between two may go to either.
    np.testing.assert_allclose(found, expected_features(grey), atol=2e-3)


def test_its_own_model_is_nearest(model):
    """The model that is fitted to a picture's own blocks is not at any distance from it."""
    picture = texture(99)
    found = features(picture)
    assert niqe(picture, model=NaturalModel(found.mean(0), np.cov(found, rowvar=False))) == pytest.approx(0, abs=1e-6)
    away = found.mean(0) - model.mean
    middle = (np.cov(found, rowvar=False) + model.covariance) / 2
    assert niqe(picture, model=model) == pytest.approx(math.sqrt(away @ np.linalg.pinv(middle) @ away), rel=1e-9)


def test_worse_pictures_are_less_natural(model):
    """Noise, blur and JPEG take a picture away from the model, the more the stronger they are."""
    picture = texture(50)
    rng = np.random.default_rng(0)

    def noisy(strength):
        return np.clip(picture + rng.normal(0, strength, picture.shape), 0, 255).astype(np.uint8)

    def jpeg(quality):
        _, data = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])
        return cv2.imdecode(data, cv2.IMREAD_COLOR)

    good = niqe(picture, model=model)
    for worse, worst in (
        (noisy(10), noisy(40)),
        (jpeg(40), jpeg(5)),
        (cv2.GaussianBlur(picture, None, 2), cv2.GaussianBlur(picture, None, 5)),
    ):
        assert good < niqe(worse, model=model) < niqe(worst, model=model)


def test_what_lies_outside_whole_blocks_does_not_count(model):
    """Nor does the border, nor the depth of the picture."""
    picture = texture(7)
    larger = np.pad(picture, ((5, 5 + 40), (5, 5 + 90), (0, 0)), "reflect")
    expected = niqe(picture, model=model)
    assert niqe(larger, border=5, model=model) == pytest.approx(expected, rel=1e-3)
    assert niqe(picture / 255, model=model) == expected


def test_flat_areas():
    """Flat blocks have no features, at either size, and a picture of fewer than two others has no quality."""
    picture = texture(3)
    picture[:, :108] = 77  # the first column of blocks, and what windows see of the second
    found = features(picture)
    flat = np.isnan(found).any(1)
    assert flat.tolist() == [True, False, False] * 3
    assert np.isnan(found[0]).sum() == 2 * (1 + 4 * 3)  # all but the shapes
    nothing = NaturalModel(np.zeros(36), np.eye(36))
    assert math.isnan(niqe(np.full((192, 192, 3), 200, np.uint8), model=nothing))


def test_too_small(model):
    """A picture without two blocks is refused."""
    with pytest.raises(
        srkit.ImageError, match="two blocks of 96×96 pixels, and 184×92 are left of a picture of 192×100"
    ):
        niqe(texture(0)[:100, :192], border=4, model=model)


def test_model_files(tmp_path, model):
    """A model is read as BasicSR writes it; other files are refused by name."""
    np.savez(tmp_path / "a.npz", mu_pris_param=model.mean[None], cov_pris_param=model.covariance)
    read = NaturalModel.read(tmp_path / "a.npz")
    assert (read.mean == model.mean).all()
    assert (read.covariance == model.covariance).all()
    np.savez(tmp_path / "few.npz", mu_pris_param=model.mean[:9], cov_pris_param=model.covariance)
    np.savez(tmp_path / "other.npz", mean=model.mean)
    np.save(tmp_path / "array.npy", model.mean)
    (tmp_path / "text.npz").write_text("no")
    for name in ("few.npz", "other.npz", "array.npy", "text.npz"):
        with pytest.raises(srkit.WeightsError, match=name):
            NaturalModel.read(tmp_path / name)
    with pytest.raises(srkit.WeightsNotFound, match=r"no .*none\.npz"):
        NaturalModel.read(tmp_path / "none.npz")


def test_official_model_is_fetched_or_put_in_its_place(monkeypatch, tmp_path):
    """Without a network the error says where the file may be put; what is there must be the right one."""
    with pytest.raises(srkit.Offline) as caught:
        niqe(texture(0))
    assert MODEL_URL in str(caught.value)
    (place,) = (Path(note.rpartition(" put at ")[2]) for note in caught.value.__notes__)
    assert str(place).startswith(os.environ["SRKIT_CACHE"])
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(b"another file")
    with pytest.raises(srkit.Offline):
        NaturalModel.official()


def test_official_values(photo):
    """With the authors' model, values are those of BasicSR 1.4.2."""
    path = Path(os.environ.get("SRKIT_NIQE_MODEL", ""))
    if not path.is_file():
        pytest.skip("SRKIT_NIQE_MODEL names no file; it should be niqe_pris_params.npz of BasicSR 1.4.2")
    assert hashlib.sha256(path.read_bytes()).hexdigest() == MODEL_SHA256
    assert niqe(photo, border=4, model=NaturalModel.read(path)) == pytest.approx(3.413610, abs=1e-4)
