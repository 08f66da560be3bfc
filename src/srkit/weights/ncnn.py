"""ncnn's ``.param`` + ``.bin``, the format of Upscayl and the ncnn tools, read without the runtime.

``.param`` is text: a magic number, the counts, then a layer a line: type, name, numbers of inputs and outputs, their
names, and ``key=value`` parameters (an array under key -23300 - k). ``.bin`` is the layers' data in that order: a tensor
with a tag (0 float32, 0x01306B47 float16, padded to 4 bytes) for convolution weights, bare float32 for the rest.
Source: ncnn's documentation, "param and model file structure" and "operation param weight table".

A file of ncnn keeps the order of layers but not the names, so tensors are called ``ncnn.INDEX.OPERATOR.weight``, INDEX
counting the layers that have weights. OPERATOR says what the file says of them: ``conv``, ``conv+relu``,
``conv+leakyrelu0.2`` (the activation that follows, fused or not) or ``prelu``. An architecture recognises itself in that.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import attrs
import numpy as np

from ..errors import WeightsError, WeightsNotFound

_MAGIC = "7767517"
_FLOAT32, _FLOAT16 = 0, 0x01306B47
# Layers without weights that the networks srkit knows are wired with.
_WIRING = {
    "Input",
    "Split",
    "Concat",
    "Eltwise",
    "BinaryOp",
    "PixelShuffle",
    "Reorg",
    "Interp",
    "Noop",
    "Crop",
    "Padding",
}


@attrs.frozen
class _Layer:
    type: str
    name: str
    inputs: list[str]
    outputs: list[str]
    params: dict[int, str]

    def integer(self, key: int, default: int = 0) -> int:
        return int(self.params.get(key, default))


def read(path: Path) -> dict[str, np.ndarray]:
    """The weights of an ncnn model, float32, by the names above; ``path`` is either of its two files.

    Raises WeightsNotFound if the other file is missing, WeightsError if they are damaged, do not belong together or hold
    layers that srkit does not know.
    """
    param, binary = path.with_suffix(".param"), path.with_suffix(".bin")
    for file in (param, binary):
        if not file.is_file():
            raise WeightsNotFound(f"an ncnn model is two files, and {file} is missing beside {path.name}")
    layers = _parse(param)
    data = _Data(binary)
    try:
        tensors = _tensors(layers, data, param)
    except WeightsError:
        raise
    except (ValueError, KeyError, IndexError) as error:
        raise WeightsError(f"{param} is a damaged ncnn model ({error}); fetch it again", param) from error
    data.finish()
    if not tensors:
        raise WeightsError(f"{param} describes no layer with weights for {binary.name}", param)
    return tensors


def _tensors(layers: list[_Layer], data: _Data, param: Path) -> dict[str, np.ndarray]:
    if layers and layers[-1].type == "Interp":
        raise WeightsError(
            f"{param} resizes what its network gives (layer {layers[-1].name}); use the model without that, and scale=",
            param,
        )
    tensors: dict[str, np.ndarray] = {}
    index = 0
    for layer in layers:
        if layer.type == "Convolution":
            operator = "conv" + _activation(layer, layers, param)
            found = list(_convolution(layer, data, param))
        elif layer.type == "PReLU":
            if layer.integer(0) < 1:
                raise WeightsError(f"{param}: layer {layer.name} has {layer.integer(0)} slopes", param)
            operator, found = "prelu", [("weight", data.plain(layer.integer(0)))]
        elif layer.type in _WIRING or layer.type == "ReLU":
            continue
        else:
            raise WeightsError(
                f"{param} has a layer of type {layer.type!r} ({layer.name}), which srkit cannot read from ncnn files; "
                f"use the network's .pth or .safetensors",
                param,
            )
        tensors.update({f"ncnn.{index:04d}.{operator}.{kind}": array for kind, array in found})
        index += 1
    return tensors


def _parse(param: Path) -> list[_Layer]:
    try:
        lines = param.read_text("ascii").split("\n")
    except OSError as error:
        raise WeightsError(f"{param} cannot be read: {error.strerror}; check its permissions", param) from error
    except UnicodeDecodeError as error:
        raise WeightsError(
            f"{param} is not text; convert binary ncnn parameters with ncnn2mem's source file", param
        ) from error
    if lines[0].strip() != _MAGIC:
        raise WeightsError(f"{param} does not start with {_MAGIC}, so it is not an ncnn model", param)
    try:
        count = int(lines[1].split()[0])
        layers = [_parse_line(line) for line in lines[2:] if line.strip()]
    except (ValueError, IndexError) as error:
        raise WeightsError(f"{param} is a damaged ncnn model ({error}); fetch it again", param) from error
    if len(layers) != count:
        raise WeightsError(f"{param} announces {count} layers but holds {len(layers)}; fetch it again", param)
    return layers


def _parse_line(line: str) -> _Layer:
    type_, name, inputs, outputs, *rest = line.split()
    first, last = int(inputs), int(inputs) + int(outputs)
    if len(rest) < last:
        raise ValueError(f"layer {name} is cut off")
    pairs = (item.partition("=") for item in rest[last:])
    return _Layer(type_, name, rest[:first], rest[first:last], {int(key): value for key, _, value in pairs})


def _activation(layer: _Layer, layers: list[_Layer], param: Path) -> str:
    """``"+relu"``, ``"+leakyrelu0.2"`` or nothing: fused into the convolution, or a ReLU layer behind it."""
    kind, slope = layer.integer(9), 0.0
    if kind == 2:
        slope = float(layer.params[-23310].split(",")[1])
    elif kind == 0:
        follower = next((other for other in layers if layer.outputs[0] in other.inputs), None)
        if follower is None or follower.type != "ReLU":
            return ""
        slope = float(follower.params.get(0, "0"))
    elif kind != 1:
        raise WeightsError(
            f"{param}: layer {layer.name} has activation type {kind}, which no network of srkit has", param
        )
    return f"+leakyrelu{slope:g}" if slope else "+relu"


def _convolution(layer: _Layer, data: _Data, param: Path) -> Iterator[tuple[str, np.ndarray]]:
    out, width = layer.integer(0), layer.integer(1)
    height = layer.integer(11, width)
    size = layer.integer(6)
    if min(out, width, height, size) < 1 or size % (out * width * height):
        raise WeightsError(
            f"{param}: layer {layer.name} has {size} weights, which do not fit {out}×…×{height}×{width}",
            param,
        )
    yield "weight", data.tagged(size).reshape(out, -1, height, width)
    if layer.integer(5):
        yield "bias", data.plain(out)


class _Data:
    """The ``.bin`` file, read from front to back."""

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._bytes = path.read_bytes()
        except OSError as error:
            raise WeightsError(f"{path} cannot be read: {error.strerror}; check its permissions", path) from error
        self._at = 0

    def _take(self, dtype: str, count: int) -> np.ndarray:
        size = np.dtype(dtype).itemsize * count
        if self._at + size > len(self._bytes):
            raise WeightsError(f"{self._path} ends early, at {len(self._bytes)} bytes; fetch it again", self._path)
        array = np.frombuffer(self._bytes, dtype, count, self._at).astype(np.float32 if "f" in dtype else np.int64)
        self._at += size
        return array

    def tagged(self, count: int) -> np.ndarray:
        tag = int(self._take("<u4", 1)[0])
        if tag == _FLOAT16:
            array = self._take("<f2", count)
            self._take("u1", -2 * count % 4)
            return array
        if tag == _FLOAT32:
            return self._take("<f4", count)
        raise WeightsError(
            f"{self._path} stores weights with the tag {tag:#010x} at byte {self._at - 4}; only float32 and float16 files "
            f"can be read, not quantised ones; if it should be one, the .param beside it is another model's",
            self._path,
        )

    def plain(self, count: int) -> np.ndarray:
        return self._take("<f4", count)

    def finish(self) -> None:
        if self._at != len(self._bytes):
            raise WeightsError(
                f"{self._path} has {len(self._bytes) - self._at} bytes more than its .param describes; they do not belong "
                f"together",
                self._path,
            )
