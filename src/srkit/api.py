"""The functions most people need: ``load`` makes an upscaler, ``upscale`` uses one for a picture."""

from __future__ import annotations

import contextlib
import os
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import attrs
import numpy as np
import torch

from . import plugins
from .networks import Source, load_network
from .pixels import layout_of
from .progress import Progress
from .upscaler import AlphaMode, Order, Upscaler, check_scale


def load(
    model: str | None = None,
    *,
    arch: str | None = None,
    weights: Source | Mapping[Source, float] | None = None,
    denoise: float | None = None,
    scale: float | None = None,
    alpha: AlphaMode = "network",
    engine: str | None = None,
    device: str | torch.device | None = None,
    precision: str = "float32",
    memory: int | str | None = None,
    rows: int | None = None,
    halo: int | None = None,
    pre_pad: int = 0,
    order: Order = "rgb",
    progress: Progress = None,
) -> Upscaler:
    """Make a network ready for many pictures.

    Which network (with none of them: the catalogue's default model):

    - ``model``: a name of the catalogue, see ``srkit models list``.
    - ``arch``: an architecture; alone, its default model; with ``weights``, what they must be.
    - ``weights``: a file, a URL with its digest (``https://…#sha256=…``), or files or models with shares that sum to 1
      (network interpolation).
    - ``denoise``: 0 to 1, for models that declare the control.

    What comes out:

    - ``scale``: output size over input size, any number > 0; the network's own scale if left out. The float result is
      resampled (Lanczos) before it is rounded to the picture's depth, once.
    - ``alpha``: ``"network"`` upscales transparency like a picture, ``"resize"`` resamples it.
    - ``order``: ``"rgb"`` or ``"bgr"``, of pictures in and out.
    - ``pre_pad``: pixels of reflection added below and to the right, and cropped from the result.
    - ``progress``: True for a bar on the terminal, or a function called with (rows done, rows in all).

    How it runs:

    - ``engine``: an upsampler, see ``srkit plugins``; the preferred one if left out.
    - ``device``: ``"cpu"``, ``"cuda"``, ``"cuda:1"``, ``"xpu"``, ``"mps"``; the best there is if left out. Of several, as in
      ``"cuda:0,cuda:1"``, each takes a part of the columns of wide pictures; narrow ones go to one that is idle.
    - ``precision``: ``"float32"``, ``"float16"``, ``"bfloat16"``.
    - ``memory``: how much of the device's it may use, ``"4GiB"`` or bytes; ``rows``: input rows a step. For engines that
      stream.
    - ``halo``: approximate tiles with as many input pixels around them, for networks that no engine streams; the upscaler's
      ``exact`` is then False.

    Raises UnknownName, SettingsError, WeightsNotFound, WeightsError, DownloadError, PluginError, NotStreamable.
    """
    return Upscaler.from_network(
        load_network(model=model, arch=arch, weights=weights, denoise=denoise),
        scale=scale,
        alpha=alpha,
        engine=engine,
        device=device,
        precision=precision,
        memory=memory,
        rows=rows,
        halo=halo,
        pre_pad=pre_pad,
        order=order,
        progress=progress,
    )


def upscale(
    img: np.ndarray,
    *,
    model: str | None = None,
    arch: str | None = None,
    weights: Source | Mapping[Source, float] | None = None,
    denoise: float | None = None,
    scale: float | None = None,
    alpha: AlphaMode = "network",
    engine: str | None = None,
    device: str | torch.device | None = None,
    precision: str = "float32",
    memory: int | str | None = None,
    rows: int | None = None,
    halo: int | None = None,
    pre_pad: int = 0,
    order: Order = "rgb",
    progress: Progress = None,
) -> np.ndarray:
    """Upscale a picture: :func:`load` and a call in one.

    ``img``: (H, W) or (H, W, C), C 1 to 4; bool, uint8, uint16, or float16, float32, float64 in [0, 1]. Returns an array
    of the same dtype and number of channels, its height and width round(scale · size). The arguments are those of
    :func:`load`. The few networks used last are kept, so that calling this in a loop loads weights once.
    """
    layout_of(img)  # a bad picture is told before a network is fetched and loaded
    if scale is not None:
        check_scale(scale)
    shares = (
        weights if isinstance(weights, Mapping) else {weights: 1.0} if isinstance(weights, str | os.PathLike) else {}
    )
    files = [source for source in shares if isinstance(source, str | os.PathLike)]
    named = [(os.fspath(source), shares[source]) for source in files] or repr(weights)
    key = (
        plugins.current(), repr((model, arch, named, denoise, engine, str(device), precision, memory, rows, halo, pre_pad)),
        tuple(_stamp(source) for source in files),
    )  # fmt: skip
    upscaler = _kept.get(
        key,
        lambda: load(
            model,
            arch=arch,
            weights=weights,
            denoise=denoise,
            engine=engine,
            device=device,
            precision=precision,
            memory=memory,
            rows=rows,
            halo=halo,
            pre_pad=pre_pad,
        ),
    )
    return upscaler(img, scale=scale, alpha=alpha, order=order, progress=progress)


class _Kept:
    """The upscalers used last, so that a loop over pictures loads once."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._lock = threading.Lock()
        self._slots: OrderedDict[Any, _Slot] = OrderedDict()

    def get(self, key: Any, make: Callable[[], Upscaler]) -> Upscaler:
        with self._lock:
            slot = self._slots.setdefault(key, _Slot())
            self._slots.move_to_end(key)
            while len(self._slots) > self._limit:
                self._slots.popitem(last=False)
        # Loading may fetch for minutes: only those who want the same network wait for it.
        with slot.lock:
            if slot.upscaler is None:
                slot.upscaler = make()
            return slot.upscaler

    def clear(self) -> None:
        with self._lock:
            self._slots.clear()


@attrs.define
class _Slot:
    lock: threading.Lock = attrs.field(factory=threading.Lock)
    upscaler: Upscaler | None = None


_kept = _Kept(limit=4)


def forget() -> None:
    """Let go of the networks that :func:`upscale` keeps, and of their memory."""
    _kept.clear()


def _stamp(source: Source) -> tuple[Any, ...]:
    """What changes when a weight file is replaced; an ncnn model is two files."""
    stamps: list[Any] = [os.path.abspath(source)]  # noqa: PTH100 -- a name or a URL is asked for too
    for suffix in (None, ".param", ".bin"):
        with contextlib.suppress(OSError, ValueError):
            found = (Path(source) if suffix is None else Path(source).with_suffix(suffix)).stat()
            stamps.append((found.st_ino, found.st_mtime_ns, found.st_size))
    return tuple(stamps)
