"""The upsampler: every layer evaluated once on every row, as soon as the rows it needs are there."""

from __future__ import annotations

import math
import threading
from collections.abc import Iterator, Mapping

import attrs
import torch
from torch import Tensor, nn

import srkit
from srkit.whole import forward

from . import plan as planning
from .graph import Graph, Node, Tracer
from .layout import Layout, Shelf
from .machines import Convolution, Pool, Regroup, Resize, TransposedConvolution
from .plan import Plan, Terms, around, make_plan
from .pump import Pump
from .reach import alignment, reach
from .store import Store

_SMALL = 20480
"""Values of an input up to which torch convolves a single picture with another kernel (ATen's use_mkldnn)."""
_NARROW = 16
"""Columns of a layer below which its kernel is chosen by the height, too."""
_SHARE = {"cpu": 0.5, "cuda": 0.8}
"""Of the memory that is free, what a stream takes unless it is told."""


class StreamingEngine:
    """Runs a local network as a stream of rows; the result is that of the whole picture, bit for bit in float32 on a CPU."""

    name = "stream"

    def prepare(self, network: nn.Module, settings: srkit.Settings) -> RowStream:
        """See :class:`srkit.Upsampler`. Raises NotStreamable for a network that is not local, or has an unknown operator."""
        if settings.halo is not None:
            raise srkit.SettingsError("halo= is of approximate tiles; the engine 'stream' is exact and needs none")
        _prepare_torch()
        network.to(settings.device, settings.dtype)
        if settings.device.type == "cpu" and settings.dtype is not torch.float32 and not _matrix_units():
            # Without matrix units a CPU convolves faster in float32 than in 16 bits, and no less exactly.
            network.float()
        network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        return RowStream(network, settings, Tracer(network, settings.traits))


@attrs.frozen(eq=False)
class RowStream:
    """A network made ready to stream; see :class:`srkit.Stream`."""

    network: nn.Module
    settings: srkit.Settings
    tracer: Tracer
    exact: bool = True
    _idle: dict[Layout, list[dict[Shelf, Store]]] = attrs.field(factory=dict, repr=False)
    _lock: threading.Lock = attrs.field(factory=threading.Lock, repr=False)

    @property
    def dtype(self) -> torch.dtype:
        """What the network computes in."""
        weight = next(self.network.parameters(), None)
        return self.settings.dtype if weight is None else weight.dtype

    def facts(self) -> dict[str, str]:
        """Reach, alignment, and memory per column of the picture."""
        graph = self.tracer.typical
        far, unit = reach(graph), alignment(graph)
        layout = planning.layout(graph, (1 << 14, 1 << 6), unit, self._terms(1))
        held = sum(shelf.rows * shelf.channels * graph.rates[shelf.value] for shelf in layout.shelves)
        return {
            "reach": f"{far.above} rows above, {far.below} below, {far.left} columns left, {far.right} right",
            "alignment": f"{unit} pixel{'s' * (unit > 1)}",
            "memory": f"{float(held) * self.dtype.itemsize / 1e3:.1f} kB per column of the picture, {unit} row(s) a step",
        }

    def plan(self, size: srkit.Size, batch: int = 1) -> Plan:
        """How pictures of ``size`` are run; raises OutOfMemory if they cannot be."""
        return make_plan(self._graph(size), size, self._terms(batch))

    def explain(self, size: srkit.Size, batch: int = 1) -> dict[str, str]:
        """See :class:`srkit.Stream`."""
        if self._must_be_whole(size, batch):
            return {"way": "the whole picture at once, for it is small"}
        plan = self.plan(size, batch)
        widths = sorted({right - left for left, right in plan.bands}, reverse=True)
        bands = "1, of the whole width" if len(plan.bands) == 1 else f"{len(plan.bands)}, {widths[0]} columns wide"
        return {
            "way": "a stream of rows" if plan.whole else f"streams of rows, in blocks of {plan.block} rows",
            "bands": bands,
            "rows a step": str(plan.rows),
            "predicted peak": f"{plan.peak / 1e6:.0f} MB",
            "work overhead": f"{plan.overhead:.1%}",
        }

    def __call__(self, strips: Iterator[Tensor], size: srkit.Size) -> Iterator[Tensor]:
        """See :class:`srkit.Stream`."""
        first = next(strips)
        strips = _chain(first, strips)
        out = self._small(strips, size) if self._must_be_whole(size, first.shape[0]) else self._stream(strips, size)
        for rows in out:
            yield rows.to(self.settings.dtype)

    def _small(self, strips: Iterator[Tensor], size: srkit.Size) -> Iterator[Tensor]:
        for image in regroup(strips, size[0]):
            image = image.to(self.settings.device, self.dtype)
            yield forward(self.network, image)

    def _stream(self, strips: Iterator[Tensor], size: srkit.Size) -> Iterator[Tensor]:
        first = next(strips)
        strips = _chain(first, strips)
        plan = self.plan(size, first.shape[0])
        if plan.whole:
            return self._run(strips, size, plan.rows)
        return self.banded(strips, plan)

    def _run(self, strips: Iterator[Tensor], size: srkit.Size, rows: int) -> Iterator[Tensor]:
        """One stream over all columns."""
        first = next(strips)
        graph = self._graph(size)
        layout = planning.layout(graph, size, rows, self._terms(first.shape[0]))
        key = (layout, first.shape[0], size[1])
        with self._lock:
            idle = self._idle.setdefault(key, [])  # type: ignore[arg-type]
            stores = idle.pop() if idle else None
        widths = graph.widths(size[1])
        like = torch.empty(0, dtype=self.dtype, device=self.settings.device)
        if stores is None:
            stores = {
                shelf: Store(
                    (first.shape[0], shelf.rows, widths[shelf.value], shelf.channels), shelf.above, shelf.below, like
                )
                for shelf in layout.shelves
            }
        run = Run(layout, size[0], stores)
        for strip in regroup(_chain(first, strips), rows):
            yield from run.feed(strip.to(like))
        with self._lock:
            self._idle.clear()
            self._idle[key] = [stores]  # type: ignore[index]

    def banded(self, strips: Iterator[Tensor], plan: Plan) -> Iterator[Tensor]:
        """Bands one after another, over blocks of rows; each runs with the network's reach around it, which is cut off."""
        (height, width), scale = plan.size, self.settings.traits.scale
        graph = self._graph(plan.size)
        far, unit = reach(graph), planning.unit_of(graph, self._terms(1))
        held: list[Tensor] = []
        start = stop = 0
        for top in range(0, height, plan.block):
            bottom = min(top + plan.block, height)
            first, last = around((top, bottom), far.above, far.below, height, unit)
            while stop < last:
                held.append(next(strips))
                stop += held[-1].shape[2]
            image = held[0] if len(held) == 1 else torch.cat(held, 2)
            image = image[:, :, first - start :]
            held, start = [image], first
            out: Tensor | None = None
            for band in plan.bands:
                left, right = around(band, far.left, far.right, width, unit)
                part = image[:, :, : last - first, left:right]
                done = first * scale
                for rows in self._run(iter((part,)), (last - first, right - left), plan.rows):
                    skip, end = max(0, top * scale - done), min(rows.shape[2], bottom * scale - done)
                    if out is None:
                        shape = (*rows.shape[:2], (bottom - top) * scale, width * scale)
                        out = torch.empty(shape, dtype=rows.dtype, device="cpu")
                    if end > skip:
                        columns = slice((band[0] - left) * scale, (band[1] - left) * scale)
                        at = done + skip - top * scale
                        out[:, :, at : at + end - skip, band[0] * scale : band[1] * scale] = rows[
                            :, :, skip:end, columns
                        ]
                    done += rows.shape[2]
            if out is not None:
                yield out

    def _graph(self, size: srkit.Size) -> Graph:
        return self.tracer.graph(size)

    def _terms(self, batch: int) -> Terms:
        settings = self.settings
        budget: float | None = settings.memory
        if budget is None:
            free = srkit.free_memory(settings.device)
            budget = math.inf if free is None else free * _SHARE.get(settings.device.type, 0.5)
        rows = None if settings.rows is None else settings.rows * settings.traits.multiple_of
        return Terms(batch, self.dtype.itemsize, settings.traits.scale, rows, budget, self.tracer.classes)

    def _must_be_whole(self, size: srkit.Size, batch: int) -> bool:
        """Whether the picture is so small that torch would treat it, whole, otherwise than a strip of a large one."""
        if min(size) < self.tracer.smallest:
            return True
        graph = self._graph(size)
        heights, widths = graph.heights(size[0]), graph.widths(size[1])
        convolved = [
            node.inputs[0] for node in graph.nodes if isinstance(node.machine, Convolution | TransposedConvolution)
        ]
        least = min((value.channels * heights[value] * widths[value] for value in convolved), default=_SMALL + 1)
        narrowest = min((widths[value] for value in convolved), default=_NARROW)
        return narrowest < _NARROW or (batch == 1 and least <= _SMALL)


class Run:
    """One picture, or a batch of equal size, on its way through the graph."""

    def __init__(self, layout: Layout, height: int, stores: Mapping[Shelf, Store]) -> None:
        graph = layout.graph
        self._result = graph.nodes[-1]
        self._places = layout.places
        self._stores = stores
        self._pump = Pump(graph, height, layout.steps, layout.views)
        # Where the rows of a value go: stores, and the first channel in each.
        self._written: dict[Node, list[tuple[Store, int]]] = {node: [] for node in graph.nodes}
        for shelf, store in stores.items():
            store.reset()
            store.needed = lambda shelf=shelf: shelf.first(self._pump)  # type: ignore[misc]
            for writer, channel in shelf.writers:
                self._written[writer].append((store, channel))

    def feed(self, strip: Tensor) -> Iterator[Tensor]:
        """Take the next rows of the picture, give the rows of the result that they allow."""
        for node, start, stop in self._pump.feed(strip.shape[2]):
            if node.machine is None:
                rows, stop, settled = strip, start + strip.shape[2], False
            else:
                rows, stop, settled = self._computed(node, start, stop)
            written = self._written[node]
            if written:
                home = written[0][0].room(start, stop, written[0][1], node.channels)
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
                if stop - start == 1:
                    raise srkit.OutOfMemory(
                        f"not even one row of a layer fits into the memory that is free ({error}); give memory= less, so "
                        f"that the picture is cut into bands"
                    ) from error
                torch.cuda.empty_cache()
                stop = start + (stop - start) // 2
                self._pump.steps[node] = stop - start
            else:
                return rows, stop, settled

    def _compute(self, node: Node, start: int, stop: int) -> tuple[Tensor, bool]:
        machine = node.made_by
        strips = []
        for value in node.inputs:
            n = self._pump.heights[value]
            first, last = machine.down.first(start, n), machine.down.last(stop - 1, n) + 1
            if machine.inside:
                first, last = max(first, 0), min(last, n)
            strips.append(self._read(node, value, first, last))
        height = self._pump.heights[node.inputs[0]]
        rows = machine.run(strips, start, stop, height)
        fresh = isinstance(machine, Convolution | TransposedConvolution | Pool | Resize) or (
            isinstance(machine, Regroup) and machine.down.factor > 1
        )
        written = self._written[node]
        for i, (step, values, channels) in enumerate(node.then):
            others = [rows if value is None else self._read(node, value, start, stop) for value in values]
            if i + 1 == len(node.then) and written:
                home = written[0][0].room(start, stop, written[0][1], node.channels)
                if step.write(others, home):
                    return home, True
            if not (fresh and channels == rows.shape[1] and step.write(others, rows)):
                rows, fresh = step.run(others, start, stop, height), True
        return rows, False

    def _read(self, reader: Node, value: Node, first: int, last: int) -> Tensor:
        shelf, channel = self._places[reader, value]
        return self._stores[shelf].read(first, last, channel, value.channels)


def regroup(strips: Iterator[Tensor], rows: int) -> Iterator[Tensor]:
    """Strips of ``rows`` rows, and a last one of what is left."""
    held: list[Tensor] = []
    count = 0
    for strip in strips:
        held.append(strip)
        count += strip.shape[2]
        while count >= rows:
            joined = held[0] if len(held) == 1 else torch.cat(held, 2)
            yield joined[:, :, :rows]
            held, count = [joined[:, :, rows:]], count - rows
    if count:
        yield torch.cat(held, 2)


def _chain(first: Tensor, others: Iterator[Tensor]) -> Iterator[Tensor]:
    yield first
    yield from others


def _matrix_units() -> bool:
    return bool(torch.cpu._is_amx_tile_supported())  # noqa: SLF001 -- torch offers no other way to ask


def _prepare_torch() -> None:
    """What is to happen once before torch computes in strips."""
    # glibc gives blocks above a threshold back at once, and raises it (up to 32 MiB) to the largest that it saw freed.
    # Memory fresh from the system is slow to touch, and every step would pay.
    torch.empty(31 << 20, dtype=torch.uint8)
    # The first call of these from several threads may go wrong in half of the values (pytorch issue 188792).
    for function in (torch.tanh, torch.exp, torch.log, torch.sqrt):
        function(torch.ones(1))


upsampler = StreamingEngine()
