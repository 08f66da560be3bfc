"""Draw docs/images/seams.png: tiles with a short halo against the exact engine, on a photo.

    python docs/figures/seams.py [PHOTO] [--model NAME | --weights FILE] [--out FILE]

Needs srkit, srkit-archs-realesrgan[pretrained] and srkit-engine-tiled (and scikit-image, if no photo is given). Prints the
figures that docs/exactness.md quotes. Takes minutes with RealESRGAN_x4plus, the default.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

import srkit

IMAGES = Path(__file__).parent.parent / "images"
HEIGHT, WIDTH = 320, 440
TILE, PAD = 128, 10  # Real-ESRGAN pads by 10; 128 makes several seams in a picture as small as this
AMPLIFY = 32
ZOOM = 3  # of the close-up
GAP, CAPTION = 12, 28


def main() -> None:
    """Compute, print, draw."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "photo", nargs="?", type=Path, help="a picture of 440×320 or more; default: scikit-image's astronaut"
    )
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--model", default="RealESRGAN_x4plus")
    which.add_argument("--weights", type=Path)
    parser.add_argument("--out", type=Path, default=IMAGES / "seams.png")
    options = parser.parse_args()

    photo = crop(read(options.photo))
    network = {"weights": options.weights} if options.weights else {"model": options.model}
    name = options.weights.stem if options.weights else options.model
    upscale = srkit.load(**network, engine="whole")
    whole = upscale(photo)
    tiles = in_tiles(upscale, photo)
    stream = srkit.load(**network, engine="stream")(photo)
    print(f"{name}, {WIDTH}×{HEIGHT}, tile {TILE}, pad {PAD}")
    for label, result in (("tiles", tiles), ("stream", stream)):
        off = distance(result, whole)
        some, more = (off > 0).mean(), (off >= 4).mean()
        print(f"{label:>6}: {some:.2%} of values differ, {more:.2%} by 4 or more, largest {off.max()}")
    draw(name, whole, tiles, stream).save(options.out, optimize=True)
    print(f"{options.out}: {options.out.stat().st_size / 1000:.0f} kB")


def read(path: Path | None) -> np.ndarray:
    """The photo, (H, W, 3) uint8 RGB."""
    if path is not None:
        with Image.open(path) as image:
            return np.asarray(image.convert("RGB"))
    try:
        from skimage import data
    except ImportError:
        sys.exit("scikit-image is not installed; install it, or name a photo: python docs/figures/seams.py PHOTO")
    return data.astronaut()


def crop(photo: np.ndarray) -> np.ndarray:
    """The upper middle of the photo."""
    height, width = photo.shape[:2]
    if height < HEIGHT or width < WIDTH:
        sys.exit(f"the photo has {width}×{height} pixels, and {WIDTH}×{HEIGHT} are cut out of it")
    left = (width - WIDTH) // 2
    return np.ascontiguousarray(photo[:HEIGHT, left : left + WIDTH])


def in_tiles(upscale: srkit.Upscaler, photo: np.ndarray) -> np.ndarray:
    """What Real-ESRGAN does: each tile by itself with ``PAD`` pixels around it, which are cut off after."""
    height, width = photo.shape[:2]
    scale = int(upscale.scale)
    result = np.empty((height * scale, width * scale, 3), photo.dtype)
    for y in range(0, height, TILE):
        for x in range(0, width, TILE):
            top, left = max(y - PAD, 0), max(x - PAD, 0)
            down, right = min(y + TILE, height), min(x + TILE, width)
            tile = upscale(photo[top : down + PAD, left : right + PAD])
            core = tile[(y - top) * scale : (down - top) * scale, (x - left) * scale : (right - left) * scale]
            result[y * scale : down * scale, x * scale : right * scale] = core
    return result


def distance(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """|a − b| of 8-bit pictures."""
    return np.abs(a.astype(np.int16) - b)


def shrunk(off: np.ndarray) -> Image.Image:
    """The difference in the photo's size: of each block of values the largest, amplified."""
    scale = off.shape[0] // HEIGHT
    largest = off.reshape(HEIGHT, scale, WIDTH, scale, 3).max((1, 3, 4))
    return Image.fromarray(np.minimum(largest * AMPLIFY, 255).astype(np.uint8)).convert("RGB")


def worst_seam(tiles: np.ndarray, whole: np.ndarray, length: int) -> tuple[int, int]:
    """Row and column of the middle of those ``length`` pixels of a tile's edge that jump most, beside the whole image."""
    off, step = tiles.astype(np.int16) - whole, TILE * whole.shape[0] // HEIGHT
    best, place = -1, (0, 0)
    for axis in (0, 1):
        turned = off.swapaxes(0, axis)
        for edge in range(step, turned.shape[0], step):
            jumps = np.abs(turned[edge] - turned[edge - 1]).sum(1).cumsum()
            sums = jumps[length:] - jumps[:-length]
            if sums.max() > best:
                best, along = sums.max(), int(sums.argmax()) + length // 2
                place = (along, edge) if axis else (edge, along)
    return place


def draw(name: str, whole: np.ndarray, tiles: np.ndarray, stream: np.ndarray) -> Image.Image:
    """Two by two panels."""
    scale, half = whole.shape[0] // HEIGHT, (WIDTH - GAP) // 2
    height, width = HEIGHT // ZOOM, half // ZOOM
    y, x = worst_seam(tiles, whole, width)
    y = min(max(y - height // 2, 0), whole.shape[0] - height)
    x = min(max(x - width // 2, 0), whole.shape[1] - width)
    pair = Image.new("RGB", (WIDTH, HEIGHT), "white")
    for left, picture in ((0, tiles), (WIDTH - half, whole)):
        detail = Image.fromarray(picture[y : y + height, x : x + width])
        pair.paste(detail.resize((half, HEIGHT), Image.Resampling.NEAREST), (left, 0))
    small = Image.fromarray(whole).resize((WIDTH, HEIGHT), Image.Resampling.LANCZOS)
    for by, colour in ((3, "black"), (2, "white")):
        frame = [x // scale - by, y // scale - by, (x + width) // scale + by, (y + height) // scale + by]
        ImageDraw.Draw(small).rectangle(frame, outline=colour)
    panels = [
        (f"{name}, the whole image", small),
        (f"|tiles - whole| x {AMPLIFY}    (tile {TILE}, pad {PAD})", shrunk(distance(tiles, whole))),
        (f"the worst seam (frame), {ZOOM} x;  left: tiles, right: whole", pair),
        (f"|stream - whole| x {AMPLIFY}", shrunk(distance(stream, whole))),
    ]
    sheet = Image.new("RGB", (2 * WIDTH + 3 * GAP, 2 * (HEIGHT + CAPTION) + GAP), "white")
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(15)
    for index, (caption, panel) in enumerate(panels):
        left, top = GAP + index % 2 * (WIDTH + GAP), index // 2 * (HEIGHT + CAPTION) + CAPTION
        sheet.paste(panel, (left, top))
        pen.text((left, top - 6), caption, "black", font, anchor="ls")
    return sheet.quantize(256, dither=Image.Dither.FLOYDSTEINBERG)


if __name__ == "__main__":
    main()
