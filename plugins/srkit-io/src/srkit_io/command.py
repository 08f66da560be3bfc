"""``srkit upscale``."""

from __future__ import annotations

import sys
import time
from collections import Counter
from typing import TYPE_CHECKING, Any

import click
from tqdm import tqdm

import srkit

if TYPE_CHECKING:
    from .jobs import Outcome


def _weights(ctx: click.Context, param: click.Parameter, values: tuple[str, ...]) -> Any:  # noqa: ARG001 -- click's
    """``FILE``, or several ``FILE=SHARE``."""
    if not values:
        return None
    if len(values) == 1 and not _has_share(values[0]):
        return values[0]
    shares: dict[str, float] = {}
    for value in values:
        name, _, share = value.rpartition("=")
        if name in shares:
            raise click.BadParameter(f"{name!r} is named twice; name each file once, with its whole share")
        try:
            shares[name] = float(share)
        except ValueError:
            raise click.BadParameter(f"{value!r} lacks its share; write FILE=SHARE for each of several files") from None
    return shares


def _has_share(value: str) -> bool:
    try:
        float(value.rpartition("=")[2])
    except ValueError:
        return False
    return "=" in value and not value.lower().startswith(("http://", "https://"))


@click.command()
@click.argument("inputs", nargs=-1, required=True, metavar="IN...", type=click.Path(readable=False))
@click.option(
    "-o",
    "--output",
    metavar="OUT",
    type=click.Path(readable=False),
    help="A folder, or a file for a single picture. Default: beside each input.",
)
@click.option("-m", "--model", help="A model of the catalogue; see 'srkit models list'.")
@click.option("--arch", help="An architecture: alone, its default model; with --weights, what they must be.")
@click.option(
    "-w",
    "--weights",
    metavar="FILE",
    multiple=True,
    callback=_weights,
    help="A weight file or URL#sha256=HEX. Several as FILE=SHARE, shares summing to 1, are mixed.",
)
@click.option("--denoise", type=click.FloatRange(0, 1), help="How much noise to remove, for models that can be told.")
@click.option("-s", "--scale", type=float, help="Output size over input size; any number. Default: the network's own.")
@click.option(
    "--alpha",
    type=click.Choice(["network", "resize"]),
    default="network",
    show_default=True,
    help="How transparency is upscaled.",
)
@click.option("--format", "format_", metavar="FORMAT", help="png, jpg, webp, tif or bmp. Default: each input's own.")
@click.option("--quality", type=click.IntRange(1, 100), default=95, show_default=True, help="Of JPEG and WebP.")
@click.option("--suffix", help="Added to each name. Default: none; without --output, _upscaled.")
@click.option("-r", "--recursive", is_flag=True, help="Sub-folders too.")
@click.option("--skip-existing", is_flag=True, help="Leave out what is already there.")
@click.option("--device", help="cpu, cuda, cuda:1, xpu, mps; several as cuda:0,cuda:1. Default: the best there is.")
@click.option(
    "--precision", type=click.Choice(["float32", "float16", "bfloat16"]), default="float32", show_default=True
)
@click.option("--engine", help="An upsampler; see 'srkit plugins'. Default: the best there is.")
@click.option("--memory", help="How much memory the network may use, such as 4GiB; for engines that stream.")
@click.option("--rows", type=click.IntRange(1), help="Input rows a step; for engines that stream.")
@click.option(
    "--halo", type=click.IntRange(0), help="Approximate tiles, with as many pixels around; see --engine tiles."
)
@click.option("--explain", is_flag=True, help="Tell how each picture would be run, and do nothing.")
@click.option(
    "--pre-pad",
    type=click.IntRange(0),
    default=0,
    help="Pixels of reflection added below and right, and cropped again.",
)
@click.pass_context
def upscale(
    ctx: click.Context,
    /,
    inputs: tuple[str, ...],
    output: str | None,
    suffix: str | None,
    format_: str | None,
    recursive: bool,
    skip_existing: bool,
    quality: int,
    explain: bool,
    **options: Any,
) -> None:
    """Upscale picture files and folders.

    \b
    srkit upscale photo.jpg -o big.png
    srkit upscale photos/ -o big/ --recursive --model realesr-general-x4v3 --denoise 0.5
    srkit upscale frame.png --scale 2.5 --weights my-network.pth

    PNG, JPEG, WebP, TIFF and BMP; 8 and 16 bit; the result has the depth and the channels of the input. A file that cannot
    be done is told and the rest goes on; the exit code is then 1.
    """  # noqa: D301 -- \b is click's mark for text to leave as it is
    from .jobs import explained, plan, run  # decoders are for those who upscale, not for --help

    if suffix is None:
        suffix = "_upscaled" if output is None else ""
    jobs = plan(inputs, output, recursive=recursive, suffix=suffix, format=format_)
    if not jobs:
        hint = "" if recursive else "; sub-folders need --recursive"
        raise click.ClickException(f"no pictures in {', '.join(inputs)}{hint}")
    if explain:
        upscaler = srkit.load(**options)
        for job in jobs:
            click.echo(f"{job.source}:")
            for key, value in (upscaler.facts() | explained(job, upscaler)).items():
                click.echo(f"  {key + ':':<16}{value}")
        return
    counts: Counter[str] = Counter()
    start = time.monotonic()
    outcomes = run(jobs, lambda: srkit.load(**options), skip_existing=skip_existing, quality=quality)
    with tqdm(total=len(jobs), unit="file", disable=None, leave=False) as bar:
        try:
            for outcome in outcomes:
                counts[outcome.status] += 1
                _tell(outcome)
                bar.update()
        except KeyboardInterrupt:
            bar.close()
            click.echo(f"interrupted; {_summary(counts, len(jobs))}", err=True)
            ctx.exit(130)
    if len(jobs) > 1:
        click.echo(f"{_summary(counts, len(jobs))} in {time.monotonic() - start:.1f} s", err=True)
    if counts["failed"]:
        ctx.exit(1)


def _tell(outcome: Outcome) -> None:
    """A line for each file, above the bar: results to standard output, failures to standard error."""
    if outcome.error is not None:
        notes = getattr(outcome.error, "__notes__", [])
        told = str(outcome.error)
        source = "" if str(outcome.job.source) in told else f"{outcome.job.source}: "
        tqdm.write("\n  ".join([f"failed: {source}{told}", *notes]), file=sys.stderr)
    elif outcome.size and outcome.new_size:
        (height, width), (new_height, new_width) = outcome.size, outcome.new_size
        note = "" if outcome.exact else ", approximate"
        tqdm.write(f"{outcome.job.source} ({width}×{height}) → {outcome.job.target} ({new_width}×{new_height}{note})")
    else:
        tqdm.write(f"{outcome.job.source}: skipped, {outcome.job.target} exists")


def _summary(counts: Counter[str], total: int) -> str:
    parts = [f"{counts[status]} {status}" for status in ("done", "skipped", "failed") if counts[status]]
    left = total - counts.total()
    return ", ".join(parts + ([f"{left} not begun or not finished"] if left else [])) or "nothing done"
