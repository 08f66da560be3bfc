"""Every hook a plugin may implement.

A plugin is a module named by an entry point of the group ``srkit``. Its hooks are called once, when srkit first looks
for plugins; they register records (:mod:`srkit.declarations`) and should import nothing heavy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeVar

import pluggy

if TYPE_CHECKING:
    from .declarations import (
        ArchitectureSpec,
        CommandSpec,
        DatasetSpec,
        DegradationSpec,
        LossSpec,
        ModelCard,
        TrainerSpec,
        UpsamplerSpec,
    )

PROJECT = "srkit"

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)

T_contra = TypeVar("T_contra", contravariant=True)


class Register(Protocol[T_contra]):
    """What a hook is given: call it once for each thing to register."""

    def __call__(self, spec: T_contra, /) -> None:
        """Register ``spec``; raises TypeError if it is a record of another kind."""


@hookspec(historic=True)
def srkit_register_architectures(register: Register[ArchitectureSpec]) -> None:
    """Register network architectures.

    Example::

        @srkit.hookimpl
        def srkit_register_architectures(register):
            register(srkit.ArchitectureSpec(name="espcn", target="my_nets.espcn:architecture", summary="ESPCN"))
    """


@hookspec(historic=True)
def srkit_register_models(register: Register[ModelCard]) -> None:
    """Register published weights.

    Example::

        @srkit.hookimpl
        def srkit_register_models(register):
            register(srkit.ModelCard(name="espcn-x3", architecture="espcn", scale=3, licence="MIT", summary="Photos",
                                     url="https://example.org/espcn-x3.safetensors", sha256="0" * 64))
    """


@hookspec(historic=True)
def srkit_register_upsamplers(register: Register[UpsamplerSpec]) -> None:
    """Register ways of running networks over pictures.

    Example::

        @srkit.hookimpl
        def srkit_register_upsamplers(register):
            register(srkit.UpsamplerSpec(name="onnx", target="my_engine:upsampler", summary="ONNX Runtime"))
    """


@hookspec(historic=True)
def srkit_register_degradations(register: Register[DegradationSpec]) -> None:
    """Register ways of making pictures worse, for training.

    Example::

        @srkit.hookimpl
        def srkit_register_degradations(register):
            register(srkit.DegradationSpec(name="rain", target="my_weather.rain:Rain", summary="Streaks of rain."))
    """


@hookspec(historic=True)
def srkit_register_datasets(register: Register[DatasetSpec]) -> None:
    """Register data sets.

    Example::

        @srkit.hookimpl
        def srkit_register_datasets(register):
            register(srkit.DatasetSpec(name="faces", target="my_data.faces:dataset", summary="Aligned faces"))
    """


@hookspec(historic=True)
def srkit_register_losses(register: Register[LossSpec]) -> None:
    """Register losses: of pictures against targets, adversarial ones, penalties.

    Example::

        @srkit.hookimpl
        def srkit_register_losses(register):
            register(srkit.LossSpec(name="edges", target="my_losses:Edges", summary="L1 of what Sobel finds"))
    """


@hookspec(historic=True)
def srkit_register_trainers(register: Register[TrainerSpec]) -> None:
    """Register ways of training networks.

    Example::

        @srkit.hookimpl
        def srkit_register_trainers(register):
            register(srkit.TrainerSpec(name="distil", target="my_training:Distil", summary="Learn from a teacher"))
    """


@hookspec(historic=True)
def srkit_register_commands(register: Register[CommandSpec]) -> None:
    """Register commands of the ``srkit`` program.

    Example::

        @srkit.hookimpl
        def srkit_register_commands(register):
            register(srkit.CommandSpec(name="compare", target="my_tool.cli:compare", summary="Compare two pictures."))
    """
