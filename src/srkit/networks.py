"""From names to a network with its weights in it."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs
import numpy as np
import torch
from torch import Tensor, nn

from . import plugins
from .declarations import ArchitectureSpec, ModelCard, Recognition, Traits
from .errors import MismatchedWeights, PluginError, SettingsError, UnrecognisedWeights, WeightsError
from .protocols import Architecture
from .registry import Entry
from .weights.locate import locate, locate_model
from .weights.mix import check_shares, mix
from .weights.read import WeightFile, read_file

Source = str | os.PathLike[str]


@attrs.frozen(eq=False)
class LoadedNetwork:
    """A network ready to run, and how it came about.

    ``sources``: where each weight file came from → its share. ``card``: what the file tells of itself
    (``weights.read.CARD_KEY``); {} if it tells nothing, or there are several.
    """

    network: nn.Module = attrs.field(repr=False)
    architecture: str
    config: Mapping[str, Any]
    traits: Traits
    name: str
    sources: Mapping[str, float]
    card: Mapping[str, Any] = attrs.field(factory=dict)


@attrs.frozen
class _Part:
    """One weight file, under the names its network uses."""

    name: str
    origin: str
    entry: Entry[ArchitectureSpec]
    config: Mapping[str, Any]
    tensors: dict[str, Tensor] = attrs.field(repr=False)
    card: Mapping[str, Any]


def load_network(
    *,
    model: str | None = None,
    arch: str | None = None,
    weights: Source | Mapping[Source, float] | None = None,
    denoise: float | None = None,
) -> LoadedNetwork:
    """The network that these arguments of ``srkit.load`` mean; see there."""
    shares = _shares(model, arch, weights, denoise)
    parts = [(_read(source, arch), share) for source, share in shares]
    first = parts[0][0]
    for part, _ in parts[1:]:
        if (part.entry.spec.name, part.config) != (first.entry.spec.name, first.config):
            raise MismatchedWeights(
                f"{first.name} and {part.name} are different networks and cannot be mixed: {_describe(first)} against "
                f"{_describe(part)}"
            )
    tensors = first.tensors
    if len(parts) > 1:
        tensors = mix([(part.name, part.tensors, share) for part, share in parts])
    architecture: Architecture = first.entry.load(Architecture)
    try:
        with torch.random.fork_rng(devices=[]):  # the weights it begins with are random, and nobody's concern
            network = architecture.build(**first.config)
        network.load_state_dict(tensors)
    except Exception as error:
        raise PluginError(
            f"{first.entry.spec.name!r} of {first.entry.owner.label} recognised {first.name}, but could not build it "
            f"({type(error).__name__}: {error}); report it to {first.entry.owner.distribution}",
            first.entry.owner.distribution,
        ) from error
    return LoadedNetwork(
        network.eval().requires_grad_(False),
        first.entry.spec.name,
        first.config,
        architecture.traits(**first.config),
        " + ".join(part.name if len(parts) == 1 else f"{share:g} × {part.name}" for part, share in parts),
        {part.origin: share for part, share in parts},
        first.card if len(parts) == 1 else {},
    )


def _shares(
    model: str | None, arch: str | None, files: Source | Mapping[Source, float] | None, denoise: float | None
) -> Sequence[tuple[Source | ModelCard, float]]:
    """Which weights make the network, with what share."""
    for name, value in (("model", model), ("arch", arch)):
        if not isinstance(value, str | None):
            raise SettingsError(f"{name}={value!r} is not a name; write {name}='…', or weights= for a file")
    if not all(isinstance(f, str | os.PathLike | None) for f in (files if isinstance(files, Mapping) else [files])):
        raise SettingsError(f"weights={files!r} is not a file, a URL or a mapping of them to shares")
    if denoise is not None and (isinstance(denoise, bool) or not isinstance(denoise, int | float | np.number)):
        raise SettingsError(f"denoise={denoise!r} is not a number; it must lie in [0, 1]")
    if files is not None:
        if model is not None:
            raise SettingsError(f"model={model!r} and weights={files!r} both say which weights; give one of them")
        if denoise is not None:
            raise SettingsError("denoise belongs to models of the catalogue; mix files with weights={FILE: share, …}")
        shares = list(files.items()) if isinstance(files, Mapping) else [(files, 1.0)]
        check_shares([(os.fspath(name), share) for name, share in shares])
        return shares
    card = _card(model, arch)
    if denoise is None:
        return [(card, 1.0)]
    control = card.controls.get("denoise")
    if control is None:
        able = [entry.spec.name for entry in plugins.current().models if "denoise" in entry.spec.controls]
        raise SettingsError(
            f"model {card.name!r} has no denoise control; models that have one: {', '.join(able) or 'none'}"
        )
    if not 0 <= denoise <= 1:
        raise SettingsError(f"denoise={denoise} is outside [0, 1]; 1 removes most noise, 0 least")
    partner = plugins.current().models.find(control.partner).spec
    return [(each, share) for each, share in ((card, denoise), (partner, 1 - denoise)) if share]


def _card(model: str | None, arch: str | None) -> ModelCard:
    found = plugins.current()
    if model is not None:
        card = found.models.find(model).spec
        if (
            arch is not None
            and found.architectures.find(arch).spec.name != found.architectures.find(card.architecture).spec.name
        ):
            raise SettingsError(
                f"model {card.name!r} is of architecture {card.architecture!r}, not {arch!r}; leave arch out"
            )
        return card
    if arch is not None:
        spec = found.architectures.find(arch).spec
        if spec.default_model is None:
            raise SettingsError(f"architecture {spec.name!r} has no default model; say which weights with weights=FILE")
        return found.models.find(spec.default_model).spec
    defaults = [entry.spec for entry in found.models if entry.spec.default]
    if len(defaults) != 1:
        names = [card.name for card in defaults] or found.models.names()
        raise SettingsError(
            f"say which network: model=NAME, arch=NAME or weights=FILE; models: {', '.join(names) or 'none installed'}"
        )
    return defaults[0]


def _read(source: Source | ModelCard, arch: str | None) -> _Part:
    located = locate_model(source) if isinstance(source, ModelCard) else locate(source)
    entry, recognition, file = identify(located.path, source.architecture if isinstance(source, ModelCard) else arch)
    named = {
        recognition.names[stored]: tensor for stored, tensor in file.tensors.items() if stored in recognition.names
    }
    name = source.name if isinstance(source, ModelCard) else located.path.stem
    return _Part(name, located.origin, entry, recognition.config, named, file.card)


def identify(path: Path, arch: str | None = None) -> tuple[Entry[ArchitectureSpec], Recognition, WeightFile]:
    """The network in a weight file: architecture, configuration, contents. Raises as ``read_file`` and ``recognise``."""
    file = read_file(path)
    entry, recognition = recognise(file.tensors, path, arch)
    config = {**recognition.config, **file.config}
    return entry, attrs.evolve(recognition, config=config), file


def recognise(
    tensors: Mapping[str, Tensor], path: Path, arch: str | None = None
) -> tuple[Entry[ArchitectureSpec], Recognition]:
    """The architecture that claims the tensors of a file, ``arch`` if that is named, with its Recognition.

    Raises MismatchedWeights if they are another architecture's than ``arch``, and UnrecognisedWeights, naming a few of the
    tensors, if no architecture claims them; its cause is the error of a plugin that could not be asked.
    """
    shapes = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
    found = plugins.current().architectures
    wanted = None if arch is None else found.find(arch)
    broken: PluginError | None = None
    claims = []
    for entry in sorted(found, key=lambda candidate: -candidate.spec.preference):
        try:
            recognition = entry.load(Architecture).recognise(shapes)
        except WeightsError as error:
            raise UnrecognisedWeights(f"{path}: {error}", path) from error
        except PluginError as error:
            broken = error
            continue
        except Exception as error:  # noqa: BLE001 -- a plugin may raise anything; the next one may know
            broken = PluginError(
                f"{entry.spec.name!r} of {entry.owner.label} failed to look at the tensors of {path.name}: "
                f"{type(error).__name__}: {error}",
                entry.owner.distribution,
            )
            broken.__cause__ = error
            continue
        if recognition is not None and (wanted is None or entry.spec is wanted.spec):
            return entry, recognition
        if recognition is not None:
            claims.append(entry.spec.name)
    if wanted is not None and claims:
        raise MismatchedWeights(
            f"{path} holds weights of {' or '.join(map(repr, claims))}, not of {wanted.spec.name!r}; name another file, or "
            f"leave arch out",
            path,
        )
    few = ", ".join(f"{key} {shape}" for key, shape in list(shapes.items())[:4])
    raise UnrecognisedWeights(
        f"no installed architecture recognises the {len(shapes)} tensors of {path.name} ({few}, …); asked: "
        f"{', '.join(found.names()) or 'none, for no plugin registers one: pip install srkit-archs-realesrgan'}",
        path,
    ) from broken


def _describe(part: _Part) -> str:
    return f"{part.entry.spec.name}({', '.join(f'{k}={v}' for k, v in part.config.items())})"
