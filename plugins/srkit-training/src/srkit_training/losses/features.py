"""What networks trained to tell things apart see in pictures: AlexNet, VGG16 and VGG19, up to any of their layers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import TypeAlias

import torch
from torch import Tensor, nn

from srkit_datasets.options import known

from .weights import Source, take

Layers: TypeAlias = "Iterator[tuple[str, nn.Module]]"

# Of the pictures of ImageNet, RGB in [0, 1].
_MEAN = (0.485, 0.456, 0.406)
_STD = (0.229, 0.224, 0.225)


def _conv(before: int, after: int, size: int, *, stride: int = 1, padding: int) -> nn.Conv2d:
    # Without memory, and so without random numbers drawn: the weights come from a file.
    return nn.Conv2d(before, after, size, stride, padding, device="meta")


def _vgg(convolutions: tuple[int, ...]) -> Layers:
    """Blocks of so many convolutions each (Simonyan and Zisserman 2014, table 1, columns D and E)."""
    channels = 3
    for block, (count, width) in enumerate(zip(convolutions, (64, 128, 256, 512, 512), strict=True), 1):
        for number in range(1, count + 1):
            yield f"conv{block}_{number}", _conv(channels, width, 3, padding=1)
            yield f"relu{block}_{number}", nn.ReLU()
            channels = width
        yield f"pool{block}", nn.MaxPool2d(2, 2)


def _alex() -> Layers:
    """Five convolutions (Krizhevsky 2014, the one tower)."""
    yield "conv1", _conv(3, 64, 11, stride=4, padding=2)
    yield "relu1", nn.ReLU()
    yield "pool1", nn.MaxPool2d(3, 2)
    yield "conv2", _conv(64, 192, 5, padding=2)
    yield "relu2", nn.ReLU()
    yield "pool2", nn.MaxPool2d(3, 2)
    for number, before, after in ((3, 192, 384), (4, 384, 256), (5, 256, 256)):
        yield f"conv{number}", _conv(before, after, 3, padding=1)
        yield f"relu{number}", nn.ReLU()
    yield "pool5", nn.MaxPool2d(3, 2)


def _layers(network: str) -> Layers:
    return _alex() if network == "alex" else _vgg({"vgg16": (2, 2, 3, 3, 3), "vgg19": (2, 2, 4, 4, 4)}[network])


def layer_names(network: str) -> tuple[str, ...]:
    """The layers of ``alex``, ``vgg16`` or ``vgg19``, from the picture on: ``conv1_1``, ``relu1_1``, … ``pool5``.

    The place of a layer is its number in torchvision's files: ``features.0`` is the first.
    """
    return tuple(name for name, _ in _layers(network))


class Features(nn.Module):
    """A fixed network, cut off after the deepest of ``layers``: nothing of it is trained, and it is always evaluated.

    ``network``: ``alex``, ``vgg16`` or ``vgg19``. ``weights``: a file with torchvision's names (``features.0.weight`` …),
    of any float type; what else is in it is left aside. ``option``: what errors call it. The file is read by :meth:`ready`,
    at the latest in the first call. Raises UnknownName for a layer that the network lacks.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, network: str, layers: Iterable[str], weights: Source = None, *, option: str = "weights") -> None:
        super().__init__()
        self.layers = tuple(layers)
        names = layer_names(network)
        for name in self.layers:
            known(name, names, f"layer of {network}")
        depth = 1 + max(names.index(name) for name in self.layers)
        self.stack = nn.ModuleDict(dict(islice(_layers(network), depth)))
        self._source: tuple[str, Source, str] | None = (network, weights, option)
        self.register_buffer("mean", torch.tensor(_MEAN).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(_STD).view(1, 3, 1, 1), persistent=False)

    def ready(self, device: torch.device | str) -> Features:
        """Itself on a device, its weights read; raises WeightsError for a file of another network, and as fetching does."""
        if self._source is not None:
            self._load(*self._source)
            self._source = None
        return self if self.mean.device == torch.device(device) else self.to(device)

    def _load(self, network: str, weights: Source, option: str) -> None:
        published = {
            f"features.{names.index(layer)}.{kind}": f"{layer}.{kind}"
            for names in [layer_names(network)]
            for layer, module in self.stack.items()
            for kind, _ in module.named_parameters()
        }
        empty = self.stack.state_dict()
        shapes = {theirs: tuple(empty[ours].shape) for theirs, ours in published.items()}
        found = take(weights, network, option, shapes)
        self.stack.load_state_dict({published[name]: tensor for name, tensor in found.items()}, assign=True)
        self.requires_grad_(requires_grad=False).eval()

    @property
    def least(self) -> int:
        """The smallest side of a picture, in pixels, that every layer still sees something of."""
        side = 1
        for layer in reversed(list(self.stack.values())):
            if isinstance(layer, nn.Conv2d | nn.MaxPool2d):
                size, stride, padding = (
                    value if isinstance(value, int) else int(value[0])
                    for value in (layer.kernel_size, layer.stride, layer.padding)
                )
                side = max((side - 1) * stride + size - 2 * padding, 1)
        return side

    def train(self, mode: bool = True) -> Features:  # noqa: ARG002 -- torch's signature
        """Stay in evaluation mode."""
        return super().train(mode=False)

    def forward(self, pictures: Tensor) -> Mapping[str, Tensor]:
        """(B, 3, H, W) float32 RGB in [0, 1] → what each of ``layers`` gives, (B, C, H', W') float32."""
        self.ready(pictures.device)
        now = (pictures - self.mean) / self.std
        found = {}
        for name, layer in self.stack.items():
            now = layer(now)
            if name in self.layers:
                found[name] = now
        return found


def write_random(network: str, layers: Iterable[str], folder: Path) -> Path:
    """A file in ``folder`` as torchvision has them, of random weights up to the deepest of ``layers``; for checks."""
    names, rng = layer_names(network), torch.Generator().manual_seed(0)
    depth = 1 + max(names.index(name) for name in layers)
    tensors = {}
    for place, (_, layer) in enumerate(islice(_layers(network), depth)):
        if isinstance(layer, nn.Conv2d):
            shape = layer.weight.shape
            # In which features neither vanish nor explode (He et al., "Delving deep into rectifiers", 2015, eq. 10).
            deviation = (2 / shape[1:].numel()) ** 0.5
            tensors[f"features.{place}.weight"] = deviation * torch.randn(shape, generator=rng)
            tensors[f"features.{place}.bias"] = torch.zeros(shape[0])
    path = folder / f"{network}.pth"
    torch.save(tensors, path)
    return path
