"""LPIPS as a metric: through a stand-in for the network, and through the network."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch
from safetensors.torch import save_file

import srkit
from srkit_training.losses.lpips import LPIPS
from srkit_training.metrics import METRICS, View
from srkit_training.metrics.perceptual import lpips


class Distance:
    """The mean difference, and what it was called with."""

    def per_picture(self, output, target):
        self.called = output, target, torch.is_grad_enabled()
        return (output - target).abs().mean((1, 2, 3))


def test_what_the_network_sees(photo):
    """A batch of one, float32 RGB in [0, 1], without gradients; the number comes back."""
    darker = photo // 2
    model = Distance()
    expected = np.abs(photo / 255 - darker / 255).mean()
    assert lpips(photo, darker, model=model) == pytest.approx(expected, rel=1e-5)
    output, target, gradients = model.called
    assert output.shape == target.shape == (1, 3, 256, 256)
    assert output.dtype == torch.float32
    assert not gradients
    assert lpips(photo, darker, model=model, border=9) != pytest.approx(expected, rel=1e-5)
    assert model.called[0].shape == (1, 3, 238, 238)
    np.testing.assert_allclose(output[0, :, 5, 6].numpy(), photo[5, 6] / 255, atol=1e-7)
    np.testing.assert_allclose(target[0, :, 5, 6].numpy(), darker[5, 6] / 255, atol=1e-7)


def test_sizes_that_differ_are_refused(photo):
    """Pictures of other sizes cannot be compared."""
    with pytest.raises(srkit.ImageError, match="cannot be compared"):
        lpips(photo, photo[1:], model=Distance())


@pytest.fixture(scope="module")
def random_weights(tmp_path_factory):
    """Options that name files of random weights."""
    folder, rng = tmp_path_factory.mktemp("lpips"), torch.Generator().manual_seed(0)
    layers = {0: (64, 3, 11), 3: (192, 64, 5), 6: (384, 192, 3), 8: (256, 384, 3), 10: (256, 256, 3)}
    features, linear = {}, {}
    for number, (place, (channels, before, side)) in enumerate(layers.items()):
        weight = torch.randn(channels, before, side, side, generator=rng)
        features[f"features.{place}.weight"] = weight * (2 / before / side**2) ** 0.5
        features[f"features.{place}.bias"] = torch.zeros(channels)
        linear[f"lin{number}.model.1.weight"] = torch.rand(1, channels, 1, 1, generator=rng)
    save_file(features, folder / "alex.safetensors")
    save_file(linear, folder / "linear.safetensors")
    return {"features": str(folder / "alex.safetensors"), "linear": str(folder / "linear.safetensors")}


def test_through_the_network(photo, random_weights):
    """What the table makes ready measures with the weights that are named, within the border, batch by batch of one."""
    measure = METRICS["lpips"].prepare(View(border=8, lpips_weights=random_weights))
    darker = photo // 2
    one, other = (torch.from_numpy(x[8:-8, 8:-8] / 255).permute(2, 0, 1)[None].float() for x in (photo, darker))
    assert measure(photo, darker) == pytest.approx(LPIPS(**random_weights)(one, other).item(), rel=1e-5)
    assert measure(photo, photo) == 0
    fits, noise = METRICS["lpips"].fits, np.random.default_rng(0).integers(0, 256, (50, 60, 3), dtype=np.uint8)
    assert fits(31, 40)
    assert measure(noise[:47], noise[1:48]) > 0
    assert not fits(30, 40)
    with pytest.raises(srkit.ImageError, match="31"):
        measure(noise[:46], noise[1:47])


def test_options_are_told_by_their_key(random_weights):
    """Unknown options, and files that cannot be had, are told with the key they stand below."""
    for options, error in (({"net": "alex"}, srkit.SettingsError), ({**random_weights, "linear": None}, srkit.Offline)):
        with pytest.raises(error) as caught:
            METRICS["lpips"].prepare(View(lpips_weights=options))
        assert "in the key 'lpips_weights'" in caught.value.__notes__


def test_published_weights_find_blur_worse(photo, shared_weights):
    """With the published weights, the less blurred picture is better, by the table's direction."""
    options = {
        "features": str(shared_weights / "alexnet_imagenet_features.safetensors"),
        "linear": str(shared_weights / "lpips_v0.1_alex_lin.safetensors"),
    }
    metric = METRICS["lpips"]
    measure = metric.prepare(View(lpips_weights=options))
    good, bad = (measure(cv2.GaussianBlur(photo, None, sigma), photo) for sigma in (0.6, 4))
    assert 0 < good < 0.1 < bad < 1
    assert metric.improves(good, bad)
