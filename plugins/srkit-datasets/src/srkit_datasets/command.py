"""``srkit dataset``: preparing pictures for training."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

_threads = click.option(
    "-j",
    "--threads",
    type=click.IntRange(1),
    default=lambda: os.cpu_count() or 1,
    show_default="processors",
    help="Pictures at a time.",
)
_restart = click.option("--restart", is_flag=True, help="Make all anew, also what is there.")
_inputs = click.argument("inputs", nargs=-1, required=True, metavar="IN...")
_output = click.option("-o", "--output", required=True, metavar="FOLDER", type=click.Path(file_okay=False))
_format = click.option(
    "--format", "format_", default="png", show_default=True, metavar="FORMAT", help="Of the results: png, jpg, webp, …"
)
_quality = click.option(
    "--quality", type=click.IntRange(1, 100), default=95, show_default=True, help="Of lossy formats."
)


@click.group()
def dataset() -> None:
    """Prepare pictures for training: cut, scale, list and pack.

    \b
    srkit dataset multi-scale DF2K/ -o DF2K_multiscale/
    srkit dataset sub-images DF2K/ DF2K_multiscale/ -o DF2K_sub/
    srkit dataset list DF2K_sub/ -o meta_info.txt --check
    srkit dataset pack DF2K_sub/ -o DF2K_sub.lmdb

    Each can be interrupted, and goes on where it was when it is run again. A bad file is told and the rest goes on; the exit
    code is then 1. Files appear whole or not at all.
    """  # noqa: D301 -- \b is click's mark for text to leave as it is


def _stacked(*options: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def decorate(function: Any) -> Any:
        for option in reversed(options):
            function = option(function)
        return function

    return decorate


@dataset.command("sub-images")
@_stacked(_inputs, _output)
@click.option("--crop", type=click.IntRange(1), default=480, show_default=True, help="Pixels a side.")
@click.option("--step", type=click.IntRange(1), default=240, show_default=True, help="Pixels from one to the next.")
@click.option(
    "--least",
    type=click.IntRange(0),
    default=0,
    show_default=True,
    help="One more at the far border if more than so many pixels would be left over.",
)
@_stacked(_format, _quality, _threads, _restart)
@click.pass_context
def sub_images(
    ctx: click.Context,
    inputs: tuple[str, ...],
    output: str,
    crop: int,
    step: int,
    least: int,
    format_: str,
    quality: int,
    threads: int,
    restart: bool,
) -> None:
    """Cut pictures into overlapping squares.

    \b
    srkit dataset sub-images DIV2K_train_HR/ -o DIV2K_sub/
    srkit dataset sub-images photos/ -o sub/ --crop 400 --step 200

    Training reads a crop at a time; of a large picture all the rest would be decoded for nothing. Depth and channels stay as
    they are; 0801.png becomes 0801_s001.png and so on, row by row, sub-folders stay. A picture smaller than the crop is taken
    whole.
    """  # noqa: D301 -- \b is click's mark for text to leave as it is
    from .cutting import SubImages, make

    recipe = SubImages(crop, step, least)
    ctx.exit(make(inputs, output, recipe, format=format_, quality=quality, threads=threads, restart=restart))


@dataset.command("multi-scale")
@_stacked(_inputs, _output)
@click.option(
    "--scale",
    "scales",
    type=click.FloatRange(0, 1, min_open=True),
    multiple=True,
    default=(0.75, 0.5, 1 / 3),
    help="Size of a copy; may be repeated.  [default: 0.75, 0.5, 1/3]",
)
@click.option(
    "--shortest",
    type=click.IntRange(0),
    default=400,
    show_default=True,
    help="And one with so many pixels along the shorter side; 0 for none.",
)
@_stacked(_format, _quality, _threads, _restart)
@click.pass_context
def multi_scale(
    ctx: click.Context,
    inputs: tuple[str, ...],
    output: str,
    scales: tuple[float, ...],
    shortest: int,
    format_: str,
    quality: int,
    threads: int,
    restart: bool,
) -> None:
    """Make smaller copies of pictures.

    \b
    srkit dataset multi-scale DF2K/ -o DF2K_multiscale/
    srkit dataset multi-scale scans/ -o small/ --scale 0.5 --shortest 0

    A network that has seen things at several sizes does better. Lanczos, in the depth of the picture, without alpha; 0801.png
    becomes 0801T0.png, 0801T1.png and so on. No copy is larger than its picture.
    """  # noqa: D301 -- \b is click's mark for text to leave as it is
    from .cutting import MultiScale, make

    recipe = MultiScale(scales, shortest or None)
    ctx.exit(make(inputs, output, recipe, format=format_, quality=quality, threads=threads, restart=restart))


@dataset.command("list")
@_inputs
@click.option("-o", "--output", required=True, metavar="FILE", type=click.Path(dir_okay=False), help="The list.")
@click.option("--root", metavar="FOLDER", help="What names are relative to. Default: what holds all folders.")
@click.option("--pattern", default="*", show_default=True, help="What names must match; * spans folders.")
@click.option("--lq", metavar="FOLDER", help="List pairs: IN holds the targets, this folder the inputs.")
@click.option("--lq-name", default="{}", show_default=True, help="How the input of a target is called, such as {}x4.")
@click.option("--scale", type=click.IntRange(1), default=4, show_default=True, help="Of pairs.")
@click.option("--check", is_flag=True, help="Decode every picture, and leave out those that are damaged.")
@_stacked(_threads, _restart)
@click.pass_context
def list_(
    ctx: click.Context,
    inputs: tuple[str, ...],
    output: str,
    root: str | None,
    pattern: str,
    lq: str | None,
    lq_name: str,
    scale: int,
    check: bool,
    threads: int,
    restart: bool,
) -> None:
    """List pictures with their sizes, or pairs.

    \b
    srkit dataset list DF2K_sub/ OST_sub/ -o meta_info.txt
    srkit dataset list GT/ --lq LQ/ --lq-name '{}x4' -o meta_info_pairs.txt

    Lines are those of BasicSR's and Real-ESRGAN's meta_info files: 'NAME (height,width,channels)', or 'GT, LQ'. Edit the
    list to choose what to train with.
    """  # noqa: D301 -- \b is click's mark for text to leave as it is
    from .listing import list_pairs, list_pictures
    from .partners import check_template

    if lq is None:
        code = list_pictures(inputs, output, root=root, pattern=pattern, check=check, threads=threads, restart=restart)
    else:
        if len(inputs) > 1:
            raise click.UsageError("with --lq there is one folder of targets")
        check_template(lq_name)
        code = list_pairs(
            inputs[0], lq, output, lq_name=lq_name, scale=scale, check=check, threads=threads, restart=restart
        )
    ctx.exit(code)


@dataset.command("pack")
@_inputs
@click.option("-o", "--output", required=True, metavar="OUT", help="OUT.lmdb for LMDB, else a folder for tar shards.")
@click.option("--list", "names", metavar="FILE", help="Pack only the pictures that this list names.")
@click.option("--pattern", default="*", show_default=True, help="What names must match; * spans folders.")
@click.option("--per-shard", type=click.IntRange(1), default=1000, show_default=True, help="Pictures in a tar shard.")
@_stacked(_threads, _restart)
@click.pass_context
def pack(
    ctx: click.Context,
    inputs: tuple[str, ...],
    output: str,
    names: str | None,
    pattern: str,
    per_shard: int,
    threads: int,
    restart: bool,
) -> None:
    """Pack pictures into an LMDB folder or tar shards.

    \b
    srkit dataset pack DF2K_sub/ -o DF2K_sub.lmdb
    srkit dataset pack DF2K_sub/ -o shards/ --per-shard 2000
    srkit dataset pack DF2K_sub.lmdb -o shards/

    Disks and networks read few large files faster than many small ones. Files go in as they are, after they were decoded to
    see that they are sound. LMDB folders are laid out as BasicSR's, tar shards as WebDataset's.
    """  # noqa: D301 -- \b is click's mark for text to leave as it is
    from .packing import pack_lmdb, pack_tar
    from .pictures import Pictures, open_pictures

    source = open_pictures([Pictures(path=path, list=names, pattern=pattern) for path in inputs])
    target = Path(output)
    if target.suffix == ".lmdb":
        code = pack_lmdb(source, target, threads=threads, restart=restart)
    elif target.suffix == ".tar":
        raise click.UsageError(f"{output} would be one tar file; name a folder, into which shards are written")
    else:
        code = pack_tar(source, target, per_shard=per_shard, threads=threads, restart=restart)
    ctx.exit(code)
