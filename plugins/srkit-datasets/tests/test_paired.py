"""Ready pairs."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch

import srkit
import srkit.testing
import srkit_io
from srkit_datasets import UnsharpMask, open_pictures
from srkit_datasets.packing import pack_lmdb, pack_tar
from srkit_datasets.paired import dataset


@srkit.testing.parametrise(dataset)
def test_conforms(check):
    """It keeps the contract of data sets."""
    check()


def batches(gt, lq, count=4, **config):
    """Some batches of two pairs."""
    given = {"gt": str(gt), "lq": str(lq), "gt_size": 16, **config}
    return list(itertools.islice(dataset.open(given, srkit.Feed(batch_size=2, bad_limit=1)), count))


def assert_aligned(found):
    """Targets are their inputs with every pixel repeated."""
    for batch in found:
        assert torch.equal(batch.gt, batch.lq.repeat_interleave(4, 2).repeat_interleave(4, 3))


@pytest.mark.parametrize("gt_size", [4, 16, 48, 100])
def test_pairs_stay_aligned(pairs, gt_size):
    """Whether cut or continued, the input is exactly what matches the target."""
    found = batches(*pairs, gt_size=gt_size)
    assert found[0].gt.shape == (2, 3, gt_size, gt_size)
    assert_aligned(found)


def test_storage_changes_nothing(pairs, tmp_path):
    """From folders, LMDB and tar shards, pairs come the same."""
    pytest.importorskip("lmdb")
    expected = batches(*pairs)
    for name, folder in zip(("gt", "lq"), pairs, strict=True):
        pack_lmdb(open_pictures(folder), tmp_path / f"{name}.lmdb", threads=1, restart=False)
        pack_tar(open_pictures(folder), tmp_path / f"{name}-shards", per_shard=2, threads=1, restart=False)
    for places in (("gt.lmdb", "lq.lmdb"), ("gt-shards/*.tar", "lq-shards/*.tar")):
        found = batches(*(tmp_path / place for place in places))
        for one, other in zip(found, expected, strict=True):
            assert torch.equal(one.gt, other.gt)
            assert torch.equal(one.lq, other.lq)


def test_both_halves_in_one_shard(pairs, tmp_path):
    """Samples of a WebDataset, KEY.gt.png beside KEY.lq.png, are told apart by patterns."""
    import tarfile

    with tarfile.open(tmp_path / "a.tar", "w") as tar:
        for number in range(5):
            for name, folder in zip(("gt", "lq"), pairs, strict=True):
                tar.add(folder / f"{number}.png", f"{number}.{name}.png")
    where = str(tmp_path / "a.tar")
    given = {"gt": {"path": where, "pattern": "*.gt.*"}, "lq": {"path": where, "pattern": "*.lq.*"}, "gt_size": 16}
    assert_aligned(itertools.islice(dataset.open(given, srkit.Feed(batch_size=2)), 3))


def test_sharpened_targets(pairs):
    """With sharpen the same batches have their targets sharpened, too, by the unsharp mask of the degradations."""
    plain, sharp = batches(*pairs), batches(*pairs, sharpen=True)
    assert all(batch.gt_usm is None for batch in plain)
    for one, other in zip(plain, sharp, strict=True):
        assert torch.equal(one.gt, other.gt)
        assert torch.equal(UnsharpMask()(one.gt, torch.Generator()), other.gt_usm)


def test_names_of_inputs(pairs):
    """Inputs may be called otherwise, with another suffix, and lie in sub-folders as their targets do."""
    gt, lq = pairs
    for folder in (gt, lq):
        (folder / "sub").mkdir()
        (folder / "4.png").rename(folder / "sub" / "4.png")
    for path in sorted(lq.rglob("*.png")):
        srkit_io.write(path.with_name(f"{path.stem}x4.bmp"), srkit_io.read(path))
        path.unlink()
    found = batches(gt, lq, lq_name="{}x4")
    assert_aligned(found)
    with pytest.raises(srkit.DatasetError, match="5 of 5 targets have no input; '0' is the first"):
        batches(gt, lq)
    srkit_io.write(lq / "0x4.png", np.zeros((4, 4, 3), np.uint8))
    with pytest.raises(srkit.DatasetError, match="several inputs are called '0x4'"):
        batches(gt, lq, lq_name="{}x4")


def test_list_of_pairs(pairs, tmp_path):
    """A list says which belong together, and which are taken."""
    (tmp_path / "pairs.txt").write_text("3.png, 3.png\n1.png (52,76,3), 1.png (13,19,3)\n")
    found = batches(*pairs, pairs=str(tmp_path / "pairs.txt"))
    assert {name for batch in found for name in batch.names} == {"1.png", "3.png"}
    assert_aligned(found)
    with pytest.raises(srkit.SettingsError, match="a single place each"):
        dataset.open({"gt": [], "lq": "b", "pairs": str(tmp_path / "pairs.txt")}, srkit.Feed(batch_size=1))


def test_sizes_that_do_not_match_are_a_bad_file(pairs):
    """A target that is not scale times its input is left out, told with both sizes."""
    srkit_io.write(pairs[1] / "2.png", np.zeros((9, 9, 3), np.uint8))
    stream = dataset.open({"gt": str(pairs[0]), "lq": str(pairs[1]), "gt_size": 16}, srkit.Feed(batch_size=5))
    assert_aligned([next(stream)])
    ((name, reason),) = stream.bad.items()
    assert name == str(pairs[0] / "2.png")
    assert "72×56 pixels, which is not 4 times the 9×9 of" in reason
