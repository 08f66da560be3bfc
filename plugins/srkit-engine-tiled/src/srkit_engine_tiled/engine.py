"""The upsampler: every layer evaluated once on every row, as soon as the rows it needs are there."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn

import srkit

from .graph import Graph, Node, trace
from .operators import Concatenate, Convolution, Machine
from .store import Store

ROWS = 16
"""Input rows a step, where the user names none."""
_STEP_BYTES = 4 << 20
"""What a layer gives at once: enough to keep the threads busy, few enough rows to stay near the cache."""
_SMALL = 20480
"""Values of an input up to which torch convolves a single picture with another kernel (ATen's use_mkldnn)."""
_NARROW = 16
"""Columns of a layer below which its kernel is chosen by the height, too."""


class StreamingEngine:
    """Runs a local network as a stream of rows; the result is that of the whole picture, bit for bit in float32 on a CPU."""

    name = "stream"

    def prepare(self, network: nn.Module, settings: srkit.Settings) -> srkit.Stream:
        """See :class:`srkit.Upsampler`. Raises NotStreamable for a network that is not local, or has an unknown operator."""
        if settings.memory is not None:
            raise srkit.SettingsError(
                "memory= is not planned by the engine 'stream' yet; bound it with rows=, the input rows a step"
            )
        network.to(settings.device, settings.dtype).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        graph = trace(network, settings.traits)
        rows = (settings.rows or ROWS) * settings.traits.multiple_of

        def stream(strips: Iterator[Tensor], size: srkit.Size) -> Iterator[Tensor]:
            given = (strip.to(settings.device, settings.dtype) for strip in strips)
            first = next(given)
            if _must_be_whole(graph, first, size):
                for image in _regroup(first, given, size[0]):
                    yield network(image.contiguous(memory_format=torch.channels_last))
                return
            run = _Run(graph, first, size)
            for step in _regroup(first, given, rows):
                yield from run.feed(step)

        return stream


def _must_be_whole(graph: Graph, strip: Tensor, size: srkit.Size) -> bool:
    """Whether the picture is so small that torch would treat it, whole, otherwise than a strip of a large one."""
    heights, widths = graph.heights(size[0]), graph.widths(size[1])
    convolved = [node.inputs[0] for node in graph.nodes if isinstance(node.machine, Convolution)]
    least = min((value.channels * heights[value] * widths[value] for value in convolved), default=_SMALL + 1)
    narrowest = min((widths[value] for value in convolved), default=_NARROW)
    return narrowest < _NARROW or (strip.shape[0] == 1 and least <= _SMALL)


def _regroup(first: Tensor, others: Iterator[Tensor], rows: int) -> Iterator[Tensor]:
    """Strips of ``rows`` rows, and a last one of what is left."""
    held, count = [first], first.shape[2]
    while True:
        while count >= rows:
            joined = held[0] if len(held) == 1 else torch.cat(held, 2)
            yield joined[:, :, :rows]
            held, count = [joined[:, :, rows:]], count - rows
        strip = next(others, None)
        if strip is None:
            break
        held.append(strip)
        count += strip.shape[2]
    if count:
        yield torch.cat(held, 2)


class _Run:
    """One picture, or a batch of equal size, on its way through the graph."""

    def __init__(self, graph: Graph, like: Tensor, size: srkit.Size) -> None:
        self._picture, self._result = graph.nodes[0], graph.nodes[-1]
        # A concatenation is not run: its inputs write their channels into its store.
        self._running = [node for node in graph.nodes[1:] if not isinstance(node.machine, Concatenate)]
        self._heights = graph.heights(size[0])
        self._done = dict.fromkeys(graph.nodes, 0)
        widths = graph.widths(size[1])
        self._step = {node: max(2, _STEP_BYTES // (4 * widths[node] * node.channels)) for node in graph.nodes}
        self._stores: dict[Node, Store] = {}
        # Where the rows of a value go: stores, and the first channel in each.
        self._places: dict[Node, list[tuple[Store, int]]] = {node: [] for node in graph.nodes}
        for node in graph.nodes:
            readers = [reader for reader in graph.nodes if node in reader.inputs or node in reader.beside]
            if any(not isinstance(reader.machine, Concatenate) for reader in readers):
                margin = max((_margin(reader.machine) for reader in readers if node in reader.inputs), default=0)
                store = Store(like.shape[0], node.channels, widths[node], margin, like)
                store.needs = [self._need(reader, node) for reader in readers]
                self._stores[node] = store
                if not isinstance(node.machine, Concatenate):
                    self._places[node].append((store, 0))
        for node in graph.nodes:
            if isinstance(node.machine, Concatenate):
                channel = 0
                for part in node.inputs:
                    self._places[part].append((self._stores[node], channel))
                    channel += part.channels

    def _need(self, reader: Node, value: Node) -> Callable[[], int]:
        """The first row of ``value`` that ``reader`` still needs."""
        span = None if reader.machine is None or value not in reader.inputs else reader.machine.down

        def need() -> int:
            done = self._rows_of(reader)
            first = done if span is None else span.first(done)
            return min(first, done) if value in reader.beside else first

        return need

    def _rows_of(self, node: Node) -> int:
        """The rows of a value that are there: of a concatenation, those of which all parts are."""
        if isinstance(node.machine, Concatenate):
            return min(self._done[part] for part in node.inputs)
        return self._done[node]

    def feed(self, strip: Tensor) -> Iterator[Tensor]:
        """Take the next rows of the picture, give the rows of the result that they allow."""
        self._deliver(self._picture, strip)
        moved = True
        while moved:
            moved = False
            for node in self._running:
                start = self._done[node]
                stop = min(self._ready(node), start + self._step[node])
                if stop > start:
                    moved = True
                    rows = self._compute(node, start, stop)
                    self._deliver(node, rows)
                    if node is self._result:
                        yield rows

    def _ready(self, node: Node) -> int:
        """The rows of ``node`` that could be there, given those of its inputs."""
        machine: Machine = node.machine  # type: ignore[assignment]
        ready = self._heights[node]
        for value in node.inputs:
            there = self._rows_of(value)
            if there < self._heights[value]:
                ready = min(ready, _outputs(machine, there, self._done[node]))
        return min(ready, *(self._rows_of(value) for value in node.beside)) if node.beside else ready

    def _compute(self, node: Node, start: int, stop: int) -> Tensor:
        machine: Machine = node.machine  # type: ignore[assignment]
        first, last = machine.down.first(start), machine.down.last(stop - 1)
        rows = machine.run([self._stores[value].read(first, last + 1) for value in node.inputs], start, stop)
        fresh = isinstance(machine, Convolution)
        for step, values in node.then:
            others = [rows if value is None else self._stores[value].read(start, stop) for value in values]
            alone = values[0] is None and values.count(None) == 1 and fresh
            if alone and step.inplace and all(other.shape[1] in {1, rows.shape[1]} for other in others):
                step.inplace(*others)
            else:
                rows, fresh = step.call(*others), True
        return rows

    def _deliver(self, node: Node, rows: Tensor) -> None:
        start = self._done[node]
        self._done[node] = start + rows.shape[2]
        last = self._done[node] == self._heights[node]
        for store, channel in self._places[node]:
            store.write(start, rows, channel, last=last)


def _margin(machine: Machine | None) -> int:
    return machine.padding[0] if isinstance(machine, Convolution) else 0


def _outputs(machine: Machine, rows: int, done: int) -> int:
    """The output rows that ``rows`` input rows allow, if more follow; ``done`` are there already."""
    out = done
    while machine.down.last(out) < rows:
        out += 1
    return out


upsampler = StreamingEngine()
