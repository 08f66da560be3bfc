"""How a picture is run within the memory there is: rows a step, column bands, blocks of rows."""

from __future__ import annotations

import functools
import math

import attrs

import srkit

from .fused import wholly
from .graph import Graph, Node
from .layout import Layout, lay_out
from .machines import Convolution, Regroup, TransposedConvolution
from .reach import alignment, reach

STEP_BYTES, MOST_ROWS = 7 << 20, 64
"""What a layer takes or gives at once on a CPU: enough to keep the threads busy, few enough rows to stay near the cache."""
EVEN = 8
"""What the rows of a step are a multiple of, where they can be: shared out between threads, none waits for another."""
ACCELERATED = 16
"""How many times as much an accelerator is given, which wants more to do at once."""
BASE = 24 << 20
"""What torch and its kernels take beside the rows: code made at run time, scratch of every thread."""
NARROWEST = 64
"""Columns of the narrowest band of a layer: narrower ones are computed by other kernels."""


@attrs.frozen
class Plan:
    """How a picture is run.

    ``rows`` of it a step; ``bands``: columns (first, end), each run by itself, in turn, within ``block`` rows; ``peak``:
    the most bytes held at any moment; ``overhead``: work done twice, as a share of all.
    """

    size: srkit.Size
    rows: int
    bands: tuple[tuple[int, int], ...]
    block: int
    peak: int
    overhead: float

    @property
    def whole(self) -> bool:
        """Whether the picture is run as one stream."""
        return len(self.bands) == 1 and self.block >= self.size[0]


@attrs.frozen
class Terms:
    """What a plan depends on beside the picture.

    ``budget`` in bytes; ``larger``: than on a CPU, the steps, so many times; ``compiled``: kernels compute what they can.
    """

    batch: int
    itemsize: int
    scale: int
    rows: int | None
    budget: float
    classes: int
    larger: int = 1
    compiled: bool = False

    def step(self, values: float) -> int:
        """The rows a step, where a row has so many values."""
        return int(STEP_BYTES * self.larger // (values * self.itemsize * self.batch))


def layout(graph: Graph, size: srkit.Size, rows: int, terms: Terms) -> Layout:
    """The stores for pictures of ``size``, ``rows`` rows fed at a time."""
    widths = graph.widths(size[1])
    steps = {}
    for node in graph.nodes:
        most = math.ceil(rows * graph.rates[node])
        if graph.rates[node] > 1:
            most = min(most, _rounded(max(2, terms.step(_widest(node) * widths[node])), 1))
        steps[node] = max(1, most)
    return _layout(graph, size[0], rows, tuple(steps.values()), alignment(graph) * terms.classes)


@functools.lru_cache(32)
def _layout(graph: Graph, height: int, rows: int, steps: tuple[int, ...], period: int) -> Layout:
    return lay_out(graph, height, rows, dict(zip(graph.nodes, steps, strict=True)), period)


def peak(graph: Graph, size: srkit.Size, rows: int, terms: Terms) -> int:
    """The most bytes that a stream of pictures of ``size`` holds, weights aside."""
    plan, widths = layout(graph, size, rows, terms), graph.widths(size[1])
    pixel = terms.itemsize * terms.batch
    held = sum(shelf.rows * widths[shelf.value] * shelf.channels for shelf in plan.shelves)
    passing = 0.0
    for node in graph.nodes[1:]:
        if node in plan.views or (terms.compiled and wholly(node)):
            continue
        given = sum(value.channels * widths[value] * graph.rates[value] for value in node.inputs) / graph.rates[node]
        made = widths[node] * _made(node)
        passing = max(passing, float(plan.steps[node] * (given + 2 * made)))
    picture, result = graph.nodes[0], graph.nodes[-1]
    ends = 2 * rows * widths[picture] * picture.channels
    ends += 3 * plan.steps[result] * widths[result] * result.channels
    # What passes leaves gaps where it lay, and the next to pass may not fit there; the less, the fewer do.
    gaps = 1.25 if terms.compiled else 2
    return int((held + gaps * (passing + ends)) * pixel) + BASE


def _made(node: Node) -> int:
    """The channels of what a node makes, before or after what follows at once."""
    made = 0
    if isinstance(node.machine, Convolution):
        made = node.machine.weight.shape[0]
    elif isinstance(node.machine, TransposedConvolution):
        made = node.machine.weight.shape[1] * node.machine.groups
    return max(made, node.channels)


def _widest(node: Node) -> int:
    """The most channels of what a node takes or makes."""
    given = [] if isinstance(node.machine, Regroup) else [value.channels for value in node.inputs]
    return max([_made(node), *given])


def preferred_rows(graph: Graph, width: int, terms: Terms) -> int:
    """The rows a step that run fastest."""
    widths, unit = graph.widths(width), alignment(graph)
    row = max(float(_widest(node) * widths[node] * graph.rates[node]) for node in graph.nodes if graph.rates[node] <= 1)
    return max(unit, _rounded(min(terms.step(row), MOST_ROWS * terms.larger), unit))


def _rounded(rows: int, unit: int) -> int:
    """The most of these rows that are a multiple of ``unit``, and of EVEN if there are as many."""
    even = math.lcm(unit, EVEN)
    return rows // even * even or rows // unit * unit


def make_plan(graph: Graph, size: srkit.Size, terms: Terms) -> Plan:
    """The plan with the least work that fits the budget; raises OutOfMemory with the least that would do."""
    height, width = size
    unit = alignment(graph)
    if terms.rows is not None:
        choices = [-(-terms.rows // unit) * unit]
    else:
        choices = [preferred_rows(graph, width, terms)]
        while choices[-1] > unit:
            choices.append(max(unit, choices[-1] // 2 // unit * unit))
    least = 1 << 62
    for rows in choices:
        needed = peak(graph, size, rows, terms)
        if needed <= terms.budget:
            return Plan(size, rows, ((0, width),), height, needed, 0.0)
        least = min(least, needed)
    best: Plan | None = None
    for count in _counts(graph, width, terms):
        plan, needed = _banded(graph, size, count, choices[-1], terms)
        least = min(least, needed)
        if plan is not None and (best is None or plan.overhead < best.overhead):
            best = plan
    if best is None:
        raise srkit.OutOfMemory(
            f"a picture of {height}×{width} needs at least {least / 1e6:.0f} MB with this network, and memory= allows "
            f"{terms.budget / 1e6:.0f} MB; give it memory='{math.ceil(least / 1e6)}MB', or a narrower picture"
        )
    return best


def unit_of(graph: Graph, terms: Terms) -> int:
    """What bands and blocks must begin at multiples of, to be to the network as parts of the picture."""
    return math.lcm(alignment(graph), terms.classes)


def narrowest(graph: Graph, terms: Terms) -> int:
    """Columns of the narrowest band."""
    return max(NARROWEST, 16 * alignment(graph), unit_of(graph, terms))


def _counts(graph: Graph, width: int, terms: Terms) -> list[int]:
    most = max(1, width // narrowest(graph, terms))
    return sorted({*range(1, min(most, 8) + 1), *(2**i for i in range(3, 20) if 2**i < most), most})


def _banded(graph: Graph, size: srkit.Size, count: int, rows: int, terms: Terms) -> tuple[Plan | None, int]:
    """The plan with ``count`` bands, if it fits, and the least memory with which it would."""
    (height, width), unit, far = size, unit_of(graph, terms), reach(graph)
    bands = cut(width, count, unit)
    widest = max(right - left for left, right in (around(band, far.left, far.right, width, unit) for band in bands))
    inner = peak(graph, (height, widest), rows, terms)
    picture, result = graph.nodes[0].channels, graph.nodes[-1].channels
    # Its input is held around a block, its result over it.
    of_input = width * picture * 4 * terms.batch
    of_both = of_input + width * result * terms.scale**2 * terms.itemsize * terms.batch
    around_it = (far.above + far.below + 2 * unit) * of_input
    needed = inner + around_it + unit * of_both
    if needed > terms.budget:
        return None, needed
    block = min(height, int((terms.budget - inner - around_it) // of_both) // unit * unit)
    work = 0
    for top in range(0, height, block):
        first, last = around((top, min(top + block, height)), far.above, far.below, height, unit)
        for band in bands:
            left, right = around(band, far.left, far.right, width, unit)
            work += (last - first) * (right - left)
    held = inner + min(around_it, height * of_input) + block * of_both
    return Plan(size, rows, bands, block, held, work / (height * width) - 1), needed


def cut(width: int, count: int, unit: int) -> tuple[tuple[int, int], ...]:
    """At most ``count`` parts of an axis, each begun as the network's alignment wants."""
    core = -(-width // (count * unit)) * unit
    return tuple((left, min(left + core, width)) for left in range(0, width, core))


def around(part: tuple[int, int], before: int, after: int, size: int, unit: int) -> tuple[int, int]:
    """A part of an axis with the reach on both sides, begun and ended as the network's alignment wants."""
    first = max(0, (part[0] - before) // unit * unit)
    last = min(size, -(-(part[1] + after) // unit) * unit)
    return first, last
