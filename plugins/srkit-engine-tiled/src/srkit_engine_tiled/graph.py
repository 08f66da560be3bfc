"""From a network to a graph of row machines.

``torch.export`` runs the network once, Python branches and all, on a small picture, and records the operators it called.
A second run on a picture of another size must record the same: what depends on the size is no stream.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import attrs
import torch
from torch import fx, nn

import srkit

from .operators import OPERATORS, PICTURE, Concatenate, Convolution, Machine, Pointwise, Regroup, Unsupported


@attrs.define(eq=False)
class Node:
    """A value of the network: what makes it, of which others.

    ``then``: pointwise machines that follow at once, and what they take beside the fresh rows (None stands for these).
    """

    name: str
    machine: Machine | None
    inputs: list[Node] = attrs.field(repr=False)
    channels: int
    then: list[tuple[Pointwise, list[Node | None]]] = attrs.field(factory=list, repr=False)

    @property
    def beside(self) -> list[Node]:
        """The values that ``then`` takes, row for row."""
        return [value for _, values in self.then for value in values if value is not None]


@attrs.frozen
class Graph:
    """All values, each after those it is made of; the first is the picture, the last the result."""

    nodes: Sequence[Node]

    def heights(self, height: int) -> dict[Node, int]:
        """The rows of each value for a picture of ``height`` rows; of the columns, with :meth:`widths`."""
        return self._sizes(height, "down")

    def widths(self, width: int) -> dict[Node, int]:
        """The columns of each value for a picture of ``width`` columns."""
        return self._sizes(width, "across")

    def _sizes(self, size: int, axis: str) -> dict[Node, int]:
        sizes = {self.nodes[0]: size}
        for node in self.nodes[1:]:
            sizes[node] = getattr(node.machine, axis).size(sizes[node.inputs[0]])
        return sizes


def trace(network: nn.Module, traits: srkit.Traits) -> Graph:
    """The graph of a network; raises NotStreamable, naming the operator and the module it is called in."""
    m = traits.multiple_of
    first, second = (_export(network, traits.in_channels, size) for size in ((24 * m, 32 * m), (25 * m, 33 * m)))
    if _calls(first) != _calls(second):
        raise srkit.NotStreamable(
            "the network does different things to pictures of different size, so it is no stream of rows; use engine='whole'",
            "control flow",
        )
    return Graph(_fuse(_nodes(first, traits.in_channels)))


def _export(network: nn.Module, channels: int, size: tuple[int, int]) -> torch.export.ExportedProgram:
    weight = next(network.parameters())
    image = torch.zeros(1, channels, *size, device=weight.device, dtype=weight.dtype)
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # of the exporter about itself
        try:
            program = torch.export.export(network, (image,), strict=False)
        except Exception as error:  # the exporter's, or the network's own
            raise srkit.NotStreamable(
                f"the network could not be traced ({type(error).__name__}: {error}); use engine='whole'", "torch.export"
            ) from error
        targets = [node.target for node in program.graph.nodes]
        if any(isinstance(target, torch._ops.OpOverload) and target._schema.is_mutable for target in targets):  # noqa: SLF001
            program = program.run_decompositions({})  # writes in place become values of their own
        return program


def _calls(program: torch.export.ExportedProgram) -> list[str]:
    return [f"{node.target} {node.args} {node.kwargs}" for node in program.graph.nodes]


def _nodes(program: torch.export.ExportedProgram, channels: int) -> list[Node]:
    signature = program.graph_signature
    stored = {**signature.inputs_to_parameters, **signature.inputs_to_buffers}
    tensors = {**program.state_dict, **program.constants}
    known: dict[fx.Node, Node | Any] = {}
    nodes: list[Node] = []
    for call in program.graph.nodes:
        if call.op == "placeholder":
            if call.name in stored:
                known[call] = tensors[stored[call.name]].detach()
            elif call.name in signature.inputs_to_lifted_tensor_constants:
                known[call] = tensors[signature.inputs_to_lifted_tensor_constants[call.name]]
            else:
                known[call] = Node(call.name, None, [], channels)
                nodes.append(known[call])
        elif call.op == "output":
            outputs: Any = call.args[0]
            result = known[outputs[0]]
            return nodes[: nodes.index(result) + 1]
        else:
            known[call] = _node(call, known)
            if isinstance(known[call], Node):
                nodes.append(known[call])
    return nodes


def _node(call: fx.Node, known: dict[fx.Node, Any]) -> Any:
    pictures: list[Node] = []

    def fill(argument: Any) -> Any:
        if isinstance(argument, fx.Node):
            value = known[argument]
            if isinstance(value, Node):
                pictures.append(value)
                return PICTURE
            return value
        return [fill(item) for item in argument] if isinstance(argument, list | tuple) else argument

    args: Any = fill(call.args)
    kwargs = {name: fill(value) for name, value in call.kwargs.items()}
    if not pictures:
        compute: Any = call.target  # of weights alone: once and for all
        return compute(*args, **kwargs)
    make = OPERATORS.get(call.target)
    shape: Any = getattr(call.meta.get("val"), "shape", ())
    try:
        if make is None or len(shape) != 4:
            raise Unsupported("no machine streams this operator")
        return Node(call.name, make(*args, **kwargs), pictures, shape[1])
    except Unsupported as error:
        where = [path for path, _ in call.meta.get("nn_module_stack", {}).values()][-1:] or ["the network itself"]
        raise srkit.NotStreamable(
            f"{call.target} in module {where[0]!r} cannot be streamed: {error}. Use engine='whole'",
            str(call.target),
        ) from error


def _fuse(nodes: list[Node]) -> list[Node]:
    """Pointwise values that only follow one other value become part of it, so that their rows are never stored."""
    nodes = list(nodes)
    readers: dict[Node, int] = {}
    for node in nodes:
        for value in node.inputs:
            readers[value] = readers.get(value, 0) + 1
    place = {node: i for i, node in enumerate(nodes)}
    merged: dict[Node, Node] = {}
    for node in nodes[1:]:
        node.inputs = [merged.get(value, value) for value in node.inputs]
        if isinstance(node.machine, Concatenate):
            # What is joined twice is joined once: each part is written where it ends up.
            node.inputs = [p for v in node.inputs for p in (v.inputs if isinstance(v.machine, Concatenate) else [v])]
        latest = max(node.inputs, key=lambda value: place[value])
        own = isinstance(latest.machine, Convolution | Regroup | Pointwise)
        if isinstance(node.machine, Pointwise) and own and readers[latest] == node.inputs.count(latest):
            latest.then.append((node.machine, [None if value is latest else value for value in node.inputs]))
            latest.channels, readers[latest] = node.channels, readers.get(node, 0)
            merged[node] = latest
    result = merged.get(nodes[-1], nodes[-1])
    if isinstance(result.machine, Concatenate):
        result.machine = Pointwise(lambda *strips: torch.cat(strips, 1))  # nobody's to be written for
    needed, left = set(), [result]
    while left:
        node = left.pop()
        if node not in needed:
            needed.add(node)
            left += [*node.inputs, *node.beside]
    return [node for node in nodes if node in needed or node is nodes[0]]
