"""What can be known of a configuration before anything is built, read or fetched."""

from __future__ import annotations

import importlib.util
import inspect
import re
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

import srkit
import srkit_datasets
from srkit import plugins

from .config import Config, ValidationConfig
from .metrics import METRICS
from .optimisers import check_options, optimiser_class
from .problems import ConfigError, Problem, told, unknown_key
from .starting import architecture_of, traits_of

_TOLD = (srkit.SettingsError, srkit.UnknownName, srkit.DatasetError, srkit.PluginError)


def check(config: Config, *, file: str = "configuration", processes: int = 1) -> None:
    """Raise ConfigError, a line for each problem, unless the run can begin as far as names, options and paths tell.

    ``file``: what errors call the configuration. ``processes``: that will train together.
    """
    problems: list[Problem] = []
    for look in (_network, _trainer, _data, _sizes, _optimiser, _validation, _log):
        problems += look(config, processes)
    if problems:
        raise ConfigError(problems, file)


def _trying(act: Callable[[], object], key: str, value: Any) -> Iterator[Problem]:
    """What an act says against a value; where it names an option of it, that one."""
    try:
        act()
    except ConfigError as error:
        yield from (problem.below(key) for problem in error.problems)
    except _TOLD as error:
        yield _placed(key, value, error)


_NAMING = (r"^([\w.-]+)(?==|: )", r"^unknown key '([\w.-]+)'", r"in the key '([\w.-]+)'")
"""How errors begin, or end, that name the option they speak of."""


def _placed(key: str, value: Any, error: Exception) -> Problem:
    """The problem that an error tells of, at the option that it names: first in its text, or in a note, or as unknown."""
    words = told(error)
    named = next(filter(None, (re.search(pattern, words) for pattern in _NAMING)), None)
    way = tuple(named[1].split(".")) if named else ()
    if isinstance(error, srkit.UnknownName) and not _has(value, way):
        way = next(_ways(value, error.name), ())
    if not way or not _has(value, way):
        return Problem(key, value, words)
    for part in way:
        value = value[part]
    words = words.removeprefix(".".join(way)).removeprefix(f"={value!r}").lstrip(";: ")
    return Problem(".".join((key, *way)), value, words)


def _has(value: Any, way: tuple[str, ...]) -> bool:
    if not way:
        return False
    inner = value.get(way[0]) if isinstance(value, Mapping) and way[0] in value else None
    return isinstance(value, Mapping) and way[0] in value and (len(way) == 1 or _has(inner, way[1:]))


def _ways(value: Any, name: str) -> Iterator[tuple[str, ...]]:
    """To the keys and values that are this name."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            if name in (key, inner):
                yield (key,)
            for way in _ways(inner, name):
                yield (key, *way)


def _log(config: Config, _: int) -> Iterator[Problem]:
    wanted = (
        ("log.wandb", config.log.wandb, "wandb", "wandb"),
        ("log.tensorboard", config.log.tensorboard, "tensorboard", "'srkit-training[tensorboard]'"),
    )
    for key, value, package, name in wanted:
        if value and importlib.util.find_spec(package) is None:
            yield Problem(key, value, f"{package} is not installed; pip install {name}, or leave it out")


def _network(config: Config, _: int) -> Iterator[Problem]:
    try:
        _build(config)
        traits = _traits(config)
    except _TOLD as error:
        if isinstance(error, srkit.SettingsError):
            yield _placed("network.options", config.network.options, error)
        else:
            yield Problem("network.arch", config.network.arch, told(error))
        return
    if (traits.in_channels, traits.out_channels) != (3, 3):
        words = f"a network of {traits.in_channels} channels in and {traits.out_channels} out; pictures have 3, RGB"
        yield Problem("network.options", config.network.options, words)
    if config.network.weights is not None:
        yield from _weights("network", config.network.weights, config.network.arch)


def _traits(config: Config) -> srkit.Traits:
    with _told_as_options(config):
        return traits_of(config.network)


def _build(config: Config) -> None:
    """Shapes without memory: what a network is called with shows in building alone. Raises SettingsError."""
    with _told_as_options(config), torch.device("meta"), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of empty tensors, which are told below
        network = architecture_of(config.network).build(**config.network.options)
    if any(parameter.numel() == 0 for parameter in network.parameters()):
        raise srkit.SettingsError(
            f"{config.network.arch} takes no such options: {config.network.arch} would have layers without channels; "
            f"expected counts above 0"
        )


@contextmanager
def _told_as_options(config: Config) -> Iterator[None]:
    try:
        yield
    except (TypeError, ValueError) as error:
        raise srkit.SettingsError(f"{config.network.arch} takes no such options: {error}") from error


def _weights(network: str, weights: str, arch: str) -> Iterator[Problem]:
    """That a file is there, a name is known, a URL has a digest: what :func:`srkit.load_network` will want."""
    key, models = f"{network}.weights", plugins.current().models
    if re.match("https?://", weights, re.IGNORECASE):
        known = any(entry.spec.url == weights for entry in models)
        if not known and not re.search("#sha256=[0-9a-fA-F]{64}$", weights):
            yield Problem(key, weights, "has no digest, so what comes could not be checked; expected URL#sha256=HEX")
        return
    if Path(weights).expanduser().is_file():
        return
    if weights not in models and (Path(weights).name != weights or Path(weights).suffix):
        yield Problem(key, weights, "there is no such file; expected a file, the name of a model, or URL#sha256=HEX")
        return
    try:
        card = models.find(weights).spec
    except _TOLD as error:
        yield Problem(key, weights, f"there is no such file, and {told(error)}")
        return
    architectures = plugins.current().architectures
    if arch in architectures and architectures.find(card.architecture) != architectures.find(arch):
        yield Problem(
            key, weights, f"are weights of {card.architecture}, not of {arch}; set {network}.arch={card.architecture}"
        )


def _trainer(config: Config, _: int) -> Iterator[Problem]:
    given = config.trainer
    try:
        make = plugins.current().trainers.find(given.name).load()
    except _TOLD as error:
        yield Problem("trainer.name", given.name, told(error))
        return
    parameters = inspect.signature(make).parameters.values()
    taken = [one.name for one in parameters]
    if not any(one.kind is one.VAR_KEYWORD for one in parameters):
        unknown = [
            Problem(f"trainer.options.{k}", v, unknown_key(k, taken))
            for k, v in given.options.items()
            if k not in taken
        ]
        if unknown:
            yield from unknown
            return
    judge = given.options.get("discriminator")
    if isinstance(judge, Mapping) and isinstance(judge.get("weights"), str):
        yield from _weights("trainer.options.discriminator", judge["weights"], str(judge.get("arch")))
    try:
        make(**given.options)
    except (srkit.SrkitError, TypeError, ValueError) as error:
        yield _placed("trainer.options", given.options, error)


def _data(config: Config, _: int) -> Iterator[Problem]:
    """What the data set itself says, if it can say so without reading."""
    try:
        dataset = plugins.current().datasets.find(config.data.dataset).load(srkit.Dataset)
    except _TOLD as error:
        yield Problem("data.dataset", config.data.dataset, told(error))
        return
    checked = getattr(dataset, "checked", None)
    if checked is not None:
        yield from _trying(lambda: checked(config.data.options), "data.options", config.data.options)


def _sizes(config: Config, processes: int) -> Iterator[Problem]:
    """Whether scale, squares, sharpened targets, batch and pool fit one another."""
    data, parts = config.data, processes * config.train.accumulate
    if data.batch_size % parts:
        words = f"cannot be shared among {processes} processes and {config.train.accumulate} accumulated parts"
        nearest = max(parts, round(data.batch_size / parts) * parts)
        yield Problem("data.batch_size", data.batch_size, f"{words}; expected a multiple of {parts}, such as {nearest}")
    try:
        dataset = plugins.current().datasets.find(data.dataset).load(srkit.Dataset)
        known, traits = dataset.checked(data.options), _traits(config)
    except (*_TOLD, AttributeError):
        return  # told elsewhere, or not known beforehand
    scale, side, pool = (getattr(known, name, None) for name in ("scale", "gt_size", "pool"))
    if scale is not None and scale != traits.scale:
        words = f"the network {config.network.arch} enlarges by {traits.scale}; set data.options.scale={traits.scale}"
        yield Problem("data.options.scale", scale, f"{words}, or the network's scale in network.options")
    elif scale and side and side // scale % traits.multiple_of:
        least = scale * traits.multiple_of
        yield Problem("data.options.gt_size", side, f"the network {config.network.arch} needs a multiple of {least}")
    sharpened = config.trainer.options.get("sharpened")
    if isinstance(sharpened, Mapping) and any(sharpened.values()) and not getattr(known, "sharpen", False):
        words = "the data set gives no sharpened targets; set data.options.sharpen=true, or false here"
        yield Problem("trainer.options.sharpened", sharpened, words)
    if pool and not data.batch_size % parts and pool % (data.batch_size // parts):
        part = data.batch_size // parts
        words = f"is not a multiple of the {part} pictures that are read at a time; expected such as"
        yield Problem("data.options.pool", pool, f"{words} {max(1, pool // part) * part}, or 0 for none")


def _optimiser(config: Config, _: int) -> Iterator[Problem]:
    given = config.train.optimiser
    try:
        optimiser_class(given.name)
    except srkit.UnknownName as error:
        yield Problem("train.optimiser.name", given.name, told(error))
        return
    yield from _trying(
        lambda: check_options(given.name, given.options, config.train.lr), "train.optimiser.options", given.options
    )


def _validation(config: Config, _: int) -> Iterator[Problem]:
    given = config.validation
    if given is None:
        return
    yield from _metrics(given)
    for key, place in (("gt", given.gt), ("lq", given.lq)):
        if key == "gt" or place is not None:
            yield from _trying(lambda place=place: srkit_datasets.check_pictures(place), f"validation.{key}", place)  # type: ignore[misc]
    try:
        scale = _traits(config).scale
    except _TOLD:
        return
    if given.crop is not None and given.crop % scale:
        nearest = max(1, given.crop // scale) * scale
        yield Problem(
            "validation.crop", given.crop, f"expected a multiple of the network's scale {scale}, such as {nearest}"
        )
    if given.degradation is not None:
        yield from _degradation(given.degradation, scale)


def _metrics(given: ValidationConfig) -> Iterator[Problem]:
    known = METRICS
    for name in given.metrics:
        if name not in known:
            yield Problem("validation.metrics", name, told(srkit.UnknownName("metric", name, known)))
    chosen = [("best", given.best)] + ([("stop.metric", given.stop.metric)] if given.stop else [])
    for key, name in chosen:
        if name not in given.metrics:
            words = (
                f"is not measured; expected one of validation.metrics, {', '.join(given.metrics) or 'which has none'}"
            )
            yield Problem(f"validation.{key}", name, words)


def _degradation(degradation: Any, scale: int) -> Iterator[Problem]:
    """Whether a data set of the network's scale would take it."""
    side = 8 * scale
    as_data = {"targets": ".", "degradation": degradation, "scale": scale, "crop": side, "gt_size": side, "pool": 0}
    yield from _trying(
        lambda: srkit_datasets.filled(srkit_datasets.RealESRGANConfig, as_data), "validation.degradation", degradation
    )
