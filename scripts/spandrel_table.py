"""Write the table of docs/spandrel.md: which of spandrel's networks stream, as the engine tells them.

    python scripts/spandrel_table.py [ARCHITECTURE ...]

Each small network of ``srkit_archs_spandrel.samples`` is made ready by the engine; one that streams is compared with the
whole-image engine on a random picture. Rows of architectures that are not named stay.
"""

from __future__ import annotations

import argparse
import re
import warnings
from pathlib import Path

import torch

import srkit
from srkit import plugins
from srkit_archs_spandrel.samples import SAMPLES

PAGE = Path(__file__).parent.parent / "docs" / "spandrel.md"
HEAD = "| architecture | network | scale | streams | reach, or what stops it |\n|---|---|---|---|---|\n"
REFUSAL = re.compile(r"(?:module '(?P<module>[^']+)'|the network itself) cannot be streamed: (?P<why>.*?)\. Use engine")
SIZE = (96, 128)


def row(name: str, kind: str) -> str:
    """One line of the table, found out now."""
    architecture = plugins.current().architectures.find(name).load(srkit.Architecture)
    config = SAMPLES[name][kind]
    torch.manual_seed(0)
    network, traits = architecture.build(**config), architecture.traits(**config)
    try:
        stream = srkit.Upscaler.from_network(network, traits, engine="stream", device="cpu", rows=4, name=name)
    except srkit.NotStreamable as refused:
        cells = ["no", _refusal(refused)]
    except srkit.SettingsError as refused:  # it is for other things than pictures
        cells = ["no", str(refused)]
    else:
        whole = srkit.Upscaler.from_network(network, traits, engine="whole", device="cpu")
        picture = torch.rand(1, traits.in_channels, *SIZE)
        one, other = (torch.cat(list(up.stream([picture], SIZE)), 2) for up in (stream, whole))
        cells = [_agreement(one, other), stream.facts()["reach"]]
    return f"| `{name}` | {kind} | ×{traits.scale} | {cells[0]} | {cells[1]} |\n"


def _agreement(one: torch.Tensor, other: torch.Tensor) -> str:
    difference = float((one - other).abs().max() / other.abs().max())
    if difference > 1e-5:
        raise ValueError(f"the stream is off by {difference:.1e}, and not within 1e-5")
    return "yes, to the bit" if difference == 0 else "yes, within 1e-5"


def _refusal(refused: srkit.NotStreamable) -> str:
    found = REFUSAL.search(str(refused))
    if found is None:
        return str(refused).partition("\n")[0].partition("; use engine")[0]
    where = f"`{found['module']}`" if found["module"] else "the network itself"
    return f"`{refused.operator}` in {where}: {found['why']}"


def rows_of(page: str) -> dict[tuple[str, str], str]:
    """The rows of the table of a page, by architecture and network."""
    return {(row[1], row[2].strip()): row[0] for row in re.finditer(r"^\| `(\S+)` \|([^|]*)\|.*\n", page, re.MULTILINE)}


def main() -> None:
    """Fill in the rows of the architectures that are named, or all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="ARCHITECTURE", help="of which to find the rows out again")
    names = parser.parse_args().names or list(SAMPLES)
    warnings.simplefilter("ignore")  # of spandrel's networks about torch
    for name in names:
        for kind in SAMPLES[name]:
            line = row(name, kind)
            page = PAGE.read_text("utf-8")
            rows = rows_of(page) | {(name, kind): line}
            before, _, after = page.partition(HEAD)
            text = "".join(rows[n, k] for n in SAMPLES for k in SAMPLES[n] if (n, k) in rows)
            PAGE.write_text(before + HEAD + text + re.sub(r"\A(\|.*\n)*", "", after), "utf-8")
            print(line, end="", flush=True)


if __name__ == "__main__":
    main()
