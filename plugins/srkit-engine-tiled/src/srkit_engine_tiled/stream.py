"""A network on one device, made ready to stream."""

from __future__ import annotations

import itertools
import math
import threading
from collections.abc import Iterator

import attrs
import torch
from torch import Tensor, nn

import srkit
from srkit.rows import RowWindow
from srkit.whole import SMALL, forward, full_precision

from . import kernel
from . import plan as planning
from .ahead import ahead, streams_of
from .fused import Fused, Kernels, wholly
from .graph import Tracer
from .layout import Layout
from .machines import Convolution, TransposedConvolution
from .plan import ACCELERATED, Plan, Terms, around, make_plan
from .reach import alignment, reach
from .record import Capture
from .run import Run, Workspace, kernels_of

_NARROW = 16
"""Columns of a layer below which its kernel is chosen by the height, too."""
_SHARE = {"cpu": 0.5, "cuda": 0.8}
"""Of the memory that is free, what a stream takes unless it is told."""


@attrs.frozen(eq=False)
class RowStream:
    """A network made ready to stream; see :class:`srkit.Stream`."""

    network: nn.Module
    settings: srkit.Settings
    tracer: Tracer
    capture: Capture | None = None
    exact: bool = True
    _kernels: Kernels = attrs.field(factory=Kernels, repr=False)
    _idle: dict[tuple[Layout, int, int], list[Workspace]] = attrs.field(factory=dict, repr=False)
    _lock: threading.Lock = attrs.field(factory=threading.Lock, repr=False)

    @property
    def dtype(self) -> torch.dtype:
        """What the network computes in."""
        weight = next(self.network.parameters(), None)
        return self.settings.dtype if weight is None else weight.dtype

    @property
    def _like(self) -> Tensor:
        return torch.empty(0, dtype=self.dtype, device=self.settings.device)

    def warm(self) -> None:
        """Compile what pictures will need, and see whether it is of use."""
        layout = self._typical_layout()
        found = kernels_of(layout, layout.graph.widths(1 << 6), self._kernels)
        self._kernels.used = all(node in found for node in layout.graph.nodes if wholly(node))
        if any(isinstance(fused, Fused) for fused in found.values()):
            kernel.rest()

    def _typical_layout(self) -> Layout:
        graph = self.tracer.typical
        return planning.layout(graph, (1 << 14, 1 << 6), alignment(graph), self.terms(1))

    def facts(self) -> dict[str, str]:
        """Reach, alignment, and memory per column of the picture."""
        graph, layout = self.tracer.typical, self._typical_layout()
        far, unit = reach(graph), alignment(graph)
        held = sum(shelf.rows * shelf.channels * graph.rates[shelf.value] for shelf in layout.shelves)
        return {
            "reach": f"{far.above} rows above, {far.below} below, {far.left} columns left, {far.right} right",
            "alignment": f"{unit} pixel{'s' * (unit > 1)}",
            "memory": f"{float(held) * self.dtype.itemsize / 1e3:.1f} kB per column of the picture, {unit} row(s) a step",
        }

    def plan(self, size: srkit.Size, batch: int = 1) -> Plan:
        """How pictures of ``size`` are run; raises OutOfMemory if they cannot be."""
        return make_plan(self.tracer.graph(size), size, self.terms(batch))

    def explain(self, size: srkit.Size, batch: int = 1) -> dict[str, str]:
        """See :class:`srkit.Explained`."""
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
        batch, strips = first.shape[0], itertools.chain((first,), strips)
        if self._must_be_whole(size, batch):
            image = RowWindow(strips).rows(0, size[0])
            out = iter((forward(self.network, image.to(self._like)),))
        else:
            plan = self.plan(size, batch)
            out = self._run(strips, size, plan.rows, batch) if plan.whole else self.banded(strips, plan, batch)
        for rows in out:
            yield rows.to(self.settings.dtype)
            del rows  # whoever holds a block of bands while the next is computed holds two

    def _run(self, strips: Iterator[Tensor], size: srkit.Size, rows: int, batch: int) -> Iterator[Tensor]:
        """One stream over all columns."""
        workspace, rows = self._workspace(size, rows, batch)
        run = Run(workspace, size[0])
        window = RowWindow(strips)
        cut = (window.rows(top, min(top + rows, size[0])) for top in range(0, size[0], rows))
        try:
            module = streams_of(self.settings.device)
            if module is None:
                for strip in cut:
                    yield from run.step(strip.to(self._like))
            else:

                def step(strip: Tensor) -> list[Tensor]:
                    with full_precision(strip):
                        return list(run.step(strip))

                yield from ahead(cut, step, self._like, module)
        finally:
            run.release()
        with self._lock:
            alike = self._idle.get((workspace.layout, batch, size[1]))
            if alike is not None:
                alike.append(workspace)

    def _workspace(self, size: srkit.Size, rows: int, batch: int) -> tuple[Workspace, int]:
        """One that is idle or new, and the rows a step that it is for: fewer, where others took the memory meanwhile."""
        graph = self.tracer.graph(size)
        while True:
            key = (planning.layout(graph, size, rows, self.terms(batch)), batch, size[1])
            with self._lock:
                if key not in self._idle:
                    self._idle.clear()  # rather than hold the memory of both
                alike = self._idle.setdefault(key, [])
                if alike:
                    return alike.pop(), rows
            try:
                return Workspace.of(*key, self._like, self._kernels, self.capture), rows
            except torch.OutOfMemoryError as error:
                unit = alignment(graph)
                if rows <= unit:
                    raise srkit.OutOfMemory(
                        f"the memory that was free is no longer ({error}); end what else uses it, or give memory= less, "
                        f"so that the picture is cut into bands"
                    ) from error
                rows = max(unit, rows // 2 // unit * unit)
                if torch.accelerator.is_available():
                    torch.accelerator.empty_cache()

    def banded(self, strips: Iterator[Tensor], plan: Plan, batch: int) -> Iterator[Tensor]:
        """Bands one after another, over blocks of rows; each runs with the network's reach around it, which is cut off."""
        (height, width), scale = plan.size, self.settings.traits.scale
        graph = self.tracer.graph(plan.size)
        far, unit = reach(graph), planning.unit_of(graph, self.terms(batch))
        window = RowWindow(strips)
        for top in range(0, height, plan.block):
            bottom = min(top + plan.block, height)
            first, last = around((top, bottom), far.above, far.below, height, unit)
            image = window.rows(first, last)
            out = torch.empty(0)
            for band in plan.bands:
                left, right = around(band, far.left, far.right, width, unit)
                done = (first - top) * scale  # relative to the block
                part = self._run(iter((image[..., left:right],)), (last - first, right - left), plan.rows, batch)
                for rows in part:
                    if not len(out):
                        out = torch.empty(*rows.shape[:2], (bottom - top) * scale, width * scale, dtype=rows.dtype)
                    start, stop = max(done, 0), min(done + rows.shape[2], out.shape[2])
                    if stop > start:
                        columns = slice((band[0] - left) * scale, (band[1] - left) * scale)
                        out[:, :, start:stop, band[0] * scale : band[1] * scale] = rows[
                            :, :, start - done : stop - done, columns
                        ]
                    done += rows.shape[2]
            yield out

    def terms(self, batch: int) -> Terms:
        """What the plans of ``batch`` pictures at once depend on, beside their size."""
        settings = self.settings
        budget: float | None = settings.memory
        if budget is None:
            free = srkit.free_memory(settings.device)
            budget = math.inf if free is None else free * _SHARE.get(settings.device.type, 0.5)
        rows = None if settings.rows is None else settings.rows * settings.traits.multiple_of
        larger = 1 if settings.device.type == "cpu" else ACCELERATED
        return Terms(
            batch,
            self.dtype.itemsize,
            settings.traits.scale,
            rows,
            budget,
            self.tracer.classes,
            larger,
            self._kernels.used,
        )

    def _must_be_whole(self, size: srkit.Size, batch: int) -> bool:
        """Whether the picture is so small that torch would treat it, whole, otherwise than a strip of a large one."""
        if min(size) < self.tracer.smallest:
            return True
        graph = self.tracer.graph(size)
        heights, widths = graph.heights(size[0]), graph.widths(size[1])
        convolved = [
            node.inputs[0] for node in graph.nodes if isinstance(node.machine, Convolution | TransposedConvolution)
        ]
        least = min((value.channels * heights[value] * widths[value] for value in convolved), default=SMALL + 1)
        narrowest = min((widths[value] for value in convolved), default=_NARROW)
        return narrowest < _NARROW or (batch == 1 and least <= SMALL)
