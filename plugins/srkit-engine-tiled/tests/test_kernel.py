"""Compiled convolutions: right wherever a pixel lies, and used only where their bits are torch's."""

from __future__ import annotations

import copy
import ctypes
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch")
pytest.importorskip("llvmlite")

from torch import nn  # noqa: E402
from torch.nn import functional as F  # noqa: E402

import srkit  # noqa: E402
from srkit.whole import forward  # noqa: E402
from srkit_engine_tiled import fused, kernel, team  # noqa: E402
from srkit_engine_tiled.engine import upsampler  # noqa: E402
from srkit_engine_tiled.kernel import Lanes, Shape  # noqa: E402
from srkit_engine_tiled.steps import TORCH, Step  # noqa: E402

LANES = [Lanes(16, 32), Lanes(8, 16), Lanes(4, 32), Lanes(4, 16)]
aten = torch.ops.aten


def emulated(shape, lanes, original=kernel.text):
    """A kernel's text; where it is of bfloat16, in words that every processor understands."""
    text, count = original(shape, lanes), lanes.count
    found = re.search(r"declare .*(@llvm.x86.avx512bf16.\S+?)\(.*", text)
    if not found:
        return text

    def every(number, n=count):
        return f"<{', '.join([f'i32 {number}'] * n)}>"

    sums, pairs, bits = f"<{count} x float>", f"<{2 * count} x bfloat>", f"<{count} x i32>"
    lines = [f"declare {sums} @llvm.fma.v{count}f32({sums}, {sums}, {sums})"]
    lines.append(f"define {sums} @multiplied({sums} %s, {pairs} %a, {pairs} %b) {{")
    for name in "ab":
        lines.append(f"%{name}i = bitcast {pairs} %{name} to {bits}")
        for half, how in (("l", f"shl {bits} %{name}i, {every(16)}"), ("h", f"and {bits} %{name}i, {every(-65536)}")):
            lines.append(f"%{name}{half}i = {how}")
            lines.append(f"%{name}{half} = bitcast {bits} %{name}{half}i to {sums}")
    lines.append(f"%t = call {sums} @llvm.fma.v{count}f32({sums} %al, {sums} %bl, {sums} %s)")
    lines.append(f"%u = call {sums} @llvm.fma.v{count}f32({sums} %ah, {sums} %bh, {sums} %t)")
    lines.append(f"ret {sums} %u\n}}")
    rounding = re.compile(r"fptrunc (<(\d+) x float>) (\S+) to (<\d+ x bfloat>)")
    for n in {int(size) for _, size, _, _ in rounding.findall(text)}:
        bits, short = f"<{n} x i32>", f"<{n} x i16>"
        lines.append(f"define <{n} x bfloat> @rounded{n}(<{n} x float> %x) {{")
        lines.append(f"%i = bitcast <{n} x float> %x to {bits}")
        lines.append(f"%h = lshr {bits} %i, {every(16, n)}")  # to the nearest; of two, to the even one
        lines.append(f"%o = and {bits} %h, {every(1, n)}")
        lines.append(f"%p = add {bits} %i, {every(32767, n)}")
        lines.append(f"%q = add {bits} %p, %o")
        lines.append(f"%r = lshr {bits} %q, {every(16, n)}")
        lines.append(f"%s = trunc {bits} %r to {short}")
        lines.append(f"%y = bitcast {short} %s to <{n} x bfloat>")
        lines.append(f"ret <{n} x bfloat> %y\n}}")
    text = rounding.sub(r"call \4 @rounded\2(\1 \3)", text)
    return text.replace(found[0], "\n".join(lines)).replace(found[1], "@multiplied")


@pytest.fixture
def pairs(monkeypatch, fresh_kernels):
    """A processor that multiplies pairs of bfloat16, or one that seems to."""
    if not kernel.multiplies_pairs():
        monkeypatch.setattr(kernel, "multiplies_pairs", lambda: True)
        monkeypatch.setattr(kernel, "text", emulated)
    monkeypatch.setattr(fused, "matrix_units", lambda: False)


def whole_numbers(generator, *sizes):
    """Values whose sums of products are exact in any order, (B, C, H, W) channels-last if of four axes."""
    values = torch.randint(-9, 10, sizes, generator=generator).float()
    return values.permute(0, 3, 1, 2) if len(sizes) == 4 else values


@settings(max_examples=40)
@given(
    lanes=st.sampled_from(LANES),
    taps=st.tuples(st.integers(1, 4), st.integers(1, 5)),
    channels=st.tuples(st.integers(1, 9), st.integers(1, 70)),
    size=st.tuples(st.integers(1, 3), st.integers(1, 9), st.integers(1, 40)),
    data=st.data(),
)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_every_pixel_is_the_convolutions(dtype, lanes, taps, channels, size, data):
    """Of any size, kernel, padding and strides in memory, on any processor's registers, every value is the right one."""
    (given_channels, made), (batch, height, width) = channels, size
    pad = data.draw(st.integers(0, taps[1] - 1))
    width = max(width, taps[1] - 2 * pad)
    pixel = given_channels + data.draw(st.integers(0, 5))
    kinds = data.draw(
        st.lists(st.sampled_from(["relu", "leaky", "prelu", "scale", "gain", "add", "spread"]), max_size=3)
    )
    each = data.draw(st.sampled_from([1, 2, 4, 16, 32])) if "spread" in kinds else 1
    made = -(-made // each) * each
    g = torch.Generator().manual_seed(data.draw(st.integers(0, 99)))
    strip = whole_numbers(g, batch, height + taps[0] - 1, width, pixel).to(dtype)[:, :given_channels]
    weight, bias = whole_numbers(g, made, *taps, given_channels), whole_numbers(g, made)
    expected = F.conv2d(strip.float().contiguous(), weight.contiguous(), bias, padding=(0, pad))
    steps, parameters, others = [], [], []
    for kind in kinds:
        step, values = Step(kind, float(each) if kind == "spread" else 0.5), torch.tensor(0.5)
        if not step.fits(lanes.count):
            continue
        steps.append(step)
        if step.has_picture:
            count = made // each if kind == "spread" else made
            values = whole_numbers(g, batch, *expected.shape[2:], count + 3).to(dtype)[:, 2 : 2 + count]
            others.append(values)
        elif step.has_parameter:
            values = whole_numbers(g, made)
            parameters.append(values)
        expected = TORCH[kind](expected, values.float())
    shape = fused.shape_of(taps, pad, (given_channels, made), pixel, steps, dtype is torch.bfloat16)
    expected = expected.to(dtype)
    store = torch.full((batch, height, expected.shape[3], made + 4), 77.0, dtype=dtype)
    out = store[..., 3 : 3 + made].permute(0, 3, 1, 2)
    with pytest.MonkeyPatch.context() as patch:
        if not kernel.multiplies_pairs():
            patch.setattr(kernel, "text", emulated)
        run = fused._fused(shape, lanes, fused.pack(weight.to(dtype), lanes), bias, parameters)
        patch.setattr(
            fused, "NEAR", data.draw(st.sampled_from([1, 3000, fused.NEAR]))
        )  # jobs of few columns, or of all
        patch.setattr(fused, "JOBS", data.draw(st.integers(1, 9)))
        assert run.run(strip, others, out) is out
    assert torch.equal(out, expected)
    assert (store[..., :3] == 77).all()
    assert (store[..., 3 + made :] == 77).all()
    assert torch.equal(run.run(strip, others), expected)


class Steps(nn.Module):
    """Convolutions, each followed by something else."""

    def __init__(self):
        super().__init__()
        self.convs = nn.ModuleList(nn.Conv2d(3 if i == 0 else 16, 16, 3, padding=1) for i in range(8))
        self.slopes = nn.PReLU(16)
        self.gain = nn.Parameter(torch.rand(1, 16, 1, 1))
        self.last = nn.Conv2d(16, 3, 3, padding=1)

    def forward(self, x):
        y = F.relu(self.convs[0](x))
        y = F.leaky_relu(self.convs[1](y), 0.1) + y
        y = self.slopes(self.convs[2](y))
        y = self.convs[3](y) * 0.2 + y
        y = self.convs[4](y) * self.gain
        y = torch.sigmoid(self.convs[5](y) * 0.5)
        y = y * self.convs[6](y) + y
        y = F.gelu(self.convs[7](y) + 0.1)
        return self.last(y)


@pytest.fixture
def network():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return Steps().eval().requires_grad_(False)


def prepared(network, dtype=torch.float32):
    where = srkit.Settings(device=torch.device("cpu"), dtype=dtype, traits=srkit.Traits(scale=1), rows=7)
    return upsampler.prepare(network, where)


def run(stream, image):
    with torch.no_grad():
        return torch.cat(list(stream(iter((image,)), tuple(image.shape[2:]))), 2)


@pytest.fixture
def image():
    return torch.rand(2, 3, 50, 60, generator=torch.Generator().manual_seed(0))


def steps_of(stream):
    """What each convolution's kernel does after it; None where it has none."""
    found = [
        stream._kernels.of(node, node.inputs[0].channels, 60)
        for node in stream.tracer.typical.nodes
        if isinstance(node.machine, fused.Convolution)
    ]
    return [None if kernel is None else [step.kind for step in kernel.shape.steps] for kernel in found]


def test_what_follows_a_convolution_is_done_with_it(network, image):
    """Activations, factors and sums go into the kernel as far as it knows them; the result is the network's."""
    stream = prepared(network)
    if not fused._as_torch(Shape((3, 3), 1, 16, 16, 4), 16, 60):
        pytest.skip("torch's convolutions add in another order on this processor")
    assert steps_of(stream) == [
        ["relu"], ["leaky", "add"], ["prelu"], ["scale", "add"], ["gain"], ["scale"], [], [], []
    ]  # fmt: skip
    with torch.no_grad():
        expected = forward(network, image)
    assert (run(stream, image) - expected).abs().max() <= 1e-6 * expected.abs().max()


class Upsampled(nn.Module):
    """What compact networks end with: shuffled channels, and the picture itself upsampled."""

    def __init__(self, scale, order):
        super().__init__()
        self.conv, self.scale, self.order = nn.Conv2d(3, 3 * scale**2, 3, padding=1), scale, order

    def forward(self, x):
        def base():
            return F.interpolate(x, scale_factor=self.scale, mode="nearest")

        if self.order == "base first":
            y = base()
            return y + F.pixel_shuffle(self.conv(x), self.scale)
        y = F.pixel_shuffle(self.conv(x), self.scale)
        return y + base() * y if self.order == "shuffled twice" else y + base()


@pytest.mark.parametrize("order", ["base first", "base last", "shuffled twice"])
@pytest.mark.parametrize("scale", [2, 3, 4])
def test_a_picture_is_added_before_it_is_upsampled(scale, order, image):
    """Where a shuffled and an upsampled picture are added, the rows added are those not yet multiplied; the bits stay."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = Upsampled(scale, order).eval().requires_grad_(False)
    where = srkit.Settings(device=torch.device("cpu"), dtype=torch.float32, traits=srkit.Traits(scale=scale), rows=7)
    stream = upsampler.prepare(network, where)
    kinds = [getattr(node.machine, "kind", "") for node in stream.tracer.typical.nodes]
    assert ("nearest" in kinds) == (order == "shuffled twice")
    with torch.no_grad():
        assert torch.equal(run(stream, image), forward(network, image))


def test_without_kernels_the_bits_are_the_same(network, image, monkeypatch):
    """Where nothing can be compiled, torch computes the same."""
    with_kernels = run(prepared(network), image)
    monkeypatch.setattr(kernel, "processor", lambda: None)
    stream = prepared(network)
    assert not any(steps_of(stream))
    assert torch.equal(run(stream, image), with_kernels)


@pytest.fixture
def fresh_kernels():
    """Nothing compiled before, nothing left behind."""
    for cache in (kernel.compiled, fused._as_torch):
        cache.cache_clear()
    yield
    for cache in (kernel.compiled, fused._as_torch):
        cache.cache_clear()


CHANGES = {
    "rounded twice": (r"(%\S+) = call (<.*?>) @llvm.fma\S+\(\S+ \S+ \S+ (\S+), <.*?> (\S+), <.*?> (\S+)\)",
                      r"\1p = fmul \2 \3, \4\n \1 = fadd \2 \1p, \5"),
    "compared otherwise": ("fcmp ogt", "fcmp olt"),
    "subtracted": ("fadd <", "fsub <"),
}  # fmt: skip


@pytest.mark.parametrize("change", CHANGES)
def test_kernels_of_other_bits_are_not_used(change, network, image, monkeypatch, fresh_kernels):
    """A kernel that gives another bit than torch is noticed, and torch computes what it would have."""
    original = kernel.text
    monkeypatch.setattr(kernel, "text", lambda *args: re.sub(*CHANGES[change], original(*args)))
    stream = prepared(network)
    assert None in steps_of(stream)
    with torch.no_grad():
        expected = forward(network, image)
    assert (run(stream, image) - expected).abs().max() <= 1e-6 * expected.abs().max()


def test_threads_of_our_own(network, image, monkeypatch):
    """Where torch's threads cannot be had, others do the same."""
    expected = run(prepared(network), image)
    monkeypatch.setattr(team, "_team", lambda: team._with_own_threads)
    assert torch.equal(run(prepared(network), image), expected)


def test_a_library_without_openmp(monkeypatch):
    """What cannot be found in torch's library is replaced."""

    def none(name):
        raise OSError(name)

    team._team.cache_clear()
    monkeypatch.setattr(ctypes, "CDLL", none)
    assert team._team() is team._with_own_threads
    team._team.cache_clear()


def test_half_precision_goes_into_kernels_too(network, image, pairs):
    """In bfloat16 kernels do what they do in float32; the result is as near to float32's as torch's is in bfloat16."""
    stream = prepared(copy.deepcopy(network), torch.bfloat16)
    assert steps_of(stream)[:5] == [["relu"], ["leaky", "add"], ["prelu"], ["scale", "add"], ["gain"]]
    with torch.no_grad():
        expected = forward(network, image)
        plain = forward(network.bfloat16(), image.bfloat16())
    found = run(stream, image)
    assert found.dtype is torch.bfloat16
    error, plain_error = ((result.float() - expected).square().mean() for result in (found, plain))
    assert error <= 1.1 * plain_error


def test_half_precision_falls_back(network, image, pairs, monkeypatch):
    """A kernel for bfloat16 that is wrong is noticed, and torch computes what it would have."""
    original = kernel.text
    monkeypatch.setattr(kernel, "text", lambda *args: re.sub(*CHANGES["subtracted"], original(*args)))
    stream = prepared(copy.deepcopy(network), torch.bfloat16)
    assert not any(steps_of(stream))
    with torch.no_grad():
        assert (run(stream, image).float() - forward(network, image)).abs().max() < 0.02


def test_half_precision_is_the_same_for_any_step(network, image, pairs):
    """In bfloat16 the kernels' result does not depend on the strips either."""
    stream = prepared(network, torch.bfloat16)
    with torch.no_grad():
        parts = torch.cat(list(stream(iter(torch.split(image, [1, 30, 19], 2)), (50, 60))), 2)
    assert torch.equal(run(stream, image), parts)


def test_llvm_rests_and_goes_on(network, image, fresh_kernels):
    """Memory of LLVM's own that was given back is read again for the next kernel."""
    expected = run(prepared(network), image)
    kernel.rest()
    kernel.compiled.cache_clear()
    assert torch.equal(run(prepared(network), image), expected)
