"""``srkit degrade``: what a recipe does to a photo."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

import srkit

from .appear import whole

if TYPE_CHECKING:
    from torch import Tensor

_SIDE = 480  # of what a contact sheet shows


@click.command()
@click.argument("photo", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.argument("out", type=click.Path(dir_okay=False, path_type=Path))
@click.option(
    "--recipe",
    default="second-order",
    show_default=True,
    help="A recipe that is shipped (second-order, wild), or a YAML file.",
)
@click.option("--scale", type=click.FloatRange(0, min_open=True), help="By how much smaller. Default: the recipe's.")
@click.option(
    "--seed", type=click.IntRange(0, 2**63 - 1), default=0, show_default=True, help="Another one, other draws."
)
@click.option("--sheet", metavar="N", type=click.IntRange(1, 200), help="A contact sheet: the original and N draws.")
def degrade(photo: Path, out: Path, recipe: str, scale: float | None, seed: int, sheet: int | None) -> None:
    """Make a PHOTO worse, as for training, and write it to OUT.

    \b
    srkit degrade photo.jpg worse.png
    srkit degrade photo.jpg worse.png --recipe my-recipe.yaml --scale 2 --seed 7
    srkit degrade photo.jpg sheet.png --sheet 11

    What was drawn is printed. The same seed gives the same result. A contact sheet shows the middle of the photo, at most
    480 pixels a side, beside what becomes of it with the seeds from --seed on, enlarged to its size.

    A recipe is a YAML file of steps: docs/degradations.md lists the degradations and their options.
    """  # noqa: D301 -- \b is click's mark for text to leave as it is
    import cv2

    from .degradations.sheet import contact_sheet

    degradation = _recipe(recipe, scale)
    suffix = out.suffix or ".png"
    if not cv2.haveImageWriter(f"out{suffix}"):
        raise click.BadParameter(f"nothing here writes {suffix!r} files; try .png", param_hint="OUT")
    image = _read(photo)
    if sheet is None:
        result, words = _degraded(degradation, image, seed)
        click.echo(words)
    else:
        image = _middle(image)
        drawn = [_degraded(degradation, image, seed + number) for number in range(sheet)]
        captions = [f"seed {seed + number}: {words}" for number, (_, words) in enumerate(drawn)]
        result = contact_sheet(_levels(image), [picture for picture, _ in drawn], captions)
        click.echo("\n".join(captions))
    _write(out, suffix, result)


def _recipe(recipe: str, scale: float | None) -> srkit.Degradation:
    import attrs

    from .degradations.compose import Chain
    from .degradations.recipes import load_recipe

    degradation = load_recipe(recipe)
    if scale is None:
        return degradation
    if not isinstance(degradation, Chain):
        raise click.UsageError(f"the recipe {recipe!r} is no chain, so it has no scale; leave --scale out")
    return attrs.evolve(degradation, scale=scale)


def _degraded(degradation: srkit.Degradation, image: Tensor, seed: int) -> tuple[Any, str]:
    """(H, W, 3) uint8, and what was drawn."""
    from .degradations.draws import seeded
    from .degradations.samples import explain

    images, words = explain(degradation, image[None], seeded(seed))
    return _levels(images[0]), ", ".join(words[0])


def _levels(image: Tensor) -> Any:
    """(3, H, W) float32 → (H, W, 3) uint8."""
    return (image.permute(1, 2, 0) * 255).round().byte().contiguous().numpy()


def _read(photo: Path) -> Tensor:
    """(3, H, W) float32 RGB in [0, 1]; upright, transparency left out."""
    import cv2
    import numpy as np
    import torch

    levels = cv2.imdecode(np.fromfile(photo, np.uint8), cv2.IMREAD_COLOR_RGB | cv2.IMREAD_ANYDEPTH)
    if levels is None:
        raise click.BadParameter(f"{str(photo)!r} is no picture that OpenCV can read", param_hint="PHOTO")
    top = np.float32({"uint8": 2**8 - 1, "uint16": 2**16 - 1}.get(levels.dtype.name, 1))
    return torch.from_numpy(levels.astype(np.float32) / top).clamp_(0, 1).permute(2, 0, 1)


def _middle(image: Tensor) -> Tensor:
    top, left = (max(0, (length - _SIDE) // 2) for length in image.shape[1:])
    return image[:, top : top + _SIDE, left : left + _SIDE]


def _write(out: Path, suffix: str, picture: Any) -> None:
    import cv2

    _, data = cv2.imencode(suffix, cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
    try:
        with whole(out) as part:
            part.write_bytes(data.tobytes())
    except OSError as error:
        raise click.ClickException(f"cannot write {str(out)!r}: {error.strerror}") from error
