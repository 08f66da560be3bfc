"""Other ways of running a network over a whole picture; each function makes ready and gives what is then timed.

Each has as many threads as torch. A peer that is not installed raises ModuleNotFoundError.
"""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeAlias

import ncnn_files
import numpy as np
import torch
from networks import SCALE
from torch import Tensor, nn

Run: TypeAlias = Callable[[], Sequence[Tensor]]
"""Runs the network once; gives the result as strips, top to bottom, (1, 3, h, W) each."""

TILE = 512
TILE_PAD = 10
_TRACED = torch.zeros(1, 3, 24, 32)
"""What exporters see: tracing runs the network, so a small picture."""


def plain(network: nn.Module, image: Tensor) -> Run:
    """The network as it is, contiguous (NCHW)."""

    def run() -> Sequence[Tensor]:
        with torch.inference_mode():
            return [network(image)]

    return run


def tiled(network: nn.Module, image: Tensor) -> Run:
    """Real-ESRGAN's tiles: squares, each with a margin of 10 px where there is a picture, cropped and pasted."""
    height, width = image.shape[2:]

    def run() -> Sequence[Tensor]:
        out = image.new_empty(1, 3, height * SCALE, width * SCALE)
        for top in range(0, height, TILE):
            for left in range(0, width, TILE):
                bottom, right = min(top + TILE, height), min(left + TILE, width)
                above, before = max(top - TILE_PAD, 0), max(left - TILE_PAD, 0)
                with torch.inference_mode():
                    tile = network(image[:, :, above : bottom + TILE_PAD, before : right + TILE_PAD].contiguous())
                rows = slice((top - above) * SCALE, (bottom - above) * SCALE)
                columns = slice((left - before) * SCALE, (right - before) * SCALE)
                out[:, :, top * SCALE : bottom * SCALE, left * SCALE : right * SCALE] = tile[:, :, rows, columns]
        return [out]

    return run


def onnx_runtime(network: nn.Module, image: Tensor) -> Run:
    """ONNX Runtime, the size fixed before it optimises the graph."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.inter_op_num_threads = 1
    for side, size in zip(("height", "width"), image.shape[2:], strict=True):
        options.add_free_dimension_override_by_name(side, size)
    session = onnxruntime.InferenceSession(_onnx(network), options, providers=["CPUExecutionProvider"])
    return lambda: [torch.from_numpy(session.run(None, {"picture": image.numpy()})[0])]


def openvino(network: nn.Module, image: Tensor, precision: str) -> Run:
    """OpenVINO at a fixed size; ``precision``: "f32" or "bf16"."""
    import openvino

    core = openvino.Core()
    model = core.read_model(_onnx(network))
    model.reshape(list(image.shape))
    properties = {
        "INFERENCE_PRECISION_HINT": precision,
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_NUM_THREADS": torch.get_num_threads(),
    }
    compiled = core.compile_model(model, "CPU", properties)
    return lambda: [torch.from_numpy(compiled(image.numpy())[0])]


def ncnn(network: nn.Module, image: Tensor) -> Run:
    """ncnn on the CPU, in float32."""
    import ncnn

    net = ncnn.Net()
    net.opt.num_threads = torch.get_num_threads()
    for option in ("use_fp16_packed", "use_fp16_storage", "use_fp16_arithmetic"):
        setattr(net.opt, option, False)
    param, weights = ncnn_files.written(network)
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "network.param").write_text(param)
        Path(folder, "network.bin").write_bytes(weights)
        if net.load_param(f"{folder}/network.param") or net.load_model(f"{folder}/network.bin"):
            raise ValueError("ncnn could not read the network written for it")

    def run() -> Sequence[Tensor]:
        extractor = net.create_extractor()
        extractor.input("in0", ncnn.Mat(image[0].numpy()))
        failed, out = extractor.extract("out0")
        if failed:
            raise MemoryError("ncnn could not extract the result")
        return [torch.from_numpy(np.array(out, copy=False))[None]]

    return run


def bare_convolution(flops: float, image: Tensor, dtype: torch.dtype, rows: int = 16) -> Run:
    """So many operations in one convolution, 64 to 64 channels, 3×3, that gives ``rows`` rows a call."""
    width = image.shape[3]
    # The two rows around those computed are part of the strip, as they are in an engine that streams.
    shapes = ((1, 64, rows + 2, width), (64, 64, 3, 3))
    strip, weight = (
        torch.rand(shape, dtype=dtype, device=image.device).contiguous(memory_format=torch.channels_last)
        for shape in shapes
    )
    bias = torch.rand(64, dtype=dtype, device=image.device)
    calls = round(flops / (2 * 64 * 64 * 9 * rows * width))

    def run() -> Sequence[Tensor]:
        with torch.inference_mode():
            for _ in range(calls):
                if strip.device.type == "cpu":
                    torch.mkldnn_convolution(strip, weight, bias, (0, 1), (1, 1), (1, 1), 1)
                else:
                    torch.conv2d(strip, weight, bias, padding=(0, 1))
        return []

    return run


def _onnx(network: nn.Module) -> bytes:
    """The network in ONNX, its height and width left open: its graph computes nothing from them."""
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the exporter about itself
        file = Path(folder, "network.onnx")
        torch.onnx.export(
            network,
            (_TRACED,),
            file,
            dynamo=False,
            input_names=["picture"],
            output_names=["result"],
            dynamic_axes={"picture": {2: "height", 3: "width"}},
        )
        return file.read_bytes()
