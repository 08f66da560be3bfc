"""MS-SSIM: likeness of structures, at several scales."""

from __future__ import annotations

import math
from typing import Any

import attrs
import torch
import torch.nn.functional as F
from torch import Tensor

import srkit

from .pictures import check_pictures

_WINDOW, _SIGMA = 11, 1.5
# (K L)² for values in [0, 1].
_C1, _C2 = 0.01**2, 0.03**2


def _as_tuple(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _check_weights(_: object, attribute: attrs.Attribute[Any], value: Any) -> None:
    numbers = isinstance(value, tuple) and all(
        isinstance(w, int | float) and not isinstance(w, bool) and 0 < w < math.inf for w in value
    )
    if not (numbers and value):
        raise srkit.SettingsError(f"{attribute.name}={value!r}; expected positive numbers, one for each scale")


@attrs.frozen(kw_only=True)
class MSSSIM:
    """1 - MS-SSIM, of each channel by itself, averaged.

    Z. Wang, E. P. Simoncelli and A. C. Bovik, "Multi-scale structural similarity for image quality assessment", Asilomar
    2003, equation 7. ``weights``: the exponents, one for each scale, from the finest on. Of a picture whose structure at a
    scale is the opposite of the target's, MS-SSIM is 0.
    """

    weights: tuple[float, ...] = attrs.field(
        default=(0.0448, 0.2856, 0.3001, 0.2363, 0.1333),
        converter=_as_tuple,
        validator=_check_weights,
    )

    @property
    def least(self) -> int:
        """The smallest side of a picture, in pixels: the window fits in at every scale. 161 for five scales."""
        return ((_WINDOW - 1) << (len(self.weights) - 1)) + 1

    def __call__(self, output: Tensor, target: Tensor) -> Tensor:
        """(B, 3, H, W) float32 RGB in [0, 1], both → a scalar.

        Raises ImageError for anything else, and for sides under :attr:`least`.
        """
        check_pictures(output, target, least=self.least)
        value = torch.ones(output.shape[:2], device=output.device)
        for scale, weight in enumerate(self.weights):
            if scale:
                output, target = _halved(output), _halved(target)
            value = value * _power(_likeness(output, target, luminance=scale == len(self.weights) - 1), weight)
        return 1 - value.mean()


def _power(values: Tensor, exponent: float) -> Tensor:
    # With a gradient of 0, not NaN, where nothing is alike.
    return (values.clamp(min=1e-12) ** exponent).where(values > 0, 0)


def _halved(pictures: Tensor) -> Tensor:
    """Means of 2×2 pixels; at the end of an odd side, of those that are there."""
    return F.avg_pool2d(pictures, 2, ceil_mode=True, count_include_pad=False)


def _likeness(output: Tensor, target: Tensor, *, luminance: bool) -> Tensor:
    """Contrast and structure, and luminance if asked for, averaged over the picture: (B, C)."""
    products = (output, target, output * output, target * target, output * target)
    of_output, of_target, *moments = _blurred(torch.cat(products, 1)).chunk(5, 1)
    variances = moments[0] - of_output**2 + (moments[1] - of_target**2)
    likeness = (2 * (moments[2] - of_output * of_target) + _C2) / (variances + _C2)
    if luminance:
        likeness = likeness * (2 * of_output * of_target + _C1) / (of_output**2 + of_target**2 + _C1)
    return likeness.mean((-2, -1))


def _blurred(pictures: Tensor) -> Tensor:
    """Means weighted by a Gaussian, where the window lies within the picture."""
    offsets = torch.arange(_WINDOW, dtype=torch.float64) - _WINDOW // 2
    line = torch.exp(-(offsets**2) / (2 * _SIGMA**2))
    line = (line / line.sum()).to(pictures)
    channels = pictures.shape[1]
    # Of channels-last pictures cuDNN would take care, and round to TF32: more than variances bear.
    down = F.conv2d(pictures.contiguous(), line.view(1, 1, -1, 1).expand(channels, 1, -1, 1), groups=channels)
    return F.conv2d(down, line.view(1, 1, 1, -1).expand(channels, 1, 1, -1), groups=channels)
