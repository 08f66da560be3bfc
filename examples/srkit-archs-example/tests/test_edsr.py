"""EDSR: srkit's contracts, and names of other people's files."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from srkit_archs_example.edsr import EDSR, architecture

import srkit
from srkit.testing import parametrise


@parametrise(architecture)
def test_conforms(check):
    """Each of srkit's contracts for architectures holds."""
    check()


def test_size_of_the_paper():
    """The baseline for ×2 has 1.37 million parameters, the large network for ×4 43 million (table 1)."""
    with torch.device("meta"):
        counts = [sum(p.numel() for p in EDSR(scale, n_feats, blocks).parameters())
                  for scale, n_feats, blocks in ((2, 64, 16), (4, 256, 32))]  # fmt: skip
    assert counts == [1_369_859, 43_089_923]


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_files_of_others_are_recognised(scale, tmp_path):
    """Names as the authors' code and BasicSR write them are understood, and upscale alike."""
    network = EDSR(scale, n_feats=8, n_resblocks=2)
    own = network.state_dict()
    basicsr = {
        name.replace("head.0.", "conv_first.")
        .replace(".body.0.", ".conv1.")
        .replace(".body.2.", ".conv2.")
        .replace("body.2.", "conv_after_body.")
        .replace("tail.0.", "upsample.")
        .replace("tail.1.", "conv_last."): tensor
        for name, tensor in own.items()
    }
    means = {f"{part}_mean.{kind}": torch.zeros(3) for part in ("sub", "add") for kind in ("weight", "bias")}
    img = np.random.default_rng(0).integers(0, 256, (9, 11, 3), np.uint8)
    results = []
    for number, tensors in enumerate((own, own | means, basicsr)):
        save_file(tensors, tmp_path / f"{number}.safetensors")
        results.append(srkit.upscale(img, weights=tmp_path / f"{number}.safetensors"))
    assert results[0].shape == (9 * scale, 11 * scale, 3)
    assert all(np.array_equal(results[0], result) for result in results)


def test_it_streams():
    """In strips, the result is that of the whole picture, to the bit."""
    up = srkit.Upscaler.from_network(
        EDSR(2, n_feats=8, n_resblocks=2).eval(), srkit.Traits(scale=2), engine="stream", rows=3
    )
    whole = srkit.Upscaler.from_network(up.loaded.network, srkit.Traits(scale=2), engine="whole")
    img = np.random.default_rng(0).random((40, 70, 3)).astype(np.float32)
    assert np.array_equal(up(img), whole(img))


def test_other_scales_are_refused():
    """What is no product of 2 and 3 is told with its value."""
    with pytest.raises(srkit.SettingsError, match="scale=5"):
        EDSR(5)
