"""The engine: equal to the network on the whole picture, whatever the strips, the sizes and the graph."""

from __future__ import annotations

import gc
import importlib
import importlib.util
import weakref
from pathlib import Path

import attrs
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch")

from strategies import cuts, pictures  # noqa: E402
from torch import nn  # noqa: E402

import srkit  # noqa: E402
import srkit.testing  # noqa: E402
from srkit.whole import forward  # noqa: E402
from srkit_archs_realesrgan.rrdb import RRDBNet  # noqa: E402
from srkit_archs_realesrgan.srvgg import SRVGGNetCompact  # noqa: E402
from srkit_engine_tiled import kernel  # noqa: E402
from srkit_engine_tiled.engine import upsampler  # noqa: E402
from srkit_engine_tiled.plan import Plan  # noqa: E402
from srkit_engine_tiled.run import Workspace  # noqa: E402
from srkit_engine_tiled.store import Store  # noqa: E402


def _module(name):
    spec = importlib.util.spec_from_file_location(f"engine_{name}", Path(__file__).with_name(f"{name}.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


networks, families = _module("networks"), _module("families")


def seeded(make):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return make().eval().requires_grad_(False)


def prepared(network, scale, multiple_of=1, rows=None, dtype=torch.float32):
    traits = srkit.Traits(scale=scale, multiple_of=multiple_of)
    where = srkit.Settings(device=torch.device("cpu"), dtype=dtype, traits=traits, rows=rows)
    return upsampler.prepare(network, where)


def both(network, stream, image, heights):
    """The network's result for the whole picture, and the stream's."""
    with torch.no_grad():
        expected = forward(network, image)
        out = torch.cat(list(stream(iter(torch.split(image, heights, 2)), tuple(image.shape[2:]))), 2)
    assert out.shape == expected.shape
    return expected, out


def picture(batch, height, width, seed=0):
    return torch.rand(batch, 3, height, width, generator=torch.Generator().manual_seed(seed))


SHIPPED = {
    "srvgg": (lambda: SRVGGNetCompact(num_feat=16, num_conv=3), 4, 1),
    "srvgg relu": (lambda: SRVGGNetCompact(num_feat=8, num_conv=2, upscale=3, act_type="relu"), 3, 1),
    "rrdb": (lambda: RRDBNet(num_feat=16, num_block=1, num_grow_ch=8), 4, 1),
    "rrdb x2": (lambda: RRDBNet(scale=2, num_feat=16, num_block=1, num_grow_ch=8), 2, 2),
    "rrdb x1": (lambda: RRDBNet(scale=1, num_feat=8, num_block=1, num_grow_ch=4), 1, 4),
    "tangle": (lambda: networks.Tangle(7, ["conv strided", "bordered constant", "transposed", "max pool"]), 2, 2),
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
    expected, out = both(network, stream, image, heights)
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
    check(network, stream, picture(batch, *shape[2:], seed=height * 1000 + width), data.draw(cuts(shape[2])))


def tangle(seed, kinds, length):
    network = seeded(lambda: networks.Tangle(seed, kinds, length))
    families.randomise(network, seed)
    return network


@pytest.mark.filterwarnings("ignore:Using padding='same'")  # of torch, about a copy it makes
@pytest.mark.parametrize("kind", networks.EXACT)
def test_every_operator(kind):
    """Each operator, alone between convolutions, streams to the bit."""
    network = tangle(1, [kind], 0)
    check(network, prepared(network, 2, 2, rows=3), picture(2, 98, 82), [40, 1, 57])


@pytest.mark.parametrize("kind", networks.CLOSE)
def test_operators_whose_kernels_round_by_shape(kind):
    """Those whose kernels for a CPU round otherwise in the tail of a vector, or of a shape, are within 1e-5 of the values."""
    network = tangle(1, [kind], 0)
    expected, out = both(network, prepared(network, 2, 2, rows=3), picture(2, 98, 82), [40, 1, 57])
    assert (out - expected).abs().max() <= 1e-5 * expected.abs().max().clamp(min=1)


@pytest.mark.filterwarnings("ignore:Using padding='same'")
@pytest.mark.parametrize("seed", range(16))
def test_random_graphs(seed):
    """Networks of random nested branches of these operators stream to the bit."""
    network = tangle(seed, [], 9)
    check(network, prepared(network, 2, 2, rows=5), picture(2, 98, 82, seed), [40, 1, 57])


EXACT_FAMILIES = {"edsr", "edsr x3", "dncnn", "drunet", "imdn", "rfdn", "esrgan", "esrgan plus", "artcnn"}
UNKNOWN = {
    "plksr replicate": "mean.dim",
    "ecbsr unmerged": "slice_scatter",
    "realcugan x4": "slice_scatter",
}
"""Local ways of writing a network that the engine does not stream, and the operator it stops at."""


@pytest.mark.parametrize("name", [name for name in families.LOCAL if name not in UNKNOWN])
def test_published_families(name):
    """Published networks, as people write them, stream."""
    make, scale, multiple = families.LOCAL[name]
    network = seeded(make)
    families.randomise(network, 0)
    height, width = ((side + 3 * multiple) // multiple * multiple for side in (192, 305))
    stream = prepared(network, scale, multiple, rows=7)
    expected, out = both(network, stream, picture(1, height, width), [40, 1, height - 41])
    assert stream.explain((height, width))["way"] == "a stream of rows" or min(height, width) < 330
    assert (out - expected).abs().max() <= 1e-5 * expected.abs().max().clamp(min=1)
    if name in EXACT_FAMILIES:
        assert torch.equal(out, expected)


@pytest.mark.parametrize("name", [*families.GLOBAL, *UNKNOWN])
def test_what_is_not_streamed_is_refused_by_name(name):
    """Networks that are not local, and what the engine does not know, are refused with the operator and its module."""
    if name in UNKNOWN:
        (make, scale, multiple), operator = families.LOCAL[name], UNKNOWN[name]
    else:
        (make, scale, operator), multiple = families.GLOBAL[name], 2
    network = seeded(make)
    with pytest.raises(srkit.NotStreamable, match=f"({operator}).* in .* cannot be streamed") as caught:
        prepared(network, scale, multiple)
    assert caught.value.operator
    assert "engine='whole'" in str(caught.value)
    assert "halo=" in str(caught.value)


class Leaves(nn.Module):
    """Goes where no tracer follows."""

    def forward(self, x):
        return torch.from_numpy(np.sqrt(x.numpy()))


def test_what_cannot_be_traced_is_refused():
    """A network that the exporter gives up is refused with its reason."""
    with pytest.raises(srkit.NotStreamable, match="could not be traced .*numpy"):
        prepared(Leaves(), 1)


@pytest.mark.parametrize("size", [(1, 1), (1, 40), (40, 1), (7, 15), (200, 3), (83, 83)])
def test_small_and_narrow_pictures(size):
    """Pictures that torch treats with other kernels come out as it treats them."""
    network, stream = stream_of("srvgg", 16)
    check(network, stream, picture(1, *size), [size[0]])


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


HALF = {
    **SHIPPED,
    **{kind: (lambda kind=kind: tangle(1, [kind], 0), 2, 2) for kind in [*networks.EXACT, *networks.CLOSE]},
}


@pytest.mark.filterwarnings("ignore:Using padding='same'")
@pytest.mark.parametrize("name", HALF)
def test_bfloat16_is_the_same_for_every_step(name):
    """In bfloat16 the rows a step make no difference to any bit."""
    make, scale, multiple_of = HALF[name]
    image, results = picture(1, 92, 72), []
    for rows in (4, 8, 32):
        stream = prepared(seeded(make), scale, multiple_of, rows, torch.bfloat16)
        with torch.no_grad():
            results.append(torch.cat(list(stream(iter([image]), (92, 72))), 2))
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


@pytest.mark.parametrize("name", ["rrdb", "tangle", "rrdb x2"])
def test_stores_are_as_large_as_planned(name, monkeypatch):
    """No store grows beyond the layout's, and a picture ten times taller has the same."""
    planned = []
    original = Store.__init__

    def seen(self, *args):
        original(self, *args)
        planned.append((self, self.nbytes))

    monkeypatch.setattr(Store, "__init__", seen)
    network, _ = stream_of(name, 5)
    _, scale, multiple = SHIPPED[name]
    sizes = []
    for height in (400, 4000):
        planned.clear()
        with torch.no_grad():
            for _ in prepared(network, scale, multiple, rows=6)(iter([torch.zeros(1, 3, height, 64)]), (height, 64)):
                pass
        assert all(store.nbytes == size for store, size in planned)
        sizes.append(sum(size for _, size in planned))
    assert sizes[0] == sizes[1]


@settings(max_examples=6)
@given(data=st.data(), height=st.integers(60, 120), width=st.integers(140, 260), batch=st.integers(1, 2))
@pytest.mark.parametrize("name", ["srvgg", "rrdb x2", "tangle"])
def test_bands_make_no_difference(name, data, height, width, batch):
    """Column bands, over blocks of rows, give the bits that all columns at once give."""
    network, stream = stream_of(name, 16)
    multiple = SHIPPED[name][2]
    height, width = (side // multiple * multiple for side in (height, width))
    cut = data.draw(st.integers(64, width - 64)) // multiple * multiple
    block = data.draw(st.integers(20, height)) // multiple * multiple
    plan = Plan((height, width), 4 * multiple, ((0, cut), (cut, width)), block, 0, 0.0)
    expected, _ = both(network, stream, image := picture(batch, height, width), [height])
    with torch.no_grad():
        out = torch.cat(list(stream.banded(iter(torch.split(image, data.draw(cuts(height)), 2)), plan, batch)), 2)
    assert torch.equal(out, expected)


@pytest.mark.parametrize(("name", "height", "width"), [("srvgg", 90, 331), ("rrdb x2", 250, 500), ("tangle", 120, 400)])
def test_devices_share_the_columns_of_a_wide_picture(name, height, width):
    """Each gives its part, at its own pace; together the bits of one."""
    network, _ = stream_of(name, 5)
    _, scale, multiple = SHIPPED[name]
    traits = srkit.Traits(scale=scale, multiple_of=multiple)
    cpu = torch.device("cpu")
    where = srkit.Settings(device=cpu, beside=(cpu, cpu), dtype=torch.float32, traits=traits, rows=6)
    stream = upsampler.prepare(network, where)
    height, width = (side // multiple * multiple for side in (height, width))
    assert len(stream.parts((height, width))) > 1
    assert stream.explain((height, width))["devices"].startswith("cpu, cpu, cpu, columns side by side")
    check(network, stream, picture(2, height, width), [height - 31, 31])


def test_devices_take_narrow_pictures_in_turn():
    """A picture too narrow to be shared goes to the device with the least to do."""
    up = srkit.Upscaler.from_network(stream_of("srvgg", 5)[0], srkit.Traits(scale=4), engine="stream", device="cpu,cpu")
    assert up.explain((300, 80))["devices"] == "one of cpu, cpu"
    streams = [up.stream(iter((picture(1, 300, 80, seed),)), (300, 80)) for seed in (1, 2)]
    first = [next(stream) for stream in streams]
    for seed, rows, stream in zip((1, 2), first, streams, strict=True):
        expected = forward(stream_of("srvgg", 5)[0], picture(1, 300, 80, seed))
        assert torch.equal(torch.cat([rows, *stream], 2), expected)


@pytest.mark.parametrize(("engine", "options"), [("whole", {}), ("tiles", {"halo": 8})])
def test_other_engines_run_on_one_device(engine, options):
    """The error says so."""
    with pytest.raises(srkit.SettingsError, match="several devices.*; name one"):
        srkit.Upscaler.from_network(
            stream_of("srvgg", 5)[0], srkit.Traits(scale=4), engine=engine, device="cpu,cpu", **options
        )


def test_memory_of_a_picture_ends_with_the_next():
    """A picture of another width does not find the stores of the last still there."""
    stream = prepared(stream_of("srvgg", 5)[0], 4, rows=5)
    with torch.no_grad():
        list(stream(iter((picture(1, 200, 64),)), (200, 64)))
        ((workspace,),) = stream._idle.values()
        held = weakref.ref(next(iter(workspace.stores.values())))
        del workspace
        gc.disable()
        list(stream(iter((picture(1, 200, 80),)), (200, 80)))
        gc.enable()
    assert held() is None


def test_a_picture_too_wide_for_its_memory_is_cut():
    """The plan keeps to memory=: fewer rows a step first, then bands and blocks, at a stated overhead."""
    stream = stream_of("rrdb", 16)[1]
    size = (3000, 3000)
    peaks = []
    for memory in (10**9, 8 * 10**7, 5 * 10**7):
        plan = allowed(stream, memory).plan(size)
        peaks.append((plan.whole, plan.rows))
        assert plan.peak <= memory
        assert (plan.overhead > 0) == (not plan.whole)
    assert peaks[0][0]
    assert peaks[0][1] > peaks[1][1] or not peaks[1][0]
    assert not peaks[2][0]


def allowed(stream, memory):
    """The same with another budget, and rows a step as it likes."""
    return attrs.evolve(stream, settings=attrs.evolve(stream.settings, memory=memory, rows=None))


def test_too_little_memory_is_told_before_any_work():
    """The error names the size, the least that would do, and comes before a row is computed."""
    stream = stream_of("rrdb", 16)[1]
    with pytest.raises(srkit.OutOfMemory, match="120×300 needs at least"):
        next(allowed(stream, 10**6)(iter([torch.zeros(1, 3, 120, 300)]), (120, 300)))


def test_running_out_of_memory_halves_the_step(monkeypatch):
    """What a device cannot compute at once is computed in parts, and no row is lost or repeated."""
    monkeypatch.setattr(kernel, "processor", lambda: None)  # as on a device
    network = stream_of("srvgg", 16)[0]
    stream = prepared(network, 4, rows=16)
    convolution = type(next(n.machine for n in stream.tracer.typical.nodes if n.machine is not None))
    original, failed = convolution.run, []

    def run(self, strips, start, stop, height):
        if stop - start > 3:
            failed.append(stop - start)
            raise torch.OutOfMemoryError("out of memory")
        return original(self, strips, start, stop, height)

    with monkeypatch.context() as patch:
        patch.setattr(convolution, "run", run)
        check(network, stream, picture(2, 90, 70), [50, 40])
    assert failed


def test_memory_taken_by_others_meanwhile_halves_the_step(monkeypatch):
    """Where the rows to be held no longer fit, fewer are; where not even one a step does, that is said."""
    network, stream = stream_of("srvgg", 16)
    make, asked = Workspace.of.__func__, []

    def of(cls, layout, *rest):
        asked.append(max(layout.steps.values()))
        if len(asked) < enough:
            raise torch.OutOfMemoryError("out of memory")
        return make(cls, layout, *rest)

    enough = 3
    with monkeypatch.context() as patch:
        patch.setattr(Workspace, "of", classmethod(of))
        check(network, attrs.evolve(stream, idle={}), picture(1, 120, 90), [120])
        assert asked[0] > asked[1] > asked[2]
        enough = 99
        with pytest.raises(srkit.OutOfMemory, match="no longer"):
            check(network, attrs.evolve(stream, idle={}), picture(1, 120, 90), [120])


def test_explained():
    """An upscaler tells reach and plan."""
    network = stream_of("srvgg", 16)[0]
    up = srkit.Upscaler.from_network(network, srkit.Traits(scale=4), engine="stream", device="cpu")
    assert up.exact
    assert up.facts()["reach"] == "5 rows above, 5 below, 5 columns left, 5 right"
    how = up.explain((1000, 1000))
    assert (how["engine"], how["exact"], how["bands"]) == ("stream", "yes", "1, of the whole width")
    assert how["work overhead"] == "0.0%"
    assert how["predicted peak"].endswith("MB")
    assert up.explain((5, 5))["way"].startswith("the whole picture")


BORDERS = {
    "conv": ("machines", "Convolution", "_along"),
    "transposed": ("machines", "TransposedConvolution", "_along"),
    "max pool": ("span", "Window", "first"),
    "bordered reflect": ("span", "Border", "first"),
    "bordered constant": ("span", "Border", "first"),
    "unshuffled": ("span", "Divide", "first"),
    "nearest": ("span", "Multiply", "first"),
    "bilinear": ("span", "Interpolate", "first"),
}


@pytest.mark.parametrize("kind", BORDERS)
def test_a_shift_by_one_row_is_noticed(kind, monkeypatch):
    """With the rule of an operator's border or delay off by a row, the result is wrong or the stream fails."""
    module, name, method = BORDERS[kind]
    kept = getattr(importlib.import_module(f"srkit_engine_tiled.{module}"), name)
    original = getattr(kept, method)

    def shifted(self, *args):
        found = original(self, *args)
        if isinstance(found, int):
            return found + 1
        field = "before" if hasattr(found, "before") else "padding"
        return attrs.evolve(found, **{field: getattr(found, field) + (args[0] == 0)})

    network = tangle(1, [kind], 0)
    monkeypatch.setattr(kept, method, shifted)
    try:
        expected, out = both(network, prepared(network, 2, 2, rows=4), picture(2, 60, 50), [60])
    except (RuntimeError, AssertionError, IndexError, KeyError):
        return
    assert (out - expected).abs().max() > 1e-4


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
    """Does something else to pictures of some sizes."""

    def __init__(self, condition):
        super().__init__()
        self.condition = condition
        self.conv = nn.Conv2d(3, 3, 3, padding=1)

    def forward(self, x):
        return self.conv(x) if self.condition(x.shape[2]) else self.conv(x) * 2


def test_networks_that_are_not_local_are_refused_by_name():
    """Pooling over the picture is refused before any work, with the operator and the module; the pipeline then goes whole."""
    network = seeded(Pooling)
    with pytest.raises(
        srkit.NotStreamable,
        match=r"adaptive_avg_pool2d.* in module 'pool.0' cannot be streamed: its values depend on the whole",
    ) as caught:
        prepared(network, 1)
    assert "adaptive_avg_pool2d" in caught.value.operator
    assert srkit.Upscaler.from_network(network, srkit.Traits(scale=1), device="cpu").engine == "whole"


@pytest.mark.parametrize("height", [96, 97])
def test_networks_may_go_by_the_remainder_of_the_size(height):
    """What a network does by the remainder of the size, as padding to a multiple, is followed."""
    network = seeded(lambda: Sized(lambda h: h % 2 == 0))
    check(network, prepared(network, 1, rows=7), picture(2, height, 80), [50, height - 50])


def test_networks_that_go_by_the_size_itself_are_refused():
    """What a network does to pictures above some size makes it no stream of rows."""
    stream = prepared(seeded(lambda: Sized(lambda h: h > 90)), 1)
    with pytest.raises(srkit.NotStreamable, match="different things to pictures of different size"):
        stream.plan((80, 80))


def test_rows_choose_the_engine():
    """Who asks for rows a step gets the engine that can do it, without naming it."""
    network = stream_of("srvgg", 16)[0]
    assert srkit.Upscaler.from_network(network, srkit.Traits(scale=4), device="cpu", rows=8).engine == "stream"


def test_it_is_preferred():
    """Installed, the engine runs what it can without being named."""
    network = stream_of("srvgg", 16)[0]
    assert srkit.Upscaler.from_network(network, srkit.Traits(scale=4), device="cpu").engine == "stream"


@pytest.mark.parametrize("halo", [0, 7])
def test_approximate_tiles(halo):
    """Tiles run any network; within the reach they are its result, and they never claim to be."""
    network, traits = seeded(lambda: SRVGGNetCompact(num_feat=8, num_conv=4)), srkit.Traits(scale=4)
    up = srkit.Upscaler.from_network(network, traits, device="cpu", halo=halo, rows=32)
    assert (up.engine, up.exact, up.explain((80, 100))["exact"]) == ("tiles", False, "no: approximate tiles")
    img = np.random.default_rng(0).random((80, 100, 3), np.float32)
    tiled = up(img)
    whole = srkit.Upscaler.from_network(network, traits, device="cpu", engine="whole")(img)
    assert np.allclose(tiled, whole, atol=1e-5) == (halo > 5)


class Demanding(nn.Module):
    """Takes 12 rows and columns or more."""

    def forward(self, x):
        assert min(x.shape[-2:]) >= 12
        return x + 0


@pytest.mark.parametrize(("rows", "halo"), [(32, 0), (4, 3), (12, 1)])
def test_tiles_are_as_large_as_the_network_takes(rows, halo):
    """No tile is smaller than the network's least size, be it the last one, or asked for with few rows."""
    traits = srkit.Traits(scale=1, minimum=12)
    up = srkit.Upscaler.from_network(Demanding(), traits, device="cpu", engine="tiles", halo=halo, rows=rows)
    img = np.random.default_rng(0).random((33, 65, 3), np.float32)
    assert np.array_equal(up(img), img)


def test_tiles_must_be_asked_for():
    """Without halo=, the engine of tiles refuses; and the exact engine refuses halo=."""
    network, traits = seeded(Pooling), srkit.Traits(scale=1)
    with pytest.raises(srkit.SettingsError, match="say halo="):
        srkit.Upscaler.from_network(network, traits, device="cpu", engine="tiles")
    with pytest.raises(srkit.SettingsError, match="is exact and needs none"):
        srkit.Upscaler.from_network(network, traits, device="cpu", engine="stream", halo=3)
    assert not srkit.Upscaler.from_network(network, traits, device="cpu", halo=3).exact


def test_pictures_side_by_side_keep_their_stores():
    """As many stores are kept as pictures were on their way at once, and all go when one of another width comes."""
    stream = stream_of("srvgg", 16)[1]
    image = picture(1, 200, 64)
    ways = [stream(iter((image,)), (200, 64)) for _ in range(3)]
    first = [next(way) for way in ways]
    rest = [torch.cat([rows, *way], 2) for rows, way in zip(first, ways, strict=True)]
    assert torch.equal(rest[0], rest[1])
    assert torch.equal(rest[0], rest[2])
    (kept,) = stream._idle.values()
    assert len(kept) == 3
    list(stream(iter((image,)), (200, 64)))
    assert len(kept) == 3
    list(stream(iter((picture(1, 200, 80),)), (200, 80)))
    assert [len(alike) for alike in stream._idle.values()] == [1]
