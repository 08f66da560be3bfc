"""Which rows of which value are computed when: the schedule of a stream, in whole numbers.

The engine follows it with tensors; the layout (:mod:`.layout`) follows it with counts alone, to learn what must be held.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator, Mapping, Sequence

from .graph import Graph, Node
from .machines import Channels, Concatenate


class Pump:
    """The rows that are there of each value of one picture.

    ``steps``: the most rows of a value that are computed at once. ``views``: values that are computed by nobody, since
    they lie in memory where another writes them; ``moving``: all others.
    """

    def __init__(self, graph: Graph, height: int, steps: Mapping[Node, int], views: frozenset[Node]) -> None:
        self.heights = graph.heights(height)
        self.steps = dict(steps)
        self._done = dict.fromkeys(graph.nodes, 0)
        self._picture = graph.nodes[0]
        self._leaves = {node: leaves(node, views) for node in graph.nodes}
        self._running = [node for node in graph.nodes[1:] if node not in views]
        self.moving = [self._picture, *self._running]
        # Of each value's inputs: those computed, the height, and how many outputs their rows allow.
        self._inputs: dict[Node, list[tuple[tuple[Node, ...], int, Callable[[int, int], int] | None]]] = {}
        self._spans = {node: node.machine.down for node in graph.nodes if node.machine is not None}
        self._readers: dict[Node, list[int]] = {node: [] for node in graph.nodes}
        for place, node in enumerate(self._running):
            self._readers[node].append(place)  # there may be more to do of the same
            given = [(self._leaves[v], self.heights[v], self._spans[node].count) for v in node.inputs]
            self._inputs[node] = [*given, *((self._leaves[v], self.heights[v], None) for v in node.beside)]
            for found, _, _ in self._inputs[node]:
                for leaf in found:
                    self._readers[leaf].append(place)
        self._queue: list[int] = []
        self._queued = [False] * len(self._running)

    def rows(self, node: Node) -> int:
        """The rows of a value that are there: of a view, those of which all parts are."""
        found = self._leaves[node]
        return self._done[found[0]] if len(found) == 1 else min([self._done[leaf] for leaf in found])

    def first(self, reader: Node, value: Node) -> int:
        """The first row of ``value`` that ``reader`` still needs."""
        done = self._done[reader]
        first = self._spans[reader].first(done, self.heights[value]) if value in reader.inputs else done
        return min(first, done) if value in reader.beside else first

    def counts(self) -> tuple[int, ...]:
        """The rows that are there of each of ``moving``."""
        return tuple([self._done[node] for node in self.moving])

    def move(self, by: Sequence[int]) -> None:
        """Move ``counts`` on, as a step would."""
        for node, rows in zip(self.moving, by, strict=False):
            self._done[node] += rows

    def below_top(self) -> bool:
        """Whether no value needs the first row of another any more, nor rows above it."""
        return all(self.first(node, value) > 0 for node in self._running for value in node.inputs)

    def above_bottom(self, by: Sequence[int]) -> bool:
        """Whether no value would be complete were ``counts`` moved on so."""
        return all(self._done[node] + rows < self.heights[node] for node, rows in zip(self.moving, by, strict=False))

    def advance(self, node: Node, stop: int) -> None:
        """The rows of ``node`` up to ``stop`` are there."""
        self._done[node] = stop
        for place in self._readers[node]:
            if not self._queued[place]:
                self._queued[place] = True
                heapq.heappush(self._queue, -place)

    def feed(self, rows: int) -> Iterator[tuple[Node, int, int]]:
        """After ``rows`` more of the picture: each (value, first, end) that can now be computed.

        Of those that can, the one farthest down the network is always next, so that rows are used while they are near.
        Whoever follows calls ``advance`` with what it did of them before it goes on.
        """
        start = self._done[self._picture]
        yield self._picture, start, start + rows
        while self._queue:
            place = -heapq.heappop(self._queue)
            self._queued[place] = False
            node = self._running[place]
            start, stop = self._done[node], self._ready(node)
            if stop > start:
                yield node, start, min(stop, start + self.steps[node])

    def _ready(self, node: Node) -> int:
        """The rows of ``node`` that could be there, given those of its inputs."""
        ready, done = self.heights[node], self._done
        for found, height, count in self._inputs[node]:
            there = done[found[0]] if len(found) == 1 else min([done[leaf] for leaf in found])
            if there < height:
                ready = min(ready, there if count is None else count(there, height) if there else 0)
        return ready


def views(graph: Graph) -> frozenset[Node]:
    """Values that are only looked at: concatenations, and channels of a value that no concatenation copies."""
    copied = {part for node in graph.nodes if isinstance(node.machine, Concatenate) for part in node.inputs}
    result = graph.nodes[-1]
    return frozenset(
        node
        for node in graph.nodes
        if isinstance(node.machine, Concatenate)
        or (isinstance(node.machine, Channels) and not node.then and node not in copied and node is not result)
    )


def leaves(value: Node, looked_at: frozenset[Node]) -> tuple[Node, ...]:
    """The values that are computed when ``value`` is: itself, or what it is a view of."""
    if value not in looked_at:
        return (value,)
    return tuple(dict.fromkeys(leaf for part in value.inputs for leaf in leaves(part, looked_at)))
