"""ncnn's two files, written here from their documentation, read back without the runtime."""

from __future__ import annotations

import contextlib
import re
from pathlib import Path

import attrs
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from srkit.errors import WeightsError, WeightsNotFound
from srkit.weights import ncnn

FLOAT32, FLOAT16, INT8, PALETTE = b"\0\0\0\0", b"\x47\x6b\x30\x01", b"\x38\x4b\x0d\x00", b"\1\0\0\0"


@attrs.define
class Model:
    """Layers in a chain, as ncnn's tools would write them."""

    lines: list[str] = attrs.field(factory=lambda: ["Input data 0 1 blob0"])
    data: bytes = b""

    def add(self, kind, *params, data=b""):
        n = len(self.lines)
        self.lines.append(f"{kind:<16} {kind.lower()}_{n} 1 1 blob{n - 1} blob{n} {' '.join(params)}")
        self.data += data
        return self

    def conv(self, weight, *params, bias=None, half=False, tag=None):
        tensor = weight.astype("<f2" if half else "<f4").tobytes()
        data = (tag or (FLOAT16 if half else FLOAT32)) + tensor + b"\0" * (-len(tensor) % 4)
        out, _, height, width = weight.shape
        shape = (f"0={out}", f"1={width}", *([f"11={height}"] if height != width else []), f"6={weight.size}")
        if bias is not None:
            return self.add("Convolution", *shape, "5=1", *params, data=data + bias.astype("<f4").tobytes())
        return self.add("Convolution", *shape, *params, data=data)

    def prelu(self, slopes):
        return self.add("PReLU", f"0={slopes.size}", data=slopes.astype("<f4").tobytes())

    @property
    def param(self):
        return "\n".join(["7767517", f"{len(self.lines)} {len(self.lines)}", *self.lines, ""])

    def write(self, directory, name="net"):
        (directory / f"{name}.bin").write_bytes(self.data)
        (directory / f"{name}.param").write_text(self.param)
        return directory / f"{name}.param"


def noise(*shape, seed=0):
    """Values that half precision holds exactly."""
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float16).astype(np.float32)


def small(half=False):
    """Both kinds of layers with weights; in half precision the first needs padding."""
    return (
        Model()
        .conv(noise(3, 1, 1, 1), bias=noise(3, seed=1), half=half)
        .prelu(noise(3, seed=2))
        .conv(noise(1, 3, 1, 1))
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder for many examples of one property."""
    return tmp_path_factory.mktemp("ncnn")


@pytest.mark.parametrize("half", [False, True])
def test_values_and_names(tmp_path, half):
    """Tensors come in file order, float32, named by index, operator and kind, whichever file is named."""
    path = small(half).write(tmp_path)
    tensors = ncnn.read(path)
    expected = {
        "ncnn.0000.conv.weight": noise(3, 1, 1, 1),
        "ncnn.0000.conv.bias": noise(3, seed=1),
        "ncnn.0001.prelu.weight": noise(3, seed=2),
        "ncnn.0002.conv.weight": noise(1, 3, 1, 1),
    }
    assert list(tensors) == list(expected)
    for name, array in expected.items():
        assert tensors[name].dtype == np.float32
        np.testing.assert_array_equal(tensors[name], array)
    assert ncnn.read(path.with_suffix(".bin")).keys() == tensors.keys()


shapes = st.tuples(*[st.integers(1, 5)] * 4)


@given(layers=st.lists(st.tuples(shapes, st.booleans(), st.booleans(), st.booleans()), min_size=1, max_size=5))
def test_round_trip(folder, layers):
    """Any chain of convolutions, of any shape and either precision, with or without bias and slopes, comes back exactly."""
    model, expected = Model(), []
    for seed, (shape, half, biased, activated) in enumerate(layers):
        weight, vector = noise(*shape, seed=seed), noise(shape[0], seed=-seed % 99)
        model.conv(weight, bias=vector if biased else None, half=half)
        expected += [weight, vector] if biased else [weight]
        if activated:
            model.prelu(vector)
            expected.append(vector)
    found = ncnn.read(model.write(folder))
    assert len(found) == len(expected)
    for array, wanted in zip(found.values(), expected, strict=True):
        np.testing.assert_array_equal(array, wanted, strict=True)


ACTIVATIONS = {
    "nothing": ([], None, "conv"),
    "fused relu": (["9=1"], None, "conv+relu"),
    "fused leaky relu": (["9=2", "-23310=1,2.000000e-01"], None, "conv+leakyrelu0.2"),
    "relu behind": ([], ("ReLU",), "conv+relu"),
    "leaky relu behind": ([], ("ReLU", "0=1.000000e-01"), "conv+leakyrelu0.1"),
    "wiring behind": ([], ("PixelShuffle", "0=2"), "conv"),
}


@pytest.mark.parametrize("case", ACTIVATIONS)
def test_activation(tmp_path, case):
    """A convolution's name says what activates it, fused into it or not."""
    params, behind, operator = ACTIVATIONS[case]
    model = Model().conv(noise(2, 2, 3, 3), *params)
    if behind:
        model.add(*behind)
    model.conv(noise(2, 2, 3, 3))
    assert list(ncnn.read(model.write(tmp_path))) == [f"ncnn.0000.{operator}.weight", "ncnn.0001.conv.weight"]


def test_windows_line_ends(tmp_path):
    """Line ends of Windows and blank lines make no difference."""
    path = small().write(tmp_path)
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n") + b"\r\n\r\n")
    assert len(ncnn.read(path)) == 4


@pytest.mark.parametrize("missing", [".param", ".bin"])
def test_other_file_is_missing(tmp_path, missing):
    """One file without the other is told, with the name of the one that is missing."""
    path = small().write(tmp_path).with_suffix(missing)
    path.unlink()
    for given_ in (".param", ".bin"):
        with pytest.raises(WeightsNotFound, match=str(path)):
            ncnn.read(path.with_suffix(given_))


@pytest.mark.parametrize("half", [False, True])
def test_truncated(tmp_path, half):
    """Data cut anywhere are told to end early, at which byte."""
    model = small(half)
    path = model.write(tmp_path)
    for length in range(len(model.data)):
        path.with_suffix(".bin").write_bytes(model.data[:length])
        with pytest.raises(WeightsError, match=f"net.bin ends early, at {length} bytes"):
            ncnn.read(path)


def test_truncated_padding(tmp_path):
    """Data cut within the padding of the last tensor are told so too."""
    model = Model().conv(noise(1, 1, 1, 1), half=True)
    path = model.write(tmp_path)
    path.with_suffix(".bin").write_bytes(model.data[:-1])
    with pytest.raises(WeightsError, match="net.bin ends early"):
        ncnn.read(path)


def test_more_data_than_layers(tmp_path):
    """Data that go on behind the last layer belong to another model."""
    path = small().write(tmp_path)
    path.with_suffix(".bin").write_bytes(small().data + b"\0" * 4)
    with pytest.raises(WeightsError, match="4 bytes more .* do not belong together"):
        ncnn.read(path)


@pytest.mark.parametrize("tag", [INT8, PALETTE, b"\xde\xad\xbe\xef"])
def test_quantised(tmp_path, tag):
    """Quantised weights are refused by their tag, not misread."""
    path = Model().conv(noise(2, 2, 3, 3), tag=tag).write(tmp_path)
    with pytest.raises(WeightsError, match=f"{int.from_bytes(tag, 'little'):#010x} at byte 0.*float32 and float16"):
        ncnn.read(path)


HEAD = "7767517\n2 2\nInput data 0 1 blob0\n"
BAD_PARAMS = {
    "other magic": ("7767518\n2 2\n", "7767517"),
    "empty": ("", "7767517"),
    "no counts": ("7767517\n", "damaged"),
    "counts are words": ("7767517\ntwo two\n", "damaged"),
    "fewer layers than announced": (HEAD, "announces 2 layers but holds 1"),
    "cut line": (HEAD + "Convolution conv 1 1 blob0", "damaged"),
    "cut within a word": (HEAD + "Convolution con", "damaged"),
    "unknown layer": (HEAD + "LSTM lstm_1 1 1 blob0 blob1 0=64", "'LSTM' .lstm_1.*safetensors"),
    "unknown activation": (HEAD + "Convolution conv 1 1 blob0 blob1 0=1 1=1 6=1 9=3 -23310=2,0.0,1.0", "type 3"),
    "no shape": (HEAD + "Convolution conv 1 1 blob0 blob1", "conv has 0 weights"),
    "shape that does not divide": (HEAD + "Convolution conv 1 1 blob0 blob1 0=2 1=3 6=35", "conv has 35 weights"),
    "negative shape": (HEAD + "Convolution conv 1 1 blob0 blob1 0=-1 1=3 6=-9", "conv has -9 weights"),
    "shape is a word": (HEAD + "Convolution conv 1 1 blob0 blob1 0=two 1=1 6=1", r"damaged|layer conv"),
    "no output": (HEAD + "Convolution conv 1 0 blob0 0=1 1=1 6=1", r"damaged|layer conv"),
    "leaky without slope": (HEAD + "Convolution conv 1 1 blob0 blob1 0=1 1=1 6=1 9=2", r"damaged|layer conv"),
    "slope is a word": (HEAD + "Convolution conv 1 1 blob0 blob1 0=1 1=1 6=1 9=2 -23310=1,x", r"damaged|layer conv"),
    "negative slopes": (HEAD + "PReLU slopes 1 1 blob0 blob1 0=-2", "layer slopes"),
    "huge": (HEAD + "Convolution conv 1 1 blob0 blob1 0=1 1=1 6=99999999999999999999", "ends early"),
    "nothing with weights": ("7767517\n1 1\nInput data 0 1 blob0", "no layer with weights"),
}


@pytest.mark.parametrize("case", BAD_PARAMS)
def test_damaged_param(tmp_path, case):
    """A .param that is no model srkit can read is refused with what is wrong, and the file's name."""
    text, complaint = BAD_PARAMS[case]
    (tmp_path / "net.param").write_text(text)
    (tmp_path / "net.bin").write_bytes(b"" if case == "nothing with weights" else b"\0" * 8)
    with pytest.raises(WeightsError, match=complaint) as caught:
        ncnn.read(tmp_path / "net.param")
    assert str(tmp_path / "net.") in str(caught.value)


def test_binary_param(tmp_path):
    """A .param that is not text is refused."""
    path = small().write(tmp_path)
    path.write_bytes(b"\x9d\x85\x76\x00" + bytes(range(256)))
    with pytest.raises(WeightsError, match="net.param is not text"):
        ncnn.read(path)


def test_any_word_damaged(tmp_path):
    """Whatever word of a .param is replaced, it is read or refused by name; no other error comes out."""
    model = small()
    path = model.write(tmp_path)
    words = re.findall(r"\S+|\n", model.param)
    for at in range(len(words)):
        for word in (
            "",
            "\n",
            "-1",
            "0",
            "7",
            "x",
            "=",
            "0=",
            "=1",
            "9=2",
            "0=x",
            "6=1e9",
            "-23310=1",
            "0=-3",
            "PReLU",
        ):
            path.write_text(" ".join([*words[:at], word, *words[at + 1 :]]))
            with contextlib.suppress(WeightsError):
                ncnn.read(path)


@pytest.mark.parametrize("secret", [".param", ".bin"])
def test_no_permission(tmp_path, monkeypatch, secret):
    """A file that may not be read is refused by name."""
    path, opened = small().write(tmp_path), Path.open

    def forbid(self, *args, **kwargs):
        if self.suffix == secret:
            raise PermissionError(13, "Permission denied", str(self))
        return opened(self, *args, **kwargs)

    monkeypatch.setattr(Path, "open", forbid)
    with pytest.raises(WeightsError, match=f"net{secret} cannot be read: Permission denied; check its permissions"):
        ncnn.read(path)
