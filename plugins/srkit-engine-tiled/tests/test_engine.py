"""The engine: equal to the network on the whole picture, whatever the strips, the sizes and the graph."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch")

from strategies import cuts, pictures  # noqa: E402
from torch import nn  # noqa: E402

import srkit  # noqa: E402
import srkit.testing  # noqa: E402
from srkit_archs_realesrgan.rrdb import RRDBNet  # noqa: E402
from srkit_archs_realesrgan.srvgg import SRVGGNetCompact  # noqa: E402
from srkit_engine_tiled.engine import upsampler  # noqa: E402

_spec = importlib.util.spec_from_file_location("engine_networks", Path(__file__).with_name("networks.py"))
networks = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(networks)


def seeded(make):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return make().eval().requires_grad_(False)


def prepared(network, scale, multiple_of=1, rows=None, dtype=torch.float32):
    traits = srkit.Traits(scale=scale, multiple_of=multiple_of)
    return upsampler.prepare(network, srkit.Settings(device=torch.device("cpu"), dtype=dtype, traits=traits, rows=rows))


SHIPPED = {
    "srvgg": (lambda: SRVGGNetCompact(num_feat=16, num_conv=3), 4, 1),
    "srvgg relu": (lambda: SRVGGNetCompact(num_feat=8, num_conv=2, upscale=3, act_type="relu"), 3, 1),
    "rrdb": (lambda: RRDBNet(num_feat=16, num_block=1, num_grow_ch=8), 4, 1),
    "rrdb x2": (lambda: RRDBNet(scale=2, num_feat=16, num_block=1, num_grow_ch=8), 2, 2),
    "rrdb x1": (lambda: RRDBNet(scale=1, num_feat=8, num_block=1, num_grow_ch=4), 1, 4),
    "nested": (networks.Nested, 2, 4),
}
_streams = {}


def stream_of(name, rows):
    """A network and its stream, made once."""
    make, scale, multiple_of = SHIPPED[name]
    if (name, rows) not in _streams:
        network = seeded(make)
        _streams[name, rows] = network, prepared(network, scale, multiple_of, rows)
    return _streams[name, rows]


def check(network, stream, image, heights):
    with torch.no_grad():
        expected = network(image.contiguous(memory_format=torch.channels_last))
        out = torch.cat(list(stream(iter(torch.split(image, heights, 2)), tuple(image.shape[2:]))), 2)
    assert out.shape == expected.shape
    assert torch.equal(out, expected)


@settings(max_examples=15)
@given(data=st.data(), batch=st.integers(1, 3), width=st.integers(16, 90), height=st.integers(1, 130))
@pytest.mark.parametrize("rows", [2, 5, 16])
@pytest.mark.parametrize("name", SHIPPED)
def test_every_bit_is_the_networks(name, rows, data, batch, width, height):
    """However the picture is cut, fed and stepped, the float32 result equals the plain forward bitwise."""
    network, stream = stream_of(name, rows)
    multiple = SHIPPED[name][2]
    shape = (batch, 3, -(-height // multiple) * multiple, -(-width // multiple) * multiple)
    image = torch.rand(shape, generator=torch.Generator().manual_seed(height * 1000 + width))
    check(network, stream, image, data.draw(cuts(shape[2])))


@pytest.mark.parametrize("seed", range(25))
def test_random_graphs(seed):
    """Networks of random branches, joins and kernels stream to the bit."""
    network = seeded(lambda: networks.Impulsive(seed, smooth=False))
    image = torch.rand(1, 3, 97, 83, generator=torch.Generator().manual_seed(seed))
    check(network, prepared(network, 2, rows=7), image, [40, 1, 56])


@pytest.mark.parametrize("seed", range(10))
def test_random_graphs_with_exponentials(seed):
    """With sigmoid, tanh, silu and gelu, whose CPU kernels round otherwise in the tail of a vector, it is within 1e-5."""
    network = seeded(lambda: networks.Impulsive(seed, smooth=True))
    image = torch.rand(1, 3, 97, 83, generator=torch.Generator().manual_seed(seed))
    with torch.no_grad():
        expected = network(image.contiguous(memory_format=torch.channels_last))
        out = torch.cat(list(prepared(network, 2, rows=7)(iter([image]), (97, 83))), 2)
    assert (out - expected).abs().max() < 1e-5


@pytest.mark.parametrize("size", [(1, 1), (1, 40), (40, 1), (7, 15), (200, 3), (83, 83)])
def test_small_and_narrow_pictures(size):
    """Pictures that torch treats with other kernels come out as it treats them."""
    network, stream = stream_of("srvgg", 16)
    image = torch.rand(1, 3, *size, generator=torch.Generator().manual_seed(1))
    check(network, stream, image, [size[0]])


@srkit.testing.parametrise(upsampler)
def test_conforms(check):
    """The engine keeps the contract of every upsampler."""
    check()


@given(img=pictures(dtypes=("uint8", "uint16", "float32"), max_side=40), alpha=st.sampled_from(["network", "resize"]))
def test_pictures_of_every_layout(img, alpha):
    """Through the whole pipeline the engine and the whole-image upsampler give the same array."""
    network = stream_of("srvgg", 16)[0]
    ours, theirs = (
        _upscaler(network, engine)(np.tile(img, (3, 3, 1)[: img.ndim]), alpha=alpha) for engine in ("stream", "whole")
    )
    assert np.array_equal(ours, theirs)


_upscalers = {}


def _upscaler(network, engine):
    if engine not in _upscalers:
        traits = srkit.Traits(scale=4)
        _upscalers[engine] = srkit.Upscaler.from_network(network, traits, engine=engine, device="cpu")
    return _upscalers[engine]


def test_bfloat16_is_the_same_for_every_step():
    """In bfloat16 the rows a step make no difference to any bit."""
    image = torch.rand(1, 3, 90, 70, generator=torch.Generator().manual_seed(0))
    results = []
    for rows in (4, 8, 32):
        stream = prepared(seeded(SHIPPED["srvgg"][0]), 4, rows=rows, dtype=torch.bfloat16)
        with torch.no_grad():
            results.append(torch.cat(list(stream(iter([image]), (90, 70))), 2))
    assert results[0].dtype is torch.bfloat16
    assert all(torch.equal(result, results[0]) for result in results)


def test_rows_come_before_the_picture_ends():
    """The first rows of the result leave before the last rows of the picture arrive, and memory does not grow with it."""
    _, stream = stream_of("srvgg", 5)
    fed = []

    def strips():
        for i in range(100):
            fed.append(i)
            yield torch.zeros(1, 3, 10, 64)

    with torch.no_grad():
        out = stream(strips(), (1000, 64))
        next(out)
    assert len(fed) < 5


def test_memory_is_that_of_the_rows_needed(monkeypatch):
    """The stores of a tall picture are as large as those of one ten times taller."""
    from srkit_engine_tiled import engine

    runs = []

    class Seen(engine._Run):
        def __init__(self, *args):
            super().__init__(*args)
            runs.append(self)

    monkeypatch.setattr(engine, "_Run", Seen)
    _, stream = stream_of("rrdb", 5)
    sizes = []
    for height in (300, 3000):
        with torch.no_grad():
            for _ in stream(iter([torch.zeros(1, 3, height, 32)]), (height, 32)):
                pass
        sizes.append(sum(store._rows.numel() for store in runs[-1]._stores.values()))
    assert sizes[0] == sizes[1]


class Pooling(nn.Module):
    """Channel attention, as of RCAN: every pixel depends on all."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 3, 3, padding=1)
        self.pool = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Conv2d(3, 3, 1), nn.Sigmoid())

    def forward(self, x):
        y = self.conv(x)
        return y * self.pool(y)


class Sized(nn.Module):
    """Does something else to pictures of odd height."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 3, 3, padding=1)

    def forward(self, x):
        return self.conv(x) if x.shape[2] % 2 else self.conv(x) * 2


def test_networks_that_are_not_local_are_refused_by_name():
    """Pooling over the picture is refused before any work, with the operator and the module; the pipeline then goes whole."""
    network = seeded(Pooling)
    with pytest.raises(
        srkit.NotStreamable, match="adaptive_avg_pool2d.* in module 'pool.0' cannot be streamed"
    ) as caught:
        prepared(network, 1)
    assert "adaptive_avg_pool2d" in caught.value.operator
    assert srkit.Upscaler.from_network(network, srkit.Traits(scale=1), device="cpu").engine == "whole"


def test_networks_that_depend_on_the_size_are_refused():
    """What does different things to pictures of different size is told so."""
    with pytest.raises(srkit.NotStreamable, match="different things to pictures of different size"):
        prepared(seeded(Sized), 1)


def test_rows_choose_the_engine():
    """Who asks for rows a step gets the engine that can do it, without naming it."""
    network = stream_of("srvgg", 16)[0]
    assert srkit.Upscaler.from_network(network, srkit.Traits(scale=4), device="cpu", rows=8).engine == "stream"


def test_memory_is_not_promised():
    """memory= is refused, with rows= as the way out, since it is not planned yet."""
    traits = srkit.Traits(scale=4)
    with pytest.raises(srkit.SettingsError, match="bound it with rows="):
        srkit.Upscaler.from_network(stream_of("srvgg", 16)[0], traits, engine="stream", device="cpu", memory="1GB")
