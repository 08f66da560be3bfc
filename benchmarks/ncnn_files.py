"""A network as ncnn's two files: the .param, a list of layers, and the .bin, their weights.

Knows the operators of SRVGGNetCompact and RRDBNet. ncnn's own converter, pnnx, runs out of memory (20 GB) on 23 blocks.
"""

from __future__ import annotations

import operator
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.nn import functional as F

_MAGIC = 7767517
_LEAKY = 2


def written(network: nn.Module) -> tuple[str, bytes]:
    """The contents of the .param and the .bin; the picture is called ``in0``, the result ``out0``."""
    return _Writer(fx.symbolic_trace(network)).files()


class _Writer:
    def __init__(self, traced: fx.GraphModule) -> None:
        self._traced = traced
        self._lines: list[str] = []
        self._weights = bytearray()
        self._blobs = 0
        # The names under which a value can still be read: each once, so a Split copies what is read more often.
        self._unread: dict[fx.Node, list[str]] = {}

    def files(self) -> tuple[str, bytes]:
        for node in self._traced.graph.nodes:
            if node.op == "placeholder":
                self._layer("Input", node, [], name="in0")
            elif node.op != "output" and node not in self._unread:
                self._operator(node)
        return "\n".join([str(_MAGIC), f"{len(self._lines)} {self._blobs}", *self._lines, ""]), bytes(self._weights)

    def _operator(self, node: fx.Node) -> None:
        what: Any = self._traced.get_submodule(str(node.target)) if node.op == "call_module" else node.target
        if isinstance(what, nn.Conv2d):
            self._convolution(node, what)
        elif isinstance(what, nn.PReLU):
            self._layer("PReLU", node, node.args, f"0={what.num_parameters}")
            self._store(what.weight)
        elif isinstance(what, nn.PixelShuffle):
            self._layer("PixelShuffle", node, node.args, f"0={what.upscale_factor}")
        elif what is F.interpolate and node.kwargs["mode"] == "nearest":
            factor = node.kwargs["scale_factor"]
            self._layer("Interp", node, node.args, f"0=1 1={factor} 2={factor}")
        elif what is torch.cat:
            self._layer("Concat", node, node.args[0], "0=0")
        elif what is operator.add:
            self._layer("BinaryOp", node, node.args, "0=0")
        elif what is operator.mul:
            self._layer("BinaryOp", node, node.args[:1], f"0=2 1=1 2={node.args[1]}")
        else:
            raise NotImplementedError(f"{node.format_node()} is not written for ncnn")

    def _convolution(self, node: fx.Node, conv: nn.Conv2d) -> None:
        parameters = f"0={conv.out_channels} 1={conv.kernel_size[0]} 4={conv.padding[0]} 5=1 6={conv.weight.numel()}"
        (reader, *others) = node.users
        if reader.target is F.leaky_relu and not others:
            # Fused, as pnnx does.
            parameters += f" 9={_LEAKY} -23310=1,{reader.kwargs['negative_slope']}"
            self._layer("Convolution", reader, node.args, parameters)
        else:
            self._layer("Convolution", node, node.args, parameters)
        self._weights += bytes(4)  # the tag of float32
        self._store(conv.weight, conv.bias)

    def _layer(self, kind: str, node: fx.Node, inputs: Any, parameters: str = "", name: str = "") -> None:
        """The layer that makes the value ``node``."""
        name = name or ("out0" if any(reader.op == "output" for reader in node.users) else node.name)
        self._line(kind, name, [self._unread[value].pop() for value in inputs], [name], parameters)
        self._unread[node] = [name]
        if len(node.users) > 1:
            self._unread[node] = [f"{name}.{i}" for i in range(len(node.users))]
            self._line("Split", f"{name}.split", [name], self._unread[node])

    def _line(self, kind: str, name: str, inputs: list[str], outputs: list[str], parameters: str = "") -> None:
        self._lines.append(" ".join([kind, name, f"{len(inputs)} {len(outputs)}", *inputs, *outputs, parameters]))
        self._blobs += len(outputs)

    def _store(self, *tensors: Tensor | None) -> None:
        for tensor in tensors:
            if tensor is not None:
                self._weights += tensor.detach().contiguous().numpy().tobytes()
