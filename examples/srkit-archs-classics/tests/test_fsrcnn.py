"""FSRCNN: srkit's contracts, the paper's figures, and what no shape of a weight tells."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import srkit
import srkit.testing
import torch
from safetensors.torch import save_file

from srkit_archs_classics.fsrcnn import architecture


@srkit.testing.parametrise(architecture)
def test_conforms(check: srkit.testing.Check) -> None:
    """It keeps srkit's contracts for architectures."""
    check()


@pytest.mark.parametrize(("options", "weights"), [({}, 12464), ({"d": 32, "s": 5, "m": 1}, 3937)])
def test_has_as_many_weights_as_in_the_paper(options: dict[str, Any], weights: int) -> None:
    """FSRCNN and FSRCNN-s of luminance have as many weights as in the paper, which counts neither biases nor slopes."""
    network = architecture.build(channels=1, **options)
    assert sum(tensor.numel() for tensor in network.parameters() if tensor.ndim == 4) == weights


@pytest.mark.parametrize("scale", [1, 2, 3, 4])
@pytest.mark.parametrize("channels", [1, 3])
def test_weights_say_scale_and_channels(tmp_path: Path, scale: int, channels: int) -> None:
    """Files of all scales, whose convolutions have equal shapes, are told apart, and what they build fits."""
    config = {"scale": scale, "channels": channels, "d": 8, "s": 4, "m": 2}
    save_file(architecture.build(**config).state_dict(), tmp_path / "weights.safetensors")
    loaded = srkit.load_network(weights=tmp_path / "weights.safetensors")
    assert (loaded.architecture, loaded.config) == ("fsrcnn", config)
    assert loaded.network(torch.rand(1, channels, 5, 7)).shape == (1, channels, 5 * scale, 7 * scale)


def test_weights_without_a_scale_are_refused(tmp_path: Path) -> None:
    """Weights of other implementations would fit any scale: the error says how they get one, and that does it."""
    network = architecture.build(scale=2, d=8, s=4, m=1)
    foreign = {name: tensor for name, tensor in network.state_dict().items() if name != "stride"}
    save_file(foreign, tmp_path / "foreign.safetensors")
    with pytest.raises(srkit.WeightsError, match=r"Network\(scale=…\) with strict=False"):
        srkit.load_network(weights=tmp_path / "foreign.safetensors")
    again = architecture.build(scale=2, d=8, s=4, m=1)
    again.load_state_dict(foreign, strict=False)
    save_file(again.state_dict(), tmp_path / "mine.safetensors")
    x = torch.rand(1, 3, 6, 5)
    assert torch.equal(srkit.load_network(weights=tmp_path / "mine.safetensors").network(x), network(x))


@pytest.mark.parametrize("scale", [2, 4])
def test_streams_exactly(scale: int) -> None:
    """srkit's exact engine, a few rows at a time, gives what the network gives for the whole picture, bit for bit."""
    network, traits = architecture.build(scale=scale, d=16, m=2), architecture.traits(scale=scale)
    img = np.random.default_rng(0).random((40, 50, 3), np.float32)
    whole = srkit.Upscaler.from_network(network, traits, engine="whole", device="cpu")
    rows = srkit.Upscaler.from_network(network, traits, engine="stream", device="cpu", rows=3)
    assert np.array_equal(rows(img), whole(img))


@pytest.mark.parametrize("name", ["scale", "channels", "d", "s", "m"])
def test_numbers_below_one_are_refused(name: str) -> None:
    """The error says which number is wrong."""
    with pytest.raises(ValueError, match=f"{name}=0"):
        architecture.build(**{name: 0})
