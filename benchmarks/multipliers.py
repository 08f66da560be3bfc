"""How long the processor's multipliers would take for a network's work with nothing else to do: no convolution is faster."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from timing import NotMeasured
from torch import Tensor

from srkit_engine_tiled import kernel
from srkit_engine_tiled.emit import Code, Product
from srkit_engine_tiled.team import together

SUMS = 24
"""As many as are never waited for; as many as the engine's kernels have."""


def at_full_rate(flops: float, dtype: torch.dtype) -> Callable[[], Sequence[Tensor]]:
    """Multiplies and adds in registers: ``flops`` operations on all of torch's threads, none in memory."""
    lanes, threads = kernel.processor(), torch.get_num_threads()
    half = dtype is torch.bfloat16
    if lanes is None or (half and not kernel.multiplies_pairs()):
        raise NotMeasured(f"this processor does not multiply {dtype}, or llvmlite is not installed")
    each = 2 * lanes.count * (1 + half)
    made = kernel.assembled(_text(Product(lanes.count, half), round(flops / (SUMS * each * threads))))
    ones = torch.ones(SUMS * lanes.count)

    def run() -> Sequence[Tensor]:
        together(made.address, ones.data_ptr(), threads)
        return []

    return run


def _text(product: Product, times: int) -> str:
    """A function that adds the product of what is at its argument so often to each of SUMS sums, and leaves these there."""
    code = Code()
    factor = code(f"load {product.factors}, ptr %args, align 4")

    def once(_: str, sums: list[str]) -> list[str]:
        return [product.added(code, value, factor, factor) for value in sums]

    for i, value in enumerate(code.loop(0, times, 1, once, product.sums, SUMS * ["zeroinitializer"])):
        code.do(f"store {product.sums} {value}, ptr {code.at('%args', i * product.count)}, align 4")
    code.do("ret void")
    return code.function(product.declaration())
