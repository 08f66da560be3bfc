"""Runs every benchmark and writes docs/benchmarks.md.

Each comparison is interleaved: one run of each side in turn, medians of all, so that a machine that drifts drifts for
both. Ratios are what to read; seconds are for scale.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import itertools
import os
import platform
import time
from collections.abc import Iterable
from pathlib import Path

import degradations
import engine
import folder
import memory
import numpy as np
import PIL
import pipeline
import torch
import training

import srkit

PAGE = Path(__file__).parent.parent / "docs" / "benchmarks.md"

INTRODUCTION = """\
Written by `nox -s bench` (`benchmarks/run.py`); medians of interleaved runs. Read the ratios: machines are noisy. On CUDA:
[benchmarks-cuda.md](benchmarks-cuda.md)."""
UPSCALING = """\
`Upscaler(img)` against the same network called directly, contiguous (NCHW), with the usual conversions around it."""
STREAMING = """\
`engine="stream"` against other ways of running the same network on the same picture, float tensors in and out, weights
random. Each side has a process of its own, in which nobody else sets anything, and they run in turn. Preparing (tracing,
exporting, compiling) is not timed. The ratios are streaming's time by the other side's:
below 1, streaming is faster. Where there is more than one run, sides whose results differ from plain torch's are left
out, but for the tiles, which have seams. The time of the bare convolution (64 to 64 channels, 3×3, channels-last strips
of 16 rows as wide as the picture) is scaled to as many operations as the network's; so is that of the processor's
multipliers alone, on values in registers: whoever multiplies all that a convolution multiplies takes at least that. (ncnn
multiplies less: Winograd's transforms change the bits.)"""
MEMORY = f"""\
The peak of a process (VmHWM) above what it held before the first stream began (VmRSS), in float32, fed {memory.FED} rows
at a time, the result thrown away. Each network has a process of its own; its pictures follow one another there, for from
process to process the peak varies by some 8 % with where the heap happens to lie. The prediction is the engine's own."""

FOLDERS = f"""\
Photos of {folder.SIDE} pixels a side through {folder.MODEL}, read and written in their own format, by `srkit_io.run` and by
loops of a few lines. Seconds are those of each stage, summed over the pictures; in `srkit_io.run` stages and pictures overlap
and share the cores. Idle is the share of the time in which the network does not run. PNG: {folder.RUNS} runs of each side, in
turn, of which the median is told; JPEG: one run."""
DEGRADING = f"""\
Pairs of {degradations.CROP}-pixel crops for ×{degradations.SCALE}, out of {degradations.SIDE}-pixel pictures:
the second-order degradation against Real-ESRGAN's algorithm written straightforwardly in torch, {degradations.BATCH}
pictures a batch. One thread each, as in a worker of a data loader."""

TRAINING = f"""\
Seconds of an update of SRVGG 64/16 ×{training.SCALE} with L1, and by `realesrgan` against a discriminator too, on one batch
repeated: the loop of `srkit-training`, with logs, moving average and a checkpoint at the end, against a bare loop of the same
networks, optimisers and average. Below, what an update consists of with the second-order degradation and one worker."""


def processor() -> str:
    """Its name, and the instructions for bfloat16 that it has: without any, that is no faster than float32."""
    cpuinfo = Path("/proc/cpuinfo")
    if not cpuinfo.exists():
        return platform.processor() or platform.machine()
    fields = {
        key.strip(): value.strip() for key, _, value in (s.partition(":") for s in cpuinfo.read_text().splitlines())
    }
    bfloat16 = sorted({"avx512_bf16", "amx_bf16"} & set(fields.get("flags", "").split()))
    return f"{fields.get('model name', platform.machine())} ({', '.join(bfloat16) or 'no bfloat16 instructions'})"


def peer_versions() -> str:
    """``", onnxruntime 1.2, …"``: of what is installed."""
    named = ""
    for name in ("onnxruntime", "openvino", "ncnn"):
        try:
            named += f", {name} {importlib.metadata.version(name)}"
        except importlib.metadata.PackageNotFoundError:
            continue
    return named


def section(title: str, text: str, lines: Iterable[str]) -> list[str]:
    """The lines of a section; printed as they come, since each may take minutes."""
    page = []
    for line in itertools.chain((f"## {title}", ""), (text, "") if text else (), lines):
        print(line, flush=True)
        page.append(line)
    return [*page, ""] if page[-1] else page


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--repeats", type=int, default=7, help="runs of each side, but for the engine's, which have their own"
    )
    parser.add_argument("--threads", type=int, default=2, help="of torch and of its peers")
    parser.add_argument("--quick", action="store_true", help="the small cases only, few repeats; printed, not written")
    parser.add_argument("--output", type=Path, help="where to write the page; docs/benchmarks.md, unless --quick")
    args = parser.parse_args()
    repeats = min(args.repeats, 2) if args.quick else args.repeats
    cases, memory_cases = (engine.QUICK_CASES, memory.QUICK_CASES) if args.quick else (engine.CASES, memory.CASES)
    degraded = degradations.QUICK_CASES if args.quick else degradations.CASES
    # For the processes that measure, too.
    os.environ["OMP_NUM_THREADS"] = str(args.threads)
    torch.set_num_threads(args.threads)
    start = time.monotonic()
    header = [
        "# Benchmarks",
        "",
        INTRODUCTION,
        "",
        f"Machine: {processor()}, {args.threads} threads. Python {platform.python_version()}, torch "
        f"{torch.__version__}, numpy {np.__version__}, Pillow {PIL.__version__}{peer_versions()}, srkit "
        f"{srkit.__version__}. {repeats} runs of each side where nothing else is said.",
        "",
    ]
    print("\n".join(header), flush=True)
    body = [
        *section("Upscaling an array", UPSCALING, pipeline.upscaling(repeats)),
        *section("Streaming: time", STREAMING, engine.tables(cases)),
        *section("Streaming: memory", MEMORY, memory.table(memory_cases)),
        *section("Folders", FOLDERS, folder.table(folder.QUICK_CASES if args.quick else folder.CASES)),
        *section("Degradations", DEGRADING, degradations.table(degraded, min(repeats, 3))),
        *section("Training", TRAINING, training.table(training.QUICK_CASES if args.quick else training.CASES, repeats)),
        *section("Resampling", "", pipeline.resizing(repeats)),
        *section("Starting", "", pipeline.start_up(3 * repeats)),
        f"The whole run took {(time.monotonic() - start) / 60:.0f} minutes.",
        "",
    ]
    output = args.output or (None if args.quick else PAGE)
    if output is not None:
        output.write_text("\n".join([*header, *body]))


if __name__ == "__main__":
    main()
