"""Steps played back, and copies beside them: the logic, with stand-ins for what a GPU does."""

from __future__ import annotations

from contextlib import contextmanager

import attrs
import pytest

torch = pytest.importorskip("torch")

from torch.utils._python_dispatch import TorchDispatchMode  # noqa: E402

import srkit  # noqa: E402
from srkit.whole import forward  # noqa: E402
from srkit_archs_realesrgan.rrdb import RRDBNet  # noqa: E402
from srkit_archs_realesrgan.srvgg import SRVGGNetCompact  # noqa: E402
from srkit_engine_tiled import kernel  # noqa: E402
from srkit_engine_tiled import stream as streams_module  # noqa: E402
from srkit_engine_tiled.ahead import ahead  # noqa: E402
from srkit_engine_tiled.engine import upsampler  # noqa: E402


@pytest.fixture(autouse=True)
def _as_on_an_accelerator(monkeypatch):
    """Kernels compiled for a processor are no calls of ATen, and there are none on an accelerator."""
    monkeypatch.setattr(kernel, "processor", lambda: None)


class Tape(TorchDispatchMode):
    """Notes what is called, as a CUDA graph does: nothing is written until it is played, and then to the same memory."""

    def __init__(self):
        super().__init__()
        self.calls = []
        self.scarce = None

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if self.scarce is not None and len(self.calls) >= self.scarce:
            raise torch.OutOfMemoryError("out of memory")
        writes = func._schema.is_mutable
        looks = any(r.alias_info is not None and not r.alias_info.is_write for r in func._schema.returns)
        made = kwargs.get("out", args[0]) if writes else func(*args, **kwargs)
        if not looks:
            self.calls.append((func, args, kwargs, None if writes else made))
        return made

    def play(self):
        for func, args, kwargs, made in self.calls:
            again = func(*args, **kwargs)
            if made is not None:
                made.copy_(again)


class Taped:
    """Records tapes and counts how often they are played; ``scarce``: what is left of memory while it records."""

    def __init__(self, scarce=None):
        self.recorded = self.played = 0
        self.scarce = scarce

    def __call__(self, step):
        with Tape() as tape:
            tape.scarce = self.scarce
            made = step()
        self.recorded += 1

        def play():
            self.played += 1
            tape.play()

        return play, made


NETWORKS = {
    "srvgg": (lambda: SRVGGNetCompact(num_feat=8, num_conv=3), 4, 1, 4),
    "rrdb": (lambda: RRDBNet(num_feat=8, num_block=1, num_grow_ch=4), 4, 1, 8),
    "rrdb x2": (lambda: RRDBNet(scale=2, num_feat=8, num_block=1, num_grow_ch=4), 2, 2, 8),
}


def network_and_stream(name):
    make, scale, multiple, rows = NETWORKS[name]
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = make().eval().requires_grad_(False)
    traits = srkit.Traits(scale=scale, multiple_of=multiple)
    where = srkit.Settings(device=torch.device("cpu"), dtype=torch.float32, traits=traits, rows=rows)
    return network, upsampler.prepare(network, where)


def picture(height, seed=0, width=40):
    return torch.rand(1, 3, height, width, generator=torch.Generator().manual_seed(seed))


def run(stream, image):
    with torch.no_grad():
        return torch.cat(list(stream(iter((image,)), tuple(image.shape[2:]))), 2)


@pytest.mark.parametrize("name", NETWORKS)
def test_played_back_steps_give_the_same_bits(name):
    """Pictures of several heights, one after another over the same stores: most steps are played, all rows are equal."""
    network, stream = network_and_stream(name)
    taped = Taped()
    stream = attrs.evolve(stream, capture=taped)
    recorded = []
    for seed, height in enumerate((400, 400, 400, 390, 30)):
        image = picture(height, seed)
        assert torch.equal(run(stream, image), forward(network, image))
        recorded.append(taped.recorded)
    assert 0 < recorded[0] <= recorded[1] == recorded[2] <= 12
    assert taped.played > 3 * 400 / NETWORKS[name][3] / 3


@pytest.mark.parametrize("calls", [0, 9, 40])
def test_what_cannot_be_recorded_is_computed(calls):
    """A recording that fails leaves no trace: the step is computed, and none is recorded any more."""
    network, stream = network_and_stream("rrdb")
    taped = Taped(scarce=calls)
    image = picture(300)
    assert torch.equal(run(attrs.evolve(stream, capture=taped), image), forward(network, image))
    assert taped.recorded == taped.played == 0


def test_recordings_end_with_the_memory_they_lie_in():
    """After a step ran out of memory, rows lie elsewhere; nothing recorded before is played."""
    network, stream = network_and_stream("srvgg")
    taped = Taped()
    stream = attrs.evolve(stream, capture=taped)
    image = picture(300)
    convolution = type(stream.tracer.typical.nodes[1].machine)
    original, scarce = convolution.run, []

    def computed(self, strips, start, stop, height):
        if taped.played and stop - start > 1 and start > 260:
            scarce.append(start)
            raise torch.OutOfMemoryError("out of memory")
        return original(self, strips, start, stop, height)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(convolution, "run", computed)
        out = run(stream, image)
    assert scarce
    played = taped.played
    assert torch.equal(out, forward(network, image))
    assert torch.equal(run(stream, image), out)
    assert taped.played == played


class Streams:
    """Stands for torch.cuda: notes the order in which things are launched and waited for."""

    def __init__(self):
        self.log = []
        self.now = self.main = self.Stream(torch.device("cpu"))
        self.main.name = "main"

    def Stream(self, device):
        return _Stream(self.log, f"stream {sum('made' in entry for entry in self.log)}")

    @contextmanager
    def stream(self, stream):
        before, self.now = self.now, stream
        yield
        self.now = before

    def current_stream(self, device):
        return self.now


class _Stream:
    def __init__(self, log, name):
        self.log, self.name, self.events = log, name, 0
        log.append(f"made {name}")

    def wait_stream(self, other):
        self.log.append(f"{self.name} waits for {other.name}")

    def wait_event(self, event):
        self.log.append(f"{self.name} waits for {event}")

    def synchronize(self):
        self.log.append(f"{self.name} done")

    def record_event(self):
        self.events += 1
        return f"{self.name} event {self.events}"


def logged(count, streams):
    """``ahead`` over strips 0, 1, …, each step and each of its rows noted."""

    def step(strip):
        streams.log.append(f"step {int(strip[0])} on {streams.now.name}")
        return [strip, strip + 0.5]

    strips = (torch.full((1,), float(i)) for i in range(count))
    for rows in ahead(strips, step, torch.zeros(0), streams):
        streams.log.append(f"taken {float(rows)}")
        yield float(rows)


@pytest.mark.parametrize("count", [0, 1, 2, 5])
def test_the_next_step_runs_while_rows_are_taken(count):
    """All rows in order; each after its own step is waited for, and after the next one is launched."""
    streams = Streams()
    assert list(logged(count, streams)) == [i / 2 for i in range(2 * count)]
    log = streams.log
    for i in range(count):
        taken = log.index(f"taken {float(i)}")
        waited = log.index(f"main waits for stream 1 event {i + 1}")
        assert log.index(f"step {i} on stream 1") < waited < taken
        if i + 1 < count:
            assert log.index(f"step {i + 1} on stream 1") < taken
        assert f"main waits for stream 1 event {i + 2}" not in log[:taken]


def test_stopping_early_waits_for_what_is_running():
    """Memory that a step still writes is nobody else's before it is done."""
    streams = Streams()
    rows = logged(4, streams)
    next(rows)
    rows.close()
    assert streams.log[-2:] == ["stream 2 done", "stream 1 done"]
    assert "step 3 on stream 1" not in streams.log


def test_an_accelerators_picture_goes_that_way(monkeypatch):
    """The engine hands the steps of a device that has streams to ``ahead``."""
    network, stream = network_and_stream("srvgg")
    streams = Streams()
    monkeypatch.setattr(streams_module, "streams_of", lambda device: streams)
    image = picture(200)
    assert torch.equal(run(attrs.evolve(stream, capture=Taped()), image), forward(network, image))
    assert streams.log[-1] == "stream 1 done"
