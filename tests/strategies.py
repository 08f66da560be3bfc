"""Hypothesis strategies shared by all tests: pictures, strips, sizes."""

from __future__ import annotations

import functools
import itertools

import numpy as np
from hypothesis import strategies as st

INTEGERS = ("uint8", "uint16")
DTYPES = (*INTEGERS, "float32", "float16", "float64", "bool", ">u2", ">f4")

scales = st.one_of(st.integers(1, 6), st.floats(0.1, 6, allow_nan=False))
sides = st.integers(1, 24)
seeds = st.integers(0, 2**32 - 1)


@st.composite
def pictures(draw, dtypes=DTYPES, channels=(None, 1, 2, 3, 4), max_side=24):
    """A picture of any layout: (H, W) for channels None, else (H, W, C); noise with flat parts, black and white."""
    height, width = draw(st.integers(1, max_side)), draw(st.integers(1, max_side))
    layout = draw(st.sampled_from(channels))
    dtype = np.dtype(draw(st.sampled_from(dtypes)))
    shape = (height, width) if layout is None else (height, width, layout)
    values = np.random.default_rng(draw(st.integers(0, 2**32 - 1))).random(shape)
    # Pure black and white, and alpha fully empty or opaque, are where mistakes show.
    values = np.clip(values * draw(st.sampled_from((1.0, 1.6, 3.0))) - draw(st.sampled_from((0.0, 0.3, 1.0))), 0, 1)
    if dtype.kind == "u":
        return np.round(values * np.iinfo(dtype).max).astype(dtype)
    return values.astype(dtype) if dtype.kind == "f" else values > 0.5


@st.composite
def cuts(draw, height):
    """Heights of strips that add up to ``height``."""
    heights = []
    while sum(heights) < height:
        heights.append(draw(st.integers(1, height - sum(heights))))
    return heights


@st.composite
def cut(draw, picture, axis=0):
    """The picture as strips of any heights along ``axis``, a list of views."""
    height = picture.shape[axis]
    edges = np.cumsum([0, *draw(cuts(height))])
    rest = (slice(None),) * (axis % picture.ndim)
    return [picture[(*rest, slice(a, b))] for a, b in itertools.pairwise(edges)]


@functools.cache
def nearest(scale=1, channels=3, **options):
    """An Upscaler whose network repeats each pixel ``scale`` times, so that all else is the pipeline's doing."""
    import torch

    import srkit

    network = torch.nn.Upsample(scale_factor=scale, mode="nearest")
    traits = srkit.Traits(scale=scale, in_channels=channels, out_channels=channels)
    return srkit.Upscaler.from_network(network, traits, **{"engine": "whole", "device": "cpu", **options})


@functools.cache
def compact(scale=2, channels=3, gain=1, **options):
    """An Upscaler with a small random SRVGGNetCompact, the same each time; ``gain`` multiplies what it adds."""
    import torch

    import srkit
    from srkit_archs_realesrgan.srvgg import SRVGGNetCompact

    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = SRVGGNetCompact(channels, channels, num_feat=8, num_conv=2, upscale=scale)
    with torch.no_grad():
        network.body[-1].weight.mul_(gain)
    traits = srkit.Traits(scale=scale, in_channels=channels, out_channels=channels)
    return srkit.Upscaler.from_network(network, traits, **{"engine": "whole", "device": "cpu", **options})


@st.composite
def tensors(draw, batch=(1, 3), channels=(1, 3), max_side=40):
    """A batch of pictures, (B, C, H, W) float32 in [0, 1]: noise on slopes, black and white included."""
    import torch

    shape = draw(st.integers(*batch)), draw(st.sampled_from(channels)), *(draw(st.integers(1, max_side)) for _ in "hw")
    rng = torch.Generator().manual_seed(draw(st.integers(0, 2**32 - 1)))
    slope = torch.linspace(-0.3, 1.3, shape[3]).expand(shape)
    return (slope + draw(st.sampled_from((0.1, 0.5, 1.0))) * (torch.rand(shape, generator=rng) - 0.5)).clamp(0, 1)
