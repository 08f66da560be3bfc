"""Make a trained network give pictures of one colour back as they are: a small change of its last convolution.

Training leaves a faint pattern on everything, a discriminator's more than pixels'. In a flat picture it is the same around
every input pixel, and linear in the features before that convolution; as much of these as explains it over many colours is
taken off, by least squares that hold the change small.
"""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional as F

import srkit
from srkit.export import export

LEVELS = 10  # of each of red, green and blue
SIDE = 41  # of a picture whose middle sees no border: more than twice the reach of 18 pixels
PENALTY = 1e-5  # on the squared change, relative to one colour's squared error


def flatten(checkpoint: Path, target: Path) -> Path:
    """Write the weights of a training's checkpoint, changed, to ``target``: float32 safetensors, with their card."""
    export(checkpoint, target, force=True)
    with safe_open(target, "pt") as file:
        metadata = file.metadata()
    network = srkit.load_network(weights=target).network
    change(network)
    save_file(network.state_dict(), target, metadata)
    return target


@torch.inference_mode()
def change(network: nn.Module) -> None:
    """Change the last convolution of an SRVGGNetCompact, in place."""
    last = [module for module in network.modules() if isinstance(module, nn.Conv2d)][-1]
    features, errors = _seen(network, last)
    features = F.pad(features, (0, 1), value=1)  # of the bias
    cost = torch.eye(features.shape[1], dtype=features.dtype) * PENALTY * len(features)
    cost[-1, -1] = 0
    solved = torch.linalg.solve(features.T @ features + cost, features.T @ errors).to(last.weight.dtype)
    last.weight -= solved[:-1].T[..., None, None] / last.weight[0, 0].numel()
    assert last.bias is not None
    last.bias -= solved[-1]


def _seen(network: nn.Module, last: nn.Conv2d) -> tuple[Tensor, Tensor]:
    """Of each colour the features before ``last``, (N, C), and what the output is off by, (N, 3 · scale²); float64."""
    steps = torch.linspace(0, 1, LEVELS)
    features: list[Tensor] = []
    errors: list[Tensor] = []
    middle = (..., SIDE // 2, SIDE // 2)
    hook = last.register_forward_pre_hook(lambda _, given: features.append(given[0][middle]))
    for colours in torch.cartesian_prod(steps, steps, steps)[..., None, None].split(100):
        flat = colours.expand(-1, -1, SIDE, SIDE)
        made = network(flat)
        scale = made.shape[-1] // SIDE
        off = made - F.interpolate(flat, scale_factor=scale)
        errors.append(F.pixel_unshuffle(off, scale)[middle])
    hook.remove()
    return torch.cat(features).double(), torch.cat(errors).double()
