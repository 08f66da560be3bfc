"""Rounding."""

from __future__ import annotations

import pytest
import torch

from srkit_datasets import Quantise
from srkit_datasets.degradations.draws import seeded


@pytest.mark.parametrize("bits", [1, 8, 12])
def test_quantising_rounds(bits, picture):
    """Each value becomes the nearest of 2^bits; both ways the same."""
    picture = picture * 0.987
    out = Quantise(bits=bits)(picture, seeded(0))
    torch.testing.assert_close(out, (picture * (2**bits - 1)).round() / (2**bits - 1), atol=1e-7, rtol=0)
    assert torch.equal(Quantise(bits=bits)._on_tensors(picture, [None], []), out)
    assert torch.equal(Quantise(bits=bits)(out, seeded(0)), out)
