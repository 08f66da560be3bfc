"""MS-SSIM, against its definition written slowly."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import srkit
from srkit_training.losses.msssim import MSSSIM

WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)


def slow(one, other, weights=WEIGHTS):
    """MS-SSIM of two channels (H, W), in float64, window by window."""
    offsets = np.arange(11) - 5
    window = np.exp(-(offsets[:, None] ** 2 + offsets**2) / (2 * 1.5**2))
    window /= window.sum()
    value = 1.0
    for scale, weight in enumerate(weights):
        if scale:
            one, other = halved(one), halved(other)
        a, b = (np.lib.stride_tricks.sliding_window_view(c, (11, 11)) for c in (one, other))
        mean_a, mean_b = ((window * c).sum((-2, -1)) for c in (a, b))
        off_a, off_b = a - mean_a[..., None, None], b - mean_b[..., None, None]
        var_a, var_b, both = ((window * c).sum((-2, -1)) for c in (off_a**2, off_b**2, off_a * off_b))
        likeness = (2 * both + 0.03**2) / (var_a + var_b + 0.03**2)
        if scale == len(weights) - 1:
            likeness = likeness * (2 * mean_a * mean_b + 0.01**2) / (mean_a**2 + mean_b**2 + 0.01**2)
        value *= max(likeness.mean(), 0) ** weight
    return value


def halved(channel):
    """Means of 2×2, an odd end mirrored."""
    height, width = channel.shape
    channel = np.pad(channel, ((0, height % 2), (0, width % 2)), mode="symmetric")
    return channel.reshape(channel.shape[0] // 2, 2, channel.shape[1] // 2, 2).mean((1, 3))


@pytest.mark.parametrize("size", [(176, 192), (161, 165)])
def test_it_is_the_definition(size, photo):
    """The loss is 1 minus the mean of all channels' values, for sides even and odd."""
    target = torch.tensor(photo[: size[0], : size[1]]).permute(2, 0, 1)[None].float() / 255
    noise = torch.randn(2, 3, *size, generator=torch.Generator().manual_seed(0))
    output = (target + noise * torch.tensor([0.05, 0.2]).view(2, 1, 1, 1)).clamp(0, 1)
    target = target.expand(2, -1, -1, -1)
    pairs = zip(output.double().flatten(0, 1).numpy(), target.double().flatten(0, 1).numpy(), strict=True)
    expected = 1 - np.mean([slow(a, b) for a, b in pairs])
    assert MSSSIM()(output, target).item() == pytest.approx(expected, abs=1e-5)


def test_a_value_of_another_implementation(photo):
    """A photo made darker and coarser, as pytorch-msssim 1.0.0 has it."""
    target = torch.tensor(photo).permute(2, 0, 1)[None].float() / 255
    coarse = torch.nn.functional.avg_pool2d(target, 4).repeat_interleave(4, -1).repeat_interleave(4, -2)
    assert MSSSIM()(coarse * 0.8, target).item() == pytest.approx(0.088621, abs=1e-5)


@pytest.mark.parametrize("weights", [(1.0,), (0.5, 0.5), [0.2, 0.3, 0.5]])
def test_other_scales(weights, pictures):
    """Any number of scales will do; a single one of weight 1 is SSIM."""
    output, target = pictures(1, 3, 45, 44), pictures(1, 3, 45, 44, seed=1) * 0.2
    target = target + 0.8 * output
    pairs = zip(output[0].double().numpy(), target[0].double().numpy(), strict=True)
    expected = 1 - np.mean([slow(a, b, tuple(weights)) for a, b in pairs])
    assert MSSSIM(weights=weights)(output, target).item() == pytest.approx(expected, abs=1e-5)


def test_equal_pictures(pictures):
    """Exactly 0, with finite gradients; also for pictures of one colour."""
    for target in (pictures(1, 3, 161, 161), torch.full((1, 3, 161, 161), 0.3), torch.zeros(1, 3, 161, 161)):
        output = target.clone().requires_grad_()
        value = MSSSIM()(output, target)
        value.backward()
        assert value.item() == 0
        assert torch.isfinite(output.grad).all()


def test_opposites_are_not_alike_at_all(pictures):
    """A negative has the opposite structure: the loss is 1, and gradients are 0, not NaN."""
    target = pictures(1, 3, 161, 161)
    output = (1 - target).requires_grad_()
    value = MSSSIM()(output, target)
    value.backward()
    assert value.item() == 1
    assert output.grad.abs().max() == 0


def test_gradients_lead_down(pictures):
    """A small step against the gradient makes the loss smaller."""
    target = pictures(1, 3, 161, 161)
    output = (target + 0.2 * pictures(1, 3, 161, 161, seed=1)).requires_grad_()
    value = MSSSIM()(output, target)
    value.backward()
    assert torch.isfinite(output.grad).all()
    assert MSSSIM()(output - 0.01 * output.grad / output.grad.abs().max(), target) < value


def test_memory_order_does_not_matter(pictures):
    """Pictures in channels-last memory have the same value."""
    output, target = pictures(2, 3, 161, 161), pictures(2, 3, 161, 161, seed=1)
    expected = MSSSIM()(output, target)
    last = (tensor.contiguous(memory_format=torch.channels_last) for tensor in (output, target))
    torch.testing.assert_close(MSSSIM()(*last), expected)


@pytest.mark.parametrize(("weights", "least"), [(WEIGHTS, 161), (WEIGHTS[:4], 81), ((1.0,), 11)])
def test_least_size(weights, least, pictures):
    """The least size is taken; a pixel less is refused, and the error says what is needed."""
    loss = MSSSIM(weights=weights)
    assert loss.least == least
    loss(pictures(1, 3, least, least), pictures(1, 3, least, least))
    with pytest.raises(srkit.ImageError, match=f"{least}×{least - 1} pixels; this loss needs at least {least}×{least}"):
        loss(pictures(1, 3, least, least - 1), pictures(1, 3, least, least - 1))


@pytest.mark.parametrize("weights", [(), (0.5, 0), (0.5, -1), "half", 0.5, (True,), (float("inf"),), ["a"]])
def test_weights_are_checked(weights):
    """They are positive numbers, and at least one."""
    with pytest.raises(srkit.SettingsError, match=r"weights=.*; expected positive numbers, one for each scale"):
        MSSSIM(weights=weights)
