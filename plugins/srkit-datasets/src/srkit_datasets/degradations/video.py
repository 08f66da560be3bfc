"""Compression by a video codec; needs PyAV: ``pip install "srkit-datasets[video]"``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import attrs
import numpy as np
from torch import Generator

import srkit

from ..options import Range, between, shares
from .draws import pick, uniform
from .quantise import from_bytes, to_bytes
from .samples import Array, Degrading, Sample, each, on_the_cpu

if TYPE_CHECKING:
    import av

# Encoder, decoder, the quantiser's coarsest setting and finest.
_CODECS: Mapping[str, tuple[str, str, float, float]] = {
    "h264": ("libx264", "h264", 51, 10),
    "h265": ("libx265", "hevc", 51, 10),
    "mpeg4": ("mpeg4", "mpeg4", 31, 1),
}


@attrs.frozen
class Video(Degrading):
    """A frame of a video, coded by itself, with 4:2:0 chroma.

    ``codecs``: which, with weights. ``quality``: from 0, the coarsest quantiser that the codec has, to 1, the finest that
    is of use (CRF 51 to 10 for H.264 and H.265, a quantiser of 31 to 1 for MPEG-4).
    """

    name: ClassVar[str] = "video"

    codecs: Mapping[str, float] = shares("codec", tuple(_CODECS), {"h264": 1.0, "h265": 1.0, "mpeg4": 1.0})
    quality: Range = between(0, 1, (0.25, 0.75))

    def apply(self, samples: Sequence[Sample]) -> None:
        """Encode and decode each picture."""
        settings = []
        for sample in samples:
            codec = tuple(self.codecs)[pick(sample.rng, tuple(self.codecs.values()))]
            settings.append((codec, uniform(sample.rng, *self.quality)))
            sample.told.append(f"{codec} {settings[-1][1]:.2f}")
        each(samples, settings, _on_array, on_the_cpu(_on_array))


_SMALLEST = 32
"""What every encoder takes; smaller pictures are padded."""


def _on_array(picture: Array, setting: tuple[str, float], _: Generator) -> Array:
    av = _av()
    height, width, channels = picture.shape
    # Chroma has half the size, so both sides are even.
    sides = [max(_SMALLEST, side + side % 2) for side in (height, width)]
    levels = to_bytes(np.repeat(picture, 4 - channels, 2)[:, :, :3])
    levels = np.pad(levels, ((0, sides[0] - height), (0, sides[1] - width), (0, 0)), mode="edge")
    codec, quality = setting
    encoder, decoder, coarsest, finest = _CODECS[codec]
    coded = list(_encode(av, encoder, levels, coarsest + (finest - coarsest) * quality))
    reader = av.CodecContext.create(decoder, "r")
    reader.thread_count = 1
    frames = [frame for packet in [*coded, None] for frame in reader.decode(packet)]
    out = from_bytes(frames[0].to_ndarray(format="rgb24")[:height, :width])
    return out if channels == 3 else out.mean(2, keepdims=True)


def _encode(av: Any, name: str, levels: Array, quantiser: float) -> Iterator[Any]:
    """The packets of one frame."""
    from fractions import Fraction

    writer: av.VideoCodecContext = av.CodecContext.create(name, "w")
    writer.height, writer.width = levels.shape[:2]
    writer.pix_fmt, writer.time_base = "yuv420p", Fraction(1, 25)
    writer.thread_count = 1  # the bits depend on it
    if name == "mpeg4":
        writer.qmin = writer.qmax = max(1, round(quantiser))
    else:
        quiet = {"x265-params": "log-level=none:pools=none:frame-threads=1"} if name == "libx265" else {}
        writer.options = {"crf": f"{quantiser:.1f}", "preset": "veryfast", **quiet}
    frame = av.VideoFrame.from_ndarray(levels, format="rgb24")
    for given in (frame, None):
        yield from writer.encode(given)


def _av() -> Any:
    try:
        import av
    except ModuleNotFoundError as error:
        raise srkit.SettingsError(
            'video codecs need PyAV, which is not installed; run: pip install "srkit-datasets[video]"'
        ) from error
    av.logging.set_level(av.logging.PANIC)
    return av
