"""Convolution: OpenCV's and torch's, which must agree."""

from __future__ import annotations

import numpy as np
import strategies
import torch
from hypothesis import given
from hypothesis import strategies as st

from srkit_datasets.degradations.convolve import (
    convolve_array,
    convolve_lines_tensors,
    convolve_tensors,
    reflected,
)
from srkit_datasets.degradations.kernels import bivariate, gaussian_line, sinc
from srkit_datasets.degradations.samples import to_array, to_image


@given(strategies.tensors(), st.integers(1, 10), st.booleans())
def test_both_ways_give_the_same(images, half, product):
    """Whatever the size of picture and kernel, a product of lines or not, OpenCV and torch agree within 1e-5."""
    size = 2 * half + 1
    kernels = [
        bivariate(size, (1 + i, 1 + i)) if product else bivariate(size, (3, 1), 0.5 + i) for i in range(len(images))
    ]
    kernels[0] = sinc(size, 2.0)
    expected = torch.stack(
        [to_image(convolve_array(to_array(image), kernel)) for image, kernel in zip(images, kernels, strict=True)]
    )
    torch.testing.assert_close(convolve_tensors(images, kernels), expected, atol=1e-5, rtol=0)


@given(strategies.tensors(max_side=12), st.integers(0, 30))
def test_reflection_is_numpys(images, margin):
    """The border is reflected without repeating the edge, however far beyond the picture."""
    expected = np.pad(images.numpy(), ((0, 0), (0, 0), (margin, margin), (margin, margin)), mode="reflect")
    np.testing.assert_array_equal(reflected(images, margin).numpy(), expected)


@given(strategies.tensors())
def test_kernels_of_several_sizes_go_together(images):
    """Pictures of a batch may have kernels of different sizes."""
    kernels = [bivariate(2 * i + 3, (1.5, 1.0), 0.3) for i in range(len(images))]
    together = convolve_tensors(images, kernels)
    for i, kernel in enumerate(kernels):
        torch.testing.assert_close(
            together[i : i + 1], convolve_tensors(images[i : i + 1], [kernel]), atol=1e-6, rtol=0
        )


def test_an_impulse_becomes_the_kernel():
    """A single bright pixel becomes the kernel, turned neither way."""
    image = torch.zeros(1, 1, 21, 21)
    image[..., 10, 10] = 1
    kernel = bivariate(9, (3, 1), 0.4)
    out = convolve_tensors(image, [kernel])[0, 0, 6:15, 6:15].numpy()
    np.testing.assert_allclose(out, kernel, atol=1e-6)
    line = gaussian_line(9, 1.5)
    out = convolve_lines_tensors(image, line)[0, 0, 6:15, 6:15].numpy()
    np.testing.assert_allclose(out, np.outer(line, line), atol=1e-6)
