"""What a plugin implements. No base class is needed: any object with these members will do."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
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
        (:mod:`srkit.weights.ncnn`). Raises WeightsError for tensors that are known, and of no use to anybody.
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


@runtime_checkable
class Learner(Protocol):
    """The networks of a run, as the loop lends them to :meth:`Trainer.step`."""

    @property
    def iteration(self) -> int:
        """Updates done so far: 0 in the first."""

    def __getitem__(self, name: str) -> nn.Module:
        """The network of this name, as it is to be called: on its device, in the run's precision, distributed."""

    def ema(self, name: str) -> nn.Module:
        """The moving average of its weights, without gradients; the network itself where none is kept."""

    def frozen(self, name: str) -> AbstractContextManager[nn.Module]:
        """The network, whose parameters get no gradients meanwhile; what it is called with gets its own."""

    def update(self, name: str, loss: Tensor) -> None:
        """One step of the optimiser of this network, down the gradient of ``loss``, a scalar.

        Raises NonFiniteLoss for NaN or infinity, the network being as it was.
        """


@runtime_checkable
class Trainer(Protocol):
    """A way of training a network; what a plugin registers makes one: called with options as keywords, it checks them.

    Making one is cheap: nothing is read or built. The loop does the rest: devices, precision, processes, optimisers,
    averages, checkpoints, validation, logs.
    """

    @property
    def name(self) -> str:
        """What it is registered as."""

    def networks(self, network: nn.Module, traits: Traits) -> Mapping[str, nn.Module]:
        """All networks that are trained, by name; ``network``, called ``"generator"``, is what comes out in the end.

        Called once, before the first step. What is returned is brought to the device by the loop. Chance comes from
        torch's global generator.
        """

    def step(self, batch: Batch, learner: Learner) -> Mapping[str, Tensor]:
        """Learn from a batch: call networks, and ``learner.update`` those whose turn it is.

        Gives what is to be logged, by name: scalars, detached.
        """


@runtime_checkable
class Loss(Protocol):
    """How far pictures are from what they should be; what a plugin registers makes one, from options as keywords.

    Making one is cheap: what it needs, such as the weights of a fixed network, is read when it is first called.
    """

    def __call__(self, output: Tensor, target: Tensor) -> Tensor:
        """(B, 3, H, W) float32 RGB, nominally in [0, 1], both → a scalar ≥ 0 with gradients towards ``output``.

        One whose record says ``average=True`` is called with a third such tensor, what the average of the network's
        weights gives, without gradients.
        """


@runtime_checkable
class AdversarialLoss(Protocol):
    """What a generator and a discriminator learn from each other, by logits of any shape; made as a Loss is.

    Each gives a scalar with gradients towards the logits.
    """

    def generator(self, fake_logits: Tensor) -> Tensor:
        """What the generator makes small, of what the discriminator says about its pictures."""

    def real(self, real_logits: Tensor) -> Tensor:
        """What the discriminator makes small, of what it says about targets."""

    def fake(self, fake_logits: Tensor) -> Tensor:
        """What the discriminator makes small, of what it says about the generator's pictures."""


@runtime_checkable
class Penalty(Protocol):
    """What a discriminator makes small beside its loss, such as its slope; made as a Loss is."""

    def __call__(self, discriminator: Callable[[Tensor], Tensor], real: Tensor, fake: Tensor) -> Tensor:
        """Targets and the generator's pictures, (B, 3, H, W) both → a scalar with gradients towards the parameters."""
