"""Compression: pictures through a lossy file and back, without the file."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import attrs
import cv2
import numpy as np
from torch import Generator, Tensor

from ..options import Range, between, flag, whole
from .draws import integer
from .libjpeg import jpeg
from .quantise import from_bytes, to_bytes
from .samples import Array, Degrading, Sample, batched, each, on_the_cpu


def _through(picture: Array, suffix: str, flags: Sequence[int]) -> Array:
    """(H, W, C) float32 RGB, by OpenCV's encoder and decoder; rounded to 8 bits on the way."""
    levels = to_bytes(picture)
    colour = picture.shape[2] == 3
    _, data = cv2.imencode(suffix, cv2.cvtColor(levels, cv2.COLOR_RGB2BGR) if colour else levels, flags)
    return from_bytes(np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR_RGB if colour else cv2.IMREAD_GRAYSCALE)))


class _File(Degrading):
    """A degradation by a file of a whole-numbered quality."""

    quality: Range

    def apply(self, samples: Sequence[Sample]) -> None:
        """Encode and decode each picture."""
        qualities = [integer(sample.rng, int(self.quality[0]), int(self.quality[1])) for sample in samples]
        for sample, quality in zip(samples, qualities, strict=True):
            sample.told.append(f"{self.name} {quality}")
        self.code(samples, qualities)

    def code(self, samples: Sequence[Sample], qualities: Sequence[int]) -> None:
        """Encode and decode each picture with its quality."""
        each(samples, qualities, self.on_array, on_the_cpu(self.on_array))

    def on_array(self, picture: Array, quality: int, _: Generator) -> Array:
        """(H, W, C) float32 → likewise."""
        raise NotImplementedError


@attrs.frozen
class JPEG(_File):
    """JPEG with 4:2:0 chroma; ``quality`` is libjpeg's, a whole number drawn for each picture.

    On the CPU by libjpeg; elsewhere, and with ``differentiable``, by torch: the same bits. Gradients pass through every
    rounding as if it were not there.
    """

    name: ClassVar[str] = "jpeg"

    quality: Range = between(1, 100, (30, 95), whole=True)
    differentiable: bool = flag(default=False)

    def code(self, samples: Sequence[Sample], qualities: Sequence[int]) -> None:
        """Encode and decode each picture with its quality."""
        if self.differentiable:
            batched(samples, qualities, _in_torch)
        else:
            each(samples, qualities, self.on_array, _in_torch)

    def on_array(self, picture: Array, quality: int, _: Generator) -> Array:
        """By libjpeg."""
        return _through(picture, ".jpg", (cv2.IMWRITE_JPEG_QUALITY, quality, *_HALVED_CHROMA))


_HALVED_CHROMA = (cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_420)


def _in_torch(images: Tensor, qualities: Sequence[int], _: Sequence[Generator]) -> Tensor:
    return jpeg(images, qualities)


@attrs.frozen
class WebP(_File):
    """Lossy WebP."""

    name: ClassVar[str] = "webp"

    quality: Range = between(1, 100, (30, 95), whole=True)

    def on_array(self, picture: Array, quality: int, _: Generator) -> Array:
        """By libwebp; grey is three equal channels there."""
        return _in_colour(picture, ".webp", (cv2.IMWRITE_WEBP_QUALITY, quality))


@attrs.frozen
class AVIF(_File):
    """AVIF: a frame of AV1. ``speed``: of the encoder, 0 to 10."""

    name: ClassVar[str] = "avif"

    quality: Range = between(0, 100, (30, 95), whole=True)
    speed: int = whole(0, 10, 9)

    def on_array(self, picture: Array, quality: int, _: Generator) -> Array:
        """By libavif; grey is three equal channels there."""
        return _in_colour(picture, ".avif", (cv2.IMWRITE_AVIF_QUALITY, quality, cv2.IMWRITE_AVIF_SPEED, self.speed))


def _in_colour(picture: Array, suffix: str, flags: Sequence[int]) -> Array:
    coded = _through(np.repeat(picture, 4 - picture.shape[2], 2)[:, :, :3], suffix, flags)
    return coded if picture.shape[2] == 3 else coded.mean(2, keepdims=True)
