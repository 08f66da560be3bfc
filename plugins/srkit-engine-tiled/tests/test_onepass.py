"""What follows a convolution, in one pass: what the kernel is told, and the kernel itself by Triton's interpreter."""

from __future__ import annotations

import importlib.util
import os
import sys
from types import ModuleType

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

KERNEL = "srkit_engine_tiled.triton_kernel"
KINDS = ["relu", "leaky", "prelu", "scale", "gain", "add", "spread"]
NETWORKS = {
    "srvgg": lambda: SRVGGNetCompact(num_feat=8, num_conv=2),
    "rrdb": lambda: RRDBNet(num_feat=8, num_block=1, num_grow_ch=4),
}


class StandIn:
    """Does what the kernel is told, in torch: reads and writes by address and strides alone."""

    def __getitem__(self, grid):
        return self.launch

    def launch(self, made, out, bias, beside, strides, height, width, has_bias, kinds, values, channels, *sizes, **_):
        assert sizes[0] >= channels

        def seen(tensor, strides, count=channels):
            shape = (made.shape[0], height, width, count)
            return tensor.as_strided(shape, strides, tensor.storage_offset()).permute(0, 3, 1, 2)

        result = seen(made, strides[0]).clone()
        if has_bias:
            result = result + bias[:, None, None]
        for kind, value, other, where in zip(kinds, values, beside, strides[2:], strict=True):
            if kind in {"prelu", "gain"}:
                other = other.as_strided((channels,), where[3:], other.storage_offset())
            elif kind in {"add", "spread"}:
                other = seen(other, where, channels // int(value) if kind == "spread" else channels)
            else:
                other = torch.tensor(value)
            result = TORCH[kind](result, other)
        seen(out, strides[1]).copy_(result)


@pytest.fixture(params=["stand-in", "triton"], scope="module")
def kernel(request):
    """The kernel's place taken by the stand-in; or itself, run by Triton's interpreter."""
    with pytest.MonkeyPatch.context() as patch:
        if request.param == "triton":
            if importlib.util.find_spec("triton") is None:
                pytest.skip("Triton is not installed; it comes with torch for CUDA")
            if torch.cuda.is_available():
                pytest.skip("test_cuda.py looks at the compiled kernel")
            patch.setenv("TRITON_INTERPRET", "1")  # before Triton sees a kernel
            patch.delitem(sys.modules, KERNEL, raising=False)
        else:
            module = ModuleType(KERNEL)
            module.one_pass = StandIn()
            patch.setitem(sys.modules, KERNEL, module)
        onepass._as_torch.cache_clear()
        yield request.param
        onepass._as_torch.cache_clear()
    if request.param == "triton":
        sys.modules.pop(KERNEL, None)
    assert "TRITON_INTERPRET" not in os.environ


@settings(max_examples=30)
@given(
    kinds=st.lists(st.sampled_from(KINDS), max_size=4),
    channels=st.sampled_from([3, 8, 48, 64]),
    size=st.tuples(st.integers(1, 3), st.integers(1, 5), st.integers(1, 90)),
    dtype=st.sampled_from([torch.float32, torch.float16]),
    has_bias=st.booleans(),
    apart=st.booleans(),
)
def test_every_bit_is_torchs(kernel, kinds, channels, size, dtype, has_bias, apart):
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


@pytest.mark.parametrize("name", NETWORKS)
def test_networks_stream_by_it(kernel, monkeypatch, name):
    """With it the stream is the network's, and every convolution is computed so."""
    monkeypatch.setattr(fused, "on_gpu", lambda _: True)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = NETWORKS[name]().eval().requires_grad_(False)
    traits = srkit.Traits(scale=4)
    where = srkit.Settings(device=torch.device("cpu"), dtype=torch.float32, traits=traits, rows=8)
    ran, run = [], OnePass.run
    monkeypatch.setattr(OnePass, "run", lambda self, *args: (ran.append(self), run(self, *args))[1])
    stream = upsampler.prepare(network, where)
    image = torch.rand(1, 3, 90, 80, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        out = torch.cat([*stream(iter((image,)), (90, 80))], 2)
        channels_last(network)
        assert torch.equal(out, forward(network, image))
    assert len({id(one) for one in ran}) >= sum(isinstance(module, torch.nn.Conv2d) for module in network.modules())


def test_without_triton_torch_goes_on_alone(monkeypatch):
    """A kernel that cannot be compiled, or gives other bits, is not used."""

    class Wrong(StandIn):
        def launch(self, made, out, *args, **options):
            super().launch(made, out, *args, **options)
            out += 1

    step, device = (Step("relu"),), torch.device("cpu")
    monkeypatch.setitem(sys.modules, KERNEL, None)
    onepass._as_torch.cache_clear()
    assert not onepass._as_torch(8, step, torch.float32, device)
    for stand_in, used in ((Wrong(), False), (StandIn(), True)):
        module = ModuleType(KERNEL)
        module.one_pass = stand_in
        monkeypatch.setitem(sys.modules, KERNEL, module)
        onepass._as_torch.cache_clear()
        assert onepass._as_torch(8, step, torch.float32, device) == used
    onepass._as_torch.cache_clear()
