"""``Upscaler``: pictures through a network, strip by strip.

The pipeline: rows of an array → float planes (:mod:`srkit.pixels`) → the network (:meth:`Upscaler.stream`) → the size
asked for (:mod:`srkit.resample`) → rows in the array's own dtype. Alpha goes along as a second picture of the same batch
(:mod:`srkit.alpha`). Each stage takes an iterator of strips and gives one.
"""

from __future__ import annotations

import copy
import functools
import itertools
import math
import warnings
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Literal, TypeAlias

import attrs
import numpy as np
import torch
from torch import Tensor, nn

from . import plugins
from .alpha import bound, divide, fill_hidden, premultiply, split
from .crew import side_by_side
from .declarations import Traits
from .errors import ImageError, NonFiniteOutput, NotStreamable, OutOfMemory, PluginError, SettingsError
from .networks import LoadedNetwork
from .pixels import Layout, from_batch, from_planes, layout_of, to_batch, to_planes
from .progress import Progress, reporter
from .protocols import Explained, Size, Stream, Upsampler
from .resample import resample
from .rows import RowWindow, crop, pad, pieces
from .settings import Settings, parse_devices, parse_memory, parse_precision
from .whole import SMALL

Order: TypeAlias = Literal["rgb", "bgr"]
AlphaMode: TypeAlias = Literal["network", "resize"]

_SMALL_PICTURE = 2**18
"""Pixels up to which several at a time use a processor better than all of it does one."""
_AT_ONCE = 2**22
"""Values that go through resizing and rounding at once: engines may give many rows together, which copies would multiply."""


@attrs.frozen(kw_only=True, eq=False)
class Upscaler:
    """A network made ready, with the options its pictures share; make one with :func:`srkit.load` or :meth:`from_network`.

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
        halo: int | None = None,
        pre_pad: int = 0,
        order: Order = "rgb",
        progress: Progress = None,
    ) -> Upscaler:
        """An upscaler of a network of your own, which is copied and stays as it is.

        ``traits`` say its scale, channels and alignment. The other arguments are those of :func:`srkit.load`.
        """
        if isinstance(network, LoadedNetwork):
            if traits is not None:
                raise SettingsError("traits belong to a bare module; a loaded network has its own")
            traits = network.traits
        elif traits is None:
            raise SettingsError("traits of the network are missing; pass srkit.Traits(scale=…)")
        else:
            network = LoadedNetwork(network, name, {}, traits, name, {})
        if traits.in_channels not in {1, 3} or traits.out_channels != traits.in_channels:
            raise SettingsError(
                f"{network.architecture} turns {traits.in_channels} channels into {traits.out_channels}; only networks from "
                f"1 channel to 1 or from 3 to 3 upscale pictures"
            )
        # The engine moves and repacks it; whoever else holds the network keeps theirs.
        network = attrs.evolve(network, network=copy.deepcopy(network.network).eval().requires_grad_(False))
        if rows is not None and (isinstance(rows, bool) or not isinstance(rows, int) or rows < 1):
            raise SettingsError(f"rows={rows!r} is not a number of rows; it must be 1 or more")
        for option, value in (("pre_pad", pre_pad), ("halo", 0 if halo is None else halo)):
            if isinstance(value, bool) or not isinstance(value, int) or value < 0:
                raise SettingsError(f"{option}={value!r} is not a number of pixels; it must be 0 or more")
        where, *beside = parse_devices(device)
        settings = Settings(
            device=where,
            beside=tuple(beside),
            dtype=parse_precision(precision, where),
            traits=traits,
            memory=parse_memory(memory),
            rows=rows,
            halo=halo,
        )
        engine, stream = _prepare(engine, network.network, settings)
        return cls(
            loaded=network,
            engine=engine,
            settings=settings,
            scale=check_scale(traits.scale if scale is None else scale),
            alpha=_check_choice("alpha", alpha, ("network", "resize")),
            order=_check_choice("order", order, ("rgb", "bgr")),
            pre_pad=pre_pad,
            progress=progress,
            stream=stream,
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
        return self.batch((img,), scale=scale, size=size, alpha=alpha, order=order, progress=progress)[0]

    def batch(
        self,
        imgs: Sequence[np.ndarray],
        *,
        scale: float | None = None,
        size: Size | None = None,
        alpha: AlphaMode | None = None,
        order: Order | None = None,
        progress: Progress = None,
    ) -> list[np.ndarray]:
        """Upscale pictures of one shape and dtype side by side, which keeps a device busy that one would not.

        Each result equals that of the picture by itself; the options are those of a single picture. Raises ImageError for
        pictures that differ in shape or dtype.
        """
        if not imgs:
            return []
        layout = layout_of(imgs[0])
        if any(layout_of(img) != layout for img in imgs):
            raise ImageError("pictures of a batch must have one shape and dtype; upscale others by themselves")
        if scale is not None and size is not None:
            raise SettingsError(f"scale={scale} and size={size} both say how large; give one of them")
        new_size = self.result_size((layout.height, layout.width), scale) if size is None else _check_size(size)
        alpha = _check_choice("alpha", alpha or self.alpha, ("network", "resize"))
        report = reporter(self.progress if progress is None else progress, self.loaded.name)
        if len(imgs) > 1 and (self.settings.device.type == "cpu" or self._is_tiny(layout)):
            one = functools.partial(self, size=new_size, alpha=alpha, order=order, progress=False)
            small = self.settings.memory is None and layout.height * layout.width <= _SMALL_PICTURE
            results = side_by_side(one, imgs) if small else [one(img) for img in imgs]
            report(new_size[0], new_size[0])
            return results
        out = _empty(len(imgs), new_size, layout)
        if layout.has_alpha and all((img[..., -1] == layout.white).all() for img in imgs):
            # Opaque everywhere stays so, and colours are as they are: the network need not see alpha.
            alpha = "resize"
        done = 0
        for rows in self._rows(iter([imgs]), layout, new_size, layout.dtype, alpha=alpha, order=order):
            for result, part in zip(out, rows, strict=True):
                result[done : done + len(part)] = part
            done += len(rows[0])
            report(done, new_size[0])
        return out

    def _is_tiny(self, layout: Layout) -> bool:
        """Whether torch convolves one such picture by another kernel than several, with other last bits."""
        return layout.height * layout.width * self.loaded.traits.in_channels <= SMALL

    @property
    def exact(self) -> bool:
        """Whether results are the network's on the whole picture; False for approximate tiles (``halo``)."""
        return bool(getattr(self._stream, "exact", True))

    def facts(self) -> dict[str, str]:
        """What the engine knows of the network, such as its reach, by name; empty if it tells nothing."""
        stream: object = self._stream
        return dict(stream.facts()) if isinstance(stream, Explained) else {}

    def explain(self, size: Size, batch: int = 1) -> dict[str, str]:
        """How pictures of ``size`` = (height, width) would be run, by name, such as the memory this would take.

        Raises OutOfMemory for a picture that cannot be run within ``memory``, ImageError for one that is too large for the
        network.
        """
        _check_size(size)
        below, right = self._padding(size)
        how = {"engine": self.engine, "exact": "yes" if self.exact else "no: approximate tiles"}
        stream: object = self._stream
        if isinstance(stream, Explained):
            how |= stream.explain((size[0] + below, size[1] + right), batch)
        return how

    def _padding(self, size: Size) -> Size:
        """The rows below and columns to the right that a picture is padded by; raises ImageError where it gets too large."""
        traits = self.loaded.traits
        padded = height, width = [traits.padded(side + self.pre_pad) for side in size]
        if traits.maximum is not None and max(padded) > traits.maximum:
            with_pad = f" with pre_pad={self.pre_pad}" if self.pre_pad else ""
            raise ImageError(
                f"a picture of {size[1]}×{size[0]}{with_pad} is too large for {self.loaded.architecture}, which takes "
                f"{traits.maximum}×{traits.maximum} at most; cut out the part that it is for, or make it smaller"
            )
        return height - size[0], width - size[1]

    def result_size(self, size: Size, scale: float | None = None) -> Size:
        """The (height, width) of the result for a picture of ``size``: round(scale · size), at least 1."""
        factor = self.scale if scale is None else check_scale(scale)
        height, width = (max(1, round(side * factor)) for side in size)
        return height, width

    def strips(
        self,
        strips: Iterator[np.ndarray],
        layout: Layout,
        new_size: Size,
        *,
        alpha: AlphaMode | None = None,
        order: Order | None = None,
        dtype: str | np.dtype[Any] | None = None,
    ) -> Iterator[np.ndarray]:
        """The pipeline itself: rows of a picture of ``layout`` in, rows of the result of ``new_size`` out, both arrays.

        ``dtype``: of the result, rounded to once at the end, if not the picture's own.
        """
        result = layout.dtype if dtype is None else np.dtype(dtype)
        for rows in self._rows(([strip] for strip in strips), layout, new_size, result, alpha=alpha, order=order):
            yield rows[0]

    def _rows(
        self,
        strips: Iterator[Sequence[np.ndarray]],
        layout: Layout,
        new_size: Size,
        dtype: np.dtype[Any],
        *,
        alpha: AlphaMode | None,
        order: Order | None,
    ) -> Iterator[list[np.ndarray]]:
        """Strips of N pictures at a time in, the results' rows likewise out."""
        _check_size(new_size)
        order = _check_choice("order", order or self.order, ("rgb", "bgr"))
        mode = _check_choice("alpha", alpha or self.alpha, ("network", "resize"))
        size = (layout.height, layout.width)
        planes: Iterator[Tensor] = _planes(strips, layout, order)
        if layout.has_alpha:
            result = self._with_alpha(planes, layout, size, new_size, mode)
        else:
            result = self._resized(planes, layout, size, new_size)
        as_written = attrs.evolve(layout, dtype=dtype)
        for rows in result:
            yield [from_planes(picture, as_written, order) for picture in rows]

    def _with_alpha(
        self, planes: Iterator[Tensor], layout: Layout, size: Size, new_size: Size, mode: AlphaMode
    ) -> Iterator[Tensor]:
        # tee keeps the rows that one reader has seen and another has not: those the network still holds back.
        planes, for_bounds = itertools.tee(planes)
        alpha = (split(strip)[1] for strip in for_bounds)
        if mode == "network":
            both = self._resized((premultiply(strip) for strip in planes), layout, size, new_size)
            return (divide(strip) for strip in bound(both, alpha, size, new_size))
        planes, for_resize = itertools.tee(planes)
        opaque = attrs.evolve(layout, channels=layout.channels - 1)
        colour = self._resized(fill_hidden(planes, size[0]), opaque, size, new_size)
        resized = resample((split(strip)[1] for strip in for_resize), size, new_size)
        return bound(_beside(colour, resized), alpha, size, new_size)

    def _resized(self, planes: Iterator[Tensor], layout: Layout, size: Size, new_size: Size) -> Iterator[Tensor]:
        """Planes through the network and to the size asked for, (N, C, h, W) each."""
        traits = self.loaded.traits
        batches = (to_batch(strip, layout, traits.in_channels) for strip in planes)
        upscaled = (from_batch(batch, layout) for batch in pieces(self.stream(batches, size), _AT_ONCE))
        return resample(upscaled, (size[0] * traits.scale, size[1] * traits.scale), new_size)

    def stream(self, strips: Iterable[Tensor], size: Size) -> Iterator[Tensor]:
        """The network over the rows of a picture of ``size`` = (height, width), lazily.

        ``strips``: float tensors (B, C, h, W), RGB in [0, 1], top to bottom, of any heights that add up to the height.
        Gives strips (B, C, h', scale · W) likewise, in the network's precision, not clamped.

        Raises ImageError for strips that do not fit together, NonFiniteOutput if the network gives NaN or infinity.
        """
        rows = self._streamed(strips, size)
        while True:
            # Not no_grad as a decorator, which would hold the last strip while the next is made.
            with torch.no_grad():
                strip = next(rows, None)
            if strip is None:
                return
            yield strip
            del strip  # it may be large, and the next is about to be made

    def _streamed(self, strips: Iterable[Tensor], size: Size) -> Iterator[Tensor]:
        height, width = size
        traits = self.loaded.traits
        below, right = self._padding(size)
        padded = pad(_checked(strips, size, traits.in_channels), height, width, below, right)
        out = self._held_to_traits(self._stream(padded, (height + below, width + right)), height + below, width + right)
        top = 0
        for rows in crop(out, height * traits.scale, width * traits.scale):
            # One reduction: a sum is finite unless a value is not (or the sum overflows, which the second look tells).
            if not torch.isfinite(rows.sum()) and not torch.isfinite(rows).all():
                raise NonFiniteOutput(self._explain_non_finite(rows, top))
            top += rows.shape[-2]
            yield rows
            del rows

    def _held_to_traits(self, strips: Iterator[Tensor], height: int, width: int) -> Iterator[Tensor]:
        """The engine's strips, as long as they make the picture that the traits promise."""
        scale, done, columns = self.loaded.traits.scale, 0, 0
        for strip in strips:
            done, columns = done + strip.shape[-2], strip.shape[-1]
            if columns != width * scale or done > height * scale:
                break
            yield strip
            del strip
        else:
            if done == height * scale:
                return
        raise SettingsError(
            f"{self.loaded.name} on engine {self.engine!r} gave {done} rows of {columns} columns for {height} of "
            f"{width}, which is not the scale {scale} of its traits; mend the traits, or report the engine"
        )

    def _explain_non_finite(self, rows: Tensor, top: int) -> str:
        bad = (~torch.isfinite(rows)).flatten(0, 1).any(0).any(1).nonzero()[0, 0]
        remedy = (
            "its weights are damaged, or not meant for this network"
            if self.settings.dtype is not torch.float16
            else "use precision='float32', or 'bfloat16', which has the range of float32"
        )
        return (
            f"{self.loaded.name} gave NaN or infinity in {str(self.settings.dtype).removeprefix('torch.')} "
            f"(first in output row {top + int(bad)}); {remedy}"
        )


def _prepare(name: str | None, network: nn.Module, settings: Settings) -> tuple[str, Stream]:
    """The engine called ``name`` made ready, or the most preferred that can run the network with these settings."""
    registry = plugins.current().upsamplers
    if name is not None:
        entry = registry.find(name)
        return entry.spec.name, entry.load(Upsampler).prepare(network, settings)
    refusals: list[str] = []
    for entry in sorted(registry, key=lambda candidate: -candidate.spec.preference):
        try:
            return entry.spec.name, entry.load(Upsampler).prepare(network, settings)
        except PluginError as error:
            warnings.warn(f"{error} Another engine runs instead.", RuntimeWarning, stacklevel=4)
            refusals.append(str(error))
        except (NotStreamable, SettingsError) as error:
            refusals.append(f"{entry.spec.name}: {error}")
    raise SettingsError(f"no engine can do this. {' '.join(refusals) or 'None is registered.'}")


def check_scale(scale: float) -> float:
    """``scale`` as a float; raises SettingsError unless it is a finite number above 0."""
    if (
        isinstance(scale, bool)
        or not isinstance(scale, int | float | np.number)
        or not math.isfinite(scale)
        or scale <= 0
    ):
        raise SettingsError(f"scale={scale!r} is not a factor; it must be a number greater than 0, such as 2 or 1.5")
    return float(scale)


def _check_size(size: Size) -> Size:
    if (
        not isinstance(size, tuple)
        or len(size) != 2
        or not all(isinstance(s, int | np.integer) and s >= 1 for s in size)
    ):
        raise SettingsError(f"size={size!r} is not a size; write (height, width), each 1 or more")
    return size


def _check_choice(name: str, value: Any, choices: tuple[str, ...]) -> Any:
    if value not in choices:
        raise SettingsError(f"{name}={value!r} is unknown; choose from {', '.join(map(repr, choices))}")
    return value


def _planes(strips: Iterable[Sequence[np.ndarray]], layout: Layout, order: Order) -> Iterator[Tensor]:
    """The rows of N arrays as planes (N, C, h, W); counts them, for the error that names one."""
    top = 0
    for pictures in strips:
        yield torch.stack([to_planes(strip, layout, order, top) for strip in pictures])
        top += len(pictures[0])


def _empty(count: int, size: Size, layout: Layout) -> list[np.ndarray]:
    """Arrays for results."""
    shape = size if layout.flat else (*size, layout.channels)
    try:
        return [np.empty(shape, layout.dtype) for _ in range(count)]
    except (MemoryError, ValueError) as error:
        gigabytes = math.prod(shape) * layout.dtype.itemsize / 1e9
        raise OutOfMemory(
            f"the result, {'×'.join(map(str, shape))} of {layout.dtype}, needs {gigabytes:.0f} GB; choose a smaller scale"
        ) from error


def _checked(strips: Iterable[Tensor], size: Size, channels: int) -> Iterator[Tensor]:
    """The strips, as long as they make a picture of ``size``."""
    height, width = size
    if min(size) < 1:
        raise ImageError(f"size={size} is not a picture's; height and width must be 1 or more")
    row, batch = 0, None
    for strip in strips:
        if not isinstance(strip, Tensor) or strip.ndim != 4 or not strip.is_floating_point():
            shape = f"{strip.dtype} {tuple(strip.shape)}" if isinstance(strip, Tensor) else type(strip).__name__
            raise ImageError(f"a strip must be a float tensor (B, C, h, W), not {shape}")
        batch = batch or strip.shape[0]
        if strip.shape[:2] != (batch, channels) or strip.shape[3] != width or strip.shape[2] < 1:
            raise ImageError(
                f"the strip at row {row} has shape {tuple(strip.shape)}; expected ({batch}, {channels}, h, {width}), h ≥ 1"
            )
        row += strip.shape[2]
        if row > height:
            raise ImageError(f"the strips hold {row} rows or more, but size={size} announced {height}")
        yield strip.float()
    if row < height:
        raise ImageError(f"the strips ended after {row} rows, but size={size} announced {height}")


def _beside(colour: Iterable[Tensor], alpha: Iterable[Tensor]) -> Iterator[Tensor]:
    """Planes of two pictures of one size, row by row as planes of one; their strips need not agree."""
    window, top = RowWindow(alpha), 0
    for strip in colour:
        rows = window.rows(top, top + strip.shape[-2])
        top += strip.shape[-2]
        yield torch.cat((strip, rows.to(strip.device)), -3)
