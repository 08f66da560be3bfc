"""``load`` → ``Upscaler``, and ``upscale``: pictures through a network, strip by strip.

The pipeline: rows of an array → float planes (:mod:`srkit.pixels`) → the network (:meth:`Upscaler.stream`) → the size
asked for (:mod:`srkit.resample`) → rows in the array's own dtype. Alpha goes along as a second picture of the same batch
(:mod:`srkit.alpha`). Each stage takes an iterator of strips and gives one.
"""

from __future__ import annotations

import itertools
import math
import os
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Literal, TypeAlias

import attrs
import numpy as np
import torch
from torch import Tensor, nn
from tqdm import tqdm

from . import plugins
from .alpha import bound_and_divide, premultiply
from .declarations import Traits
from .errors import ImageError, NonFiniteOutput, SettingsError
from .networks import LoadedNetwork, Source, load_network
from .pixels import Layout, from_batch, from_planes, layout_of, to_batch, to_planes
from .protocols import Size, Stream, Upsampler
from .resample import resample
from .rows import RowWindow, crop, pad
from .settings import Settings, parse_device, parse_memory, parse_precision

Order: TypeAlias = Literal["rgb", "bgr"]
AlphaMode: TypeAlias = Literal["network", "resize"]
Progress: TypeAlias = bool | Callable[[int, int], None] | None


@attrs.frozen(kw_only=True)
class Upscaler:
    """A network made ready, with the options its pictures share; make one with :func:`load` or :meth:`from_network`.

    Call it with a picture, an array (H, W) or (H, W, C); or feed float strips to :meth:`stream`.
    """

    loaded: LoadedNetwork
    engine: str
    settings: Settings
    scale: float
    alpha: AlphaMode = "network"
    order: Order = "rgb"
    pre_pad: int = 0
    progress: Progress = None
    _stream: Stream = attrs.field(repr=False)

    @classmethod
    def from_network(
        cls,
        network: nn.Module | LoadedNetwork,
        traits: Traits | None = None,
        *,
        name: str = "network",
        scale: float | None = None,
        alpha: AlphaMode = "network",
        engine: str | None = None,
        device: str | torch.device | None = None,
        precision: str = "float32",
        memory: int | str | None = None,
        rows: int | None = None,
        pre_pad: int = 0,
        order: Order = "rgb",
        progress: Progress = None,
    ) -> Upscaler:
        """An upscaler of a network of your own; it is moved to ``device`` and ``precision`` in place.

        ``traits`` say its scale, channels and alignment. The other arguments are those of :func:`load`.
        """
        if isinstance(network, nn.Module):
            if traits is None:
                raise SettingsError("traits of the network are missing; pass srkit.Traits(scale=…)")
            network = LoadedNetwork(network.eval().requires_grad_(False), name, {}, traits, name, {})
        traits = network.traits
        if traits.in_channels not in {1, 3} or traits.out_channels != traits.in_channels:
            raise SettingsError(
                f"{network.architecture} turns {traits.in_channels} channels into {traits.out_channels}; only networks from "
                f"1 channel to 1 or from 3 to 3 upscale pictures"
            )
        if rows is not None and rows < 1:
            raise SettingsError(f"rows={rows} is not a number of rows; it must be 1 or more")
        if not isinstance(pre_pad, int) or pre_pad < 0:
            raise SettingsError(f"pre_pad={pre_pad!r} is not a number of pixels; it must be 0 or more")
        where = parse_device(device)
        settings = Settings(
            device=where,
            dtype=parse_precision(precision, where),
            traits=traits,
            memory=parse_memory(memory),
            rows=rows,
        )
        upsampler = _choose_engine(engine)
        return cls(
            loaded=network,
            engine=upsampler.name,
            settings=settings,
            scale=_check_scale(traits.scale if scale is None else scale),
            alpha=_check_choice("alpha", alpha, ("network", "resize")),
            order=_check_choice("order", order, ("rgb", "bgr")),
            pre_pad=pre_pad,
            progress=progress,
            stream=upsampler.prepare(network.network, settings),
        )

    def __call__(
        self,
        img: np.ndarray,
        *,
        scale: float | None = None,
        size: Size | None = None,
        alpha: AlphaMode | None = None,
        order: Order | None = None,
        progress: Progress = None,
    ) -> np.ndarray:
        """Upscale a picture; the options left out are the upscaler's own.

        ``img``: (H, W) or (H, W, C), C 1 to 4; bool, uint8, uint16, or float16, float32, float64 in [0, 1]; RGB unless
        ``order="bgr"``. Returns an array of the same dtype and number of channels, its height and width
        round(scale · size), or exactly ``size`` = (height, width) where that is given.

        Raises ImageError for a picture it cannot take, NonFiniteOutput if the network gives NaN, OutOfMemory.
        """
        layout = layout_of(img)
        factor = self.scale if scale is None else _check_scale(scale)
        new_size = size or (_scaled(layout.height, factor), _scaled(layout.width, factor))
        shape = new_size if layout.flat else (*new_size, layout.channels)
        out = np.empty(shape, layout.dtype)
        done = 0
        if layout.has_alpha and (img[..., -1] == img[0, 0, -1]).all():
            # Bounded by its neighbourhood, alpha that is the same everywhere stays so: the network need not see it.
            alpha = "resize"
        report = _reporter(self.progress if progress is None else progress, self.loaded.name)
        try:
            for rows in self.rows(iter((img,)), layout, new_size, alpha=alpha, order=order):
                out[done : done + len(rows)] = rows
                done += len(rows)
                report(done, new_size[0])
        finally:
            report.close()
        return out

    def rows(
        self,
        strips: Iterator[np.ndarray],
        layout: Layout,
        new_size: Size,
        *,
        alpha: AlphaMode | None = None,
        order: Order | None = None,
    ) -> Iterator[np.ndarray]:
        """The pipeline itself: rows of a picture of ``layout`` in, rows of the result of ``new_size`` out, both arrays."""
        if min(new_size) < 1:
            raise SettingsError(f"size={new_size} is not a size; height and width must be 1 or more")
        order = _check_choice("order", order or self.order, ("rgb", "bgr"))
        mode = _check_choice("alpha", alpha or self.alpha, ("network", "resize"))
        size = (layout.height, layout.width)
        planes: Iterator[Tensor] = (to_planes(strip, layout, order) for strip in strips)
        if layout.has_alpha:
            result = self._with_alpha(planes, layout, size, new_size, mode)
        else:
            result = self._resized(planes, layout, size, new_size)
        for rows in result:
            yield from_planes(rows, layout, order)

    def _with_alpha(
        self, planes: Iterator[Tensor], layout: Layout, size: Size, new_size: Size, mode: AlphaMode
    ) -> Iterator[Tensor]:
        # tee keeps the rows that one reader has seen and another has not: those the network still holds back.
        for_network, for_bounds, for_resize = itertools.tee(planes, 3)
        premultiplied = (premultiply(strip) for strip in for_network)
        if mode == "network":
            del for_resize
            result = self._resized(premultiplied, layout, size, new_size)
        else:
            opaque = attrs.evolve(layout, channels=layout.channels - 1)
            colour = self._resized((strip[:-1] for strip in premultiplied), opaque, size, new_size)
            result = _beside(colour, resample((strip[-1:] for strip in for_resize), size, new_size))
        return bound_and_divide(result, (strip[-1:] for strip in for_bounds), size, new_size)

    def _resized(self, planes: Iterator[Tensor], layout: Layout, size: Size, new_size: Size) -> Iterator[Tensor]:
        """Planes through the network and to the size asked for, (C, h, W) each."""
        traits = self.loaded.traits
        batches = (to_batch(strip, layout, traits.in_channels) for strip in planes)
        upscaled = (from_batch(batch, layout) for batch in self.stream(batches, size))
        return resample(upscaled, (size[0] * traits.scale, size[1] * traits.scale), new_size)

    @torch.inference_mode()
    def stream(self, strips: Iterable[Tensor], size: Size) -> Iterator[Tensor]:
        """The network over the rows of a picture of ``size`` = (height, width), lazily.

        ``strips``: float tensors (B, C, h, W), RGB in [0, 1], top to bottom, of any heights that add up to the height.
        Gives strips (B, C, h', scale · W) likewise, in the network's precision, not clamped.

        Raises ImageError for strips that do not fit together, NonFiniteOutput if the network gives NaN or infinity.
        """
        height, width = size
        traits = self.loaded.traits
        below, right = (self.pre_pad + -(side + self.pre_pad) % traits.multiple_of for side in size)
        padded = pad(_checked(strips, size, traits.in_channels), height, width, below, right)
        out = self._stream(padded, (height + below, width + right))
        top = 0
        for rows in crop(out, height * traits.scale, width * traits.scale):
            # One reduction: a sum is finite unless a value is not (or the sum overflows, which the second look tells).
            if not torch.isfinite(rows.sum()) and not torch.isfinite(rows).all():
                raise NonFiniteOutput(self._explain_non_finite(rows, top))
            top += rows.shape[-2]
            yield rows

    def _explain_non_finite(self, rows: Tensor, top: int) -> str:
        bad = (~torch.isfinite(rows)).flatten(0, 1).any(0).any(1).nonzero()[0, 0]
        remedy = (
            "its weights are damaged, or not meant for this network"
            if self.settings.dtype is torch.float32
            else "use precision='float32', or 'bfloat16', which has the range of float32"
        )
        return (
            f"{self.loaded.name} gave NaN or infinity in {str(self.settings.dtype).removeprefix('torch.')} "
            f"(first in output row {top + int(bad)}); {remedy}"
        )


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
    - ``device``: ``"cpu"``, ``"cuda"``, ``"cuda:1"``, ``"mps"``; the best there is if left out.
    - ``precision``: ``"float32"``, ``"float16"``, ``"bfloat16"``.
    - ``memory``: how much of the device's it may use, ``"4GiB"`` or bytes; ``rows``: input rows a step. For engines that
      stream.

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
        _check_scale(scale)
    shares = weights if isinstance(weights, Mapping) else {} if weights is None else {weights: 1.0}
    key = (
        model, arch, denoise, engine, str(device), precision, memory, rows, pre_pad,
        tuple((os.fspath(source), share, _stamp(source)) for source, share in shares.items()),
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
            pre_pad=pre_pad,
        ),
    )
    return upscaler(img, scale=scale, alpha=alpha, order=order, progress=progress)


class _Kept:
    """The upscalers used last, so that a loop over pictures loads once."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._lock = threading.Lock()
        self._upscalers: OrderedDict[Any, Upscaler] = OrderedDict()

    def get(self, key: Any, make: Callable[[], Upscaler]) -> Upscaler:
        with self._lock:
            if key not in self._upscalers:
                self._upscalers[key] = make()
                if len(self._upscalers) > self._limit:
                    self._upscalers.popitem(last=False)
            self._upscalers.move_to_end(key)
            return self._upscalers[key]

    def clear(self) -> None:
        self._upscalers.clear()


_kept = _Kept(limit=4)


def _stamp(source: Source) -> tuple[int, int] | None:
    """What changes when a weight file is replaced."""
    try:
        found = os.stat(source)  # noqa: PTH116 -- a name or a URL is asked for too
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size


def _choose_engine(name: str | None) -> Upsampler:
    registry = plugins.current().upsamplers
    entry = registry.find(name) if name else max(registry, key=lambda candidate: candidate.spec.preference)
    upsampler: Upsampler = entry.load(Upsampler)
    return upsampler


def _check_scale(scale: float) -> float:
    if isinstance(scale, bool) or not isinstance(scale, int | float) or not math.isfinite(scale) or scale <= 0:
        raise SettingsError(f"scale={scale!r} is not a factor; it must be a number greater than 0, such as 2 or 1.5")
    return scale


def _check_choice(name: str, value: Any, choices: tuple[str, ...]) -> Any:
    if value not in choices:
        raise SettingsError(f"{name}={value!r} is unknown; choose from {', '.join(map(repr, choices))}")
    return value


def _scaled(side: int, scale: float) -> int:
    return max(1, round(side * scale))


def _checked(strips: Iterable[Tensor], size: Size, channels: int) -> Iterator[Tensor]:
    """The strips, as long as they make a picture of ``size``."""
    height, width = size
    if min(size) < 1:
        raise ImageError(f"size={size} is not a picture's; height and width must be 1 or more")
    row = 0
    for strip in strips:
        if not isinstance(strip, Tensor) or strip.ndim != 4 or not strip.is_floating_point():
            shape = f"{strip.dtype} {tuple(strip.shape)}" if isinstance(strip, Tensor) else type(strip).__name__
            raise ImageError(f"a strip must be a float tensor (B, C, h, W), not {shape}")
        if strip.shape[1] != channels or strip.shape[3] != width or strip.shape[2] < 1:
            raise ImageError(
                f"the strip at row {row} has shape {tuple(strip.shape)}; expected (B, {channels}, h, {width}) with h ≥ 1"
            )
        row += strip.shape[2]
        if row > height:
            raise ImageError(f"the strips hold {row} rows or more, but size={size} announced {height}")
        yield strip
    if row < height:
        raise ImageError(f"the strips ended after {row} rows, but size={size} announced {height}")


def _beside(colour: Iterable[Tensor], alpha: Iterable[Tensor]) -> Iterator[Tensor]:
    """Planes of two pictures of one size, row by row as planes of one; their strips need not agree."""
    window, top = RowWindow(alpha), 0
    for strip in colour:
        rows = window.rows(top, top + strip.shape[-2])
        top += strip.shape[-2]
        yield torch.cat((strip, rows.to(strip.device)))


class _Report:
    """Progress to whoever wants it."""

    def __init__(self, call: Callable[[int, int], None] | None, bar: Any = None) -> None:
        self._call, self._bar = call, bar

    def __call__(self, done: int, total: int) -> None:
        if self._call is not None:
            self._call(done, total)
        if self._bar is not None:
            self._bar.total = total
            self._bar.update(done - self._bar.n)

    def close(self) -> None:
        if self._bar is not None:
            self._bar.close()


def _reporter(progress: Progress, name: str) -> _Report:
    if progress is True:
        return _Report(None, tqdm(desc=name, unit="row", disable=None, leave=False))
    return _Report(progress if callable(progress) else None)
