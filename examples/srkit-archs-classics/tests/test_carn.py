"""CARN and CARN-M: srkit's contracts, the paper's figures, and published files with several scales."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import srkit
import srkit.testing
import torch
from safetensors.torch import save_file

from srkit_archs_classics.carn import Network, architecture


@srkit.testing.parametrise(architecture)
def test_conforms(check: srkit.testing.Check) -> None:
    """It keeps srkit's contracts for architectures."""
    check()


@pytest.mark.parametrize(("groups", "least_axes", "parameters"), [(None, 1, 1_591_939), (4, 4, 412_032)])
def test_has_as_many_parameters_as_in_the_paper(groups: int | None, least_axes: int, parameters: int) -> None:
    """With enlargements for ×2, ×3 and ×4 CARN has 1,592K parameters; CARN-M has 412K, which leaves out biases."""
    with torch.device("meta"):
        networks = [Network(scale=scale, groups=groups) for scale in (2, 3, 4)]
    trunk = {name: tensor for name, tensor in networks[0].named_parameters() if not name.startswith("upsample.")}
    tensors = [*trunk.values(), *(tensor for network in networks for tensor in network.upsample.parameters())]
    assert sum(tensor.numel() for tensor in tensors if tensor.ndim >= least_axes) == parameters


@pytest.mark.parametrize("groups", [None, 1, 4])
@pytest.mark.parametrize("scale", [2, 3, 4, 8])
def test_weights_are_recognised(tmp_path: Path, scale: int, groups: int | None) -> None:
    """A file of weights alone tells scale, width and groups, and what it builds fits the traits."""
    config: dict[str, Any] = {"scale": scale, "width": 8, "groups": groups}
    save_file(architecture.build(**config).state_dict(), tmp_path / "weights.safetensors")
    loaded = srkit.load_network(weights=tmp_path / "weights.safetensors")
    assert (loaded.architecture, loaded.config) == ("carn", config)
    assert loaded.network(torch.rand(1, 3, 5, 4)).shape == (1, 3, 5 * scale, 4 * scale)


def test_files_of_several_scales_are_taken_for_the_largest(tmp_path: Path) -> None:
    """Files as the authors published them, with enlargements for ×2, ×3 and ×4, give the network of ×4."""
    networks = {scale: architecture.build(scale=scale, width=8) for scale in (2, 3, 4)}
    tensors = {name: tensor for name, tensor in networks[4].state_dict().items() if not name.startswith("upsample.")}
    for scale, network in networks.items():
        for name, tensor in network.state_dict().items():
            if name.startswith("upsample."):
                tensors[name.replace(".up.", f".up{scale}.")] = tensor
    save_file(tensors, tmp_path / "published.safetensors")
    loaded = srkit.load_network(weights=tmp_path / "published.safetensors")
    x = torch.rand(1, 3, 6, 5)
    assert loaded.config == {"scale": 4, "width": 8, "groups": None}
    assert torch.equal(loaded.network(x), networks[4](x))


def test_recursion_shares_a_block() -> None:
    """CARN-M uses one block three times in each cascade: without it, each cascade is the 1×1 convolutions alone."""
    cascade = architecture.build(width=4, groups=2).b1
    x = torch.rand(1, 4, 6, 5)
    before = cascade(x)
    with torch.no_grad():
        for tensor in cascade.b1.parameters():
            tensor.zero_()
        y, known = x, x
        for mix in (cascade.c1, cascade.c2, cascade.c3):
            known = torch.cat([known, y.relu()], 1)
            y = mix(known)
    assert torch.equal(cascade(x), y)
    assert not torch.equal(before, y)


def test_streams_exactly() -> None:
    """CARN-M in rows, by srkit's exact engine, is the network's result for the whole picture, bit for bit."""
    config: dict[str, Any] = {"scale": 3, "width": 8, "groups": 2}
    network, traits = architecture.build(**config), architecture.traits(**config)
    img = np.random.default_rng(0).random((50, 40, 3), np.float32)
    whole = srkit.Upscaler.from_network(network, traits, engine="whole", device="cpu")
    rows = srkit.Upscaler.from_network(network, traits, engine="stream", device="cpu", rows=3)
    assert np.array_equal(rows(img), whole(img))


@pytest.mark.parametrize(
    ("options", "said"), [({"scale": 5}, "scale=5"), ({"groups": 3}, "groups=3"), ({"width": 0}, "width=0")]
)
def test_what_cannot_be_built_is_refused(options: dict[str, int], said: str) -> None:
    """The error says which option is wrong."""
    with pytest.raises(ValueError, match=said):
        architecture.build(**options)
