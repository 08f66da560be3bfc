"""LPIPS against its definition, and against values of the published implementation."""

from __future__ import annotations

import copy
import functools
import hashlib
import http.server
import threading

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file

import srkit
from srkit_training.losses.lpips import LPIPS

TAPS = {"alex": ("alex", (1, 4, 7, 9, 11)), "vgg": ("vgg16", (3, 8, 15, 22, 29))}
NETWORKS = pytest.mark.parametrize("network", TAPS)


@pytest.fixture
def lpips(feature_file, linear_file):
    """A loss of random weights."""
    return lambda network: LPIPS(network=network, features=feature_file(TAPS[network][0]), linear=linear_file(network))


def defined(sequence, taps, linear, one, other):
    """The definition for two pictures (3, H, W), as it is written in the paper, in float64."""
    shift = torch.tensor([-0.030, -0.088, -0.188], dtype=torch.float64).view(1, 3, 1, 1)
    scale = torch.tensor([0.458, 0.448, 0.450], dtype=torch.float64).view(1, 3, 1, 1)
    stacks = []
    for picture in (one, other):
        now, seen = (2 * picture.double()[None] - 1 - shift) / scale, []
        for layer in copy.deepcopy(sequence[: taps[-1] + 1]).double():
            now = layer(now)
            seen.append(now[0].numpy())
        stacks.append([seen[tap] for tap in taps])
    total = 0.0
    for number, (a, b) in enumerate(zip(*stacks, strict=True)):
        weights = linear[f"lin{number}.model.1.weight"].double().numpy().reshape(-1)
        height, width = a.shape[1:]
        for y in range(height):
            for x in range(width):
                p, q = (v[:, y, x] / (np.sqrt(np.sum(v[:, y, x] ** 2)) + 1e-10) for v in (a, b))
                total += float(np.sum(weights * (p - q) ** 2)) / (height * width)
    return total


@NETWORKS
def test_it_is_the_definition(network, lpips, stack, linear_file, pictures):
    """The value is the formula's, for sides even and odd."""
    one, other = pictures(2, 3, 37, 42), pictures(2, 3, 37, 42, seed=1)
    linear = torch.load(linear_file(network), weights_only=True)
    name, taps = TAPS[network]
    expected = [defined(stack(name), taps, linear, a, b) for a, b in zip(one, other, strict=True)]
    loss = lpips(network)
    torch.testing.assert_close(loss.per_picture(one, other), torch.tensor(expected).float(), rtol=1e-4, atol=1e-5)
    assert loss(one, other).item() == pytest.approx(np.mean(expected), rel=1e-4)


@NETWORKS
def test_equal_pictures_are_not_apart(network, lpips, pictures):
    """0, with gradients that are 0; and the same both ways round for pictures that differ."""
    loss, one = lpips(network), pictures(1, 3, 40, 40).requires_grad_()
    value = loss(one, one.detach())
    value.backward()
    assert value.item() == 0
    assert one.grad.abs().max() == 0
    other = pictures(1, 3, 40, 40, seed=1)
    assert loss(one, other).item() == pytest.approx(loss(other, one).item()) != 0


@NETWORKS
def test_gradients_reach_the_output_only(network, lpips, pictures):
    """They are finite and not 0, and the target gets none."""
    one, other = pictures(2, 3, 40, 40).requires_grad_(), pictures(2, 3, 40, 40, seed=1).requires_grad_()
    lpips(network)(one, other).backward()
    assert torch.isfinite(one.grad).all()
    assert one.grad.abs().min(dim=0).values.max() > 0
    assert other.grad is None


def test_gradients_are_finite_where_nothing_is_seen(feature_file, linear_file, tmp_path, pictures):
    """Where all features of a place are 0, their length is too: neither value nor gradients are NaN."""
    blind = load_file(feature_file("alex"))
    blind["features.3.bias"] = torch.full((192,), -1e4)
    save_file(blind, tmp_path / "blind.safetensors")
    one = pictures(1, 3, 40, 40).requires_grad_()
    value = LPIPS(features=tmp_path / "blind.safetensors", linear=linear_file("alex"))(
        one, pictures(1, 3, 40, 40, seed=1)
    )
    value.backward()
    assert torch.isfinite(value)
    assert torch.isfinite(one.grad).all()


def test_each_picture_by_itself(lpips, pictures):
    """What a picture is worth does not depend on the others of the batch; the loss is the mean."""
    one, other = pictures(3, 3, 48, 40), pictures(3, 3, 48, 40, seed=1)
    loss = lpips("alex")
    values = loss.per_picture(one, other)
    assert values.shape == (3,)
    torch.testing.assert_close(values[1:2], loss.per_picture(one[1:2], other[1:2]))
    torch.testing.assert_close(loss(one, other), values.mean())


def test_it_is_fixed(lpips):
    """Nothing of it is trained or saved beside the network, and training mode does not stick."""
    loss = lpips("alex").ready("cpu").train()
    assert not any(parameter.requires_grad for parameter in loss.parameters())
    assert not loss.seen.training
    assert not any(name.startswith("weight_") for name in loss.state_dict())


@pytest.mark.parametrize(
    ("shapes", "dtype", "words"),
    [
        (((1, 3, 30, 40), (1, 3, 30, 40)), torch.float32, "30×40 pixels; this loss needs at least 31×31"),
        (((1, 1, 40, 40), (1, 1, 40, 40)), torch.float32, r"shape \(1, 1, 40, 40\); expected \(B, 3, H, W\)"),
        (((3, 40, 40), (3, 40, 40)), torch.float32, r"expected \(B, 3, H, W\)"),
        (((1, 3, 40, 40), (1, 3, 40, 41)), torch.float32, "differ in shape"),
        (((1, 3, 40, 40), (1, 3, 40, 40)), torch.float16, "float16; losses are computed in float32"),
        (((1, 3, 40, 40), (1, 3, 40, 40)), torch.uint8, "uint8; losses are computed in float32"),
    ],
)
def test_pictures_of_other_kinds_are_refused(shapes, dtype, words, lpips):
    """Sizes, channels and dtypes that it cannot take are told, with what it takes."""
    with pytest.raises(srkit.ImageError, match=words):
        lpips("alex")(*(torch.zeros(shape, dtype=dtype) for shape in shapes))


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"network": "vgg19"}, srkit.UnknownName, "unknown network 'vgg19'; did you mean 'vgg'"),
        ({"features": 3}, srkit.SettingsError, "features=3; expected a file, or URL#sha256=HEX"),
        ({"linear": ["a"]}, srkit.SettingsError, "linear="),
        ({"linear": "https://a.b/c.pth"}, srkit.SettingsError, "#sha256=HEX"),
        ({"linear": "/nowhere/lin.pth"}, srkit.SettingsError, "linear='/nowhere/lin.pth'; there is no such file"),
    ],
)
def test_bad_options_are_told(options, error, words):
    """Each is refused in one line, before anything is built."""
    with pytest.raises(error, match=words) as caught:
        LPIPS(**options)
    assert "\n" not in str(caught.value)


def test_published_weights_are_fetched_by_the_first_call(pictures):
    """Making one reads and fetches nothing."""
    loss = LPIPS()
    with pytest.raises(srkit.Offline, match="PerceptualSimilarity"):
        loss(pictures(1, 3, 40, 40), pictures(1, 3, 40, 40))


def test_linear_layers_of_the_other_network_are_refused(linear_file):
    """The error says which tensor does not fit, and that the option is ``linear``."""
    with pytest.raises(
        srkit.WeightsError, match=r"lin1.*\(1, 192, 1, 1\), not \(1, 128.*not a file of lpips-vgg.*linear="
    ):
        LPIPS(network="vgg", linear=linear_file("alex")).ready("cpu")


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


def test_weights_come_from_urls(monkeypatch, feature_file, linear_file, pictures):
    """A URL with its digest is as good as a file."""
    monkeypatch.setenv("SRKIT_OFFLINE", "0")
    path = linear_file("alex")
    handler = functools.partial(_Quiet, directory=path.parent)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        url = f"http://127.0.0.1:{server.server_port}/{path.name}#sha256={digest}"
        fetched = LPIPS(features=feature_file("alex"), linear=url).ready("cpu")
        server.shutdown()
    one, other = pictures(1, 3, 40, 40), pictures(1, 3, 40, 40, seed=1)
    assert torch.equal(fetched(one, other), LPIPS(features=feature_file("alex"), linear=path)(one, other))


# What the package lpips 0.1.4 gives for these pictures with the same features, rounded to half as they are.
PUBLISHED = {"alex": (0.399184, 0.100917), "vgg": (0.456958, 0.070855)}


@NETWORKS
def test_published_values(network, shared_weights, photo):
    """With the published weights, a photo made coarse and one made dark are as far as lpips 0.1.4 says."""
    files = {"alex": "alexnet", "vgg": "vgg16"}[network]
    loss = LPIPS(
        network=network,
        features=shared_weights / f"{files}_imagenet_features.safetensors",
        linear=shared_weights / f"lpips_v0.1_{network}_lin.safetensors",
    )
    target = torch.tensor(photo).permute(2, 0, 1)[None].float() / 255
    coarse = F.interpolate(F.avg_pool2d(target, 4), scale_factor=4.0, mode="nearest")
    found = loss.per_picture(torch.cat((coarse, target * 0.5)), target.expand(2, -1, -1, -1))
    torch.testing.assert_close(found, torch.tensor(PUBLISHED[network]), atol=1e-4, rtol=0)
