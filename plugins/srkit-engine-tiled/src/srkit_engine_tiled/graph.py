"""From a network to a graph of row machines.

``torch.export`` runs the network once, Python branches and all, on a small picture, and records the operators it called.
Traced again at other sizes it must come to the same machines. Where it does not, because the network pads or crops by the
size, each class of sizes (by the remainder of dividing by CLASS) has its own graph.
"""

from __future__ import annotations

import functools
import importlib.metadata
import operator
import threading
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from fractions import Fraction
from typing import Any

import attrs
import torch
from torch import Tensor, fx, nn

import srkit

from .machines import Channels, Concatenate, Machine, Pad, Picture, Pointwise, Regroup, add_repeated
from .moves import Positions
from .operators import LAST_AXIS, MOVES, NOTHING, OPERATORS, OVER_CHANNELS, WHOLE, Maker, Unsupported, pointwise

CLASS = 64
"""What the sizes that networks pad their input to divide."""
LARGE = 4096
"""Rows and columns up to which a branch on the size itself is noticed."""
SMALLEST = 64
"""Rows and columns from which on the size of a picture may change what a network does only by its remainder."""
aten = torch.ops.aten


@attrs.define(eq=False)
class Node:
    """A value of the network: what makes it, of which others.

    ``then``: pointwise machines that follow at once, what they take beside the fresh rows (None stands for these), and how
    many channels come out.
    """

    name: str
    machine: Machine | None
    inputs: list[Node] = attrs.field(repr=False)
    channels: int
    then: list[tuple[Pointwise, list[Node | None], int]] = attrs.field(factory=list, repr=False)

    @property
    def made_by(self) -> Machine:
        """The machine, of a value that is not the picture itself."""
        if self.machine is None:
            raise ValueError(f"{self.name} is the picture itself")
        return self.machine

    @property
    def beside(self) -> list[Node]:
        """The values that ``then`` takes, row for row."""
        return [value for _, values, _ in self.then for value in values if value is not None]


@attrs.frozen(eq=False)
class Graph:
    """All values, each after those it is made of; the first is the picture, the last the result."""

    nodes: Sequence[Node]

    @functools.cached_property
    def rates(self) -> dict[Node, Fraction]:
        """The rows of each value per row of the picture."""
        rates = {self.nodes[0]: Fraction(1)}
        for node in self.nodes[1:]:
            rates[node] = rates[node.inputs[0]] * node.made_by.down.rate
        return rates

    def heights(self, height: int) -> dict[Node, int]:
        """The rows of each value for a picture of ``height`` rows; of the columns, with :meth:`widths`."""
        return self._sizes(height, "down")

    def widths(self, width: int) -> dict[Node, int]:
        """The columns of each value for a picture of ``width`` columns."""
        return self._sizes(width, "across")

    def _sizes(self, size: int, axis: str) -> dict[Node, int]:
        sizes = {self.nodes[0]: size}
        for node in self.nodes[1:]:
            sizes[node] = getattr(node.machine, axis).size(sizes[node.inputs[0]])
        return sizes

    def signature(self) -> list[str]:
        """What the graph does, but for the values of weights."""
        place = {node: i for i, node in enumerate(self.nodes)}
        return [
            f"{node.machine} {[place[v] for v in node.inputs]} "
            f"{[(step, [v and place[v] for v in values]) for step, values, _ in node.then]}"
            for node in self.nodes
        ]


class Tracer:
    """The graphs of a network; raises NotStreamable, naming the operator and the module it is called in."""

    def __init__(self, network: nn.Module, traits: srkit.Traits) -> None:
        if traits.maximum is not None:
            raise srkit.NotStreamable(
                f"it takes pictures of at most {traits.maximum}×{traits.maximum}: there is nothing to stream", "size"
            )
        self._network, self._channels = network, traits.in_channels
        self._unit = m = traits.multiple_of
        self._lock = threading.Lock()
        self._sizes: set[srkit.Size] = set()
        self._merges = False
        least = max(24, -(-traits.minimum // m))
        program = self._export(least * m, (least + 8) * m)
        large = self._export((LARGE // m + 1) * m, (LARGE // m + 9) * m)
        graph = self._graph(program)
        if _calls(program) == _calls(large):
            self._graphs: dict[tuple[int, int], tuple[Graph, list[str]]] | None = None
        else:
            other = self._graph(self._export((least + 1) * m, (least + 9) * m))
            same = graph.signature() == other.signature() and _targets(program) == _targets(large)
            self._graphs = None if same else {}
        self.typical = graph if self._graphs is None else self.graph((2 * CLASS * m, 2 * CLASS * m))

    @property
    def smallest(self) -> int:
        """Rows and columns of the smallest picture that has a graph."""
        return 1 if self._graphs is None else SMALLEST

    @property
    def classes(self) -> int:
        """What must divide the distance of two sizes for their graphs to be the same."""
        return 1 if self._graphs is None else CLASS

    def graph(self, size: srkit.Size) -> Graph:
        """The graph for pictures of ``size``, of which neither side is below ``smallest``."""
        if self._graphs is None:
            return self.typical
        height, width = (side % CLASS + 3 * CLASS for side in size)
        with self._lock:
            if (height, width) not in self._graphs:
                program = self._export(height, width)
                graph = self._graph(program)
                other = self._graph(self._export(height + CLASS, width + CLASS))
                if graph.signature() != other.signature():
                    raise _by_size()
                self._graphs[height, width] = graph, _targets(program)
            graph, targets = self._graphs[height, width]
            if size not in self._sizes:
                if _targets(self._export(*size)) != targets:
                    raise _by_size()
                self._sizes.add(size)
            return graph

    def _export(self, height: int, width: int) -> torch.export.ExportedProgram:
        weight = next(self._network.parameters(), torch.zeros(()))
        image = torch.empty(1, self._channels, height, width, device=weight.device, dtype=weight.dtype)
        with warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter("ignore")  # of the exporter about itself
            try:
                program = self._exported(image)
                targets = [node.target for node in program.graph.nodes]
                if any(isinstance(t, torch._ops.OpOverload) and t._schema.is_mutable for t in targets):  # noqa: SLF001
                    program = program.run_decompositions({})  # writes in place become values of their own
            except Exception as error:  # the exporter's, or the network's own
                raise srkit.NotStreamable(
                    f"the network could not be traced ({type(error).__name__}: {error}); use engine='whole'",
                    "torch.export",
                ) from error
        return program

    def _exported(self, image: Tensor) -> torch.export.ExportedProgram:
        if not self._merges:
            try:
                return torch.export.export(self._network, (image,), strict=False)
            except RuntimeError as error:
                if "fake tensor" not in str(error):
                    raise
            # It looks into its parameters' data, as those do that merge their weights at every call. Run once, for real,
            # what they merge is there.
            self._network(image)
            self._merges = True
        with _data_traced():
            return torch.export.export(self._network, (image,), strict=False)

    def _graph(self, program: torch.export.ExportedProgram) -> Graph:
        return Graph(_fuse(_Reader(program).nodes()))


_data_lock = threading.Lock()


@contextmanager
def _data_traced() -> Iterator[None]:
    """In this thread ``tensor.data`` is ``tensor.detach()``, which the exporter can follow, and is not replaced."""
    kind: Any = Tensor
    thread, data = threading.get_ident(), kind.data

    def get(tensor: Tensor) -> Any:
        return tensor.detach() if threading.get_ident() == thread else data.__get__(tensor)

    def put(tensor: Tensor, value: Tensor) -> None:
        if threading.get_ident() != thread:
            data.__set__(tensor, value)

    with _data_lock:
        kind.data = property(get, put)
        try:
            yield
        finally:
            del kind.data


def _by_size() -> srkit.NotStreamable:
    return srkit.NotStreamable(
        "the network does different things to pictures of different size, so it is no stream of rows; use engine='whole'",
        "control flow",
    )


def _calls(program: torch.export.ExportedProgram) -> list[str]:
    return [f"{node.target} {node.args} {node.kwargs}" for node in program.graph.nodes]


def _targets(program: torch.export.ExportedProgram) -> list[str]:
    return [str(node.target) for node in program.graph.nodes]


@functools.cache
def _operators() -> Mapping[object, Maker]:
    """The engine's own machines, and those of plugins: entry points of mappings like OPERATORS."""
    operators = dict(OPERATORS)
    for entry in importlib.metadata.entry_points(group="srkit_engine_tiled.operators"):
        operators.update(entry.load())
    return operators


@attrs.frozen(eq=False)
class _Moved:
    """A value moved about, not yet computed with."""

    node: Node
    positions: Positions


@attrs.frozen(eq=False)
class _Several:
    """The outputs of an operator that has several."""

    make: Callable[[int], Any]


class _Reader:
    """Turns the calls of a traced program into nodes."""

    def __init__(self, program: torch.export.ExportedProgram) -> None:
        self._program = program
        self._nodes: list[Node] = []
        self._sizes: dict[Node, tuple[int, int]] = {}
        self._known: dict[fx.Node, Any] = {}
        self._unmoved: dict[tuple[int, int, int], Positions] = {}
        self._dtype = torch.float32

    def nodes(self) -> list[Node]:
        """The values, up to the result."""
        program = self._program
        signature = program.graph_signature
        stored = {**signature.inputs_to_parameters, **signature.inputs_to_buffers}
        stored |= signature.inputs_to_lifted_tensor_constants
        tensors = {**program.state_dict, **program.constants}
        for call in program.graph.nodes:
            if call.op == "placeholder":
                if call.name in stored:
                    self._known[call] = tensors[stored[call.name]].detach()
                else:
                    shape, self._dtype = call.meta["val"].shape, call.meta["val"].dtype
                    self._known[call] = self._add(Node(call.name, None, [], shape[1]), shape[2], shape[3])
            elif call.op == "output":
                # Beside the result there may be buffers that the network wrote.
                results = [spec.arg.name for spec in signature.output_specs if spec.kind.name == "USER_OUTPUT"]
                outputs: Any = call.args[0]
                (result,) = [self._known[value] for value in outputs if value.name in results]
                with _named(call):
                    node = self._settle(result)
                return self._nodes[: self._nodes.index(node) + 1]
            else:
                with _named(call):
                    self._known[call] = self._read(call)
        raise AssertionError("a program without output")

    def _add(self, node: Node, height: int, width: int) -> _Moved:
        self._nodes.append(node)
        self._sizes[node] = (height, width)
        shape = (node.channels, height, width)
        if shape not in self._unmoved:
            self._unmoved[shape] = Positions.of(*shape)
        return _Moved(node, self._unmoved[shape])

    def _read(self, call: fx.Node) -> Any:
        target: Any = call.target
        args: Any = fx.map_arg(call.args, self._known.__getitem__)
        kwargs: Any = fx.map_arg(call.kwargs, self._known.__getitem__)
        moved = _all(args, _Moved) + _all(list(kwargs.values()), _Moved)
        if target is operator.getitem:
            value, i = args
            return value.make(i) if isinstance(value, _Several) else value[i]
        if target is aten._assert_tensor_metadata.default:  # noqa: SLF001 -- its name
            return None
        if not moved:
            return target(*self._without_size(target, args), **kwargs)  # of weights alone: once and for all
        if target in NOTHING or str(target).startswith("aten.to."):
            return self._unchanged(call, args[0])
        if target is aten.copy.default:
            return args[1]
        if target in MOVES and len(moved) == 1:
            value = moved[0]
            made = target(value.positions.after, *args[1:], **kwargs)
            if isinstance(made, Tensor):
                return attrs.evolve(value, positions=attrs.evolve(value.positions, after=made))
            return [attrs.evolve(value, positions=attrs.evolve(value.positions, after=part)) for part in made]
        if target is aten.slice_scatter.default:
            return self._scattered(*args, **kwargs)
        if isinstance(call.meta["val"], tuple | list):
            return _Several(lambda i: self._output(call, args, kwargs, i))
        return self._computed(call, args, kwargs, None)

    def _unchanged(self, call: fx.Node, value: Any) -> Any:
        if call.meta["val"].dtype != self._dtype:
            raise Unsupported("it changes the precision")
        if (len(call.args) > 1 and call.args[1] is True) or (len(call.args) > 2 and call.args[2] is True):
            raise Unsupported("it drops values at random; the network must be in eval()")
        return value

    def _computed(self, call: fx.Node, args: Any, kwargs: Any, output: int | None) -> _Moved:
        """A new node of what a machine computes."""
        target: Any = call.target
        make = _operators().get(target)
        if make is None:
            raise Unsupported(
                "its values depend on the whole picture"
                if target in WHOLE
                else "the engine does not know this operator"
            )
        groups = self._groups(target, args, kwargs)
        if groups is not None:
            make = pointwise(functools.partial(_on_groups, target, groups))
        axes = None if groups else self._axes(target, args, kwargs)
        values: list[Node] = []

        def place(value: Any) -> Any:
            if isinstance(value, _Moved):
                values.append(value.node if axes or groups else self._settle(value))
                return Picture(values[-1].channels, *self._sizes[values[-1]])
            if isinstance(value, list | tuple):
                return [place(item) for item in value]
            return value

        filled, named = place(args), {key: place(value) for key, value in kwargs.items()}
        machine = make(*filled, **named)
        if isinstance(machine, Concatenate) and len(values) < len(filled[0]):
            values = [v if isinstance(v, Node) else self._constant(v, values[0]) for v in self._parts(args[0])]
        shape = call.meta["val"].shape if output is None else call.meta["val"][output].shape
        if axes is not None:
            if not isinstance(machine, Pointwise) or len(shape) != len(axes):
                raise Unsupported("it is called with the axes of the picture in another order")
            machine = attrs.evolve(machine, axes=axes)
            shape = [shape[axes.index(axis)] for axis in range(4)]
        if len(shape) != 4 or shape[0] != 1:
            raise Unsupported(f"its result, of shape {tuple(shape)}, is no picture")
        if output is not None:
            if not isinstance(machine, Pointwise):
                raise Unsupported("it has several outputs")
            machine = attrs.evolve(machine, output=None if target in _ONE_OUTPUT else output)
        result = self._add(Node(call.name, machine, values, shape[1]), shape[2], shape[3])
        return result if axes is None else attrs.evolve(result, positions=_permuted(result.positions, axes))

    def _output(self, call: fx.Node, args: Any, kwargs: Any, output: int) -> _Moved:
        with _named(call):
            return self._computed(call, args, kwargs, output)

    def _groups(self, target: Any, args: Any, kwargs: Any) -> tuple[int, int] | None:
        """The channels seen as so many groups of so many, if a statistic is taken over one of these axes, or both."""
        moved = _all(args, _Moved)
        if target not in OVER_CHANNELS or len(moved) != 1 or moved[0].positions.after.ndim != 5:
            return None
        before, after = moved[0].positions.before, moved[0].positions.after
        groups = (after.shape[1], after.shape[2])
        over = args[OVER_CHANNELS[target]] if len(args) > OVER_CHANNELS[target] else kwargs.get("dim")
        axes = {axis % 5 for axis in ([over] if isinstance(over, int) else over or (0,))}
        if not axes <= {1, 2} or groups[0] * groups[1] != before.shape[1]:
            return None
        return groups if torch.equal(before.reshape(1, *groups, *before.shape[2:]), after) else None

    def _axes(self, target: Any, args: Any, kwargs: Any) -> tuple[int, ...] | None:
        """The order of the axes in which a pointwise operator is called, None if it is the usual one."""
        orders = {value.positions.axes for value in _all(args, _Moved) + _all(list(kwargs.values()), _Moved)}
        (order,) = orders if len(orders) == 1 else (None,)
        usual = order is None or order == (0, 1, 2, 3)
        channels = 1 if order is None else order.index(1)
        if target in OVER_CHANNELS:
            over = args[OVER_CHANNELS[target]] if len(args) > OVER_CHANNELS[target] else kwargs.get("dim")
            if [axis % 4 for axis in ([over] if isinstance(over, int) else over or ())] != [channels]:
                raise Unsupported("it runs over more than the channels of a pixel")
        if target in LAST_AXIS:
            several = len(args[1]) > 1 if isinstance(args[1], list | tuple) else False
            if channels != 3 or several:
                raise Unsupported("it runs over more than the channels of a pixel")
        return None if usual else order

    def _settle(self, value: Any) -> Node:
        """The node of a value, after what moving it about amounts to."""
        if not isinstance(value, _Moved):
            raise Unsupported("a constant stands where a picture should")
        node = value.node
        for machine in value.positions.machines():
            height, width = self._sizes[node]
            channels = node.channels if isinstance(machine, Pad) else value.positions.after.shape[1]
            node = Node(f"{node.name}_moved", machine, [node], channels)
            self._add(node, machine.down.size(height), machine.across.size(width))
        return node

    def _parts(self, parts: Sequence[Any]) -> list[Any]:
        return [self._settle(part) if isinstance(part, _Moved) else part for part in parts]

    def _constant(self, value: Tensor, like: Node) -> Node:
        """Channels that are the same everywhere, as a picture."""
        if value.ndim != 4 or value.shape[2:] != (1, 1):
            raise Unsupported("it joins the picture with a constant of fixed size")
        machine = Pointwise(_expand, (Picture(), value))
        made = self._add(Node(f"{like.name}_constant", machine, [like], value.shape[1]), *self._sizes[like])
        return made.node

    def _without_size(self, target: Any, args: Any) -> Any:
        """The arguments of what makes a constant picture, for one of a single pixel: it is the same everywhere."""
        sizes = set(self._sizes.values())
        if target in {aten.zeros.default, aten.ones.default, aten.full.default} and tuple(args[0][2:]) in sizes:
            return [[*args[0][:2], 1, 1], *args[1:]]
        if target in {aten.repeat.default, aten.expand.default} and args[0].shape[2:] == (1, 1):
            return [args[0], [*args[1][:-2], 1, 1]]
        return args

    def _scattered(self, into: Any, what: Any, dim: int = 0, start: int | None = None, end: int | None = None) -> Any:
        """A write into some channels: those before, those written, those after, side by side."""
        shape = into.positions.after.shape if isinstance(into, _Moved) else into.shape
        start, end, _ = slice(start, end).indices(shape[dim])
        if (start, end) == (0, shape[dim]):
            return what
        if dim != 1 or not isinstance(into, _Moved):
            raise Unsupported("it writes into some rows or columns of a picture")
        parts = [into.positions.after[:, :start], None, into.positions.after[:, end:]]
        nodes = [
            self._settle(
                what if part is None else attrs.evolve(into, positions=attrs.evolve(into.positions, after=part))
            )
            for part in parts
            if part is None or part.shape[1]
        ]
        return self._add(Node("scattered", Concatenate(), nodes, shape[1]), shape[2], shape[3])


_ONE_OUTPUT = {aten._native_batch_norm_legit_no_training.default}  # noqa: SLF001 -- computed by one that has


def _expand(picture: Tensor, value: Tensor) -> Tensor:
    return value.expand(picture.shape[0], -1, *picture.shape[2:])


def _on_groups(target: Callable[..., Any], groups: tuple[int, int], picture: Tensor, *args: Any, **kwargs: Any) -> Any:
    return target(picture.reshape(picture.shape[0], *groups, *picture.shape[2:]), *args, **kwargs)


def _permuted(positions: Positions, axes: tuple[int, ...]) -> Positions:
    return attrs.evolve(positions, after=positions.after.permute(axes))


def _all(args: Any, kind: type) -> list[Any]:
    if isinstance(args, kind):
        return [args]
    return [found for item in args for found in _all(item, kind)] if isinstance(args, list | tuple) else []


@contextmanager
def _named(call: fx.Node) -> Iterator[None]:
    """Turns Unsupported into NotStreamable, with the operator and the module it is called in."""
    try:
        yield
    except Unsupported as error:
        where = [path for path, _ in call.meta.get("nn_module_stack", {}).values()][-1:] or [""]
        raise srkit.NotStreamable(
            f"{call.target} in {f'module {where[0]!r}' if where[0] else 'the network itself'} cannot be streamed: {error}. "
            f"Use engine='whole', or approximate with engine='tiles' and halo=",
            str(call.target),
        ) from error


def _fuse(nodes: list[Node]) -> list[Node]:
    """Pointwise values that only follow one other value become part of it, so that their rows are never stored."""
    readers: dict[Node, int] = {}
    for node in nodes:
        for value in node.inputs:
            readers[value] = readers.get(value, 0) + 1
    place = {node: i for i, node in enumerate(nodes)}
    merged: dict[Node, Node] = {}
    for node in nodes[1:]:
        node.inputs = [merged.get(value, value) for value in node.inputs]
        if isinstance(node.machine, Concatenate):
            # What is joined twice is joined once: each part is written where it ends up.
            node.inputs = [p for v in node.inputs for p in (v.inputs if isinstance(v.machine, Concatenate) else [v])]
        if not isinstance(node.machine, Pointwise):
            continue
        latest = max(node.inputs, key=lambda value: place[value])
        computed = latest.machine is not None and not isinstance(latest.machine, Concatenate | Channels)
        if computed and readers[latest] == node.inputs.count(latest):
            values = [None if value is latest else value for value in node.inputs]
            latest.then.append((node.machine, values, node.channels))
            latest.channels, readers[latest] = node.channels, readers.get(node, 0)
            merged[node] = latest
    result = merged.get(nodes[-1], nodes[-1])
    if isinstance(result.machine, Concatenate):
        result.machine = Pointwise(_join, ([Picture()] * len(result.inputs),))  # nobody's to be written for
    for node in nodes:
        if node not in merged:
            _add_before_shuffling(node, readers, place)
    needed, left = {nodes[0]}, [result]
    while left:
        node = left.pop()
        if node not in needed:
            needed.add(node)
            left += [*node.inputs, *node.beside]
    return [node for node in nodes if node in needed]


def _add_before_shuffling(node: Node, readers: Mapping[Node, int], place: Mapping[Node, int]) -> None:
    """``shuffle(a) + nearest(b)`` is ``shuffle(a + b)``, b's channels repeated: the same sums, of rows not yet multiplied."""
    step, values, channels = node.then[0] if node.then else (None, [], 0)
    others = [value for value in values if value is not None]
    if step is None or step.target is not aten.add.Tensor or step.kwargs or len(values) != 2 or len(others) != 1:
        return
    kinds = {value.machine.kind: value for value in (node, *others) if isinstance(value.machine, Regroup)}
    shuffled, upsampled = kinds.get("shuffle"), kinds.get("nearest")
    if shuffled is None or upsampled is None or others[0].then or not isinstance(shuffled.machine, Regroup):
        return
    (large,), (small,) = shuffled.inputs, upsampled.inputs
    alike = attrs.evolve(shuffled.machine, kind="nearest") == upsampled.machine and channels == small.channels
    nobodys = readers[large] == 1 and (shuffled is node or readers[shuffled] == 1) and place[small] < place[large]
    if alike and nobodys and not isinstance(large.machine, Concatenate | Channels):
        times = shuffled.machine.down.factor * shuffled.machine.across.factor
        pictures = Picture(large.channels), Picture(small.channels), times
        large.then.append((Pointwise(add_repeated, pictures), [None, small], large.channels))
        node.machine, node.inputs = shuffled.machine, [large]
        node.then.pop(0)


def _join(pictures: list[Tensor]) -> Tensor:
    return torch.cat(pictures, 1)
