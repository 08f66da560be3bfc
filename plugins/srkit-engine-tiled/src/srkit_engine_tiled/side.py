"""Several devices: the columns of a wide picture side by side, or each picture on the device that has the least to do."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

import srkit
from srkit.rows import RowWindow

from .plan import around, cut, narrowest, unit_of
from .reach import reach
from .stream import RowStream

WORTH = 0.75
"""Of the columns of a picture: what the widest part may have for the picture to be shared."""


class SideBySide:
    """Streams of one network, each on a device of its own; see :class:`srkit.Stream`."""

    exact = True

    def __init__(self, streams: Sequence[RowStream]) -> None:
        self._streams = streams
        self._running = [0] * len(streams)
        self._lock = threading.Lock()

    def facts(self) -> dict[str, str]:
        """See :class:`srkit.Explained`."""
        return self._streams[0].facts()

    def explain(self, size: srkit.Size, batch: int = 1) -> dict[str, str]:
        """See :class:`srkit.Explained`."""
        names = ", ".join(str(stream.settings.device) for stream in self._streams)
        parts = self.parts(size)
        if len(parts) == 1:
            return {"devices": f"one of {names}", **self._streams[0].explain(size, batch)}
        widths = [right - left for _, (left, right) in parts]
        work = sum(widths) / size[1] - 1
        on_each = self._streams[0].explain((size[0], max(widths)), batch)
        return {"devices": f"{names}, columns side by side, {work:.1%} of them twice", **on_each}

    def parts(self, size: srkit.Size) -> list[tuple[tuple[int, int], tuple[int, int]]]:
        """The columns that each device gives, and those that it is given; one part if sharing does not pay."""
        width, stream = size[1], self._streams[0]
        if min(size) >= stream.tracer.smallest:
            graph = stream.tracer.graph(size)
            terms = stream.terms(1)
            far, unit = reach(graph), unit_of(graph, terms)
            bands = cut(width, len(self._streams), unit)
            parts = [(band, around(band, far.left, far.right, width, unit)) for band in bands]
            widths = [right - left for _, (left, right) in parts]
            if max(widths) <= WORTH * width and min(widths) >= narrowest(graph, terms):
                return parts
        return [((0, width), (0, width))]

    def __call__(self, strips: Iterator[Tensor], size: srkit.Size) -> Iterator[Tensor]:
        """See :class:`srkit.Stream`."""
        parts = self.parts(size)
        if len(parts) > 1:
            return self._shared(strips, size, parts)
        return self._alone(strips, size)

    def _alone(self, strips: Iterator[Tensor], size: srkit.Size) -> Iterator[Tensor]:
        with self._lock:
            least = min(range(len(self._streams)), key=self._running.__getitem__)
            self._running[least] += 1
        try:
            yield from self._streams[least](strips, size)
        finally:
            with self._lock:
                self._running[least] -= 1

    def _shared(
        self, strips: Iterator[Tensor], size: srkit.Size, parts: Sequence[tuple[tuple[int, int], tuple[int, int]]]
    ) -> Iterator[Tensor]:
        first = self._streams[0].settings
        scale = first.traits.scale

        def columns(source: Iterator[Tensor], left: int, right: int) -> Iterator[Tensor]:
            return (strip[..., left:right] for strip in source)

        results = []
        sources = itertools.tee(strips, len(parts))
        for stream, source, (_, (left, right)) in zip(self._streams, sources, parts, strict=False):
            results.append(RowWindow(stream(columns(source, left, right), (size[0], right - left))))
        step = scale * self._streams[0].plan((size[0], max(right - left for _, (left, right) in parts))).rows
        for top in range(0, size[0] * scale, step):
            bottom = min(top + step, size[0] * scale)
            rows = [
                result.rows(top, bottom)[..., (band[0] - left) * scale : (band[1] - left) * scale].to(first.device)
                for result, (band, (left, _)) in zip(results, parts, strict=True)
            ]
            yield torch.cat(rows, 3)
