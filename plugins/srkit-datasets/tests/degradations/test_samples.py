"""Pictures on their way: whose chance is whose."""

from __future__ import annotations

import pytest
import torch

import srkit
from srkit_datasets import Blur, Chain, GaussianNoise, explain
from srkit_datasets.degradations.draws import seeded
from srkit_datasets.degradations.samples import to_array, to_image


@pytest.mark.parametrize(
    "images",
    [torch.zeros(3, 4, 4), torch.zeros(1, 4, 4, 4), torch.zeros(1, 3, 0, 4), torch.zeros(1, 3, 4, 4).double()],
)
def test_other_tensors_are_refused(images):
    """What is no batch of float32 pictures of one or three channels is told, with what was expected."""
    with pytest.raises(srkit.ImageError, match=r"expected \(B, C, H, W\) float32"):
        Blur()(images, seeded(0))


def test_arrays_are_views_where_they_can_be(picture):
    """Pictures that lie by rows of pixels are not copied between OpenCV and torch."""
    array = to_array(picture[0])
    image = to_image(array)
    assert to_array(image).ctypes.data == array.ctypes.data
    assert to_image(array[:, :, 0]).shape == (1, 256, 256)


def test_what_was_drawn_is_told(picture):
    """Each picture has its own list of words, in the order of the steps."""
    images, words = explain(Chain([GaussianNoise(sigma=5, grey=1), "jpeg"]), picture.expand(2, -1, -1, -1), seeded(0))
    assert [image.shape for image in images] == [picture[0].shape] * 2
    assert [told[0] for told in words] == ["gaussian 5 grey"] * 2
    assert all(told[1].startswith("jpeg ") for told in words)
