"""Convolutions compiled by LLVM for the processor at hand, in oneDNN's order of additions: the same bits, sooner.

An output value is one chain of fused multiply-adds over the rows of the kernel, its columns and the input channels, in this
order, from zero; the bias is added at the end. So oneDNN's channels-last kernels do it on processors with AVX-512, and so
does this one; whether torch's do it at hand is tried out (:mod:`.fused`). What is gained: a pixel of the input may lie
anywhere, so channels of a larger store need no copy; what follows pixel by pixel is done while the values are in registers;
and they are written where they belong.

Of bfloat16, processors with AVX512-BF16 multiply two input channels at once and add both products to a sum in float32. Sums
stay in float32 until all that follows is done, and are rounded once, where torch rounds after every operator.
"""

from __future__ import annotations

import ctypes
import functools
import mmap
import re
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import attrs

from .emit import Code, Product, Value, constant
from .steps import Step

FIELDS = (
    "next", "jobs", "parts", "rows", "height", "columns", "width", "depth",
    "x", "x picture", "x row", "w", "bias", "out", "out picture", "out row", "out pixel",
)  # fmt: skip
"""What a kernel is told each time: 64-bit numbers, pointers among them, strides in values; depth is of products.

A job is a block of ``rows`` rows of one of ``parts`` blocks of ``columns`` columns, of which the last may have more; ``next``
is the first that nobody has taken. Then come, of each further picture, its pointer and three strides, and a pointer to each
parameter per channel.
"""

BYTES = {"float": 4, "bfloat": 2}
LINE = 64
"""Bytes that a cache takes in at once."""


@attrs.frozen
class Lanes:
    """What a processor computes at once: floats in a register, and registers."""

    count: int
    registers: int


@attrs.frozen
class Shape:
    """All that is compiled into a kernel.

    ``taps``: rows and columns of the convolution; ``pad``: columns of zeros on the left; ``channels``: of the output;
    ``pixel``: values from one pixel of the input to the next; ``unroll``: what divides the depth. ``half``: pictures and
    weights are of bfloat16, and ``pairs`` of input channels make a product; else each does, and is the depth.
    """

    taps: tuple[int, int]
    pad: int
    channels: int
    pixel: int
    unroll: int
    steps: tuple[Step, ...] = ()
    half: bool = False
    pairs: bool = False


@attrs.frozen
class Group:
    """Output channels computed at once: ``vectors`` registers of them for ``columns`` pixels; ``times`` such groups."""

    first: int
    vectors: int
    times: int
    columns: int


def groups(channels: int, lanes: Lanes) -> list[Group]:
    """How the output channels are shared out: as many at once as leave registers for enough pixels."""
    most, columns = (4, {4: 6, 3: 9, 2: 13, 1: 14}) if lanes.registers == 32 else (2, {2: 6, 1: 8})
    times = channels // (most * lanes.count)
    rest = -(-channels // lanes.count) - times * most
    found = [Group(0, most, times, columns[most])] if times else []
    return [*found, Group(times * most, rest, 1, columns[rest])] if rest else found


@attrs.frozen
class Kernel:
    """A compiled kernel: ``address`` of a function that takes a pointer to its fields (:func:`fields_of`)."""

    address: int
    keep: Any = attrs.field(repr=False, eq=False)


_lock = threading.Lock()


def lanes(channels: int) -> Lanes | None:
    """Those to compute so many output channels with; None where nothing can be compiled.

    For few channels narrow registers do: processors load, and run, no slower with them.
    """
    found = processor()
    if found is None:
        return None
    return attrs.evolve(found, count=min(found.count, max(4, 1 << (channels - 1).bit_length())))


@functools.lru_cache(1)
def processor() -> Lanes | None:
    """The widest lanes of this processor; None if LLVM is not there, or it cannot multiply and add in one."""
    try:
        from llvmlite import binding
    except ImportError:
        return None
    features = binding.get_host_cpu_features()
    if features.get("avx512f") and features.get("avx512vl"):
        return Lanes(16, 32)
    if features.get("avx2") and features.get("fma"):
        return Lanes(8, 16)
    return Lanes(4, 32) if binding.get_process_triple().startswith(("aarch64", "arm64")) else None


@functools.lru_cache(1)
def multiplies_pairs() -> bool:
    """Whether this processor multiplies pairs of bfloat16."""
    if processor() is None:
        return False
    from llvmlite import binding

    features = binding.get_host_cpu_features()
    return bool(features.get("avx512bf16") and features.get("avx512vl"))


@functools.lru_cache(512)
def compiled(shape: Shape, width: Lanes) -> Kernel:
    """The kernel of a shape; some 50 ms the first time."""
    return assembled(text(shape, width))


def assembled(text: str) -> Kernel:
    """The function ``kernel`` of a text in LLVM's language."""
    from llvmlite import binding

    with _lock:
        binding.initialize_native_target()
        binding.initialize_native_asmprinter()
        module = binding.parse_assembly(text)
        module.verify()
        features = binding.get_host_cpu_features()
        features["prefer-256-bit"] = False
        machine = binding.Target.from_default_triple().create_target_machine(
            cpu=binding.get_host_cpu_name(), features=features.flatten(), opt=2, jit=True
        )
        engine = binding.create_mcjit_compiler(module, machine)
        engine.finalize_object()
        return Kernel(engine.get_function_address("kernel"), engine)


def rest() -> None:
    """Give back the memory that LLVM's own code and tables take, 70 MB: they are read again should they be needed.

    Of Linux, and of pages alone that are as in the library's file.
    """
    maps = Path("/proc/self/smaps")
    if not maps.exists():
        return
    advise = ctypes.CDLL(None).madvise
    advise.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
    for part in re.split(r"^(?=[0-9a-f]+-[0-9a-f]+ )", maps.read_text(), flags=re.MULTILINE):
        if "libllvmlite" in part and re.search(r"^Anonymous: +0 kB$", part, re.MULTILINE):
            first, end = (int(address, 16) for address in part.split()[0].split("-"))
            advise(first, end - first, mmap.MADV_DONTNEED)


@functools.lru_cache(512)
def fields_of(shape: Shape) -> tuple[str, ...]:
    """``FIELDS``, and those of the steps."""
    more: list[str] = []
    for i, step in enumerate(shape.steps):
        if step.has_picture:
            more += [f"{i}", f"{i} picture", f"{i} row", f"{i} pixel"]
        elif step.has_parameter:
            more.append(f"{i}")
    return (*FIELDS, *more)


def text(shape: Shape, width: Lanes) -> str:
    """The kernel in LLVM's language."""
    writer = _Writer(shape, width)
    writer.write()
    return writer.code.function(writer.product.declaration(), "declare void @llvm.prefetch.p0(ptr, i32, i32, i32)")


class _Writer:
    """Writes the function of a shape."""

    def __init__(self, shape: Shape, width: Lanes) -> None:
        self.shape, self.lanes = shape, width
        self.code = Code()
        self.vector = f"<{width.count} x float>"
        self.element = "bfloat" if shape.half else "float"
        self.product = Product(width.count, shape.half)
        self.given: dict[str, Value] = {}

    def write(self) -> None:
        """Take jobs until none is left."""
        code = self.code
        pointers = {"x", "w", "bias", "out", *(str(i) for i in range(len(self.shape.steps)))}
        for i, name in enumerate(fields_of(self.shape)):
            place = code(f"getelementptr i64, ptr %args, i64 {i}")
            self.given[name] = code(f"load {'ptr' if name in pointers else 'i64'}, ptr {place}")
        work, job, end = (code.label() for _ in range(3))
        code.do(f"br label {work}")
        code.begin(work)
        taken = code("atomicrmw add ptr %args, i64 1 monotonic")
        there = code(f"icmp slt i64 {taken}, {self.given['jobs']}")
        code.do(f"br i1 {there}, label {job}, label {end}")
        code.begin(job)
        self._job(taken)
        code.do(f"br label {work}")
        code.begin(end)
        code.do("ret void")

    def _job(self, job: Value) -> None:
        """A block of rows and columns, for all output channels."""
        code, given, shape = self.code, self.given, self.shape
        block, part = code(f"sdiv i64 {job}, {given['parts']}"), code(f"srem i64 {job}, {given['parts']}")
        blocks = code(f"sdiv i64 {code.add(given['height'], given['rows'], -1)}, {given['rows']}")
        picture, block = code(f"sdiv i64 {block}, {blocks}"), code(f"srem i64 {block}, {blocks}")
        top = code.mul(block, given["rows"])
        bottom = code.least(code.add(top, given["rows"]), given["height"])
        # Parts begin where a tile does; the first and the last also have the pixels at the ends of the picture, where only
        # some columns of the kernel lie within it.
        after = shape.taps[1] - 1 - shape.pad
        inner = code.add(code.mul(part, given["columns"]), shape.pad)
        is_first = code(f"icmp eq i64 {part}, 0")
        is_last = code(f"icmp eq i64 {part}, {code.add(given['parts'], -1)}")
        end = code.most(code.add(given["width"], -after), shape.pad)
        outer = code(f"select i1 {is_last}, i64 {end}, i64 {code.add(inner, given['columns'])}")
        left = code(f"select i1 {is_first}, i64 0, i64 {inner}")
        right = code(f"select i1 {is_last}, i64 {code.add(given['width'], shape.pad - after)}, i64 {outer}")
        for group in groups(shape.channels, self.lanes):
            size = group.vectors * self.lanes.count
            area = code.mul(given["depth"], shape.taps[0] * shape.taps[1])
            before = code.mul(area, group.first * self.lanes.count)

            def one(
                i: Value,
                _: list[Value],
                group: Group = group,
                size: int = size,
                area: Value = area,
                before: Value = before,
            ) -> list[Value]:
                weights = code.at(given["w"], code.add(before, code.mul(code.mul(area, size), i)))
                channel = code.add(code.mul(i, size), group.first * self.lanes.count)

                def row(y: Value, _: list[Value]) -> list[Value]:
                    self._row(group, weights, channel, (picture, y), (left, inner, outer, right))
                    return []

                code.loop(top, bottom, 1, row)
                return []

            code.loop(0, group.times, 1, one)

    def _row(
        self,
        group: Group,
        weights: Value,
        channel: Value,
        where: tuple[Value, Value],
        columns: tuple[Value, Value, Value, Value],
    ) -> None:
        """The pixels of a row: those near the ends of the picture one by one, the others many at a time."""
        code, shape = self.code, self.shape
        left, inner, outer, right = columns
        taps = shape.taps[1]

        def single(p: Value, _: list[Value]) -> list[Value]:
            first = code.most(code(f"sub i64 {shape.pad}, {p}"), 0)
            end = code.least(code.add(code(f"sub i64 {self.given['width']}, {p}"), shape.pad), taps)
            self._tile(group, 1, weights, channel, where, p, (first, end))
            return []

        def several(p: Value, _: list[Value]) -> list[Value]:
            # The last begins early rather than end late: some pixels twice, to the same bits.
            first = code.least(p, code.add(outer, -group.columns))
            self._tile(group, group.columns, weights, channel, where, first, (0, taps))
            return []

        code.loop(left, code.least(inner, right), 1, single)
        many = code(f"icmp sge i64 {code(f'sub i64 {outer}, {inner}')}, {group.columns}")
        code.loop(inner, code(f"select i1 {many}, i64 {outer}, i64 {inner}"), group.columns, several)
        code.loop(code(f"select i1 {many}, i64 {outer}, i64 {inner}"), right, 1, single)

    def _tile(
        self,
        group: Group,
        columns: int,
        weights: Value,
        channel: Value,
        where: tuple[Value, Value],
        p: Value,
        taps: tuple[Value | int, Value | int],
    ) -> None:
        """``columns`` pixels from column ``p`` on, for the channels of a group; of the kernel's columns, some."""
        code, given, shape = self.code, self.given, self.shape
        picture, y = where
        size = group.vectors * self.lanes.count
        corner = code.add(
            code.mul(picture, given["x picture"]),
            code.mul(y, given["x row"]),
            code.mul(code.add(p, -shape.pad), shape.pixel),
        )
        x, depth = code.at(given["x"], corner, self.element), given["depth"]
        row = code.mul(depth, size * shape.taps[1])
        if columns > 1:
            self._fetch(code.at(x, code.mul(given["x row"], shape.taps[0]), self.element), columns)

        def down(j: Value, sums: list[Value]) -> list[Value]:
            x_row = code.at(x, code.mul(j, given["x row"]), self.element)
            w_row = code.at(weights, code.mul(j, row))

            def across(k: Value, sums: list[Value]) -> list[Value]:
                x_tap = code.at(x_row, code.mul(k, shape.pixel), self.element)
                w_tap = code.at(w_row, code.mul(code.mul(k, depth), size))

                def deep(c: Value, sums: list[Value]) -> list[Value]:
                    x = code.at(x_tap, code.mul(c, 1 + shape.pairs), self.element)
                    return self._products(group.vectors, columns, x, code.at(w_tap, code.mul(c, size)), sums)

                return code.loop(0, depth, shape.unroll, deep, self.vector, sums)

            return code.loop(*taps, 1, across, self.vector, sums)

        zeros = ["zeroinitializer"] * (columns * group.vectors)
        sums = code.loop(0, shape.taps[0], 1, down, self.vector, zeros)
        for v in range(group.vectors):
            first = code.add(channel, v * self.lanes.count)
            bias = self._load(code.at(given["bias"], first))
            parameters = {
                i: self._load(code.at(given[str(i)], first)) for i, step in enumerate(shape.steps) if step.has_parameter
            }
            partial = shape.channels - (group.first + v) * self.lanes.count if group.times == 1 else self.lanes.count
            for t in range(columns):
                value = code(f"fadd {self.vector} {sums[t * group.vectors + v]}, {bias}")
                place = (picture, y, code.add(p, t), first)
                value = self._steps(value, parameters, place, min(partial, self.lanes.count))
                self._store(value, self._pixel("out", place), min(partial, self.lanes.count))

    def _fetch(self, x: Value, columns: int) -> None:
        """Bring near what the pixels below will need, while these are computed."""
        code, line = self.code, LINE // BYTES[self.element]

        def some(c: Value, _: list[Value]) -> list[Value]:
            for t in range(columns):
                place = code.at(x, code.add(c, (t + self.shape.pad) * self.shape.pixel), self.element)
                code.do(f"call void @llvm.prefetch.p0(ptr {place}, i32 0, i32 2, i32 1)")  # into the second cache
            return []

        code.loop(0, code.mul(self.given["depth"], 1 + self.shape.pairs), line, some)

    def _products(self, vectors: int, columns: int, x: Value, w: Value, sums: Sequence[Value]) -> list[Value]:
        """Some input channels more."""
        code, shape, sums = self.code, self.shape, list(sums)
        kind, width = self.product.factors, self.lanes.count
        for u in range(shape.unroll):
            places = [code.at(w, (u * vectors + v) * width) for v in range(vectors)]
            loaded = [code(f"load {kind}, ptr {place}, align 4") for place in places]
            for t in range(columns):
                pixel = self._pixels(code.at(x, t * shape.pixel + u * (1 + shape.pairs), self.element))
                for v, weight in enumerate(loaded):
                    place = t * vectors + v
                    sums[place] = self.product.added(code, sums[place], pixel, weight)
        return sums

    def _pixels(self, pointer: Value) -> Value:
        """An input channel, or a pair, as often as there are lanes."""
        code, shape = self.code, self.shape
        if not shape.half:
            return self._splat(code(f"load float, ptr {pointer}"))
        if shape.pairs:
            pair = code(f"load i32, ptr {pointer}, align 2")
        else:  # with a zero beside it
            pair = code(f"zext i16 {code(f'load i16, ptr {pointer}')} to i32")
        return code(
            f"bitcast {self.vector} {self._splat(code(f'bitcast i32 {pair} to float'))} to {self.product.factors}"
        )

    def _steps(
        self, value: Value, parameters: dict[int, Value], place: tuple[Value, Value, Value, Value], count: int
    ) -> Value:
        """What follows, as torch computes it."""
        code, of = self.code, self.vector
        for i, step in enumerate(self.shape.steps):
            if step.has_picture:
                value = code(f"fadd {of} {value}, {self._added(str(i), place, count, step.each)}")
                continue
            other = "zeroinitializer"
            if step.kind != "relu":
                other = code(f"fmul {of} {value}, {parameters.get(i) or self._splat(constant(step.value))}")
            if step.kind in {"scale", "gain"}:
                value = other
            else:
                # Not greater, or no number at all: as torch's comparisons go.
                kept = code(f"fcmp {'ugt' if step.kind == 'relu' else 'ogt'} {of} {value}, zeroinitializer")
                value = code(f"select <{self.lanes.count} x i1> {kept}, {of} {value}, {of} {other}")
        return value

    def _added(self, name: str, place: tuple[Value, Value, Value, Value], count: int, each: int) -> Value:
        """Channels of another picture, each of them ``each`` times."""
        *where, channel = place
        pointer = self._pixel(name, (where[0], where[1], where[2], self.code(f"sdiv i64 {channel}, {each}")))
        if each == 1:
            return self._load(pointer, count, self.element)
        width = self.lanes.count
        few = self._load(pointer, -(-count // each), self.element)
        return self._shuffle(few, width, [i // each for i in range(width)])

    def _pixel(self, name: str, place: tuple[Value, Value, Value, Value]) -> Value:
        """Where channels of a pixel lie in one of the pictures."""
        code, given = self.code, self.given
        picture, y, p, channel = place
        strides = ((picture, "picture"), (y, "row"), (p, "pixel"))
        values = code.add(channel, *(code.mul(n, given[f"{name} {kind}"]) for n, kind in strides))
        return code.at(given[name], values, self.element)

    def _splat(self, value: Value) -> Value:
        one = self.code(f"insertelement {self.vector} poison, float {value}, i32 0")
        mask = f"<{self.lanes.count} x i32> zeroinitializer"
        return self.code(f"shufflevector {self.vector} {one}, {self.vector} poison, {mask}")

    def _load(self, pointer: Value, count: int | None = None, element: str = "float") -> Value:
        """A register, or its first ``count`` values; as float32, of whatever ``element``."""
        width = self.lanes.count
        if count is None or count == width:
            return self._read(pointer, width, element)
        whole = "zeroinitializer"
        for first, size in _powers(count):
            part = self._read(self.code.at(pointer, first, element), size, element)
            spread = self._shuffle(part, size, [min(i, size - 1) for i in range(width)])
            order = [i + width - first if first <= i < first + size else i for i in range(width)]
            whole = self._shuffle(whole, width, order, spread)
        return whole

    def _read(self, pointer: Value, count: int, element: str) -> Value:
        values = self.code(f"load <{count} x {element}>, ptr {pointer}, align {BYTES[element]}")
        return values if element == "float" else self.code(f"fpext <{count} x bfloat> {values} to <{count} x float>")

    def _store(self, value: Value, pointer: Value, count: int) -> None:
        """A register, or its first ``count`` values."""
        for first, size in _powers(count):
            part = value
            if count < self.lanes.count:
                part = self._shuffle(value, self.lanes.count, range(first, first + size))
            if self.shape.half:
                part = self.code(f"fptrunc <{size} x float> {part} to <{size} x bfloat>")
            place = self.code.at(pointer, first, self.element)
            self.code.do(f"store <{size} x {self.element}> {part}, ptr {place}, align {BYTES[self.element]}")

    def _shuffle(self, value: Value, width: int, order: Sequence[int], other: Value = "poison") -> Value:
        """Values of ``value``, and behind them of ``other``, in another order."""
        mask = ", ".join(f"i32 {i}" for i in order)
        of = f"<{width} x float>"
        return self.code(f"shufflevector {of} {value}, {of} {other}, <{len(order)} x i32> <{mask}>")


def _powers(count: int) -> list[tuple[int, int]]:
    """``count`` as parts (first, size), whose sizes are powers of two: 7 → 0–3, 4–5, 6."""
    parts, first = [], 0
    while first < count:
        size = 1 << ((count - first).bit_length() - 1)
        parts.append((first, size))
        first += size
    return parts
