"""``srkit upscale``."""

from __future__ import annotations

import contextlib
import shutil
import signal
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

import click

import srkit

from .formats import FORMATS
from .formerly import Command

if TYPE_CHECKING:
    from .jobs import Outcome
    from .journal import Journal
    from .targets import Job
    from .tell import Bars, Report


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


_INTERRUPTED, _TERMINATED = 130, 143


@click.command(cls=Command)
@click.argument("inputs", nargs=-1, metavar="IN...", type=click.Path(readable=False, allow_dash=True))
@click.option(
    "-o",
    "--output",
    metavar="OUT",
    type=click.Path(readable=False, allow_dash=True),
    help="A folder, or a file for a single picture; - for standard output. Default: beside each input.",
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
@click.option("--background", metavar="COLOR", help="Put '#rrggbb' under what is transparent, and drop transparency.")
@click.option("--format", "format_", metavar="FORMAT", help="png, jpg, tif, webp, avif, … Default: each input's own.")
@click.option(
    "--depth", type=click.Choice(["8", "16", "half", "float"]), help="Bits of a result's value. Default: the input's."
)
@click.option("--quality", type=click.IntRange(1, 100), default=95, show_default=True, help="Of lossy formats.")
@click.option(
    "--compression", type=click.IntRange(0, 9), default=3, show_default=True, help="Effort for PNG and TIFF; 0 is none."
)
@click.option("--tile", type=click.IntRange(16), help="TIFF in tiles of so many pixels a side, not in strips.")
@click.option("--pyramid", is_flag=True, help="TIFF with smaller versions in it, for viewers of huge pictures.")
@click.option("--suffix", help="Added to each name. Default: none; without --output, _upscaled.")
@click.option("-r", "--recursive", is_flag=True, help="Sub-folders too.")
@click.option(
    "--from", "list_", metavar="FILE", type=click.File(), help="Read names of inputs, a line each; - is stdin."
)
@click.option("--skip-existing", is_flag=True, help="Leave out what is already there.")
@click.option("--restart", is_flag=True, help="Do all again, also what an interrupted run had done.")
@click.option(
    "--report", metavar="FILE", type=click.Path(dir_okay=False), help="Add a line of JSON for each file to this file."
)
@click.option("--device", help="cpu, cuda, cuda:1, xpu, mps; several as cuda:0,cuda:1. Default: the best there is.")
@click.option(
    "--precision", type=click.Choice(["float32", "float16", "bfloat16"]), default="float32", show_default=True
)
@click.option("--engine", help="An upsampler; see 'srkit plugins'. Default: the best there is.")
@click.option("--memory", help="How much the network may use, and a picture that must be decoded whole, such as 4GiB.")
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
    list_: Any,
    skip_existing: bool,
    restart: bool,
    report: str | None,
    background: str | None,
    depth: str | None,
    quality: int,
    compression: int,
    tile: int | None,
    pyramid: bool,
    explain: bool,
    **options: Any,
) -> None:
    """Upscale picture files and folders.

    \b
    srkit upscale photo.jpg -o big.png
    srkit upscale photos/ -o big/ --recursive --model realesr-general-x4v3 --denoise 0.5
    srkit upscale 'scans/**/*.tif' -o big/ --report report.jsonl
    srkit upscale frame.png --scale 2.5 --weights my-network.pth
    srkit upscale - < small.png > big.png

    Depth, channels, colour profile, EXIF, XMP and resolution are the input's; so is the format, of which docs/formats.md
    has the list. Pictures of any size go from disk to disk in bounded memory. A file that cannot be done is told and the
    rest goes on; the exit code is then 1. The same command after an interruption goes on where it was.
    """  # noqa: D301 -- \b is click's mark for text to leave as it is
    from . import jobs as running  # decoders are for those who upscale, not for --help
    from .journal import open_journal
    from .options import WriteOptions
    from .targets import plan
    from .tell import Bars, Report
    from .wish import Wish, parse_background

    names = [*inputs, *_listed(list_)]
    if not names:
        raise click.UsageError("no pictures were named; give files or folders, or a list with --from FILE")
    srkit.parse_memory(options["memory"])  # told once, not for each picture
    written = WriteOptions(quality=quality, compression=compression, tile=tile, pyramid=pyramid)
    wish = Wish(depth, parse_background(background))
    with contextlib.ExitStack() as stack:
        to_stdout = output == "-" or (names == ["-"] and output is None)
        if to_stdout or "-" in names:
            work = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="srkit-")))
            names, output = _piped(names, output, format_, work, to_stdout=to_stdout)
        if suffix is None:
            suffix = "_upscaled" if output is None else ""
        jobs = plan(names, output, recursive=recursive, suffix=suffix, format=None if to_stdout else format_)
        if not jobs:
            hint = "" if recursive else "; sub-folders need --recursive"
            raise click.ClickException(f"no pictures in {', '.join(names)}{hint}")
        if explain:
            _explain(jobs, options)
            return
        told: dict[str, Any] = {}
        lines = stack.enter_context(Report(report, told))
        journal = open_journal(jobs, output, _depends(options, written, wish), restart=restart)

        def load() -> srkit.Upscaler:
            upscaler = srkit.load(**options)
            told.update(model=upscaler.loaded.name, engine=upscaler.engine, precision=options["precision"])
            return upscaler

        with Bars(len(jobs), quiet=to_stdout) as bars, _terminable():
            outcomes = running.run(
                jobs,
                load,
                skip_existing=skip_existing,
                options=written,
                wish=wish,
                memory=options["memory"],
                journal=journal,
                watch=bars.rows,
            )
            code = _follow(outcomes, len(jobs), bars, lines, journal)
        if to_stdout and not code:
            with jobs[0].target.open("rb") as file:
                shutil.copyfileobj(file, sys.stdout.buffer)
            sys.stdout.buffer.flush()
    ctx.exit(code)


def _follow(outcomes: Generator[Outcome], total: int, bars: Bars, report: Report, journal: Journal | None) -> int:
    """Tell each outcome; the exit code."""
    from .tell import summary

    counts: Counter[str] = Counter()
    start = time.monotonic()
    code, hint = 0, ""
    try:
        for outcome in outcomes:
            counts[outcome.status] += 1
            bars.outcome(outcome)
            report.outcome(outcome)
    except KeyboardInterrupt as error:
        code = _TERMINATED if isinstance(error, _Terminated) else _INTERRUPTED
        hint = "; the same command goes on from here" if journal is not None else ""
    finally:
        outcomes.close()  # ends the threads and removes what is half-done, before the journal is left
        if journal is not None:
            journal.close(complete=counts.total() == total)
    if code:
        click.echo(f"interrupted; {summary(counts, total)}{hint}", err=True)
    elif total > 1:
        click.echo(f"{summary(counts, total)} in {time.monotonic() - start:.1f} s", err=True)
    return code or int(counts["failed"] > 0)


class _Terminated(KeyboardInterrupt):
    """SIGTERM came."""


@contextlib.contextmanager
def _terminable() -> Iterator[None]:
    """SIGTERM ends like Ctrl-C."""

    def end(_number: int, _frame: FrameType | None) -> None:
        raise _Terminated

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _listed(file: Iterable[str] | None) -> list[str]:
    """The names in a list, a line each; empty lines are none."""
    return [] if file is None else [line.rstrip("\r\n") for line in file if line.strip()]


def _piped(
    names: list[str], output: str | None, format_: str | None, work: Path, *, to_stdout: bool
) -> tuple[list[str], str | None]:
    """Names and output with - replaced by files in ``work``: what comes from standard input, and what is to go out."""
    from .formats import HEAD, recognise

    if to_stdout and (len(names) != 1 or Path(names[0]).is_dir()):
        raise click.UsageError("standard output takes a single picture")
    if to_stdout and sys.stdout.isatty():
        raise click.UsageError("a picture is nothing for a terminal; name a file with --output, or send it into a pipe")
    if "-" in names:
        spooled = work / "stdin"
        with spooled.open("wb") as file:
            shutil.copyfileobj(sys.stdin.buffer, file)
        with spooled.open("rb") as file:
            kind = recognise(Path("standard input"), file.read(HEAD))
        spooled = spooled.rename(spooled.with_suffix(kind.suffixes[0]))
        names = [str(spooled) if name == "-" else name for name in names]
    if not to_stdout:
        return names, output
    kept = FORMATS.get(Path(names[0]).suffix.lower())
    suffix = kept.suffixes[0] if kept is not None and kept.writable else ".png"
    return names, str(work / f"out{suffix if format_ is None else '.' + format_.lower().removeprefix('.')}")


def _depends(options: Mapping[str, Any], *more: object) -> dict[str, Any]:
    """What the results depend on: the options, srkit, and the weight files as they are now."""
    depends = {**options, "more": [str(item) for item in more], "srkit": srkit.__version__}
    given = options["weights"]
    for name in [given] if isinstance(given, str) else [*(given or ())]:
        with contextlib.suppress(OSError):
            status = Path(name).stat()
            depends[f"weights {name}"] = [status.st_size, status.st_mtime_ns]
    return depends


def _explain(jobs: Sequence[Job], options: Mapping[str, Any]) -> None:
    from .jobs import explained

    upscaler = srkit.load(**options)
    for job in jobs:
        click.echo(f"{job.source}:")
        for key, value in (upscaler.facts() | explained(job, upscaler, options["memory"])).items():
            click.echo(f"  {key + ':':<16}{value}")
