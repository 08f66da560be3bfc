"""The model cards of srkit's own networks, from card.md and what was measured."""

from __future__ import annotations

import csv
import hashlib
import platform
import subprocess
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib.metadata import version
from itertools import pairwise
from pathlib import Path
from string import Template

import evaluate

import srkit

HERE = Path(__file__).resolve().parent
TOLERANCE = {"psnr": 0.1, "ssim": 0.005, "lpips": 0.01, "niqe": 0.3}
"""How far the means of another training by the same recipe may be from those published."""


ABOUT = {
    "srkit-compact-x4-faithful": (
        "The default. It undoes downscaling and nothing else, and is closest to the original pixel by pixel: for clean\n"
        "pictures, and for pipelines that measure.",
        "Noise, blur and JPEG artefacts stay, or become sharper.",
    ),
    "srkit-compact-x4-restoring": (
        "It also removes noise, blur and JPEG artefacts, and gives detail that looks likely: for people who look at bad\n"
        "pictures.",
        "Where it took off much, it leaves little texture. It makes detail up; where pictures are evidence, use\n"
        "srkit-compact-x4-faithful.",
    ),
}
"""What each network is for, and what it cannot do."""
ORIGIN = {
    "srkit-compact-x4-faithful": "from nothing",
    "srkit-compact-x4-restoring": "from srkit-compact-x4-faithful",
}
"""What its training began with."""


def card(folder: Path, name: str, runs: Sequence[str]) -> str:
    """The card of a network in Markdown. ``folder``: that of make.py; ``runs``: the network's trainings, in their order."""
    rows = evaluate.read_rows(folder / "evaluation.csv")
    sources = [*_sources(folder)]
    data = (folder / f"{name}.safetensors").read_bytes()
    about, limits = ABOUT[name]
    return Template((HERE / "card.md").read_text("utf-8")).substitute(
        name=name,
        about=about,
        limits=limits,
        bytes=f"{len(data):,}",
        sha256=hashlib.sha256(data).hexdigest(),
        metrics=evaluate.summary(rows, [name]),
        photos=len({row["photo"] for row in rows}),
        training="\n".join(_training(folder, runs)),
        origin=ORIGIN[name],
        sources="\n".join(sources),
        trained=len(sources),
        commit=commit(),
        tolerance=", ".join(f"{name.upper()} {value}" for name, value in TOLERANCE.items()),
    )


def agreement(measured: Path, published: Path, networks: Sequence[str]) -> str:
    """In words, how far the means are from those published, and whether that is within the tolerance."""
    rows, known = evaluate.read_rows(measured), evaluate.read_rows(published)
    lines = []
    for network in networks:
        if all(row["method"] != network for row in known):
            lines.append(f"{network}: nothing is published to compare with")
            continue
        for degradation in evaluate.DEGRADATIONS:
            ours, theirs = (evaluate.means(each, degradation, network) for each in (rows, known))
            for name, allowed in TOLERANCE.items():
                away = ours[name] - theirs[name]
                word = "within" if abs(away) <= allowed else "BEYOND"
                lines.append(f"{network}, {degradation}: {name} {ours[name]:.4f}, {away:+.4f}, {word} {allowed}")
    return "\n".join(lines)


def commit() -> str:
    """That of the repository; "unknown" outside of one."""
    try:
        asked = subprocess.run(["git", "rev-parse", "HEAD"], cwd=HERE, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return asked.stdout.strip()


def _training(folder: Path, runs: Iterable[str]) -> Iterator[str]:
    for run in runs:
        rows = _read(folder / "runs" / run / "log.csv")
        iterations = [0, *(int(row["iteration"]) for row in rows)]
        steps = (after - before for before, after in pairwise(iterations))
        seconds = sum(step / float(row["iterations_per_second"]) for step, row in zip(steps, rows, strict=True))
        hours, minutes = divmod(round(seconds / 60), 60)
        trained = srkit.load_network(weights=folder / "runs" / run / "checkpoints" / "latest.pt").card["training"]
        yield f"| `{run}.yml` | {trained['iterations']:,} | {hours} h {minutes} min |"
    yield f"\nMeasured with torch {version('torch')}, Python {platform.python_version()}, {platform.machine()}."


def _sources(folder: Path) -> Iterator[str]:
    for row in _read(folder / "photos" / "SOURCES.csv"):
        if row["file"].startswith("train/"):
            name = Path(row["file"]).stem
            yield f"| {name} | {row['author']} | {row['licence']} | {row['package']} {row['version']} |"


def _read(path: Path) -> list[Mapping[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return [*csv.DictReader(file)]
