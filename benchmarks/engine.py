"""The exact streaming engine against other ways of running the same network, each in a process of its own, in turn."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import attrs
import peers
import torch
from multipliers import at_full_rate
from networks import RRDB_6, RRDB_23, SCALE, SRVGG, Recipe, flops_per_pixel
from timing import Apart, NotMeasured, medians, seconds
from torch import Tensor, nn

import srkit
from srkit_archs_realesrgan.rrdb import RRDBNet
from srkit_archs_realesrgan.srvgg import SRVGGNetCompact

STREAM, STREAM_BF16 = "srkit, stream, float32", "srkit, stream, bfloat16"
WHOLE = "srkit, whole image, float32"
PLAIN, TILED = "plain torch (NCHW), whole image", f"plain torch (NCHW), tiles of {peers.TILE} + {peers.TILE_PAD}"
ORT, OPENVINO, OPENVINO_BF16, NCNN = "ONNX Runtime", "OpenVINO, float32", "OpenVINO, bfloat16", "ncnn"
BARE, BARE_BF16 = "bare convolution, float32", "bare convolution, bfloat16"
MULTIPLIERS, MULTIPLIERS_BF16 = "multipliers alone, float32", "multipliers alone, bfloat16"
BARE_PART = 1 / 8


@attrs.frozen
class Side:
    """A way of running a network.

    ``tolerance``: how far its result may be from plain torch's, relative to the largest value; None where it does not
    compute the network (tiles have seams). ``part``: of the network's work that it does; its time is scaled up.
    """

    make: Callable[[nn.Module, Tensor], peers.Run]
    tolerance: float | None = 1e-4
    part: float = 1.0


@attrs.frozen
class Case:
    """A network on a picture of ``size`` = (height, width).

    With one repeat nothing is warmed up, and each side is done before the next begins: a machine need hold only one.
    """

    recipe: Recipe
    size: srkit.Size
    repeats: int

    @property
    def sides(self) -> list[str]:
        return [name for name in SIDES if name != TILED or max(self.size) > peers.TILE]


def upscaler(network: nn.Module, image: Tensor, engine: str, precision: str) -> peers.Run:
    up = srkit.Upscaler.from_network(
        network, srkit.Traits(scale=SCALE), engine=engine, device="cpu", precision=precision
    )
    return lambda: list(up.stream(iter((image,)), (image.shape[2], image.shape[3])))


def bare(network: nn.Module, image: Tensor, dtype: torch.dtype) -> peers.Run:
    return peers.bare_convolution(_part(network, image), image, dtype)


def multipliers(network: nn.Module, image: Tensor, dtype: torch.dtype) -> peers.Run:
    return at_full_rate(_part(network, image), dtype)


def _part(network: nn.Module, image: Tensor) -> float:
    """Operations of the part of the network's work that is done in its place."""
    return flops_per_pixel(network) * image[0, 0].numel() * BARE_PART


SIDES = {
    STREAM: Side(partial(upscaler, engine="stream", precision="float32")),
    STREAM_BF16: Side(partial(upscaler, engine="stream", precision="bfloat16"), 0.05),
    WHOLE: Side(partial(upscaler, engine="whole", precision="float32")),
    PLAIN: Side(peers.plain),
    TILED: Side(peers.tiled, None),
    ORT: Side(peers.onnx_runtime),
    OPENVINO: Side(partial(peers.openvino, precision="f32")),
    OPENVINO_BF16: Side(partial(peers.openvino, precision="bf16"), 0.05),
    NCNN: Side(peers.ncnn),
    BARE: Side(partial(bare, dtype=torch.float32), None, BARE_PART),
    BARE_BF16: Side(partial(bare, dtype=torch.bfloat16), None, BARE_PART),
    MULTIPLIERS: Side(partial(multipliers, dtype=torch.float32), None, BARE_PART),
    MULTIPLIERS_BF16: Side(partial(multipliers, dtype=torch.bfloat16), None, BARE_PART),
}

GOALS: Mapping[Callable[..., nn.Module], Mapping[tuple[str, str], float]] = {
    SRVGGNetCompact: {(STREAM, PLAIN): 0.38, (STREAM, ORT): 0.90, (STREAM_BF16, OPENVINO_BF16): 0.75},
    RRDBNet: {(STREAM, PLAIN): 0.36, (STREAM, OPENVINO): 1.0, (STREAM_BF16, OPENVINO_BF16): 1.0},
}
"""What streaming should take at most, as a part of another's time."""

_LEAST = {STREAM: MULTIPLIERS, STREAM_BF16: MULTIPLIERS_BF16}
"""What streaming cannot be faster than."""

CASES = (
    Case(SRVGG, (480, 640), repeats=7),
    Case(SRVGG, (1080, 1920), repeats=2),
    Case(RRDB_6, (192, 256), repeats=5),
    Case(RRDB_6, (288, 384), repeats=3),
    Case(RRDB_6, (768, 1024), repeats=1),
    Case(RRDB_23, (192, 256), repeats=3),
    Case(RRDB_23, (384, 512), repeats=1),
)
QUICK_CASES = (Case(SRVGG, (480, 640), repeats=2), Case(RRDB_6, (192, 256), repeats=2))


def tables(cases: Iterable[Case]) -> Iterator[str]:
    """The lines of the page: of each case the times, and what streaming takes of each."""
    for case in cases:
        yield f"### {case.recipe.label}, {case.size[1]}×{case.size[0]}"
        yield ""
        results = timed(case)
        times = {name: took for name, took in results.items() if isinstance(took, float)}
        yield "| side | time | stream, float32, takes | stream, bfloat16, takes |"
        yield "|---|---|---|---|"
        for name, took in times.items():
            yield f"| {name} | {took:.2f} s | {' | '.join(_ratios(case, name, times))} |"
        yield ""
        yield " ".join([_how_often(case), *_rates(times)])
        yield ""
        for name, why in results.items():
            if isinstance(why, str):
                yield f"Not measured: {name}; {why}."
                yield ""


def _how_often(case: Case) -> str:
    return (
        "1 run of each side, one after the other, not warmed up."
        if case.repeats == 1
        else f"{case.repeats} runs of each side."
    )


def _rates(times: Mapping[str, float]) -> Iterator[str]:
    for stream, bare, kind in ((STREAM, BARE, "float32"), (STREAM_BF16, BARE_BF16, "bfloat16")):
        found = [
            f"{times[rate] / times[stream]:.0%} of the rate of {of}"
            for rate, of in ((bare, "a bare convolution"), (_LEAST[stream], "the multipliers alone"))
            if {stream, rate} <= times.keys()
        ]
        if found:
            yield f"In {kind}, streaming runs at {' and '.join(found)}."


def _ratios(case: Case, name: str, times: Mapping[str, float]) -> list[str]:
    cells = []
    for stream in (STREAM, STREAM_BF16):
        goal = GOALS[case.recipe.architecture].get((stream, name))
        if stream not in times or stream == name:
            cells.append("")
        elif goal is None:
            cells.append(f"{times[stream] / times[name]:.2f}")
        else:
            ratio, least = times[stream] / times[name], times.get(_LEAST[stream])
            missed = "not met" if least is None else f"not met; the multipliers alone take {least / times[name]:.3f}"
            cells.append(f"**{ratio:.3f}** (goal ≤ {goal:.2f}: {'met' if ratio <= goal else missed})")
    return cells


def timed(case: Case) -> dict[str, float | str]:
    """Median seconds of each side, or why there are none."""
    results: dict[str, float | str] = {}
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        processes = {name: stack.enter_context(Apart()) for name in case.sides}
        # Plain torch first: what it gives is what the others are held to.
        for name in sorted(processes, key=lambda name: name != PLAIN):
            try:
                processes[name](prepare, case, name, Path(folder, "expected.pt"))
                if case.repeats == 1:
                    results[name] = processes[name](run_once) / SIDES[name].part
            except NotMeasured as error:
                results[name] = str(error)
            if name in results:
                processes.pop(name).__exit__()
        took = medians({name: partial(process, run_once) for name, process in processes.items()}, case.repeats)
    results |= {name: median / SIDES[name].part for name, median in took.items()}
    return {name: results[name] for name in case.sides}


_ready: list[peers.Run] = []
"""What this process runs."""


def prepare(case: Case, name: str, expected: Path) -> None:
    """Make a side ready in this process; run it once and check its result, if there is to be more than one run.

    ``expected``: where the first to come, plain torch, leaves its result.
    """
    side, image = SIDES[name], torch.rand(1, 3, *case.size, generator=torch.Generator().manual_seed(0))
    run = side.make(case.recipe.build(), image)
    _ready[:] = [run]
    if case.repeats > 1:
        strips = run()
        if name == PLAIN:
            torch.save(strips[0], expected)
        elif side.tolerance is not None and expected.exists():
            _check(strips, torch.load(expected), side.tolerance)


def run_once() -> float:
    """Seconds of one run of what is ready."""
    return seconds(_ready[0])


def _check(strips: Sequence[Tensor], expected: Tensor, tolerance: float) -> None:
    error = (torch.cat(list(strips), 2).float() - expected).abs().max() / expected.abs().max()
    if not error <= tolerance:
        raise ArithmeticError(f"its result is off by {error:.1e} of the largest value")
