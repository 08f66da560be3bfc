"""Every exception srkit raises on purpose.

Each is also the builtin that a caller would think of catching, and carries the objects it speaks of::

    SrkitError
    ├── UnknownName (LookupError)           a name that no plugin registered
    ├── PluginError (RuntimeError)          what was asked for belongs to a plugin that is broken
    ├── SettingsError (ValueError)          an argument out of range, or a combination that means nothing
    ├── ImageError (ValueError)             a picture that srkit cannot take
    ├── DatasetError (ValueError)           a data set that cannot give what it is asked for
    ├── WeightsError (ValueError)           a weight file that cannot be used
    │   ├── UnsafeWeights                   a pickle that wants to run code
    │   ├── UnrecognisedWeights             no architecture claims these tensors
    │   └── MismatchedWeights               weights of different networks
    ├── WeightsNotFound (FileNotFoundError) nowhere to be had: neither cached, installed nor downloadable
    ├── DownloadError (ConnectionError)     a fetch that failed
    │   ├── Offline                         a fetch that SRKIT_OFFLINE forbids
    │   └── DigestMismatch                  the bytes that came are not the bytes that were asked for
    ├── NotStreamable (TypeError)           an upsampler cannot run this network; names the operator
    ├── NonFiniteLoss (ArithmeticError)     a loss is NaN or infinite
    ├── NonFiniteOutput (ArithmeticError)   the network gave NaN or infinity
    ├── OutOfMemory (MemoryError)           the picture needs more memory than there is
    └── ContractError (AssertionError)      a plugin breaks a contract of ``srkit.testing``
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from pathlib import Path


class SrkitError(Exception):
    """Base of all of them."""


class UnknownName(SrkitError, LookupError):
    """Nothing of this kind is registered under ``name``; ``known`` lists what is."""

    def __init__(self, kind: str, name: str, known: Iterable[str]) -> None:
        self.kind, self.name, self.known = kind, name, tuple(known)
        folded = {known_name.casefold(): known_name for known_name in self.known}
        close = difflib.get_close_matches(name.casefold(), folded, n=1, cutoff=0.5)
        hint = f"; did you mean {folded[close[0]]!r}?" if close else "."
        listing = ", ".join(sorted(self.known)) or "none; install a plugin that registers one"
        shown = name if len(name) <= 80 else f"{name[:80]}…"
        super().__init__(f"unknown {kind} {shown!r}{hint} Known: {listing}")


class PluginError(SrkitError, RuntimeError):
    """The plugin ``distribution`` is broken; the original error is the ``__cause__``."""

    def __init__(self, message: str, distribution: str) -> None:
        self.distribution = distribution
        super().__init__(message)


class SettingsError(SrkitError, ValueError):
    """An argument is out of range, or arguments contradict each other."""


class ImageError(SrkitError, ValueError):
    """A picture has a shape, dtype or values that srkit cannot take."""


class DatasetError(SrkitError, ValueError):
    """A data set cannot give batches: it is empty, too many of its files are bad, or a state is another's."""


class WeightsError(SrkitError, ValueError):
    """The weight file ``path`` cannot be used."""

    def __init__(self, message: str, path: Path | None = None) -> None:
        self.path = path
        super().__init__(message)


class UnsafeWeights(WeightsError):
    """The file is a pickle that asks for more than tensors; it was not executed."""


class UnrecognisedWeights(WeightsError):
    """No registered architecture recognises the tensors of the file."""


class MismatchedWeights(WeightsError):
    """Weights that should belong to one network do not."""


class WeightsNotFound(SrkitError, FileNotFoundError):
    """The weights are nowhere to be had."""


class DownloadError(SrkitError, ConnectionError):
    """Fetching ``url`` failed."""

    def __init__(self, message: str, url: str) -> None:
        self.url = url
        super().__init__(message)


class Offline(DownloadError):
    """``SRKIT_OFFLINE`` is set and the weights would have to be fetched."""


class DigestMismatch(DownloadError):
    """The fetched bytes have the sha256 ``actual``, not ``expected``."""

    def __init__(self, message: str, url: str, expected: str, actual: str) -> None:
        self.expected, self.actual = expected, actual
        super().__init__(message, url)


class NotStreamable(SrkitError, TypeError):
    """An upsampler cannot run this network; ``operator`` names what stops it."""

    def __init__(self, message: str, operator: str) -> None:
        self.operator = operator
        super().__init__(message)


class NonFiniteLoss(SrkitError, ArithmeticError):
    """A loss of the network ``network`` is NaN or infinite."""

    def __init__(self, message: str, network: str) -> None:
        self.network = network
        super().__init__(message)


class NonFiniteOutput(SrkitError, ArithmeticError):
    """The network's output holds NaN or infinity."""


class OutOfMemory(SrkitError, MemoryError):
    """The picture needs more memory than the device has free."""


class ContractError(SrkitError, AssertionError):
    """A plugin object breaks the contract ``check``."""

    def __init__(self, message: str, check: str) -> None:
        self.check = check
        super().__init__(message)
