"""How long the processor's multipliers would take for a network's work with nothing else to do: no convolution is faster."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from timing import NotMeasured
from torch import Tensor

from srkit_engine_tiled import kernel
from srkit_engine_tiled.emit import Code
from srkit_engine_tiled.team import together

SUMS = 24
"""As many as are never waited for; as many as the engine's kernels have."""


def at_full_rate(flops: float, dtype: torch.dtype) -> Callable[[], Sequence[Tensor]]:
    """Multiplies and adds in registers: ``flops`` operations on all of torch's threads, none in memory."""
    lanes, threads = kernel.processor(), torch.get_num_threads()
    half = dtype is torch.bfloat16
    if lanes is None or (half and not kernel.multiplies_pairs()):
        raise NotMeasured(f"this processor does not multiply {dtype}, or llvmlite is not installed")
    per_product = 4 * lanes.count if half else 2 * lanes.count
    made = kernel.assembled(_text(lanes.count, half, round(flops / (SUMS * per_product * threads))))
    ones = torch.ones(SUMS * lanes.count)

    def run() -> Sequence[Tensor]:
        together(made.address, ones.data_ptr(), threads)
        return []

    return run


def _text(count: int, half: bool, times: int) -> str:
    """A function that adds the product of what is at its argument so often to each of SUMS sums, and leaves these there."""
    code, vector = Code(), f"<{count} x float>"
    if half:
        name, kinds = f"@llvm.x86.avx512bf16.dpbf16ps.{32 * count}", [vector, *2 * [f"<{2 * count} x bfloat>"]]
    else:
        name, kinds = f"@llvm.fma.v{count}f32", 3 * [vector]
    factor = code(f"load {kinds[1]}, ptr %args, align 4")

    def once(_: str, sums: list[str]) -> list[str]:
        operands = [(value, factor, factor) if half else (factor, factor, value) for value in sums]
        given = [", ".join(f"{kind} {value}" for kind, value in zip(kinds, of, strict=True)) for of in operands]
        return [code(f"call {vector} {name}({values})") for values in given]

    for i, value in enumerate(code.loop(0, times, 1, once, vector, SUMS * ["zeroinitializer"])):
        code.do(f"store {vector} {value}, ptr {code.at('%args', i * count)}, align 4")
    code.do("ret void")
    return "\n".join(
        [f"declare {vector} {name}({', '.join(kinds)})", "define void @kernel(ptr %args) {", *code.lines, "}"]
    )
