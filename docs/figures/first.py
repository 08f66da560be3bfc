"""Draw docs/images/first.jpg, the picture of the first page: a detail, enlarged by interpolation and by srkit.

    python docs/figures/first.py [PHOTO] [--model NAME | --weights FILE] [--out FILE]

Needs srkit, srkit-archs-realesrgan[pretrained] and Pillow; some seconds on a CPU.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

import srkit

IMAGES = Path(__file__).parent.parent / "images"
BOX = (76, 4, 196, 104)  # of the photo: left, top, right, bottom
GAP, CAPTION = 8, 30


def main() -> None:
    """Compute and draw."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("photo", nargs="?", type=Path, default=IMAGES / "astronaut.png")
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--model", default="RealESRGAN_x4plus")
    which.add_argument("--weights", type=Path)
    parser.add_argument("--out", type=Path, default=IMAGES / "first.jpg")
    options = parser.parse_args()

    network = {"weights": options.weights} if options.weights else {"model": options.model}
    name = options.weights.stem if options.weights else options.model
    with Image.open(options.photo) as opened:
        photo = opened.convert("RGB")
    # The whole photo is upscaled, so that the detail is that of a picture with something around it.
    large = Image.fromarray(srkit.upscale(np.asarray(photo), **network))
    scale = large.width // photo.width
    detail = photo.crop(BOX)
    size = (detail.width * scale, detail.height * scale)
    sides = {
        f"a photo, {scale} times as large: bicubic": detail.resize(size, Image.Resampling.BICUBIC),
        f"srkit: {name}": large.crop(tuple(edge * scale for edge in BOX)),
    }
    beside(sides).save(options.out, quality=88, optimize=True)
    print(f"{options.out}: {options.out.stat().st_size / 1000:.0f} kB")


def beside(sides: dict[str, Image.Image]) -> Image.Image:
    """Pictures of one size side by side, each above its caption."""
    width, height = next(iter(sides.values())).size
    sheet = Image.new("RGB", (len(sides) * (width + GAP) - GAP, height + CAPTION), "white")
    draw = ImageDraw.Draw(sheet)
    for number, (caption, picture) in enumerate(sides.items()):
        left = number * (width + GAP)
        sheet.paste(picture, (left, 0))
        draw.text((left + 2, height + 7), caption, fill="#1d232b", font=ImageFont.load_default(15))
    return sheet


if __name__ == "__main__":
    main()
