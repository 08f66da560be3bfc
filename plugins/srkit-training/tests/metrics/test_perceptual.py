"""LPIPS, through a stand-in for the network."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import srkit
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
