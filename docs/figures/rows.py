"""Draw docs/images/rows.svg: one network as a stream of rows, and in tiles.

    python docs/figures/rows.py [--out FILE]

Needs nothing but Python. The network is y = x + c(b(a(x))): three 3×3 convolutions, and the picture added to what they make.
"""

from __future__ import annotations

import argparse
from pathlib import Path

IMAGES = Path(__file__).parent.parent / "images"
ROWS, ROW, BAR, COLUMN = 18, 19, 60, 82  # rows of the picture; their distance, their width, the distance of layers
TOP, LEFT, PANEL = 122, 34, 378
REACH = 3
LAYERS = (("x", "picture"), ("a", "3×3"), ("b", "3×3"), ("y", "3×3, + x"))
WIDTH, HEIGHT = 1134, 632

FORGOTTEN, COMING = ("#eef0f3", "#d5d9e0", ""), ("#ffffff", "#c9ced6", "3 3")
KEPT, NEW = ("#9cc4ee", "#4a86c8", ""), ("#1f5fa8", "#174a84", "")
RIGHT, TWICE, WRONG = ("#9fd3b0", "#4f9c69", ""), ("#f7cf8b", "#c98f2e", ""), ("#ee9a94", "#c2423a", "")
UNSEEN = ("#ffffff", "#e6e8ec", "")
INK, GREY = "#1d232b", "#5c6570"

Style = tuple[str, str, str]


def main() -> None:
    """Write the figure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=IMAGES / "rows.svg")
    options = parser.parse_args()
    parts = [*stream(LEFT), *tile(LEFT + PANEL, REACH), *tile(LEFT + 2 * PANEL, 1)]
    options.out.write_text(
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" '
        f'font-family="Helvetica, Arial, \'DejaVu Sans\', sans-serif" font-size="13" fill="{INK}">\n'
        f'<rect width="{WIDTH}" height="{HEIGHT}" rx="8" fill="#ffffff"/>\n' + "\n".join(parts) + "\n</svg>\n",
        encoding="utf-8",
    )


def stream(left: int) -> list[str]:
    """The state after rows 12 and 13 of the picture came."""
    fed, step = 14, 2
    parts = [*title(left, "A stream of rows", "rows 12 and 13 came: 2 new rows in each layer")]
    for column in range(4):
        done = fed - column
        # The next step makes row `done - 1` of the next layer first, of the rows from `done - 2` on; y adds x, row by row.
        needed = done - 2 if column else fed - REACH
        for row in range(ROWS):
            kept = column < 3 and row >= needed
            style = COMING if row >= done else NEW if row >= done - step else KEPT if kept else FORGOTTEN
            parts.append(bar(left, column, row, style, mark=column < 3 and kept and row < done))
    parts += stencils(left, [(fed - 2 - column, fed - 1 - column) for column in range(4)])
    # The skip: below the columns, from the kept rows of x to y.
    start, end = left + BAR / 2, left + 3 * COLUMN + BAR / 2
    base = TOP + ROWS * ROW + 6
    parts.append(
        f'<path d="M{start} {base} v14 q0 10 10 10 H{end - 10} q10 0 10 -10 v-8" fill="none" stroke="{GREY}" '
        f'stroke-width="1.6"/><path d="M{end - 5} {base + 7} l5 -9 l5 9 z" fill="{GREY}"/>'
    )
    parts.append(text((start + end) / 2, base + 42, "the skip: x waits for the slower branch", GREY, anchor="middle"))
    parts += legend(
        left,
        [
            (NEW, "new in this step"),
            (KEPT, "from before"),
            (FORGOTTEN, "done, forgotten"),
            (COMING, "to come"),
        ],
        held="held for the next step",
    )
    return parts


def tile(left: int, halo: int) -> list[str]:
    """One tile of six rows and its halo, zeros beyond."""
    core = range(6, 12)
    seen = range(core.start - halo, core.stop + halo)
    exact = halo >= REACH
    words = (
        ("A tile, with the halo it needs", f"exact, but reads {len(seen)} rows for {len(core)}")
        if exact
        else ("A tile, with a short halo", "zeros where the picture goes on: a seam")
    )
    parts = [*title(left, *words)]
    for column in range(4):
        inside = range(seen.start + column, seen.stop - column) if exact else seen
        for row in range(ROWS):
            spoilt = not exact and column and not seen.start + column <= row < seen.stop - column
            style = UNSEEN
            if row in inside and (column < 3 or row in core):
                style = WRONG if spoilt else RIGHT if row in core else TWICE
            parts.append(bar(left, column, row, style))
    for edge in (core.start, core.stop):
        y = TOP + edge * ROW - 1.5
        parts.append(
            f'<path d="M{left - 10} {y} H{left + 3 * COLUMN + BAR + 10}" stroke="{INK}" stroke-width="1.4" '
            f'stroke-dasharray="6 4"/>'
        )
    x, y = left + 3 * COLUMN + BAR + 18, TOP + (core.start + core.stop) / 2 * ROW
    parts.append(f'<g transform="translate({x} {y}) rotate(90)">{text(0, 0, "the tile", INK, anchor="middle")}</g>')
    names = [(RIGHT, "right"), (TWICE, "halo: the next tile computes it, too")]
    return parts + legend(left, names if exact else [*names, (WRONG, "wrong")])


def title(left: int, head: str, line: str) -> list[str]:
    """Heading, subheading and the names of the layers."""
    parts = [text(left, 38, head, INK, size=17, weight="bold"), text(left, 61, line, GREY)]
    for column, (name, what) in enumerate(LAYERS):
        middle = left + column * COLUMN + BAR / 2
        parts.append(text(middle, TOP - 26, name, INK, anchor="middle", size=15, weight="bold"))
        parts.append(text(middle, TOP - 10, what, GREY, anchor="middle", size=12))
    return parts


def bar(left: int, column: int, row: int, style: Style, *, mark: bool = False) -> str:
    """One row of one layer; ``mark`` puts a dot on it."""
    fill, stroke, dashes = style
    x, y = left + column * COLUMN, TOP + row * ROW
    dashed = f' stroke-dasharray="{dashes}"' if dashes else ""
    drawn = f'<rect x="{x}" y="{y}" width="{BAR}" height="{ROW - 3}" rx="2" fill="{fill}" stroke="{stroke}"{dashed}/>'
    if mark:
        drawn += dot(x + BAR / 2, y + (ROW - 3) / 2)
    return drawn


def dot(x: float, y: float) -> str:
    """The mark of a row that is held."""
    return f'<circle cx="{x}" cy="{y}" r="3.2" fill="#ffffff" stroke="{INK}"/>'


def stencils(left: int, new: list[tuple[int, int]]) -> list[str]:
    """From the rows each convolution reads to those it makes, ``new`` by layer."""
    parts = []
    for column in range(1, 4):
        first, last = new[column]
        x0, x1 = left + (column - 1) * COLUMN + BAR + 1, left + column * COLUMN - 1
        y0, y1 = TOP + (first - 1) * ROW, TOP + (last + 2) * ROW - 3
        y2, y3 = TOP + (last + 1) * ROW - 3, TOP + first * ROW
        parts.append(f'<path d="M{x0} {y0} V{y1} L{x1} {y2} V{y3} Z" fill="#1f5fa8" fill-opacity="0.18"/>')
    return parts


def legend(left: int, names: list[tuple[Style, str]], *, held: str = "") -> list[str]:
    """Swatches below a panel; those of the stream in two columns."""
    parts = []
    top, columns = TOP + ROWS * ROW + 72, 2 if held else 1
    for index, ((fill, stroke, dashes), name) in enumerate(names):
        x, y = left + index % columns * 186, top + index // columns * 22
        dashed = f' stroke-dasharray="{dashes}"' if dashes else ""
        parts.append(f'<rect x="{x}" y="{y}" width="20" height="13" rx="2" fill="{fill}" stroke="{stroke}"{dashed}/>')
        parts.append(text(x + 28, y + 11, name, INK))
    if held:
        parts.append(dot(left + 10, top + 2 * 22 + 7))
        parts.append(text(left + 28, top + 2 * 22 + 11, held, INK))
    return parts


def text(
    x: float, y: float, words: str, colour: str, *, anchor: str = "start", size: float = 13, weight: str = "normal"
) -> str:
    """A line of text."""
    style = f'font-size="{size}" font-weight="{weight}" text-anchor="{anchor}" fill="{colour}"'
    return f'<text x="{x}" y="{y}" {style}>{words}</text>'


if __name__ == "__main__":
    main()
