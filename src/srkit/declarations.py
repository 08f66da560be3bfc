"""What a plugin declares: frozen records, cheap to make, free of torch."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import attrs

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_TARGET = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*")


def _name(_: object, attribute: attrs.Attribute[Any], value: object) -> None:
    if not isinstance(value, str) or not _NAME.fullmatch(value):
        raise ValueError(f"{attribute.name}={value!r} is not a name; use letters, digits, '.', '_' and '-'")


def _target(_: object, attribute: attrs.Attribute[Any], value: object) -> None:
    if not isinstance(value, str) or not _TARGET.fullmatch(value):
        raise ValueError(
            f"{attribute.name}={value!r} does not say where the object is; expected 'package.module:attribute'"
        )


_names = attrs.validators.deep_iterable(_name, attrs.validators.instance_of(tuple))
_count = [attrs.validators.instance_of(int), attrs.validators.ge(1)]
_text = attrs.validators.instance_of(str)
_url = attrs.validators.optional(
    attrs.validators.and_(attrs.validators.instance_of(str), attrs.validators.matches_re("https?://.+"))
)
_packaged = [attrs.validators.instance_of(str), attrs.validators.matches_re(r"[A-Za-z_]\w*/.+")]
_digest = attrs.validators.optional(attrs.validators.matches_re("[0-9a-f]{64}"))


@attrs.frozen(kw_only=True)
class ArchitectureSpec:
    """A network architecture.

    ``target`` is ``"module:attribute"`` of an object that follows :class:`srkit.protocols.Architecture`; it is
    imported on first use. ``default_model`` names the model that ``arch=NAME`` alone stands for. A file that several
    recognise is that one's with the highest ``preference``; those of equal preference are asked by name.
    If the object has a function ``sample``, that gives the options that it is checked with: a small network.
    """

    name: str = attrs.field(validator=_name)
    target: str = attrs.field(validator=_target)
    summary: str = attrs.field(validator=_text)
    aliases: tuple[str, ...] = attrs.field(default=(), validator=_names)
    default_model: str | None = attrs.field(default=None, validator=attrs.validators.optional(_name))
    preference: int = attrs.field(default=0, validator=attrs.validators.instance_of(int))


@attrs.frozen(kw_only=True)
class UpsamplerSpec:
    """A way of running networks over pictures.

    ``target`` names an object that follows :class:`srkit.protocols.Upsampler`. Where the user names no engine, the
    upsampler with the highest ``preference`` runs; the whole-image one has 0.
    """

    name: str = attrs.field(validator=_name)
    target: str = attrs.field(validator=_target)
    summary: str = attrs.field(validator=_text)
    preference: int = attrs.field(default=0, validator=attrs.validators.instance_of(int))
    aliases: tuple[str, ...] = attrs.field(default=(), validator=_names)


@attrs.frozen(kw_only=True)
class DegradationSpec:
    """A way of making pictures worse, for training.

    ``target`` names what makes one, such as a class: called with options as keywords, all of which have defaults, it
    gives an object that follows :class:`srkit.protocols.Degradation`.
    """

    name: str = attrs.field(validator=_name)
    target: str = attrs.field(validator=_target)
    summary: str = attrs.field(validator=_text)
    aliases: tuple[str, ...] = attrs.field(default=(), validator=_names)


@attrs.frozen(kw_only=True)
class DatasetSpec:
    """A data set; ``target`` names an object that follows :class:`srkit.protocols.Dataset`, imported on first use."""

    name: str = attrs.field(validator=_name)
    target: str = attrs.field(validator=_target)
    summary: str = attrs.field(validator=_text)
    aliases: tuple[str, ...] = attrs.field(default=(), validator=_names)


@attrs.frozen(kw_only=True)
class LossSpec:
    """A loss.

    ``target`` names what makes one, such as a class: called with options as keywords, it gives an object that follows
    the protocol of its ``kind``: ``"picture"`` :class:`srkit.protocols.Loss`, ``"adversarial"``
    :class:`srkit.protocols.AdversarialLoss`, ``"penalty"`` :class:`srkit.protocols.Penalty`. ``average``: a loss of pictures
    that also wants what the moving average of the network gives. If what is registered has a function ``sample``, that is
    given an empty folder (a Path), for files that would else be fetched, and gives the options that it is checked with.
    """

    name: str = attrs.field(validator=_name)
    target: str = attrs.field(validator=_target)
    summary: str = attrs.field(validator=_text)
    kind: str = attrs.field(default="picture", validator=attrs.validators.in_(("picture", "adversarial", "penalty")))
    average: bool = attrs.field(default=False, validator=attrs.validators.instance_of(bool))
    aliases: tuple[str, ...] = attrs.field(default=(), validator=_names)


@attrs.frozen(kw_only=True)
class TrainerSpec:
    """A way of training networks.

    ``target`` names what makes one, such as a class: called with options as keywords, all of which have defaults, it
    gives an object that follows :class:`srkit.protocols.Trainer`. If it has a function ``sample``, that gives the options
    that it is checked with: small networks, nothing to fetch.
    """

    name: str = attrs.field(validator=_name)
    target: str = attrs.field(validator=_target)
    summary: str = attrs.field(validator=_text)
    aliases: tuple[str, ...] = attrs.field(default=(), validator=_names)


@attrs.frozen(kw_only=True)
class CommandSpec:
    """A command of the ``srkit`` program; ``target`` names a :class:`click.Command`, imported when it is run."""

    name: str = attrs.field(validator=_name)
    target: str = attrs.field(validator=_target)
    summary: str = attrs.field(validator=_text)
    aliases: tuple[str, ...] = attrs.field(default=(), validator=_names)


@attrs.frozen(kw_only=True)
class PackagedWeights:
    """A weight file inside an installed distribution, read in place without importing it.

    ``path`` begins with the name of an import package, ``"a_package/net.safetensors"``; ``note`` says how the file differs
    from the original.
    """

    distribution: str = attrs.field(validator=_name)
    path: str = attrs.field(validator=_packaged)
    note: str = attrs.field(default="", validator=_text)


@attrs.frozen(kw_only=True)
class Control:
    """A knob of a model: the value v in [0, 1] mixes v of the model with 1 - v of ``partner``, weight by weight."""

    partner: str = attrs.field(validator=_name)
    summary: str = attrs.field(validator=_text)


@attrs.frozen(kw_only=True)
class ModelCard:
    """Published weights: which network, what for, from whom, and where to get them.

    ``url`` is the official address and ``sha256`` the digest of the file there; without a digest a fetch is refused
    unless it is asked for explicitly. ``default`` marks the model used where nothing is named at all. ``config``: what
    the architecture's ``build`` is to be called with, where that is known without the weights; it describes the network,
    and what is loaded is told from the weights.
    """

    name: str = attrs.field(validator=_name)
    architecture: str = attrs.field(validator=_name)
    scale: int = attrs.field(validator=_count)
    licence: str = attrs.field(validator=_text)
    summary: str = attrs.field(validator=_text)
    tags: tuple[str, ...] = attrs.field(default=(), validator=_names)
    config: Mapping[str, Any] | None = attrs.field(
        default=None, validator=attrs.validators.optional(attrs.validators.instance_of(dict))
    )
    url: str | None = attrs.field(default=None, validator=_url)
    sha256: str | None = attrs.field(default=None, validator=_digest)
    size: int | None = attrs.field(default=None, validator=attrs.validators.optional(_count))
    packaged: tuple[PackagedWeights, ...] = attrs.field(
        default=(),
        validator=attrs.validators.deep_iterable(
            attrs.validators.instance_of(PackagedWeights), attrs.validators.instance_of(tuple)
        ),
    )
    controls: Mapping[str, Control] = attrs.field(
        factory=dict, validator=attrs.validators.deep_mapping(_text, attrs.validators.instance_of(Control))
    )
    default: bool = attrs.field(default=False, validator=attrs.validators.instance_of(bool))
    aliases: tuple[str, ...] = attrs.field(default=(), validator=_names)


@attrs.frozen(kw_only=True)
class Traits:
    """What the pipeline must know of a network before it runs.

    ``scale``: output pixels per input pixel along each axis. ``multiple_of``: height and width of the input must be
    multiples of it, and at least ``minimum``; the pipeline pads by reflection and crops. ``maximum``: beyond it a picture is
    refused, if it is not None, as by networks for one size alone. Pictures are upscaled by networks from 3 channels to 3,
    which are given RGB, and from 1 to 1, which are given each channel by itself.
    """

    scale: int = attrs.field(validator=_count)
    in_channels: int = attrs.field(default=3, validator=_count)
    out_channels: int = attrs.field(default=3, validator=_count)
    multiple_of: int = attrs.field(default=1, validator=_count)
    minimum: int = attrs.field(default=1, validator=_count)
    maximum: int | None = attrs.field(default=None, validator=attrs.validators.optional(_count))

    @maximum.validator
    def _some_size_fits(self, _: object, value: int | None) -> None:
        if value is not None and value < self.padded(1):
            raise ValueError(f"maximum={value} leaves no size: the least that the network takes is {self.padded(1)}")

    def padded(self, side: int) -> int:
        """The height or width, ``side`` at least, that the network takes, but for ``maximum``."""
        return max(side, self.minimum) + -max(side, self.minimum) % self.multiple_of

    def units(self, count: int) -> int:
        """A height or width that the network takes: ``count`` times ``multiple_of``, within ``minimum`` and ``maximum``."""
        side = self.padded(count * self.multiple_of)
        return side if self.maximum is None else min(side, self.maximum - self.maximum % self.multiple_of)


@attrs.frozen
class Recognition:
    """A network recognised from the names and shapes of its tensors.

    ``config``: keyword arguments for ``Architecture.build``; what the file itself says of them (``srkit.config``) goes
    before. ``names``: the stored name of each tensor → its name in the network's state dict. All of the network's must be
    there; stored tensors that are not are left out.
    """

    config: Mapping[str, Any]
    names: Mapping[str, str]
