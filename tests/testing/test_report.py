"""The report on an architecture: what its network can do, and what it cannot, with the reason."""

from __future__ import annotations

import sys

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402
from torch.nn import functional as F  # noqa: E402

import srkit  # noqa: E402
import srkit.testing  # noqa: E402
from srkit import plugins  # noqa: E402


class Net(nn.Module):
    """Scale 2, in one convolution."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 12, 3, padding=1)

    def forward(self, x):
        return F.pixel_shuffle(self.conv(x), 2)


class Plain:
    """The architecture of such a network."""

    name = "plain"
    network = Net

    def build(self, **config):
        return self.network(**config)

    def traits(self, **config):
        return srkit.Traits(scale=2)

    def recognise(self, shapes):
        own = {name: tuple(tensor.shape) for name, tensor in self.network().state_dict().items()}
        return srkit.Recognition({}, {name: name for name in own}) if dict(shapes) == own else None


def report_of(network):
    """The report on an architecture of this network."""
    architecture = Plain()
    architecture.network = network
    return srkit.testing.report(architecture)


def test_a_plain_network():
    """Everything there is to tell of one that can do everything."""
    pytest.importorskip("srkit_engine_tiled")
    pytest.importorskip("onnxruntime")
    told = srkit.testing.report(Plain())
    assert told["network"] == "×2, 3 → 3 channels, 336 parameters"
    assert told["streams"] == "yes, on the engine 'stream'"
    assert told["reach"] == "1 rows above, 1 below, 1 columns left, 1 right"
    assert told["alignment"] == "1 pixel"
    assert "rows a step" in told["1920×1080"]
    assert told["float16"].startswith("finite, off by ")
    assert told["bfloat16"].startswith("finite, off by ")
    assert told["ONNX"].startswith("yes: ONNX Runtime gives the same, off by ")
    assert told["file"] == "not tried: no installed plugin registers 'plain'"


class Pooled(Net):
    """Of which a part looks at the whole picture."""

    def __init__(self):
        super().__init__()
        self.attention = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Sigmoid())

    def forward(self, x):
        return super().forward(x * self.attention(x))


def test_what_stops_a_stream_is_named():
    """The operator that no engine streams is told with the module it is called in."""
    pytest.importorskip("srkit_engine_tiled")
    told = report_of(Pooled)
    assert told["streams"].startswith("no: aten.")
    assert "in module 'attention.0' cannot be streamed" in told["streams"]
    assert "reach" not in told


def test_without_an_engine(monkeypatch):
    """Where no engine that streams is installed, that is said, and the check of streams passes."""
    monkeypatch.setenv("SRKIT_PLUGINS", "")
    plugins.reload()
    assert srkit.testing.report(Plain())["streams"].startswith("not tried: no engine that streams is installed")
    srkit.testing.check_architecture(Plain(), only=["streams_exactly"])


ROUGH = """
import srkit
class Rough:
    name = "rough"
    def prepare(self, network, settings):
        def stream(strips, size):
            return (network(strip) for strip in strips)
        stream.exact = False
        return stream
upsampler = Rough()
@srkit.hookimpl
def srkit_register_upsamplers(register):
    register(srkit.UpsamplerSpec(name="rough", target=__name__ + ":upsampler", summary="Strips alone.", preference=99))
"""


def test_an_engine_that_approximates_is_passed_over(install):
    """Results that are not the network's are no stream of it, however much the engine is preferred."""
    install("rough-engine", ROUGH)
    plugins.reload()
    assert "rough" not in srkit.testing.report(Plain())["streams"]
    srkit.testing.check_architecture(Plain(), only=["streams_exactly"])


def test_a_judge_of_pictures():
    """A network that upscales no pictures is not asked to stream."""
    architecture = Plain()
    architecture.network = lambda: nn.Conv2d(3, 1, 3, padding=1)
    architecture.traits = lambda: srkit.Traits(scale=1, out_channels=1)
    assert "turns 3 channels into 1" in srkit.testing.report(architecture)["streams"]
    srkit.testing.check_architecture(architecture, only=["streams_exactly"])


class Loud(Net):
    def forward(self, x):
        return super().forward(x * 1e9) / 1e9


class Stubborn(Net):
    def forward(self, x):
        return super().forward(x) + torch.ones(1)


class Fixed(Net):
    def forward(self, x):
        return F.conv2d(super().forward(x), torch.ones(3, 1, 1, 1), groups=3)


@pytest.mark.parametrize(
    ("network", "words"),
    [(Loud, "gives NaN or infinity"), (Stubborn, "it gives torch.float32"), (Fixed, "fails on the CPU: ")],
)
def test_half_precision(network, words):
    """Overflow, tensors of a fixed dtype that win, and such that clash, are told."""
    assert words in report_of(network)["float16"]


class Transformed(Net):
    def forward(self, x):
        return super().forward(torch.fft.irfft2(torch.fft.rfft2(x), s=x.shape[2:]))


def test_onnx(monkeypatch):
    """A network that ONNX cannot say, and a package that is missing, are told."""
    pytest.importorskip("onnxruntime")
    assert report_of(Transformed)["ONNX"].startswith("no: plain (plain) cannot be written as ONNX")
    monkeypatch.setitem(sys.modules, "onnx", None)
    assert report_of(Net)["ONNX"].startswith("not tried: ONNX files need the package onnx")


SOURCE = """
import srkit
from reported import Plain
architecture = Plain()
architecture.name = {name!r}
@srkit.hookimpl
def srkit_register_architectures(register):
    register(srkit.ArchitectureSpec(name={name!r}, target=__name__ + ":architecture", summary="Plain."))
"""


def test_files(install, monkeypatch):
    """What srkit makes of a file of its weights: its own, or that of another which is asked first."""
    monkeypatch.setitem(sys.modules, "reported", sys.modules[__name__])
    install("second-nets", SOURCE.format(name="plain-b"))
    plugins.reload()
    (about, told) = next(iter(srkit.testing.reports_of("second-nets")))
    assert about == "architecture plain-b"
    assert told["file"] == "a safetensors file of it is recognised, as plain-b()"
    install("first-nets", SOURCE.format(name="plain-a"))
    plugins.reload()
    (_, told) = next(iter(srkit.testing.reports_of("second-nets")))
    assert "taken for 'plain-a', which is asked first" in told["file"]
    assert "arch='plain-b'" in told["file"]


def test_a_broken_architecture_is_told_of(install):
    """An architecture that cannot be loaded does not end the reports."""
    install(
        "hollow-nets",
        SOURCE.replace("from reported import Plain", "raise_later = 1")
        .replace("Plain()", "None")
        .replace("architecture.name = {name!r}", "")
        .format(name="hollow"),
    )
    plugins.reload()
    assert [told["network"][:18] for _, told in srkit.testing.reports_of("hollow-nets")] == ["none to tell of: P"]
