"""How far a network looks, exactly, from its graph."""

from __future__ import annotations

import functools
import math

import attrs

from .graph import Graph, Node

_FAR = 1 << 18


@attrs.frozen
class Reach:
    """The farthest input pixels that an output pixel depends on, counted from the input pixel it lies in."""

    above: int
    below: int
    left: int
    right: int


@functools.lru_cache(64)
def reach(graph: Graph) -> Reach:
    """The reach of a network, over all positions that an output pixel can have within its block."""
    above, below = _along(graph, "down")
    left, right = _along(graph, "across")
    return Reach(above, below, left, right)


def alignment(graph: Graph) -> int:
    """The rows by which a picture can be shifted for every layer to be shifted by whole rows."""
    return math.lcm(*(rate.denominator for rate in graph.rates.values()))


def _along(graph: Graph, axis: str) -> tuple[int, int]:
    # Far from the border, in a picture whose size every division divides.
    sizes = graph.heights(_FAR) if axis == "down" else graph.widths(_FAR)
    result = graph.nodes[-1]
    rate = graph.rates[result]
    block = alignment(graph)
    middle = _FAR // 2 // block * block
    before = after = 0
    for out in range(int(middle * rate), int((middle + block) * rate)):
        first, last = _needs(graph, axis, sizes, out)
        here = out * rate.denominator // rate.numerator
        before, after = max(before, here - first), max(after, last - here)
    return before, after


def _needs(graph: Graph, axis: str, sizes: dict[Node, int], out: int) -> tuple[int, int]:
    needed: dict[Node, tuple[int, int]] = {graph.nodes[-1]: (out, out)}
    for node in reversed(graph.nodes[1:]):
        if node not in needed:
            continue
        first, last = needed[node]
        span = getattr(node.machine, axis)
        for value, low, high in (
            *((value, span.first(first, sizes[value]), span.last(last, sizes[value])) for value in node.inputs),
            *((value, first, last) for value in node.beside),
        ):
            known = needed.get(value, (low, high))
            needed[value] = (min(known[0], low), max(known[1], high))
    return needed[graph.nodes[0]]
