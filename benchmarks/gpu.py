"""The exact streaming engine on a CUDA device, and writes docs/benchmarks-cuda.md: results, time, memory.

Sides run in turn, medians are told, and the device is waited for before a clock is read. All sides are warmed up: streaming
has recorded its steps, torch.compile has compiled.
"""

from __future__ import annotations

import argparse
import gc
import itertools
import platform
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

import attrs
import numpy as np
import peers
import torch
from networks import RRDB_6, RRDB_23, SCALE, SRVGG, Recipe, flops_per_pixel
from timing import interleaved
from torch import Tensor, nn

import srkit
from srkit.whole import channels_last, forward

PAGE = Path(__file__).parent.parent / "docs" / "benchmarks-cuda.md"
TRAITS = srkit.Traits(scale=SCALE)
BARE_ROWS = 256
PRECISIONS = ("float32", "float16", "bfloat16")
SECTIONS = ("results", "time", "pictures", "memory")

INTRODUCTION = """\
Written by `nox -s bench_gpu` (`benchmarks/gpu.py`); medians of interleaved runs, weights random. Read the ratios."""
EQUALITY = """\
Streams of four and more steps, against the network called on the whole picture, channels-last, on the same device in the
same precision (float32 is float32's, not TF32's): values of the result that differ once rounded to 8 and to 16 bits, and
the largest difference in 16-bit codes."""
TIME = """\
The picture is on the device, and so are the results, in float16 where nothing else is said. Preparing and compiling are not
timed. Ratios are streaming's time by the other side's: below 1, streaming is faster. The bare convolution (64 to 64
channels, 3×3, channels-last) is scaled to as many operations as the network's."""
PICTURES = """\
From an array of uint8 to an array of uint8, in float16: `Upscaler(img)` against Real-ESRGAN's own way, which is NCHW, tiles
of 512 + 10 or the whole picture, and the result brought to the host as float32 and rounded there."""
MEMORY = """\
The most that torch had allocated, above what it had before, in float16; the result thrown away, or kept for the whole
picture. The prediction is the engine's own."""


@attrs.frozen
class Case:
    """A network on pictures of ``size`` = (height, width)."""

    recipe: Recipe
    size: srkit.Size

    @property
    def label(self) -> str:
        return f"{self.recipe.label}, {self.size[1]}×{self.size[0]}"

    def image(self, device: torch.device, dtype: torch.dtype = torch.float32) -> Tensor:
        """Smooth, with some noise, as pictures are; (1, 3, H, W)."""
        maker = torch.Generator().manual_seed(0)
        small = torch.rand(1, 3, 9, 9, generator=maker)
        image = torch.nn.functional.interpolate(small, self.size, mode="bicubic").clamp(0, 1)
        image = (image + 0.03 * torch.randn(image.shape, generator=maker)).clamp(0, 1)
        return image.to(device, dtype)

    def network(self, device: torch.device, dtype: torch.dtype) -> nn.Module:
        network = self.recipe.build().to(device, dtype)
        channels_last(network)
        return network


def upscaler(case: Case, device: torch.device, precision: str, **options: object) -> srkit.Upscaler:
    return srkit.Upscaler.from_network(
        case.recipe.build(),
        TRAITS,
        engine="stream",
        device=device,
        precision=precision,
        **options,  # type: ignore[arg-type]
    )


def streamed(up: srkit.Upscaler, image: Tensor) -> Sequence[Tensor]:
    """Rows of the result, thrown away as they come."""
    for _ in up.stream(iter((image,)), (image.shape[2], image.shape[3])):
        pass
    return []


def equality(cases: Sequence[Case], device: torch.device) -> Iterator[str]:
    yield "| network, picture | precision | 8 bits | 16 bits | at most |"
    yield "|---|---|---|---|---|"
    for case in cases:
        for precision in PRECISIONS:
            dtype = srkit.settings.PRECISIONS[precision]
            image, rows = case.image(device), max(16, case.size[0] // 8)
            with torch.inference_mode():
                expected = forward(case.network(device, dtype), image.to(dtype))
                up = upscaler(case, device, precision, rows=rows)
                out = torch.cat([*up.stream(iter((image,)), case.size)], 2)
            cells = [_differing(out, expected, white) for white in (255, 65535)]
            yield f"| {case.label} | {precision} | {cells[0][0]} | {cells[1][0]} | {cells[1][1]} |"


def _differing(out: Tensor, expected: Tensor, white: int) -> tuple[str, int]:
    ours, theirs = ((values.float().clamp(0, 1) * white).round().int() for values in (out, expected))
    different = (ours != theirs).float().mean().item()
    return ("0" if different == 0 else f"{different:.2%}" if different > 1e-4 else f"{different:.1e}"), int(
        (ours - theirs).abs().max()
    )


def times(cases: Sequence[Case], device: torch.device, repeats: int, *, compiled: bool) -> Iterator[str]:
    half = torch.float16
    for case in cases:
        image, image_half = case.image(device), case.image(device, half)
        plain = case.recipe.build().to(device, half)
        laid_out = case.network(device, half)
        flops = flops_per_pixel(case.recipe.build()) * case.size[0] * case.size[1]
        sides: dict[str, peers.Run] = {
            "srkit, stream": partial(streamed, upscaler(case, device, "float16"), image_half),
            "srkit, stream, bfloat16": partial(streamed, upscaler(case, device, "bfloat16"), image),
            "plain torch (NCHW), whole image": peers.plain(plain, image_half),
            f"plain torch (NCHW), tiles of {peers.TILE} + {peers.TILE_PAD}": peers.tiled(plain, image_half),
            "plain torch (channels-last), whole image": peers.plain(
                laid_out, image_half.contiguous(memory_format=torch.channels_last)
            ),
            "bare convolution": peers.bare_convolution(flops, image_half, half, min(BARE_ROWS, case.size[0])),
            "srkit, stream, float32": partial(streamed, upscaler(case, device, "float32"), image),
            "plain torch (NCHW), whole image, float32 by TF32": peers.plain(case.recipe.build().to(device), image),
        }
        if compiled:
            sides["torch.compile (channels-last), whole image"] = peers.plain(
                torch.compile(laid_out), image_half.contiguous(memory_format=torch.channels_last)
            )
        took = _medians(sides, device, repeats)
        yield f"### {case.label}"
        yield ""
        yield "| side | time | streaming takes |"
        yield "|---|---|---|"
        for name, seconds in took.items():
            against = "srkit, stream, float32" if "float32" in name else "srkit, stream"
            yield f"| {name} | {seconds * 1e3:.1f} ms | {'' if name == against else f'{took[against] / seconds:.2f}'} |"
        yield ""
        rate = flops / took["srkit, stream"] / 1e12
        yield f"Streaming computes at {rate:.0f} TFLOP/s."
        yield ""


def pictures(cases: Sequence[Case], device: torch.device, repeats: int) -> Iterator[str]:
    yield "| network, picture | srkit | plain, tiles | plain, whole | ratio to tiles | ratio to whole |"
    yield "|---|---|---|---|---|---|"
    for case in cases:
        img = (case.image(torch.device("cpu"))[0].permute(1, 2, 0).numpy() * 255).round().astype(np.uint8)
        up = upscaler(case, device, "float16")
        network = case.recipe.build().to(device, torch.float16)
        sides: Mapping[str, Callable[[], object]] = {
            "ours": partial(up, img),
            "tiles": partial(_upstream, network, img, device, peers.tiled),
            "whole": partial(_upstream, network, img, device, peers.plain),
        }
        took = _medians(sides, device, repeats)
        cells = [f"{took[name] * 1e3:.0f} ms" for name in sides]
        ratios = [f"{took['ours'] / took[name]:.2f}" for name in ("tiles", "whole")]
        yield f"| {case.label} | {' | '.join([*cells, *ratios])} |"


def _upstream(
    network: nn.Module, img: np.ndarray, device: torch.device, way: Callable[[nn.Module, Tensor], peers.Run]
) -> np.ndarray:
    image = torch.from_numpy(img.astype(np.float32) / 255).permute(2, 0, 1)[None].to(device).half()
    out = way(network, image)()[0][0].float().cpu().clamp_(0, 1).permute(1, 2, 0).numpy()
    result: np.ndarray = (out * 255).round().astype(np.uint8)
    return result


def memory(cases: Sequence[Case], device: torch.device) -> Iterator[str]:
    yield "| network, picture | streaming | predicted | whole image (NCHW) |"
    yield "|---|---|---|---|"
    for case in cases:
        up, image = upscaler(case, device, "float16"), case.image(torch.device("cpu"))
        ours = _peak(device, partial(streamed, up, image))
        predicted = up.explain(case.size)["predicted peak"]
        del up
        network, image = case.recipe.build().to(device, torch.float16), image.to(device, torch.float16)
        try:
            whole = f"{_peak(device, peers.plain(network, image)) / 1e6:,.0f} MB"
        except torch.OutOfMemoryError:
            whole = "out of memory"
        yield f"| {case.label} | {ours / 1e6:,.0f} MB | {predicted} | {whole} |"


def _peak(device: torch.device, run: Callable[[], object]) -> int:
    if device.type != "cuda":
        run()
        return 0
    gc.collect()
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats(device)
    before = torch.cuda.memory_allocated(device)
    run()
    torch.cuda.synchronize(device)
    return torch.cuda.max_memory_allocated(device) - before


def _medians(sides: Mapping[str, Callable[[], object]], device: torch.device, repeats: int) -> dict[str, float]:
    def waited(run: Callable[[], object]) -> None:
        run()
        if device.type == "cuda":
            torch.cuda.synchronize(device)

    return interleaved({name: partial(waited, run) for name, run in sides.items()}, repeats)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--output", type=Path, help="where to write the page; docs/benchmarks-cuda.md, unless --quick")
    parser.add_argument("--device", type=torch.device, default=torch.device("cuda"))
    parser.add_argument("--quick", action="store_true", help="small pictures, nothing compiled; printed, not written")
    parser.add_argument("--only", nargs="+", choices=SECTIONS, default=SECTIONS, help="some of the sections")
    parser.add_argument(
        "--no-compile", action="store_true", help="leave torch.compile out, which takes a minute or two"
    )
    args = parser.parse_args()
    start = time.monotonic()
    quick = args.quick
    small = [Case(SRVGG, (96, 128)), Case(RRDB_6, (64, 96))]
    large = [Case(SRVGG, (1080, 1920)), Case(RRDB_6, (768, 1024)), Case(RRDB_23, (768, 1024))]
    output = args.output or (None if quick else PAGE)
    held = [*large, Case(SRVGG, (4320, 7680)), Case(RRDB_23, (2160, 3840))]
    name = torch.cuda.get_device_name(args.device) if args.device.type == "cuda" else platform.machine()
    lines = [
        "# Benchmarks on CUDA",
        "",
        INTRODUCTION,
        "",
        f"Machine: {name}. Python {platform.python_version()}, torch {torch.__version__}, cuDNN "
        f"{torch.backends.cudnn.version()}, srkit {srkit.__version__}. {args.repeats} runs of each side.",
        "",
    ]
    print("\n".join(lines), flush=True)
    sections: dict[str, tuple[str, Iterator[str]]] = {
        "results": (EQUALITY, equality(small if quick else [Case(SRVGG, (480, 640)), *large[1:]], args.device)),
        "time": (
            TIME,
            times(small if quick else large, args.device, args.repeats, compiled=not (quick or args.no_compile)),
        ),
        "pictures": (PICTURES, pictures(small if quick else large, args.device, args.repeats)),
        "memory": (MEMORY, memory(small if quick else held, args.device)),
    }
    for title in args.only:
        text, body = sections[title]
        for line in itertools.chain((f"## {title.capitalize()}", "", text, ""), body, ("",)):
            print(line, flush=True)
            lines.append(line)
            if output is not None:
                output.write_text("\n".join(lines) + "\n")  # whatever becomes of the rest
    print(f"The whole run took {(time.monotonic() - start) / 60:.1f} minutes.")


if __name__ == "__main__":
    main()
