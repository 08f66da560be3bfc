"""The perceptual loss, against sequences written by hand."""

from __future__ import annotations

import pytest
import torch

import srkit
from srkit_training.losses.perceptual import Perceptual, gram

MEAN = torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1)
STD = torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1)
# By torchvision's numbers.
DEFAULT = {
    "vgg19": {2: 0.1, 7: 0.1, 16: 1.0, 25: 1.0, 34: 1.0},
    "vgg16": {2: 0.1, 7: 0.1, 14: 1.0, 21: 1.0, 28: 1.0},
}


def seen(sequence, images):
    """What each layer of a sequence gives."""
    now, found = (images - MEAN) / STD, []
    for layer in sequence:
        now = layer(now)
        found.append(now)
    return found


@pytest.fixture
def pair(pictures):
    """Outputs and targets."""
    return pictures(2, 3, 36, 33), pictures(2, 3, 36, 33, seed=1)


@pytest.mark.parametrize("network", DEFAULT)
def test_default_layers_are_weighted_as_in_real_esrgan(network, pair, stack, feature_file):
    """The value is the weighted sum of mean absolute differences before the ReLUs."""
    ours, theirs = (seen(stack(network), images) for images in pair)
    expected = sum(weight * (ours[i] - theirs[i]).abs().mean() for i, weight in DEFAULT[network].items())
    loss = Perceptual(network=network, weights=feature_file(network))
    torch.testing.assert_close(loss(*pair), expected, rtol=1e-4, atol=0)


@pytest.mark.parametrize(
    ("criterion", "formula"),
    [
        ("l1", lambda a, b: (a - b).abs().mean()),
        ("l2", lambda a, b: ((a - b) ** 2).mean()),
        ("fro", lambda a, b: ((a - b) ** 2).sum().sqrt()),
    ],
)
def test_criteria_and_style(criterion, formula, pair, stack, feature_file):
    """Each criterion is its formula; style adds the same of Gram matrices, times its weight."""
    ours, theirs = (seen(stack("vgg16"), images) for images in pair)
    layers, numbers = {"relu1_2": 0.5, "pool2": 2}, {3: 0.5, 9: 2}

    def slow_gram(features):
        return torch.einsum("bihw,bjhw->bij", features, features) / features[0].numel()

    content = sum(weight * formula(ours[i], theirs[i]) for i, weight in numbers.items())
    style = sum(weight * formula(slow_gram(ours[i]), slow_gram(theirs[i])) for i, weight in numbers.items())
    for factor in (0, 3.5):
        loss = Perceptual(
            network="vgg16", layers=layers, criterion=criterion, style=factor, weights=feature_file("vgg16")
        )
        torch.testing.assert_close(loss(*pair), content + factor * style, rtol=1e-4, atol=0)


def test_gram_matrix_of_a_known_tensor():
    """Two channels of two pixels."""
    features = torch.tensor([[[[1.0, 2.0]], [[3.0, -1.0]]]])
    torch.testing.assert_close(gram(features), torch.tensor([[[5.0, 1.0], [1.0, 10.0]]]) / 4)


@pytest.mark.parametrize("criterion", ["l1", "l2", "fro"])
def test_equal_pictures(criterion, pair, feature_file):
    """0, with finite gradients, style and all."""
    output = pair[0].requires_grad_()
    value = Perceptual(criterion=criterion, style=1, weights=feature_file("vgg19"))(output, output.detach())
    value.backward()
    assert value.item() == 0
    assert torch.isfinite(output.grad).all()


def test_gradients_reach_the_output_only(pair, feature_file):
    """They are finite and not 0, and neither target nor network get any."""
    output, target = (images.requires_grad_() for images in pair)
    loss = Perceptual(weights=feature_file("vgg19"), style=1).train()
    loss(output, target).backward()
    assert torch.isfinite(output.grad).all()
    assert output.grad.abs().max() > 0
    assert target.grad is None
    assert not any(parameter.requires_grad or parameter.grad is not None for parameter in loss.parameters())
    assert not loss.seen.training


def test_only_layers_that_count_are_run(feature_file):
    """The network ends with the deepest layer of a weight that is not 0."""
    loss = Perceptual(layers={"conv2_1": 1, "conv5_4": 0, "conv1_1": 2}, weights=feature_file("vgg19"))
    assert list(loss.seen.stack)[-1] == "conv2_1"
    assert loss.seen.layers == ("conv2_1", "conv1_1")


def test_small_pictures_are_refused(pictures, feature_file):
    """The least size is that of the deepest layer."""
    loss = Perceptual(weights=feature_file("vgg19"))
    loss(pictures(1, 3, 16, 16), pictures(1, 3, 16, 16))
    with pytest.raises(srkit.ImageError, match="15×16 pixels; this loss needs at least 16×16"):
        loss(pictures(1, 3, 15, 16), pictures(1, 3, 15, 16))


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"network": "vgg"}, srkit.UnknownName, "unknown network 'vgg'; did you mean 'vgg1"),
        ({"network": "alex"}, srkit.UnknownName, "Known: vgg16, vgg19"),
        ({"layers": {"conv6_1": 1}}, srkit.UnknownName, "unknown layer of vgg19 'conv6_1'; did you mean 'conv"),
        ({"network": "vgg16", "layers": {"conv3_4": 1}}, srkit.UnknownName, "unknown layer of vgg16 'conv3_4'"),
        ({"layers": {3: 1}}, srkit.UnknownName, "unknown layer of vgg19 '3'"),
        ({"layers": ["conv1_1"]}, srkit.SettingsError, "layers=.*expected a mapping of layers to weights"),
        ({"layers": {}}, srkit.SettingsError, "layers=.*not all 0"),
        ({"layers": {"conv1_1": 0}}, srkit.SettingsError, "layers=.*not all 0"),
        ({"layers": {"conv1_1": -1}}, srkit.SettingsError, "layers=.*not negative"),
        ({"layers": {"conv1_1": "much"}}, srkit.SettingsError, "layers="),
        ({"criterion": "l3"}, srkit.UnknownName, "unknown criterion 'l3'; did you mean 'l"),
        ({"style": -1}, srkit.SettingsError, "style=-1; expected a number within"),
        ({"weights": 19}, srkit.SettingsError, "weights=19; expected a file, or URL#sha256=HEX"),
        ({"weights": "nowhere.pth"}, srkit.SettingsError, "weights='nowhere.pth'; there is no such file"),
        ({"weights": "https://a.b/vgg19.pth"}, srkit.SettingsError, "#sha256=HEX"),
    ],
)
def test_bad_options_are_told(options, error, words):
    """Each is refused in one line."""
    with pytest.raises(error, match=words) as caught:
        Perceptual(**options)
    assert "\n" not in str(caught.value)
