"""Writes functions in LLVM's text form: values get numbers, loops get their phis."""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from typing import TypeAlias

import attrs

Value: TypeAlias = str
"""A number, or the name of what a line before computed."""


class Code:
    """The body of a function, line by line; ``code("add i64 1, 2")`` gives the name of the result."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self._count = 0
        self._block = "0"  # LLVM's own name for the first

    def function(self, *declared: str) -> str:
        """The text of a function ``kernel`` with this body, whose argument is a pointer ``%args``, and what it calls."""
        return "\n".join([*declared, "define void @kernel(ptr %args) {", *self.lines, "}"])

    def __call__(self, text: str) -> Value:
        """A line that computes a value."""
        name = self._name("v")
        self.do(f"{name} = {text}")
        return name

    def do(self, text: str) -> None:
        """A line that computes none."""
        self.lines.append(f"  {text}")

    def _name(self, kind: str) -> str:
        self._count += 1
        return f"%{kind}{self._count}"

    def label(self) -> str:
        """A block to come, to be branched to."""
        return self._name("b")

    def begin(self, label: str) -> None:
        """What follows is the block ``label``."""
        self.lines.append(f"{label[1:]}:")
        self._block = label[1:]

    def add(self, *terms: Value | int) -> Value:
        """The sum of whole numbers."""
        total, *others = terms
        for term in others:
            total = self(f"add i64 {total}, {term}")
        return str(total)

    def mul(self, a: Value | int, b: Value | int) -> Value:
        """The product of whole numbers."""
        return self(f"mul i64 {a}, {b}")

    def least(self, a: Value | int, b: Value | int) -> Value:
        """The smaller of whole numbers."""
        return self(f"select i1 {self(f'icmp slt i64 {a}, {b}')}, i64 {a}, i64 {b}")

    def most(self, a: Value | int, b: Value | int) -> Value:
        """The larger of whole numbers."""
        return self(f"select i1 {self(f'icmp sgt i64 {a}, {b}')}, i64 {a}, i64 {b}")

    def at(self, pointer: Value, values: Value | int, kind: str = "float") -> Value:
        """A pointer so many values of a type further."""
        return self(f"getelementptr {kind}, ptr {pointer}, i64 {values}")

    def loop(
        self,
        first: Value | int,
        end: Value | int,
        step: int,
        body: Callable[[Value, list[Value]], Sequence[Value]],
        kind: str = "",
        carried: Sequence[Value] = (),
    ) -> list[Value]:
        """``for index in range(first, end, step): carried = body(index, carried)``; values of type ``kind`` are carried."""
        before, (head, inside, after) = self._block, (self.label() for _ in range(3))
        self.do(f"br label {head}")
        self.begin(head)
        index, values = self._name("i"), [self._name("c") for _ in carried]
        phis = len(self.lines)
        self.lines += [""] * (1 + len(values))
        self.do(f"br i1 {self(f'icmp slt i64 {index}, {end}')}, label {inside}, label {after}")
        self.begin(inside)
        made = body(index, values)
        following = self.add(index, step)
        for place, (name, of, start, then) in enumerate(
            [(index, "i64", first, following), *zip(values, [kind] * len(values), carried, made, strict=True)], phis
        ):
            self.lines[place] = f"  {name} = phi {of} [ {start}, %{before} ], [ {then}, %{self._block} ]"
        self.do(f"br label {head}")
        self.begin(after)
        return values


@attrs.frozen
class Product:
    """The instruction that adds products to ``count`` sums in float32: of float32, or, ``half``, of pairs of bfloat16."""

    count: int
    half: bool

    @property
    def sums(self) -> str:
        """The type of what is added to."""
        return f"<{self.count} x float>"

    @property
    def factors(self) -> str:
        """The type of what is multiplied."""
        return f"<{2 * self.count} x bfloat>" if self.half else self.sums

    @property
    def _name(self) -> str:
        return f"@llvm.x86.avx512bf16.dpbf16ps.{32 * self.count}" if self.half else f"@llvm.fma.v{self.count}f32"

    def declaration(self) -> str:
        """The line that a text which uses it begins with."""
        return f"declare {self.sums} {self._name}({self._in_order(self.sums, self.factors, self.factors)})"

    def added(self, code: Code, total: Value, a: Value, b: Value) -> Value:
        """``total`` and what ``a`` and ``b`` make."""
        given = self._in_order(f"{self.sums} {total}", f"{self.factors} {a}", f"{self.factors} {b}")
        return code(f"call {self.sums} {self._name}({given})")

    def _in_order(self, total: str, a: str, b: str) -> str:
        return ", ".join((total, a, b) if self.half else (a, b, total))


def constant(value: float) -> Value:
    """A float32 as LLVM writes it: by the bits of the double that equals it."""
    rounded: float = struct.unpack("f", struct.pack("f", value))[0]
    return "0x" + struct.pack(">d", rounded).hex().upper()
