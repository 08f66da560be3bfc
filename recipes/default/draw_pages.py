"""Draw pages of text, lines and flat shapes: what photos of landscapes lack.

Every page follows from its number alone (and from Pillow, whose own font it uses). It is drawn three times as large and then
averaged down, so that its edges are those of a sharp photo: one pixel of transition, no ringing, flat areas exactly flat.

Usage: python draw_pages.py FOLDER
"""

from __future__ import annotations

import random
import sys
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

PAGES = 32
SIDE = 512
_DRAWN = 3  # times as large
_LETTERS = "abcdefghijklmnopqrstuvwxyz" * 4 + "ABCDEFGHIJKLMNOPQRSTUVWXYZ" + "0123456789" + ".,:;!?-()/&%+="
_Colour = tuple[int, int, int]


def main(folder: Path) -> None:
    """Draw all pages that are not there yet."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(PAGES):
        path = folder / f"page-{number:02}.png"
        if not path.exists():
            part = path.with_suffix(".part")
            page(number).save(part, "PNG")
            part.replace(path)


def page(number: int) -> Image.Image:
    """One page, ``SIDE`` pixels a side, RGB; every third one is grey."""
    rng = random.Random(number)
    paper = _light(rng) if rng.random() < 0.7 else _dark(rng)
    image = Image.new("RGB", (SIDE * _DRAWN, SIDE * _DRAWN), paper)
    draw = ImageDraw.Draw(image)
    for part in rng.sample([_shapes, _lines, _text], k=rng.randint(1, 2)):
        part(draw, rng, paper)
    _text(draw, rng, paper)
    image = image.reduce(_DRAWN)
    return image.convert("L").convert("RGB") if number % 3 == 0 else image


def _text(draw: ImageDraw.ImageDraw, rng: random.Random, paper: _Colour) -> None:
    top = rng.randint(0, 40) * _DRAWN
    while top < SIDE * _DRAWN:
        size = round(10 * 6 ** (rng.random() ** 1.5)) * _DRAWN  # 10 to 60 pixels, small ones more often
        words = " ".join("".join(rng.choices(_LETTERS, k=rng.randint(1, 9))) for _ in range(80 * _DRAWN * 10 // size))
        ink, stroke = _against(rng, paper), rng.choice([0, 0, 0, size // 30])
        for _ in range(rng.randint(1, 4)):
            left = rng.randint(-size, size)
            draw.text((left, top), words, ink, ImageFont.load_default(size), stroke_width=stroke)
            words = words[rng.randint(5, 20) :]
            top += round(size * rng.uniform(1.1, 1.5))
        top += rng.randint(0, 60) * _DRAWN


def _lines(draw: ImageDraw.ImageDraw, rng: random.Random, paper: _Colour) -> None:
    for _ in range(rng.randint(10, 40)):
        ink, width = _against(rng, paper), round(_DRAWN * 8 ** (rng.random() ** 2))
        kind = rng.choice(["line", "arc", "path", "hatching"])
        if kind == "line":
            draw.line([_point(rng), _point(rng)], ink, width)
        elif kind == "arc":
            draw.arc(_box(rng), rng.uniform(0, 360), rng.uniform(0, 720), ink, width)
        elif kind == "path":
            draw.line([_point(rng) for _ in range(rng.randint(3, 6))], ink, width, joint="curve")
        else:
            left, top, right, bottom = _box(rng)
            lean, gap = rng.uniform(-1, 1), width * rng.randint(2, 5)
            for x in range(int(left), int(right), gap):
                draw.line([(x, top), (x + lean * (bottom - top), bottom)], ink, width)


def _shapes(draw: ImageDraw.ImageDraw, rng: random.Random, paper: _Colour) -> None:
    for _ in range(rng.randint(4, 15)):
        fill = _against(rng, paper)
        outline = _dark(rng) if rng.random() < 0.5 else None
        width = rng.randint(1, 5) * _DRAWN
        kind = rng.choice(["rectangle", "ellipse", "polygon"])
        if kind == "polygon":
            draw.polygon([_point(rng) for _ in range(rng.randint(3, 6))], fill, outline, width)
        elif kind == "ellipse":
            draw.ellipse(_box(rng), fill, outline, width)
        else:
            draw.rounded_rectangle(_box(rng), rng.choice([0, 0, 10, 30]) * _DRAWN, fill, outline, width)


def _point(rng: random.Random) -> tuple[float, float]:
    return rng.uniform(0, SIDE * _DRAWN), rng.uniform(0, SIDE * _DRAWN)


def _box(rng: random.Random) -> tuple[float, float, float, float]:
    left, top = _point(rng)
    return left, top, left + rng.uniform(20, 200) * _DRAWN, top + rng.uniform(20, 200) * _DRAWN


def _light(rng: random.Random) -> _Colour:
    if rng.random() < 0.4:
        return (255, 255, 255)
    return tuple(rng.randint(190, 255) for _ in range(3))  # type: ignore[return-value]


def _dark(rng: random.Random) -> _Colour:
    if rng.random() < 0.4:
        return (0, 0, 0)
    return tuple(rng.randint(0, 90) for _ in range(3))  # type: ignore[return-value]


def _against(rng: random.Random, paper: _Colour) -> _Colour:
    """A colour to be seen on that paper: dark or light, or any."""
    if rng.random() < 0.3:
        return tuple(rng.randint(0, 255) for _ in range(3))  # type: ignore[return-value]
    return _dark(rng) if sum(paper) > 380 else _light(rng)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
