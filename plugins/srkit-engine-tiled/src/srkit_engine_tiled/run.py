"""One picture, or a batch of equal size, on its way through the graph."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator, Mapping

import attrs
import torch
from torch import Tensor

import srkit

from .fused import Fused, Kernels
from .graph import Node
from .layout import Layout, Shelf
from .machines import Convolution, Pool, Regroup, Resize, TransposedConvolution
from .onepass import OnePass
from .pump import Pump
from .record import Capture, Recorder, State
from .store import Store

ALIGNED = 64
"""Values, of whose multiples stores begin: whole lines of a cache, in every precision."""


@attrs.frozen(eq=False)
class Workspace:
    """What pictures of one width share, one after another.

    The stores of a layout, the compiled kernels that read them, and the steps recorded over them.
    """

    layout: Layout
    stores: Mapping[Shelf, Store]
    fused: Mapping[Node, Fused | OnePass]
    recorder: Recorder

    @classmethod
    def of(
        cls, layout: Layout, batch: int, width: int, like: Tensor, kernels: Kernels, capture: Capture | None
    ) -> Workspace:
        """For ``batch`` pictures of ``width`` columns, with memory of the dtype and device of ``like``."""
        widths = layout.graph.widths(width)
        shapes = [(batch, shelf.rows, widths[shelf.value], shelf.channels) for shelf in layout.shelves]
        # One piece of memory: of many, each as large as a step's result, the C library leaves gaps between.
        parts = [-(-math.prod(shape) // ALIGNED) * ALIGNED for shape in shapes]
        pieces = torch.split(like.new_empty(sum(parts)), parts)
        stores = {
            shelf: Store(piece[: math.prod(shape)].view(shape), shelf.above, shelf.below)
            for shelf, shape, piece in zip(layout.shelves, shapes, pieces, strict=True)
        }
        return cls(layout, stores, kernels_of(layout, widths, kernels), Recorder(capture))


def kernels_of(layout: Layout, widths: Mapping[Node, int], kernels: Kernels) -> dict[Node, Fused | OnePass]:
    """The compiled kernels for values of these ``widths``, as their inputs lie in the stores."""
    found = {
        reader: kernels.of(reader, shelf.channels, widths[value])
        for (reader, value), (shelf, _) in layout.places.items()
        if value in reader.inputs
    }
    return {node: fused for node, fused in found.items() if fused is not None}


class Run:
    """One picture, or a batch of equal size, on its way through the graph."""

    def __init__(self, workspace: Workspace, height: int) -> None:
        layout, stores = workspace.layout, workspace.stores
        graph = layout.graph
        self._picture, self._result = graph.nodes[0], graph.nodes[-1]
        self._places = layout.places
        self._stores, self._fused = stores, workspace.fused
        self._recorder = workspace.recorder
        self._pump = Pump(graph, height, layout.steps, layout.views)
        self._below_top = False
        moving = [*self._pump.moving, *(shelf.value for shelf in stores for _ in range(2))]
        self._rates = [graph.rates[node].as_integer_ratio() for node in moving]
        # Where the rows of a value go: stores, and the first channel in each.
        self._written: dict[Node, list[tuple[Store, int]]] = {node: [] for node in graph.nodes}
        for shelf, store in stores.items():
            store.reset()
            store.needed = lambda shelf=shelf: shelf.first(self._pump)  # type: ignore[misc]
            for writer, channel in shelf.writers:
                self._written[writer].append((store, channel))

    def release(self) -> None:
        """Let go of the stores, whose memory then ends with them, and not when cycles are next collected."""
        for store in self._stores.values():
            store.needed = lambda: 0

    def counts(self) -> State:
        """See Recordable."""
        return (*self._pump.counts(), *itertools.chain.from_iterable(s.counts() for s in self._stores.values()))

    def place(self) -> State | None:
        """See Recordable."""
        self._below_top = self._below_top or self._pump.below_top()
        if not self._below_top:
            return None
        fed = self._pump.rows(self._picture)
        return tuple(count * per - fed * rows for count, (rows, per) in zip(self.counts(), self._rates, strict=True))

    def move(self, by: State) -> None:
        """See Recordable."""
        of_stores = by[len(self._pump.moving) :]
        self._pump.move(by)
        for store, first, end in zip(self._stores.values(), of_stores[::2], of_stores[1::2], strict=True):
            store.move(first, end)

    def allows(self, by: State) -> bool:
        """See Recordable."""
        return self._pump.above_bottom(by)

    def step(self, strip: Tensor) -> Iterable[Tensor]:
        """Take the next rows of the picture, give the rows of the result that they allow."""
        return self._recorder.step(self, strip)

    def feed(self, strip: Tensor) -> Iterator[Tensor]:
        """``step``, computed and not played back."""
        for node, start, stop in self._pump.feed(strip.shape[2]):
            if node.machine is None:
                rows, stop, settled = strip, start + strip.shape[2], False
            else:
                rows, stop, settled = self._computed(node, start, stop)
            written = self._written[node]
            if written:
                home = self._home(node, start, stop)
                if not settled:
                    home.copy_(rows)
                for store, channel in written[1:]:
                    store.room(start, stop, channel, node.channels).copy_(home)
                if stop == self._pump.heights[node]:
                    for store, channel in written:
                        store.end(stop, channel, node.channels)
            self._pump.advance(node, stop)
            if node is self._result:
                yield rows

    def _computed(self, node: Node, start: int, stop: int) -> tuple[Tensor, int, bool]:
        """Rows ``start`` to ``stop`` of a value, or fewer where memory runs out; and whether they lie where they belong."""
        while True:
            try:
                rows, settled = self._compute(node, start, stop)
            except torch.OutOfMemoryError as error:
                if self._recorder.recording:
                    raise
                if stop - start == 1:
                    raise srkit.OutOfMemory(
                        f"not even one row of a layer fits into the memory that is free ({error}); give memory= less, so "
                        f"that the picture is cut into bands"
                    ) from error
                self._recorder.stop()
                if torch.accelerator.is_available():
                    torch.accelerator.empty_cache()
                stop = start + (stop - start) // 2
                self._pump.steps[node] = stop - start
            else:
                return rows, stop, settled

    def _compute(self, node: Node, start: int, stop: int) -> tuple[Tensor, bool]:
        """The rows of a value; and whether they lie where they belong."""
        machine, written, fused = node.made_by, self._written[node], self._fused.get(node)
        strips = []
        for value in node.inputs:
            n = self._pump.heights[value]
            first, last = machine.down.first(start, n), machine.down.last(stop - 1, n) + 1
            if machine.inside:
                first, last = max(first, 0), min(last, n)
            strips.append(self._read(node, value, first, last))
        height = self._pump.heights[node.inputs[0]]
        done = 0 if fused is None else fused.count
        home = None
        if written and done == len(node.then) and (fused is not None or isinstance(machine, Regroup)):
            home = self._home(node, start, stop)  # these may write where the rows end up
        if fused is not None:
            added = [
                self._read(node, value, start, stop) for _, values, _ in node.then[:done] for value in values if value
            ]
            rows = fused.run(strips[0], added, home)
            if home is not None:
                return home, True
        elif home is not None and isinstance(machine, Regroup) and machine.write(strips[0], start, home):
            return home, True
        else:
            rows = machine.run(strips, start, stop, height)
        fresh = isinstance(machine, Convolution | TransposedConvolution | Pool | Resize) or (
            isinstance(machine, Regroup) and machine.down.factor > 1
        )
        for i, (step, values, channels) in enumerate(node.then[done:], done):
            others = [rows if value is None else self._read(node, value, start, stop) for value in values]
            if i + 1 == len(node.then) and written:
                home = self._home(node, start, stop)
                if step.write(others, home):
                    return home, True
            if not (fresh and channels == rows.shape[1] and step.write(others, rows)):
                rows, fresh = step.run(others, start, stop, height), True
        return rows, False

    def _home(self, node: Node, start: int, stop: int) -> Tensor:
        store, channel = self._written[node][0]
        return store.room(start, stop, channel, node.channels)

    def _read(self, reader: Node, value: Node, first: int, last: int) -> Tensor:
        shelf, channel = self._places[reader, value]
        return self._stores[shelf].read(first, last, channel, value.channels)
