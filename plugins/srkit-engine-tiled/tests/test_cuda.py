"""The engine on a CUDA device: the network's results, steps played back as graphs, memory that runs out."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import srkit  # noqa: E402
from srkit.whole import channels_last, forward  # noqa: E402
from srkit_archs_realesrgan.rrdb import RRDBNet  # noqa: E402
from srkit_archs_realesrgan.srvgg import SRVGGNetCompact  # noqa: E402
from srkit_engine_tiled.engine import upsampler  # noqa: E402
from srkit_engine_tiled.machines import Convolution  # noqa: E402
from srkit_engine_tiled.onepass import one_pass_of  # noqa: E402
from srkit_engine_tiled.record import CudaGraphs  # noqa: E402

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device here")

DEVICE = torch.device("cuda", 0)
NETWORKS = {
    "srvgg": (lambda: SRVGGNetCompact(num_feat=64, num_conv=16), 4, 1),
    "rrdb": (lambda: RRDBNet(num_feat=64, num_block=2), 4, 1),
    "rrdb x2": (lambda: RRDBNet(scale=2, num_feat=64, num_block=1), 2, 2),
}


def network_of(name):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return NETWORKS[name][0]().eval().requires_grad_(False)


def stream_of(name, dtype=torch.float32, rows=None, memory=None, device=DEVICE):
    _, scale, multiple = NETWORKS[name]
    traits = srkit.Traits(scale=scale, multiple_of=multiple)
    settings = srkit.Settings(device=device, dtype=dtype, traits=traits, rows=rows, memory=memory)
    return upsampler.prepare(network_of(name), settings)


def picture(height, width, batch=1, seed=0):
    """Smooth, as pictures are."""
    maker = torch.Generator().manual_seed(seed)
    small = torch.rand(batch, 3, 5, 7, generator=maker)
    return torch.nn.functional.interpolate(small, (height, width), mode="bicubic").clamp(0, 1)


def expected(name, image, dtype=torch.float32):
    network = network_of(name).to(DEVICE, dtype)
    channels_last(network)
    with torch.no_grad():
        return forward(network, image.to(DEVICE, dtype))


def run(stream, image, heights=None):
    strips = (image,) if heights is None else torch.split(image, heights, 2)
    with torch.no_grad():
        return torch.cat(list(stream(iter(strips), tuple(image.shape[2:]))), 2)


def codes(values, white):
    return (values.float().clamp(0, 1) * white).round().int()


def check(out, wanted):
    """As far as float32 goes: rounding may tip over where a value lies between two codes."""
    assert out.shape == wanted.shape
    assert (codes(out, 65535) - codes(wanted, 65535)).abs().max() <= 1
    assert (codes(out, 255) != codes(wanted, 255)).float().mean() < 1e-3


@pytest.mark.parametrize("rows", [2, 16, 64, None])
@pytest.mark.parametrize("name", NETWORKS)
def test_float32_is_the_networks(name, rows):
    image = picture(300, 202)
    check(run(stream_of(name, rows=rows), image, [40, 1, 259]), expected(name, image))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("name", NETWORKS)
def test_half_precision_is_as_near_as_it_gets(name, dtype):
    """No farther from the network in float32 than the network itself is in this precision, but for chance."""
    image = picture(256, 160)
    exact = expected(name, image)
    own = (expected(name, image, dtype).float() - exact).abs().mean()
    ours = (run(stream_of(name, dtype, rows=16), image).float() - exact).abs().mean()
    assert ours <= 1.1 * own


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_what_follows_convolutions_is_one_pass(dtype):
    """Triton's kernel gives torch's bits there, and is used for every convolution."""
    pytest.importorskip("triton")
    for name in NETWORKS:
        stream = stream_of(name, dtype)
        graph = stream.tracer.typical
        convolutions = [node for node in graph.nodes if isinstance(node.machine, Convolution)]
        assert convolutions
        assert all(one_pass_of(node) for node in convolutions)


def test_steps_are_recorded_and_played(monkeypatch):
    """Most steps of a tall picture, and of the next one, are CUDA graphs that are played."""
    played = []
    record = CudaGraphs.__call__

    def counted(self, step):
        play, made = record(self, step)
        return (lambda: (played.append(1), play())), made

    monkeypatch.setattr(CudaGraphs, "__call__", counted)
    stream = stream_of("srvgg", torch.float16, rows=8)
    image = picture(800, 96)
    first = run(stream, image)
    assert len(played) > 60
    recorded = len(played)
    assert torch.equal(run(stream, image), first)
    assert len(played) > recorded + 80


def test_batches_and_sizes_one_after_another():
    stream = stream_of("srvgg", rows=16)
    for seed, shape in enumerate([(120, 90, 3), (33, 90, 1), (400, 64, 2), (1, 1, 1), (120, 90, 3)]):
        image = picture(*shape, seed=seed)
        check(run(stream, image), expected("srvgg", image))


def test_a_picture_on_the_device_is_taken_as_it_is():
    image = picture(200, 100)
    stream = stream_of("rrdb", rows=16)
    assert torch.equal(run(stream, image.to(DEVICE)), run(stream, image))


def test_bands_fit_the_memory_they_are_given():
    image = picture(200, 1400)
    memory = 40 << 20
    stream = stream_of("srvgg", memory=memory)
    assert not stream.plan((200, 1400)).whole
    torch.cuda.synchronize()
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    rows = [strip.cpu() for strip in stream(iter((image,)), (200, 1400))]
    assert torch.cuda.max_memory_allocated() - before <= memory
    check(torch.cat(rows, 2), expected("srvgg", image).cpu())


@pytest.mark.parametrize("share", [0.4, 0.85])
def test_memory_that_runs_out_is_answered_with_fewer_rows(share):
    """Less is there than was planned, for all rows held or for some steps: nothing is lost or given twice."""
    image = picture(900, 700)
    wanted = expected("srvgg", image).cpu()
    torch.cuda.synchronize()
    torch.cuda.empty_cache()
    stream = stream_of("srvgg", rows=256, memory=64 << 30)
    whole = torch.cuda.get_device_properties(DEVICE).total_memory
    allowed = torch.cuda.memory_reserved() + share * stream.plan((900, 700)).peak
    torch.cuda.set_per_process_memory_fraction(allowed / whole)
    try:
        rows = [strip.cpu() for strip in stream(iter((image,)), (900, 700))]
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
    check(torch.cat(rows, 2), wanted)


def test_two_threads_share_the_device():
    stream = stream_of("rrdb", rows=16)
    images = [picture(300, 90, seed=seed) for seed in range(4)]
    alone = [run(stream, image) for image in images]
    torch.cuda.synchronize()
    with ThreadPoolExecutor(2) as pool:
        for one, two in zip(alone, pool.map(lambda image: run(stream, image), images), strict=True):
            assert torch.equal(one, two)


def test_an_array_comes_back_as_on_the_processor():
    """Eight bits of the processor's, but where a value lies between two codes."""
    img = (picture(160, 120)[0].permute(1, 2, 0).numpy() * 255).round().astype(np.uint8)
    network, traits = network_of("srvgg"), srkit.Traits(scale=4)
    here, there = (
        srkit.Upscaler.from_network(network, traits, engine="stream", device=device)(img).astype(int)
        for device in ("cpu", "cuda")
    )
    assert abs(here - there).max() <= 1
    assert (here != there).mean() < 1e-3
