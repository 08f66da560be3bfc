"""Which checks an object is held to: those of the protocol it follows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeAlias

from torch import Tensor

from ..protocols import AdversarialLoss, Architecture, Dataset, Degradation, Loss, Penalty, Trainer, Upsampler
from .adversarial import ADVERSARIAL_CHECKS
from .architecture import ARCHITECTURE_CHECKS
from .contract import Check, bind, choose
from .dataset import DATASET_CHECKS
from .degradation import DEGRADATION_CHECKS
from .loss import LOSS_CHECKS
from .penalty import PENALTY_CHECKS
from .trainer import TRAINER_CHECKS
from .upsampler import UPSAMPLER_CHECKS

Subject: TypeAlias = Architecture | Dataset | Degradation | Trainer | Upsampler | Loss | AdversarialLoss | Penalty
Checks: TypeAlias = tuple[Callable[[Any], None], ...]

LOSSES: Mapping[str, tuple[type, Checks]] = {
    "picture": (Loss, LOSS_CHECKS),
    "adversarial": (AdversarialLoss, ADVERSARIAL_CHECKS),
    "penalty": (Penalty, PENALTY_CHECKS),
}
"""The kinds of losses: what each follows, and what it is held to."""

# A degradation is told by little, so it is asked for last.
_OTHERS: tuple[tuple[type, Checks], ...] = (
    (Architecture, ARCHITECTURE_CHECKS),
    (Upsampler, UPSAMPLER_CHECKS),
    (Dataset, DATASET_CHECKS),
    (Trainer, TRAINER_CHECKS),
    (Degradation, DEGRADATION_CHECKS),
)


def checks_for(
    subject: Subject,
    *,
    kind: str | None = None,
    average: bool = False,
    only: Iterable[str] = (),
    skip: Mapping[str, str] | None = None,
) -> list[Check]:
    """The checks for an object, by the protocol it follows.

    ``kind``: of a loss, as its record has it: ``"picture"``, ``"adversarial"`` or ``"penalty"``. ``average``: it is called
    with a third argument, likewise. ``only``: names of checks, for no others. ``skip``: name of a check → why it does not
    apply; such checks are among the result, marked.

    Raises TypeError if it follows no protocol, UnknownName for a check that is not there, SettingsError for no reason.
    """
    functions = _of_loss(subject, kind) if kind is not None else _of_protocol(subject)
    bound = _with_average(subject) if average else subject
    return choose(bind(functions, bound, called(subject)), only, skip)


def called(subject: Any) -> str:
    """The name of an object, or that of its class."""
    return str(getattr(subject, "name", None) or getattr(subject, "__name__", None) or type(subject).__name__)


def _of_loss(loss: Any, kind: str) -> Checks:
    if kind not in LOSSES:
        raise TypeError(f"kind={kind!r} is no kind of loss; choose from {', '.join(map(repr, LOSSES))}")
    protocol, functions = LOSSES[kind]
    if not isinstance(loss, protocol) or isinstance(loss, type):
        raise TypeError(f"{loss!r} is no srkit.{protocol.__name__}; make one, or say another kind than {kind!r}")
    return functions


def _of_protocol(subject: Any) -> Checks:
    for protocol, functions in _OTHERS:
        made = protocol in {Degradation, Trainer}  # of these, a class makes them
        if isinstance(subject, protocol) and not (made and isinstance(subject, type)):
            return functions
    raise TypeError(
        f"{subject!r} is neither an Architecture, a Dataset, a Degradation, a Trainer nor an Upsampler; see srkit.protocols. "
        f"Of a loss, say kind="
    )


def _with_average(loss: Any) -> Loss:
    """The loss as one of two arguments, where the average of the network's weights gives the target itself."""

    def two(output: Tensor, target: Tensor) -> Tensor:
        result: Tensor = loss(output, target, target)
        return result

    return two
