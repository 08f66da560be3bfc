"""What follows a convolution, in one pass: Triton's kernel, by Triton's interpreter, against torch."""

from __future__ import annotations

import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch")

import srkit  # noqa: E402
from srkit.whole import channels_last, forward  # noqa: E402
from srkit_archs_realesrgan.rrdb import RRDBNet  # noqa: E402
from srkit_archs_realesrgan.srvgg import SRVGGNetCompact  # noqa: E402
from srkit_engine_tiled import fused, onepass  # noqa: E402
from srkit_engine_tiled.engine import upsampler  # noqa: E402
from srkit_engine_tiled.machines import Convolution  # noqa: E402
from srkit_engine_tiled.onepass import OnePass  # noqa: E402
from srkit_engine_tiled.steps import TORCH, Step  # noqa: E402

pytest.importorskip("triton", reason="Triton is not installed; it comes with torch for CUDA")
if torch.cuda.is_available():
    pytest.skip("the kernel itself is looked at by test_cuda.py", allow_module_level=True)
os.environ["TRITON_INTERPRET"] = "1"  # before Triton sees a kernel

KINDS = ["relu", "leaky", "prelu", "scale", "gain", "add", "spread"]


@settings(max_examples=30)
@given(
    kinds=st.lists(st.sampled_from(KINDS), max_size=4),
    channels=st.sampled_from([3, 8, 48, 64]),
    size=st.tuples(st.integers(1, 3), st.integers(1, 5), st.integers(1, 90)),
    dtype=st.sampled_from([torch.float32, torch.float16]),
    has_bias=st.booleans(),
    apart=st.booleans(),
)
def test_every_bit_is_torchs(kinds, channels, size, dtype, has_bias, apart):
    """Whatever follows, and wherever the result is to lie."""
    generator = torch.Generator().manual_seed(len(kinds))

    def normal(*sizes):
        return torch.randn(sizes, generator=generator).to(dtype)

    batch, height, width = size
    strip = normal(batch, height, width, 5).permute(0, 3, 1, 2)
    bias = normal(channels) if has_bias else None
    machine = Convolution(normal(channels, 1, 1, 5).permute(0, 3, 1, 2), None, (1, 1), (0, 0), (1, 1), 1)
    expected = machine.run((strip,), 0, height, height)
    if bias is not None:
        expected = expected + bias[:, None, None]
    steps, parameters, others = [], [], []
    for kind in kinds:
        step = Step(kind, float(channels) if kind == "spread" else 0.2)
        value = torch.tensor(step.value)
        if step.has_parameter:
            value = normal(channels)
            parameters.append(value)
        elif step.has_picture:
            value = normal(batch, height, width, channels // step.each + 3).permute(0, 3, 1, 2)[:, 3:]
            others.append(value)
        steps.append(step)
        expected = TORCH[kind](expected, value)
    out = normal(batch, height, width, channels + 8)[..., 8:].permute(0, 3, 1, 2) if apart else None
    assert torch.equal(OnePass(machine, bias, steps, parameters).run(strip, others, out), expected)


@pytest.mark.parametrize(
    ("make", "scale"),
    [
        (lambda: SRVGGNetCompact(num_feat=8, num_conv=2), 4),
        (lambda: RRDBNet(num_feat=8, num_block=1, num_grow_ch=4), 4),
    ],
)
def test_networks_stream_by_it(monkeypatch, make, scale):
    """With the kernel in its place the stream is the network's, and every convolution is computed so."""
    monkeypatch.setattr(fused, "on_gpu", lambda _: True)
    torch.manual_seed(0)
    network = make().eval().requires_grad_(False)
    settings = srkit.Settings(device=torch.device("cpu"), dtype=torch.float32, traits=srkit.Traits(scale=scale), rows=8)
    ran = []
    run = OnePass.run
    monkeypatch.setattr(OnePass, "run", lambda self, *args: (ran.append(self), run(self, *args))[1])
    stream = upsampler.prepare(network, settings)
    image = torch.rand(1, 3, 90, 80)
    with torch.no_grad():
        out = torch.cat([*stream(iter((image,)), (90, 80))], 2)
        channels_last(network)
        assert torch.equal(out, forward(network, image))
    assert len({id(one) for one in ran}) >= sum(isinstance(m, torch.nn.Conv2d) for m in network.modules())


def test_without_triton_torch_goes_on_alone(monkeypatch):
    """A kernel that cannot be compiled is not used."""

    def broken(*_):
        raise RuntimeError("no compiler")

    monkeypatch.setattr(OnePass, "run", broken)
    onepass._as_torch.cache_clear()
    assert not onepass._as_torch(8, (Step("relu"),), torch.float32, torch.device("cpu"))
    onepass._as_torch.cache_clear()
