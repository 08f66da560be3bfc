"""``srkit models``: the catalogue and weight files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from .. import plugins
from ..declarations import ModelCard
from ..weights.locate import find_local, locate_model

_UNVERIFIED = "unverified"


@click.group()
def models() -> None:
    """List, describe, fetch, inspect and export models.

    Weights are looked for in the cache (SRKIT_CACHE), then in installed packages, then at their URL. SRKIT_OFFLINE=1
    forbids the last.
    """


@models.command("list")
@click.option("--tag", help="Only models with this tag.")
def list_(tag: str | None) -> None:
    """List the models of the catalogue, and where their weights are."""
    cards = [entry.spec for entry in plugins.current().models if tag is None or tag in entry.spec.tags]
    if not cards:
        known = ", ".join(sorted({known for entry in plugins.current().models for known in entry.spec.tags}))
        has_tag = f" has the tag {tag!r}; there are {known}"
        click.echo("no model" + (has_tag if tag and known else " is registered; pip install srkit-archs-realesrgan"))
    width = max((len(card.name) for card in cards), default=0)
    states = [_state(card) for card in cards]
    for card, state in zip(cards, states, strict=True):
        marks = "*" if card.default else " "
        click.echo(f"{marks} {card.name:<{width}}  {card.architecture:<6} ×{card.scale}  {state:<12} {card.summary}")
    if any(card.default for card in cards):
        click.echo("\n* used where nothing is named. 'srkit models info NAME' tells more.")
    if _UNVERIFIED in states:
        click.echo(f"{_UNVERIFIED}: only 'srkit models fetch NAME --allow-unverified' brings it.")


@models.command()
@click.argument("name")
def info(name: str) -> None:
    """Describe a model: network, licence, source, where its weights are."""
    entry = plugins.current().models.find(name)
    card = entry.spec
    local = find_local(card)
    unknown = "" if local else "not known"
    rows = {
        "name": card.name,
        "summary": card.summary,
        "architecture": card.architecture,
        "scale": f"×{card.scale}",
        "licence": card.licence,
        "tags": ", ".join(card.tags),
        "registered by": entry.owner.label,
        "weights": local.origin if local else _state(card),
        "url": card.url or unknown,
        "sha256": card.sha256 or ("not known; fetched only with --allow-unverified" if card.url else ""),
        "size": f"{card.size / 1e6:.1f} MB" if card.size else unknown,
        "packages": ", ".join(p.distribution + (f" ({p.note})" if p.note else "") for p in card.packaged),
    }
    rows.update({key: f"[0, 1] {c.summary} Mixes with {c.partner}." for key, c in card.controls.items()})
    rows.update(_facts(card) if card.config is not None or local else {})
    for key, value in rows.items():
        if value:
            click.echo(f"{key + ':':<15}{value}")


@models.command()
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
@click.option("--allow-unverified", is_flag=True, help="Fetch also what has no published digest.")
def fetch(names: tuple[str, ...], allow_unverified: bool) -> None:
    """Bring the weights of models to this machine, verified, and print where they are."""
    for name in names:
        located = locate_model(plugins.current().models.find(name).spec, allow_unverified=allow_unverified)
        click.echo(located.path)


@models.command()
@click.argument("file", type=click.Path(path_type=Path))
def inspect(file: Path) -> None:
    """Tell what network a weight file holds, and what its card says."""
    from ..networks import identify
    from ..protocols import Architecture

    entry, recognition, stored = identify(file)
    traits = entry.load(Architecture).traits(**recognition.config)
    click.echo(f"architecture:  {entry.spec.name}, of {entry.owner.label}")
    click.echo(f"configuration: {', '.join(f'{key}={value!r}' for key, value in recognition.config.items())}")
    click.echo(f"scale:         ×{traits.scale}, {traits.in_channels} → {traits.out_channels} channels")
    if traits.maximum is not None:
        click.echo(f"size:          {traits.maximum}×{traits.maximum} pixels at most")
    click.echo(f"parameters:    {sum(t.numel() for t in stored.tensors.values()):,} in {len(stored.tensors)} tensors")
    if stored.card:
        click.echo("\n".join(["card:", *_lines(stored.card, "  ")]))


@models.command()
@click.argument("source")
@click.argument("target", type=click.Path(path_type=Path))
@click.option("--half", is_flag=True, help="Convolution weights in float16 (.safetensors).")
@click.option("--no-check", is_flag=True, help="Do not compare what ONNX Runtime gives with the network (.onnx).")
@click.option(
    "--card",
    "facts",
    multiple=True,
    metavar="KEY=VALUE",
    help="What the card in the file is to say, such as licence=MIT; may be repeated.",
)
@click.option("--force", is_flag=True, help="Overwrite TARGET.")
def export(source: str, target: Path, half: bool, no_check: bool, facts: tuple[str, ...], force: bool) -> None:
    """Write a network to TARGET, a .safetensors, .pth (as Real-ESRGAN has it) or .onnx file.

    SOURCE is a training checkpoint, a weight file (.safetensors, .pth, ncnn), or a model's name.
    """
    from ..export import export

    if unclear := [fact for fact in facts if not fact.partition("=")[0] or "=" not in fact]:
        raise click.UsageError(f"--card {unclear[0]}: write it as KEY=VALUE, such as licence=MIT")
    card = dict(fact.split("=", 1) for fact in facts)
    done = export(source, target, half=half, check=not no_check, force=force, card=card)
    click.echo(f"{source} → {target} ({done.network.architecture}, ×{done.network.traits.scale})")
    if done.agreement is not None:
        sizes = ", ".join(f"{height}×{width}" for height, width in done.agreement.sizes)
        click.echo(f"ONNX Runtime gives what the network does, within {done.agreement.difference:.1e}, at {sizes}")


def _facts(card: ModelCard) -> dict[str, str]:
    """What the engine tells of the network; the values of its weights make no difference."""
    from ..networks import load_network
    from ..protocols import Architecture
    from ..upscaler import Upscaler

    if card.config is None:
        return Upscaler.from_network(load_network(model=card.name), device="cpu").facts()
    architecture = plugins.current().architectures.find(card.architecture).load(Architecture)
    network, traits = architecture.build(**card.config), architecture.traits(**card.config)
    return Upscaler.from_network(network, traits, name=card.name, device="cpu").facts()


def _lines(value: Any, indent: str) -> list[str]:
    """What a card says, a fact a line, what is inside another further in."""
    if isinstance(value, list):
        value = {f"{number}": item for number, item in enumerate(value, 1)}
    lines = []
    for key, item in value.items():
        if isinstance(item, dict) or (isinstance(item, list) and any(isinstance(part, dict | list) for part in item)):
            lines += [f"{indent}{key}:", *_lines(item, indent + "  ")]
        else:
            lines.append(f"{indent}{key}: {', '.join(map(str, item)) if isinstance(item, list) else item}")
    return lines


def _state(card: ModelCard) -> str:
    local = find_local(card)
    if local is not None:
        return "in package" if local.origin.startswith("package") else "cached"
    if not card.url:
        return "not here"
    return "to fetch" if card.sha256 else _UNVERIFIED
