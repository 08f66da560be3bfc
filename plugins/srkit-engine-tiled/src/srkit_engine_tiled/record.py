"""Steps of a stream that are like ones before, played back: on a GPU a step costs one launch instead of hundreds.

Far from the top and the bottom of a picture every step does the same to the same memory, a few rows further down, as soon
as what the stores hold lies where it lay before. Such a step is recorded once, as a CUDA graph, and played from then on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol, TypeAlias

import attrs
import torch
from torch import Tensor

MOST = 32
"""Recordings that are kept: steps that lie in memory otherwise are recorded each by itself."""
PATIENCE = 256
"""Steps that are remembered until they come again."""

State: TypeAlias = tuple[int, ...]
Capture: TypeAlias = Callable[[Callable[[], Sequence[Tensor]]], tuple[Callable[[], None], Sequence[Tensor]]]
"""Records what a function does to tensors, without doing it: gives what does it, and the tensors it then has made."""


class Recordable(Protocol):
    """A picture on its way (:class:`.run.Run`)."""

    def feed(self, strip: Tensor) -> Iterable[Tensor]:
        """Take the next rows, give those of the result that they allow."""

    def place(self) -> State | None:
        """Where everything lies, relative to how far the picture is; None near its top, where zeros are read, too."""

    def counts(self) -> State:
        """Every count that a step moves on."""

    def move(self, by: State) -> None:
        """Move the counts on, as a step would."""

    def allows(self, by: State) -> bool:
        """Whether a step that moves the counts on so is still far from the bottom of the picture."""


@attrs.frozen(eq=False)
class _Recording:
    """What plays a step, the strip that it reads, and the rows that it makes."""

    play: Callable[[], None]
    strip: Tensor
    made: Sequence[Tensor]

    def __call__(self, strip: Tensor) -> Sequence[Tensor]:
        self.strip.copy_(strip)
        self.play()
        return [rows.clone() for rows in self.made]  # the next one played overwrites them


@attrs.define(eq=False)
class _Step:
    """A step seen: how it moves the counts on, and its recording."""

    by: State
    recording: _Recording | None = None


class Recorder:
    """The steps seen over some stores. ``capture`` is what records them; none are, without."""

    def __init__(self, capture: Capture | None = None) -> None:
        self._capture = capture
        self._steps: dict[tuple[State, torch.Size], _Step] = {}
        self._left = MOST
        self.recording = False

    def step(self, run: Recordable, strip: Tensor) -> Iterable[Tensor]:
        """What ``run.feed(strip)`` gives: played back if such a step is known, recorded if one was seen before."""
        place = None if self._capture is None else run.place()
        if place is None:
            return run.feed(strip)
        known = self._steps.get((place, strip.shape))
        if known is None:
            before = run.counts()
            made = list(run.feed(strip))
            if len(self._steps) < PATIENCE:
                self._steps[place, strip.shape] = _Step(_moved(before, run.counts()))
            return made
        if not run.allows(known.by):
            return run.feed(strip)
        if known.recording is None:
            known.recording = self._recorded(run, strip)
        else:
            run.move(known.by)
        return run.feed(strip) if known.recording is None else known.recording(strip)

    def _recorded(self, run: Recordable, strip: Tensor) -> _Recording | None:
        """The next step, and the counts moved on; where it cannot be recorded all is as before, and none is any more."""
        if self._capture is None or self._left == 0:
            return None
        before, held = run.counts(), torch.empty_like(strip)
        self.recording = True
        try:
            play, made = self._capture(lambda: list(run.feed(held)))
        except RuntimeError:  # out of memory, or an operator that cannot be captured
            run.move(_moved(run.counts(), before))
            self.stop()
            return None
        finally:
            self.recording = False
        self._left -= 1
        return _Recording(play, held, made)

    def stop(self) -> None:
        """Record nothing any more: what lay at fixed places no longer does."""
        self._capture = None
        self._steps.clear()


def _moved(before: State, after: State) -> State:
    return tuple(new - old for new, old in zip(after, before, strict=True))


class CudaGraphs:
    """Records CUDA graphs; all share one pool of memory, for no two are played at once."""

    def __init__(self) -> None:
        self._pool: Any = None

    def __call__(self, step: Callable[[], Sequence[Tensor]]) -> tuple[Callable[[], None], Sequence[Tensor]]:
        """See Capture."""
        graph = torch.cuda.CUDAGraph()
        # Other threads may use the device meanwhile.
        with torch.cuda.graph(
            graph, pool=self._pool, stream=torch.cuda.current_stream(), capture_error_mode="thread_local"
        ):
            made = step()
        self._pool = graph.pool()
        return graph.replay, made
