"""RCAN: srkit's contracts, the paper's figures, and that it is run over the whole picture."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import srkit
import srkit.testing
import torch
from safetensors.torch import save_file

from srkit_archs_classics.rcan import Network, architecture

SMALL: dict[str, Any] = {"scale": 2, "width": 8, "groups": 2, "blocks": 3, "reduction": 4}


@srkit.testing.parametrise(architecture)
def test_conforms(check: srkit.testing.Check) -> None:
    """It keeps srkit's contracts for architectures."""
    check()


@pytest.mark.parametrize(("scale", "parameters"), [(2, 15_444_643), (4, 15_592_355)])
def test_has_as_many_parameters_as_published(scale: int, parameters: int) -> None:
    """The paper's configuration has as many parameters as the authors' files, without the shifts of colour: 16M."""
    with torch.device("meta"):
        network = Network(scale=scale)
    assert sum(tensor.numel() for tensor in network.parameters()) == parameters


@pytest.mark.parametrize("change", [{}, {"scale": 3}, {"scale": 8}, {"blocks": 1}, {"groups": 1, "reduction": 2}])
def test_weights_are_recognised(tmp_path: Path, change: dict[str, Any]) -> None:
    """A file of weights alone tells the configuration, and what it builds fits the traits."""
    config = {**SMALL, **change}
    save_file(architecture.build(**config).state_dict(), tmp_path / "weights.safetensors")
    loaded = srkit.load_network(weights=tmp_path / "weights.safetensors")
    assert (loaded.architecture, loaded.config) == ("classic-rcan", config)
    scale = config["scale"]
    assert loaded.network(torch.rand(1, 3, 5, 4)).shape == (1, 3, 5 * scale, 4 * scale)


def test_a_pixel_changes_all_others() -> None:
    """Attention is by the means of the whole picture, so that no output pixel is independent of any input pixel."""
    torch.manual_seed(0)
    network = architecture.build(**SMALL).double()
    x = torch.rand(1, 3, 64, 64, dtype=torch.float64)
    other = x.clone()
    other[..., 0, 0] = 1 - other[..., 0, 0]
    assert (network(other) != network(x)).any(1).float().mean() > 0.99


def test_is_run_as_a_whole() -> None:
    """No engine streams it: asked to, srkit names the operator and its module; left alone, it takes all at once."""
    network, traits = architecture.build(**SMALL), architecture.traits(**SMALL)
    with pytest.raises(srkit.NotStreamable, match=r"avg_pool'.* depend on the whole picture") as refused:
        srkit.Upscaler.from_network(network, traits, engine="stream", device="cpu")
    assert refused.value.operator == "aten.adaptive_avg_pool2d.default"
    assert srkit.Upscaler.from_network(network, traits, device="cpu").engine == "whole"


@pytest.mark.parametrize(("options", "said"), [({"scale": 5}, "scale=5"), ({"reduction": 65}, "reduction=65")])
def test_what_cannot_be_built_is_refused(options: dict[str, int], said: str) -> None:
    """The error says which option is wrong."""
    with pytest.raises(ValueError, match=said):
        architecture.build(**options)
