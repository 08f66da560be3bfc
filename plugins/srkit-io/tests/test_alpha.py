"""srkit_io.alpha: colours multiplied by alpha, and not."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from strategies import pictures

from srkit_io.alpha import multiplied, straight


@given(img=pictures(dtypes=("float32",), channels=(2, 4)))
def test_what_is_multiplied_comes_back(img):
    """Where alpha is not 0, dividing undoes multiplying; where it is, nothing is left; alpha stays."""
    back = straight(multiplied(img))
    np.testing.assert_array_equal(back[..., -1], img[..., -1])
    seen = img[..., -1] > 0
    np.testing.assert_allclose(back[seen], img[seen], rtol=1e-6)
    assert not back[~seen].any()


@pytest.mark.parametrize(("dtype", "white"), [("uint8", 255), ("uint16", 65535), ("float16", 1), ("float32", 1)])
def test_half_covered(dtype, white):
    """A colour half covered is twice as bright without alpha; light without cover stays, and none is beyond the dtype."""
    img = np.array([[[white // 4 if white > 1 else 0.25, white / 2], [white, 0]]], dtype)
    out = straight(img)
    assert out.dtype == img.dtype
    assert out[0, 0, 0] == pytest.approx(white / 2, abs=2 if white > 1 else 1e-6)
    assert out[0, 1, 0] == white
    tiny = np.array([[[white, np.finfo(dtype).tiny if white == 1 else 1]]], dtype)
    assert np.isfinite(straight(tiny).astype(float)).all()
