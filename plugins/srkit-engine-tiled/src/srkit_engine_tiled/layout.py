"""Where the rows of every value lie: which stores there are, and how many rows each must hold."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import attrs

from .graph import Graph, Node
from .machines import Channels, Concatenate
from .pump import Pump, leaves, views
from .reach import reach

SPARE = 8
"""Kept rows from which on a store has room for as many again, so that it need not move them at every step."""


@attrs.define(eq=False)
class Shelf:
    """A store to be: its channels, the values written to it, and who reads what from it."""

    channels: int
    value: Node
    writers: list[tuple[Node, int]] = attrs.field(factory=list)
    readers: list[tuple[Node, Node]] = attrs.field(factory=list)
    above: int = 0
    below: int = 0
    rows: int = 0

    def first(self, pump: Pump) -> int:
        """The first row that a reader still needs."""
        return min([pump.first(reader, value) for reader, value in self.readers], default=1 << 62)


@attrs.frozen(eq=False)
class Layout:
    """All stores of a graph, and for each reader of a value the store and the channel where it finds it."""

    graph: Graph
    steps: Mapping[Node, int]
    views: frozenset[Node]
    shelves: Sequence[Shelf]
    places: Mapping[tuple[Node, Node], tuple[Shelf, int]]


def lay_out(graph: Graph, height: int, feed: int, steps: Mapping[Node, int], period: int) -> Layout:
    """The layout for pictures of ``height`` rows, ``feed`` rows fed at a time."""
    looked_at = views(graph)
    heights = graph.heights(height)
    pairs = [
        (reader, value)
        for reader in graph.nodes
        if reader not in looked_at
        for value in dict.fromkeys([*reader.inputs, *reader.beside])
    ]
    height = _typical(graph, height, math.lcm(feed, period))
    alone = [
        Shelf(value.channels, value, [(leaf, 0) for leaf in leaves(value, looked_at)], [(reader, value)])
        for reader, value in pairs
    ]
    _measure(graph, height, feed, steps, looked_at, alone)
    held = {pair: shelf.rows for pair, shelf in zip(pairs, alone, strict=True)}

    homes: dict[Node, tuple[Shelf, int]] = {}
    shelves: list[Shelf] = []

    def place(value: Node) -> tuple[Shelf, int]:
        """The home of a value; its own store, if it has none yet."""
        if value not in homes:
            if isinstance(value.machine, Channels) and value in looked_at:
                shelf, channel = place(value.inputs[0])
                homes[value] = shelf, channel + value.machine.start
            else:
                shelves.append(Shelf(value.channels, value))
                homes[value] = shelves[-1], 0
                shelves[-1].writers.append((value, 0))
        return homes[value]

    joined = [node for node in graph.nodes if isinstance(node.machine, Concatenate)]
    for node in sorted(joined, key=lambda node: -node.channels):
        found = _side_by_side(node, homes)
        if found is None:
            shelf, channel = Shelf(node.channels, node), 0
            shelves.append(shelf)
            for part in node.inputs:
                shelf.writers.append((part, channel))
                homes.setdefault(part, (shelf, channel))
                channel += part.channels
            found = shelf, 0
        homes[node] = found

    places: dict[tuple[Node, Node], tuple[Shelf, int]] = {}
    near = dict.fromkeys(shelves, 0)
    for pair in pairs:
        if isinstance(pair[1].machine, Concatenate):
            shelf = homes[pair[1]][0]
            near[shelf] = max(near[shelf], held[pair])
    apart: dict[Node, Shelf] = {}
    for reader, value in pairs:
        shelf, channel = place(value)
        if near.get(shelf) and value is not shelf.value and not isinstance(value.machine, Concatenate | Channels):
            # A reader that lags far behind the concatenation would have it hold all its channels for as long.
            far = held[reader, value]
            if (far - near[shelf]) * shelf.channels > far * value.channels:
                if value not in apart:
                    apart[value] = Shelf(value.channels, value, [(value, 0)])
                    shelves.append(apart[value])
                shelf, channel = apart[value], 0
        shelf.readers.append((reader, value))
        places[reader, value] = shelf, channel
        if reader.machine is not None and value in reader.inputs and not reader.machine.inside:
            span, n = reader.machine.down, heights[value]
            shelf.above = max(shelf.above, -span.first(0, n))
            shelf.below = max(shelf.below, span.last(heights[reader] - 1, n) + 1 - n)
    _measure(graph, height, feed, steps, looked_at, shelves)
    return Layout(graph, steps, looked_at, shelves, places)


def _side_by_side(node: Node, homes: Mapping[Node, tuple[Shelf, int]]) -> tuple[Shelf, int] | None:
    """Where the parts of a concatenation lie already, as they should, in that of a larger one."""
    found = [homes.get(part) for part in node.inputs]
    if found[0] is None:
        return None
    shelf, channel = first = found[0]
    for part, home in zip(node.inputs, found, strict=True):
        if home is None or home[0] is not shelf or home[1] != channel:
            return None
        channel += part.channels
    return first


def _typical(graph: Graph, height: int, period: int) -> int:
    """The height of a picture, not much taller than needed, that is to the pump as one of ``height``."""
    far = reach(graph)
    enough = far.above + far.below + 6 * period
    return height if height <= enough + period else enough + (height - enough) % period


def _measure(
    graph: Graph,
    height: int,
    feed: int,
    steps: Mapping[Node, int],
    looked_at: frozenset[Node],
    shelves: Sequence[Shelf],
) -> None:
    """Let rows flow, and note for every store the most rows that lie between the first needed and the last written."""
    pump = Pump(graph, height, steps, looked_at)
    of: dict[Node, list[Shelf]] = {}
    for shelf in shelves:
        shelf.rows = shelf.above
        for writer, _ in shelf.writers:
            of.setdefault(writer, []).append(shelf)
    kept = dict.fromkeys(shelves, 0)
    for top in range(0, height, feed):
        for node, _, stop in pump.feed(min(feed, height - top)):
            for shelf in of.get(node, ()):
                first = shelf.first(pump)
                last = stop + shelf.below if stop == pump.heights[node] else stop
                shelf.rows = max(shelf.rows, last - max(first, -shelf.above))
                kept[shelf] = max(kept[shelf], pump.rows(node) - first)
            pump.advance(node, stop)
    for shelf in shelves:
        if kept[shelf] >= SPARE:
            shelf.rows += kept[shelf]
