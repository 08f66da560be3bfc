"""How far a network looks: exactly, from its graph."""

from __future__ import annotations

import attrs

from .graph import Graph, Node

_FAR = 1 << 20


@attrs.frozen
class Reach:
    """The farthest input pixels that an output pixel depends on, counted from the input pixel it lies in."""

    above: int
    below: int
    left: int
    right: int


def reach(graph: Graph) -> Reach:
    """The reach of a network, over all positions an output pixel can have within its block."""
    above, below = _along(graph, "down")
    left, right = _along(graph, "across")
    return Reach(above, below, left, right)


def _along(graph: Graph, axis: str) -> tuple[int, int]:
    # Far from the border, in a picture whose size every division divides.
    sizes = graph.heights(_FAR) if axis == "down" else graph.widths(_FAR)
    result = graph.nodes[-1]
    scale = sizes[result] / _FAR
    middle = sizes[result] // 2
    before = after = 0
    for out in range(middle, middle + 64):
        first, last = _needs(graph, axis, out)
        here = int(out / scale)
        before, after = max(before, here - first), max(after, last - here)
    return before, after


def _needs(graph: Graph, axis: str, out: int) -> tuple[int, int]:
    needed: dict[Node, tuple[int, int]] = {graph.nodes[-1]: (out, out)}
    for node in reversed(graph.nodes[1:]):
        if node not in needed:
            continue
        first, last = needed[node]
        span = getattr(node.machine, axis)
        for value, low, high in (
            *((value, span.first(first), span.last(last)) for value in node.inputs),
            *((value, first, last) for value in node.beside),
        ):
            known = needed.get(value, (low, high))
            needed[value] = (min(known[0], low), max(known[1], high))
    return needed[graph.nodes[0]]
