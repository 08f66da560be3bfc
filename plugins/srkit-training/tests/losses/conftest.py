"""Networks of random weights, written out by hand, and files of them as torchvision and LPIPS have theirs."""

from __future__ import annotations

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

_WIDTHS = {
    "vgg16": "64 64 M 128 128 M 256 256 256 M 512 512 512 M 512 512 512 M",
    "vgg19": "64 64 M 128 128 M 256 256 256 256 M 512 512 512 512 M 512 512 512 512 M",
}


def _alex() -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(3, 64, kernel_size=11, stride=4, padding=2),
        nn.ReLU(),
        nn.MaxPool2d(kernel_size=3, stride=2),
        nn.Conv2d(64, 192, kernel_size=5, padding=2),
        nn.ReLU(),
        nn.MaxPool2d(kernel_size=3, stride=2),
        nn.Conv2d(192, 384, kernel_size=3, padding=1),
        nn.ReLU(),
        nn.Conv2d(384, 256, kernel_size=3, padding=1),
        nn.ReLU(),
        nn.Conv2d(256, 256, kernel_size=3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(kernel_size=3, stride=2),
    )


def _vgg(widths: str) -> nn.Sequential:
    layers, before = [], 3
    for width in widths.split():
        if width == "M":
            layers.append(nn.MaxPool2d(kernel_size=2, stride=2))
        else:
            layers += [nn.Conv2d(before, int(width), kernel_size=3, padding=1), nn.ReLU()]
            before = int(width)
    return nn.Sequential(*layers)


@pytest.fixture(scope="session")
def stack():
    """By name, the convolutions of a network as one sequence; always the same random weights."""
    built = {}

    def stack(network):
        if network not in built:
            rng = torch.Generator().manual_seed(len(network))
            with torch.device("meta"):
                sequence = _alex() if network == "alex" else _vgg(_WIDTHS[network])
            sequence.to_empty(device="cpu").requires_grad_(False)
            for tensor in sequence.parameters():
                # He's initialisation, in which features neither vanish nor explode.
                tensor.normal_(0, (2 / max(tensor[0].numel(), 100)) ** 0.5, generator=rng)
            built[network] = sequence.eval()
        return built[network]

    return stack


@pytest.fixture(scope="session")
def feature_file(stack, tmp_path_factory):
    """A file of a network's weights, with torchvision's names."""
    folder, written = tmp_path_factory.mktemp("features"), {}

    def feature_file(network):
        if network not in written:
            written[network] = folder / f"{network}.safetensors"
            save_file({f"features.{k}": v for k, v in stack(network).state_dict().items()}, written[network])
        return written[network]

    return feature_file


@pytest.fixture(scope="session")
def linear_file(tmp_path_factory):
    """A file of LPIPS' linear layers."""
    folder = tmp_path_factory.mktemp("linear")

    def linear_file(network):
        channels = {"alex": (64, 192, 384, 256, 256), "vgg": (64, 128, 256, 512, 512)}[network]
        rng = torch.Generator().manual_seed(7)
        path = folder / f"{network}.pth"
        torch.save(
            {f"lin{i}.model.1.weight": torch.rand(1, c, 1, 1, generator=rng) for i, c in enumerate(channels)}, path
        )
        return path

    return linear_file


@pytest.fixture
def pictures():
    """Random pictures, (B, 3, H, W) float32 in [0, 1]; with another seed, others."""

    def pictures(*size, seed=0):
        return torch.rand(size, generator=torch.Generator().manual_seed(seed))

    return pictures
