"""Make a trained network leave one colour as it is, and grey grey: a small change of its last convolution.

Training leaves a faint pattern on everything, a discriminator's more than pixels', and lines that were grey get a tinge. In a
picture of one colour the pattern is the same around every input pixel; what a grey picture's channels differ by is known as
well; both are linear in what that convolution sees. As much as explains them is taken off, by least squares that count what
else changes: in the pictures that it was trained with nothing should.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional as F

import srkit
from srkit import plugins
from srkit.export import export

LEVELS = 10  # of each of red, green and blue
SIDE = 41  # of a picture whose middle sees no border: more than twice the reach of 18 pixels
KEPT, GREY = 0.1, 0.1  # what a change of pictures, and a tinge of grey ones, weighs beside the pattern on one colour
PENALTY = 1e-7  # of the change itself: without it, there may be many that are as good
BATCHES = 8


def flatten(checkpoint: Path, target: Path, data: Mapping[str, Any]) -> Path:
    """Write the weights of a training's checkpoint, changed, to ``target``: float32 safetensors, with their card.

    ``data``: options of the ``realesrgan`` data set, whose inputs are the pictures that are to stay as they are.
    """
    export(checkpoint, target, force=True)
    with safe_open(target, "pt") as file:
        metadata = file.metadata()
    network = srkit.load_network(weights=target).network
    dataset: srkit.Dataset = plugins.current().datasets.find("realesrgan").load(srkit.Dataset)
    with closing(dataset.open(data, srkit.Feed(batch_size=8))) as batches:
        change(network, [batch.lq for batch in islice(batches, BATCHES)])
    save_file(network.state_dict(), target, metadata)
    return target


@torch.inference_mode()
def change(network: nn.Module, pictures: Iterable[Tensor]) -> None:
    """Change the last convolution of an SRVGGNetCompact, in place; ``pictures``: (B, 3, H, W) RGB in [0, 1], each."""
    last = [module for module in network.modules() if isinstance(module, nn.Conv2d)][-1]
    assert last.bias is not None
    flat, kept, grey = [], [], []
    steps = torch.linspace(0, 1, LEVELS)
    for colours in torch.cartesian_prod(steps, steps, steps)[..., None, None].split(100):
        seen, made = _look(network, last, colours.expand(-1, -1, SIDE, SIDE), SIDE // 2)
        flat.append(_products(seen, made - colours.repeat_interleave(last.out_channels // 3, 1).flatten(1)))
    for picture in pictures:
        seen, _ = _look(network, last, picture, 1)
        kept.append(_products(seen, torch.zeros(len(seen), last.out_channels)))
        seen, made = _look(network, last, picture.mean(1, keepdim=True).expand_as(picture), 1)
        channels = made.unflatten(1, (3, -1))
        grey.append(_products(seen, (channels - channels.mean(1, keepdim=True)).flatten(1)))
    left, right = _mean(flat)
    for weight, parts in ((KEPT, kept), (GREY, grey)):
        more, wanted = _mean(parts)
        left, right = left + weight * more, right + weight * wanted
    left[:-1, :-1] += PENALTY * torch.eye(len(left) - 1)
    solved = torch.linalg.solve(left, right).to(last.weight.dtype)
    last.weight -= solved[:-1].T.reshape_as(last.weight)
    last.bias -= solved[-1]


def _look(network: nn.Module, last: nn.Conv2d, pictures: Tensor, border: int) -> tuple[Tensor, Tensor]:
    """What ``last`` sees at each place, (N, C + 1), with a 1 for its bias, and the network's output there, (N, 3 · scale²).

    Places closer to the edge than ``border`` pixels are left out.
    """
    features: list[Tensor] = []
    hook = last.register_forward_pre_hook(lambda _, given: features.append(given[0]))
    made = network(pictures)
    hook.remove()
    height, width = pictures.shape[-2:]
    around = features[0][..., border - 1 : height - border + 1, border - 1 : width - border + 1]
    seen = F.unfold(around, last.kernel_size).transpose(1, 2).flatten(0, 1)
    inside = F.pixel_unshuffle(made, made.shape[-1] // width)[..., border : height - border, border : width - border]
    return F.pad(seen, (0, 1), value=1), inside.flatten(2).transpose(1, 2).flatten(0, 1)


def _products(seen: Tensor, errors: Tensor) -> tuple[Tensor, Tensor, int]:
    """Both sides of the normal equations, and of how many places they are."""
    rows = seen.double()
    return rows.T @ rows, rows.T @ errors.double(), len(rows)


def _mean(parts: Iterable[tuple[Tensor, Tensor, int]]) -> tuple[Tensor, Tensor]:
    """Both sides, of one place."""
    left, right, places = map(sum, zip(*parts, strict=True))
    return left / places, right / places
