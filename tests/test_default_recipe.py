"""recipes/default, from crops to cards, on pictures and networks that are nothing; its statistics."""

from __future__ import annotations

import csv
import importlib
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("srkit_training")
pytest.importorskip("srkit_archs_realesrgan")

import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from safetensors.torch import save_file

import srkit
from srkit_archs_realesrgan.srvgg import SRVGGNetCompact

RECIPE = Path(__file__).parents[1] / "recipes" / "default"
OVERRIDES = (
    "train.iterations=2",
    "train.warmup=0",
    "data.workers=0",
    "data.batch_size=2",
    "validation.crop=128",
    "network.options={num_feat: 8, num_conv: 1, upscale: 4, act_type: prelu}",
)


@pytest.fixture(scope="module")
def recipe():
    """The modules of the recipe, by name."""
    sys.path.insert(0, str(RECIPE))
    names = ("card", "draw_pages", "evaluate", "flatten", "make")
    yield {name: importlib.import_module(name) for name in names}
    sys.path.remove(str(RECIPE))
    for name in names:
        del sys.modules[name]


def convolutions(*layers):
    """Random weights of convolutions: (index, in, out, side)."""
    generator = torch.Generator().manual_seed(0)
    tensors = {}
    for index, before, after, side in layers:
        tensors[f"features.{index}.weight"] = torch.randn(after, before, side, side, generator=generator) / 9
        tensors[f"features.{index}.bias"] = torch.zeros(after)
    return tensors


@pytest.fixture
def features(tmp_path):
    """Files of VGG16, AlexNet and LPIPS, of random weights."""
    widths = (3, 64, 64, 128, 128, 256, 256, 256, 512, 512, 512, 512, 512, 512)
    places = (0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28)
    vgg16 = [(place, *widths[n : n + 2], 3) for n, place in enumerate(places)]
    alexnet = [(0, 3, 64, 11), (3, 64, 192, 5), (6, 192, 384, 3), (8, 384, 256, 3), (10, 256, 256, 3)]
    linear = {f"lin{n}.model.1.weight": torch.rand(1, width, 1, 1) for n, width in enumerate((64, 192, 384, 256, 256))}
    files = {"vgg16": convolutions(*vgg16), "alexnet": convolutions(*alexnet), "linear": linear}
    for name, tensors in files.items():
        save_file(tensors, tmp_path / f"{name}.safetensors")
    return {name: str(tmp_path / f"{name}.safetensors") for name in files}


@pytest.fixture
def folder(tmp_path):
    """Photos as fetch_photos.py leaves them."""
    rng = np.random.default_rng(0)
    folder = tmp_path / "made"
    for name, side in {
        "train/a": 720,
        "train/b": 720,
        "validation/c": 256,
        "evaluation/d": 400,
        "evaluation/e": 400,
    }.items():
        coarse = Image.fromarray(rng.integers(0, 256, (side // 8, side // 8, 3), np.uint8))
        path = folder / "photos" / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        coarse.resize((side, side), Image.Resampling.BICUBIC).save(path)
    sources = [
        "file,package,version,author,licence",
        "train/a.png,debian/p,1,Ann,CC0-1.0",
        "validation/c.png,x,1,B,MIT",
    ]
    (folder / "photos" / "SOURCES.csv").write_text("\n".join(sources))
    return folder


def test_from_crops_to_cards(recipe, folder, features, monkeypatch, capfd):
    """All steps but the fetching run, are not done again, and leave weights that upscale, measurements, and cards."""
    naturalness = importlib.import_module("srkit_training.metrics").NaturalModel
    monkeypatch.setattr(naturalness, "official", lambda: naturalness(np.zeros(36), np.eye(36)))
    monkeypatch.setattr(recipe["draw_pages"], "PAGES", 1)
    given = ["--cpu", "--vgg16", features["vgg16"], "--lpips", features["alexnet"], features["linear"]]
    given += ["--peer", str(folder / "srkit-compact-x4-restoring.safetensors")]
    given += [part for override in OVERRIDES for part in ("--set", override)]
    recipe["make"].main([str(folder), "--from", "crops", *given])
    for name in recipe["make"].NETWORKS:
        loaded = srkit.load_network(weights=folder / f"{name}.safetensors")
        assert (loaded.card["name"], loaded.card["licence"]) == (name, "BSD-3-Clause")
        assert srkit.upscale(np.zeros((8, 8), np.uint8), weights=folder / f"{name}.safetensors").shape == (32, 32)
    with (folder / "evaluation.csv").open() as file:
        rows = [*csv.DictReader(file)]
    assert {row["degradation"] for row in rows} == {"clean", "second-order"}
    assert len(rows) == 2 * 2 * 4
    assert "itself, from nothing," in (folder / "srkit-compact-x4-faithful.md").read_text()
    card = (folder / "srkit-compact-x4-restoring.md").read_text()
    for line in (
        "| a | Ann | CC0-1.0 | debian/p 1 |",
        "| `restoring-pixels.yml` | 2 | 0 h 0 min |",
        "| `restoring.yml` | 2 | 0 h 0 min |",
        "2 held-out photos",
        "Trained on 1",
        "itself, from srkit-compact-x4-faithful,",
    ):
        assert line in card
    assert "$" not in card
    before = (folder / "evaluation.csv").read_bytes()
    capfd.readouterr()
    recipe["make"].main([str(folder), "--from", "crops", "--to", "restoring", *given])
    recipe["make"].main([str(folder), "--from", "evaluation", *given])
    assert (folder / "evaluation.csv").read_bytes() == before
    told = capfd.readouterr()
    assert "begins in" not in told.err
    (folder / "crops.lmdb" / "data.mdb").write_bytes(b"")
    with pytest.raises(SystemExit, match="the same command goes on"):
        recipe["make"].main(
            [str(folder), "--from", "faithful", "--to", "faithful", *given, "--set", "train.iterations=3"]
        )


def rows_of(values):
    """Rows of two methods on as many photos."""
    for method, numbers in values.items():
        for photo, number in enumerate(numbers):
            yield {
                "degradation": "clean",
                "photo": str(photo),
                "method": method,
                "psnr": str(number),
                "lpips": str(number),
            }


@given(st.lists(st.floats(-10, 10), min_size=2, max_size=20), st.floats(-5, 5))
def test_gains(recipe, numbers, gain):
    """A gain that all photos share is certain; its sign is that of better, whichever way the metric goes."""
    rows = [*rows_of({"other": numbers, "ours": [number + gain for number in numbers]})]
    for metric, sign in (("psnr", 1), ("lpips", -1)):
        found = recipe["evaluate"].difference(rows, "clean", "ours", "other", metric)
        assert np.allclose(found, sign * gain)


def test_intervals(recipe):
    """The interval is that of the normal distribution for many photos."""
    gains = np.random.default_rng(1).normal(0.3, 2, 1000)
    rows = [*rows_of({"ours": gains, "other": np.zeros(1000)})]
    found = recipe["evaluate"].difference(rows, "clean", "ours", "other", "psnr")
    half = 1.96 * gains.std() / 1000**0.5
    assert found.mean == pytest.approx(gains.mean())
    assert (found.mean - found.low, found.high - found.mean) == (
        pytest.approx(half, rel=0.05),
        pytest.approx(half, rel=0.05),
    )


def test_cut_rows_are_measured_again(recipe, tmp_path):
    """A line that was being written when the power went is left out; rows are written whole."""
    evaluate = recipe["evaluate"]
    assert evaluate.read_rows(tmp_path / "none.csv") == []
    row = dict(zip(evaluate.COLUMNS, ["clean", "a", "ours", "1", "2", "3", "4"], strict=True))
    evaluate.write_rows(tmp_path / "some.csv", [row, row])
    with (tmp_path / "some.csv").open("a") as file:
        file.write("clean,b,ours,1.0")
    assert evaluate.read_rows(tmp_path / "some.csv") == [row, row]


def test_what_is_not_published_is_not_compared(recipe, tmp_path):
    """A network among the published rows is compared with its means there, another is told to be missing."""
    evaluate = recipe["evaluate"]
    kinds = ("clean", "second-order")
    rows = [dict(zip(evaluate.COLUMNS, [kind, "a", "ours", "1", "2", "3", "4"], strict=True)) for kind in kinds]
    evaluate.write_rows(tmp_path / "published.csv", rows)
    evaluate.write_rows(tmp_path / "measured.csv", [{**row, "psnr": "1.2"} for row in rows])
    told = recipe["card"].agreement(tmp_path / "measured.csv", tmp_path / "published.csv", ["ours", "other"])
    assert "ours, clean: psnr 1.2000, +0.2000, BEYOND 0.1" in told
    assert "ours, second-order: ssim 2.0000, +0.0000, within 0.005" in told
    assert told.endswith("other: nothing is published to compare with")


def test_pages_follow_from_their_numbers(recipe, tmp_path):
    """A page is drawn the same each time, grey where it should be; what is there is not drawn again."""
    page = recipe["draw_pages"].page
    first = np.asarray(page(0))
    assert first.shape == (512, 512, 3)
    assert np.array_equal(first, np.asarray(page(0)))
    assert np.ptp(first, axis=2).max() == 0
    assert np.ptp(np.asarray(page(1)), axis=2).max() > 0


def test_flat_pictures_are_made_flat(recipe, monkeypatch):
    """The pattern that a network puts on pictures of one colour all but vanishes, where nothing else counts."""
    torch.manual_seed(0)
    network = SRVGGNetCompact(num_feat=32, num_conv=2, upscale=4).eval()
    colours = torch.rand(20, 3, 1, 1, generator=torch.Generator().manual_seed(1)).expand(-1, -1, 41, 41)

    def off():
        with torch.inference_mode():
            made = network(colours) - torch.nn.functional.interpolate(colours, scale_factor=4)
        return made[..., 64:-64, 64:-64].abs().max()

    before = off()
    monkeypatch.setattr(recipe["flatten"], "KEPT", 0)
    monkeypatch.setattr(recipe["flatten"], "GREY", 0)
    recipe["flatten"].change(network, [colours])
    assert off() < before / 20


def test_flat_is_made_flat_and_grey_grey(recipe):
    """The pattern on pictures of one colour all but vanishes, and most of a tinge of grey ones; others hardly change."""
    torch.manual_seed(0)
    network = SRVGGNetCompact(num_feat=32, num_conv=2, upscale=4).eval()
    kept = [parameter.clone() for parameter in network.parameters()]
    rng = torch.Generator().manual_seed(1)
    flat = torch.rand(20, 3, 1, 1, generator=rng).expand(-1, -1, 41, 41)
    coarse = torch.rand(4, 3, 12, 12, generator=rng)
    pictures = torch.nn.functional.interpolate(coarse, scale_factor=4, mode="bicubic").clamp(0, 1)
    grey = pictures.mean(1, keepdim=True).expand_as(pictures)

    def made():
        with torch.inference_mode():
            pattern = network(flat) - torch.nn.functional.interpolate(flat, scale_factor=4)
            return pattern[..., 64:-64, 64:-64].abs().max(), network(grey).std(1).mean(), network(pictures)

    before = made()
    recipe["flatten"].change(network, [pictures[:2], pictures[2:]])
    pattern, tinge, same = made()
    assert pattern < before[0] / 10
    assert tinge < before[1] / 2
    assert (same - before[2]).abs().mean() < before[0] / 10
    *others, _, _ = zip(kept, network.parameters(), strict=True)
    assert all(torch.equal(old, new) for old, new in others)
