"""Fixed networks, against sequences written by hand."""

from __future__ import annotations

import pytest
import torch
from safetensors.torch import load_file, save_file

import srkit
from srkit_training.losses.features import Features, layer_names

MEAN = torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1)
STD = torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1)
# Where torchvision keeps the last convolution of each block.
NUMBERS = {
    "alex": {"conv1": 0, "conv2": 3, "conv3": 6, "conv4": 8, "conv5": 10},
    "vgg16": {"conv1_2": 2, "conv2_2": 7, "conv3_3": 14, "conv4_3": 21, "conv5_3": 28},
    "vgg19": {"conv1_2": 2, "conv2_2": 7, "conv3_4": 16, "conv4_4": 25, "conv5_4": 34},
}


@pytest.mark.parametrize("network", NUMBERS)
def test_layers_are_those_of_the_published_networks(network, stack, feature_file, pictures):
    """Each layer, before and after its ReLU, gives what the sequence written by hand gives there."""
    images = pictures(1, 3, 70, 65)
    before = NUMBERS[network]
    asked = before | {name.replace("conv", "relu"): number + 1 for name, number in before.items()}
    found = Features(network, asked, feature_file(network))(images)
    now, expected = (images - MEAN) / STD, []
    for layer in stack(network):
        now = layer(now)
        expected.append(now)
    assert set(found) == set(asked)
    for name, number in asked.items():
        torch.testing.assert_close(found[name], expected[number], msg=name)


@pytest.mark.parametrize(("network", "count"), [("alex", 13), ("vgg16", 31), ("vgg19", 37)])
def test_names_count_as_torchvision_does(network, count, stack):
    """There are as many names as layers, a convolution's where a convolution is."""
    names = layer_names(network)
    assert len(names) == len(stack(network)) == count
    kinds = [{"conv": "Conv2d", "relu": "ReLU", "pool": "MaxPool2d"}[name[:4]] for name in names]
    assert kinds == [type(layer).__name__ for layer in stack(network)]


def test_nothing_deeper_than_asked_is_read_or_run(stack, tmp_path, pictures):
    """A file that ends with the deepest layer asked for is enough, and the network ends there too."""
    tensors = {f"features.{k}": v for k, v in stack("vgg19").state_dict().items() if int(k.partition(".")[0]) < 8}
    save_file(tensors, tmp_path / "start.safetensors")
    features = Features("vgg19", ["conv2_2", "conv1_1"], tmp_path / "start.safetensors")
    assert list(features.stack)[-1] == "conv2_2"
    assert set(features(pictures(1, 3, 8, 8))) == {"conv1_1", "conv2_2"}


def test_whole_checkpoints_and_halves_are_read(feature_file, stack, tmp_path, pictures):
    """A .pth with a classifier, a safetensors of halves: each is read, the second as exact as it is."""
    images, whole = pictures(1, 3, 40, 40), load_file(feature_file("alex"))
    torch.save({**whole, "classifier.1.weight": torch.zeros(4, 9216)}, tmp_path / "whole.pth")
    save_file({name: tensor.half() for name, tensor in whole.items()}, tmp_path / "half.safetensors")
    expected = Features("alex", ["relu5"], feature_file("alex"))(images)["relu5"]
    assert torch.equal(Features("alex", ["relu5"], tmp_path / "whole.pth")(images)["relu5"], expected)
    halved = Features("alex", ["relu5"], tmp_path / "half.safetensors")(images)["relu5"]
    assert halved.dtype == torch.float32
    assert 0 < float((halved - expected).abs().max() / expected.abs().max()) < 1e-2


def test_it_is_fixed(feature_file, pictures):
    """Nothing is to be trained, training mode does not stick, gradients reach the pictures alone."""
    features = Features("alex", ["relu3"], feature_file("alex")).ready("cpu").train()
    assert not any(module.training for module in features.modules())
    assert not any(parameter.requires_grad for parameter in features.parameters())
    images = pictures(1, 3, 40, 40).requires_grad_()
    features(images)["relu3"].sum().backward()
    assert images.grad.abs().sum() > 0
    assert torch.isfinite(images.grad).all()
    assert all(parameter.grad is None for parameter in features.parameters())


def test_making_one_draws_no_chance(feature_file):
    """The global generator is left as it was."""
    before = torch.get_rng_state()
    Features("alex", ["relu5"], feature_file("alex")).ready("cpu")
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize(
    ("network", "layer", "least"), [("alex", "relu5", 31), ("alex", "pool5", 63), ("vgg16", "relu5_3", 16)]
)
def test_least_size(network, layer, least, feature_file, pictures):
    """Pictures of the least size have features, and those a pixel smaller have none."""
    features = Features(network, [layer], feature_file(network))
    assert features.least == least
    assert features(pictures(1, 3, least, least))[layer].shape[-2:] == (1, 1)
    with pytest.raises(RuntimeError, match=r"too small|Kernel size"):
        features(pictures(1, 3, least - 1, least - 1))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda tensors: tensors.pop("features.3.bias"), "has no tensor 'features.3.bias': it is not a file of alex"),
        (
            lambda tensors: tensors.update({"features.0.weight": torch.zeros(64, 3, 3, 3)}),
            r"'features.0.weight' of shape \(64, 3, 3, 3\), not \(64, 3, 11, 11\)",
        ),
    ],
)
def test_files_of_others_are_refused(change, words, feature_file, tmp_path):
    """The error names the file, the tensor, the option, and where the right file is had."""
    tensors = load_file(feature_file("alex"))
    change(tensors)
    save_file(tensors, tmp_path / "other.safetensors")
    with pytest.raises(srkit.WeightsError, match=words) as caught:
        Features("alex", ["relu5"], tmp_path / "other.safetensors", option="features").ready("cpu")
    assert caught.value.path == tmp_path / "other.safetensors"
    assert "features=" in str(caught.value)
    assert "https://download.pytorch.org/models/alexnet-owt-7be5be79.pth" in str(caught.value)


def test_unknown_layers_are_told():
    """A layer that is not there is told with the nearest, before any file is looked for."""
    with pytest.raises(srkit.UnknownName, match="unknown layer of vgg16 'conv3_4'; did you mean 'conv3_"):
        Features("vgg16", ["conv3_4"])


@pytest.mark.parametrize("network", ["alex", "vgg16", "vgg19"])
def test_published_weights_are_fetched_and_else_told(network):
    """Without a file the published one is fetched; where that may not be, the note says which option takes a file."""
    with pytest.raises(srkit.Offline, match=rf"https://download\.pytorch\.org/models/{network}") as caught:
        Features(network, ["pool5"]).ready("cpu")
    assert "weights=FILE" in "".join(caught.value.__notes__)
