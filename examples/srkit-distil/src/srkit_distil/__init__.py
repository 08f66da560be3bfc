"""Distillation as a plugin of srkit."""

from __future__ import annotations

import srkit


@srkit.hookimpl
def srkit_register_trainers(register: srkit.Register[srkit.TrainerSpec]) -> None:
    """Register the trainer; its module is imported when somebody asks for it."""
    register(
        srkit.TrainerSpec(
            name="distil",
            target="srkit_distil.trainer:Distil",
            summary="A small network learns from a large one.",
        )
    )
