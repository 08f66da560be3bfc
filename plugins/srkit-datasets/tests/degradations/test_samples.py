"""Pictures on their way: whose chance is whose."""

from __future__ import annotations

import pytest
import torch

import srkit
from srkit_datasets import Blur, Chain, GaussianNoise, Quantise, explain
from srkit_datasets.degradations.draws import chance, integer, pick, seeded, seeds, uniform
from srkit_datasets.degradations.samples import to_array, to_image


def test_the_first_seeds_are_the_same_however_many_follow():
    """What a picture draws does not depend on how many come after it."""
    assert seeds(seeded(3), 5)[:2] == seeds(seeded(3), 2)
    assert len(set(seeds(seeded(3), 1000))) == 1000


def test_draws_stay_in_their_ranges():
    """Numbers lie in their range, both ends of whole ones are reached, weights of 0 are never picked."""
    rng = seeded(0)
    assert all(2 <= uniform(rng, 2, 3) <= 3 for _ in range(1000))
    assert {integer(rng, 1, 3) for _ in range(100)} == {1, 2, 3}
    assert {pick(rng, (0, 2, 0, 1, 0)) for _ in range(1000)} == {1, 3}
    assert not any(chance(rng, 0) for _ in range(100))
    assert all(chance(rng, 1) for _ in range(100))


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
    image = picture[0].contiguous(memory_format=torch.channels_last) if picture.ndim == 3 else None
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


@pytest.mark.parametrize("bits", [1, 8, 12])
def test_quantising_rounds(bits, picture):
    """Each value becomes the nearest of 2^bits; both ways the same."""
    picture = picture * 0.987
    out = Quantise(bits=bits)(picture, seeded(0))
    torch.testing.assert_close(out, (picture * (2**bits - 1)).round() / (2**bits - 1), atol=1e-7, rtol=0)
    assert torch.equal(Quantise(bits=bits)._on_tensors(picture, [None], []), out)
    assert torch.equal(Quantise(bits=bits)(out, seeded(0)), out)
