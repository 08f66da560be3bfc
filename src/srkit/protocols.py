"""What a plugin implements. No base class is needed: any object with these members will do."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, runtime_checkable

if TYPE_CHECKING:
    from torch import Generator, Tensor, nn

    from .batches import Batch, Feed
    from .declarations import Recognition, Traits
    from .settings import Settings

Size: TypeAlias = tuple[int, int]
"""(height, width) in pixels."""

Stream: TypeAlias = "Callable[[Iterator[Tensor], Size], Iterator[Tensor]]"
"""A network over the rows of a picture.

Called with strips, (B, C_in, h, W) float32 of any heights h ≥ 1 that add up to the picture's height, top to bottom, and
the picture's (height, width). Gives strips (B, C_out, h', scale·W) of a float dtype, whose heights add up to
scale·height. Values are as the network gives them, not clamped. May be called again, and from several threads.
"""


@runtime_checkable
class Explained(Protocol):
    """A Stream that tells about itself, as one may: :meth:`srkit.Upscaler.explain` and ``srkit models info`` show it."""

    @property
    def exact(self) -> bool:
        """Whether the rows are those of the network on the whole picture; what does not say so is taken to be."""

    def facts(self) -> Mapping[str, str]:
        """What holds for every picture, such as the network's reach: names and values, to be read by people."""

    def explain(self, size: Size, batch: int = 1) -> Mapping[str, str]:
        """How pictures of ``size`` would be run: names and values, likewise. Raises OutOfMemory if they cannot be."""


@runtime_checkable
class Architecture(Protocol):
    """A family of networks."""

    name: str

    def build(self, **config: Any) -> nn.Module:
        """A network with random weights; its state-dict names are the published ones.

        Every argument has a default. Raises ValueError for a configuration that cannot be built.
        """

    def recognise(self, shapes: Mapping[str, tuple[int, ...]]) -> Recognition | None:
        """The configuration and the naming of a state dict with these tensor names and shapes; None if it is another's.

        ``shapes`` is in stored order. Tensors of an ncnn file are called ``ncnn.INDEX.OPERATOR.weight`` and so on
        (:mod:`srkit.weights.ncnn`).
        """

    def traits(self, **config: Any) -> Traits:
        """Scale, channels and alignment of ``build(**config)``."""


@runtime_checkable
class Upsampler(Protocol):
    """A way of running a network over a picture."""

    name: str

    def prepare(self, network: nn.Module, settings: Settings) -> Stream:
        """Plan, pack and move once what every picture then shares.

        ``network`` is in evaluation mode, without gradients. Raises NotStreamable, naming the operator, for a network it
        cannot run, and SettingsError for a setting it cannot honour.
        """


@runtime_checkable
class Degradation(Protocol):
    """A way of making pictures worse; immutable, and ready to be pickled, since workers get copies."""

    @property
    def name(self) -> str:
        """What it is registered as."""

    def __call__(self, images: Tensor, rng: Generator) -> Tensor:
        """(B, 3, H, W) float32 RGB in [0, 1] → (B, 3, H', W') likewise, on the same device.

        All chance comes from ``rng``, a generator on the CPU, so that the draws are the same on every device. What
        becomes of a picture depends on it and ``rng``, not on the other pictures of the batch. ``images`` is not
        written to.
        """


@runtime_checkable
class BatchStream(Protocol):
    """Batches without end, epoch after epoch; what comes next is told by the seed and the position alone."""

    @property
    def epoch(self) -> float:
        """How often every picture has been given, as a fraction."""

    @property
    def bad(self) -> Mapping[str, str]:
        """Files that were left out so far, and what is wrong with each."""

    def __iter__(self) -> Iterator[Batch]:
        """Itself."""

    def __next__(self) -> Batch:
        """The next batch. Raises DatasetError once more files are bad than ``Feed.bad_limit``."""

    def state_dict(self) -> dict[str, Any]:
        """Where the stream is: numbers, strings and tensors, which ``torch.save`` writes and reads safely."""

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on exactly where the state was taken, whatever the number of workers then and now."""

    def close(self) -> None:
        """End the workers; called again, or iterated again, no harm is done."""


@runtime_checkable
class Dataset(Protocol):
    """Pictures to train with."""

    name: str

    def open(self, config: Mapping[str, Any], feed: Feed) -> BatchStream:
        """The batches of this configuration, as ``feed`` wants them.

        Raises SettingsError for a configuration that means nothing, naming the key, and DatasetError if there is nothing
        to read.
        """

    def sample(self, folder: Path, *, bad: int = 0) -> Mapping[str, Any]:
        """Write a small data set into an empty folder, ``bad`` of its files damaged, and give its configuration.

        It is what the conformance kit reads.
        """
