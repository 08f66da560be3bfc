"""``RealESRGANer``, for programs written against Real-ESRGAN: the same constructor and call, run by srkit.

What differs, because the original was wrong: the depth is the array's dtype (not guessed from its greatest value), the
result is resized before it is rounded, transparent edges have no halos, and tiling has no seams, since there is none.
"""

from __future__ import annotations

import copy
import os
from collections.abc import Sequence

import attrs
import numpy as np
import torch
from torch import nn

import srkit


class RealESRGANer:
    """Real-ESRGAN's upsampler object.

    ``scale``: of the network. ``model_path``: a file, a catalogued model's name or URL, or two of them with their shares
    in ``dni_weight``. ``model``: the network as a torch module; None recognises it from the file. ``half`` is used where
    it is faster, on CUDA. ``tile`` and ``tile_pad`` are accepted and change nothing in the result. ``gpu_id`` is the
    number of a CUDA device, if ``device`` is not given.
    """

    def __init__(
        self,
        scale: int,
        model_path: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
        dni_weight: Sequence[float] | None = None,
        model: nn.Module | None = None,
        tile: int = 0,  # noqa: ARG002 -- taken from old programs, and of no effect
        tile_pad: int = 10,  # noqa: ARG002
        pre_pad: int = 10,
        half: bool = False,
        device: str | torch.device | None = None,
        gpu_id: int | None = None,
    ) -> None:
        if device is None and gpu_id is not None and torch.cuda.is_available():
            device = f"cuda:{gpu_id}"
        on_cuda = torch.device(device).type == "cuda" if device is not None else torch.cuda.is_available()
        weights = _shares(model_path, dni_weight)
        network = srkit.load_network(weights=weights)
        if network.traits.scale != scale:
            raise srkit.SettingsError(f"scale={scale}, but {network.name} is a ×{network.traits.scale} network")
        if model is not None:
            model = copy.deepcopy(model)  # the caller's keeps its weights
            model.load_state_dict(network.network.state_dict())
            network = attrs.evolve(network, network=model.eval().requires_grad_(False))
        self.scale = scale
        self.upscaler = srkit.Upscaler.from_network(
            network,
            device=device,
            precision="float16" if half and on_cuda else "float32",
            pre_pad=pre_pad,
            order="bgr",
        )

    def enhance(
        self, img: np.ndarray, outscale: float | None = None, alpha_upsampler: str = "realesrgan"
    ) -> tuple[np.ndarray, str]:
        """Upscale a picture as OpenCV reads it.

        ``img``: (H, W), (H, W, 3) BGR or (H, W, 4) BGRA; uint8 or uint16; or float holding values of 0 to 255 (to 65535 if
        any is above 256), given back as uint8 (uint16) as the original does. ``outscale``: of the result, by default the
        network's; sizes are cut to whole pixels. ``alpha_upsampler``: ``"realesrgan"``, or anything else to resize alpha.

        Returns the picture and its mode: ``"L"``, ``"RGB"``, ``"RGBA"``, or ``"LA"``, which the original cannot do.
        """
        white = 0
        if img.dtype.kind == "f":
            white = 65535 if img.max(initial=0) > 256 else 255
            img = (img.astype(np.float32) / white).clip(0, 1)
        factor = self.scale if outscale is None else outscale
        out = self.upscaler(
            img,
            size=(max(1, int(img.shape[0] * factor)), max(1, int(img.shape[1] * factor))),
            alpha="network" if alpha_upsampler == "realesrgan" else "resize",
        )
        if white:
            out = (out * white).round().astype(np.uint8 if white == 255 else np.uint16)
        channels = 1 if img.ndim == 2 else img.shape[2]
        return out, {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}[channels]


def _shares(
    path: str | os.PathLike[str] | Sequence[str | os.PathLike[str]], dni_weight: Sequence[float] | None
) -> dict[str | os.PathLike[str], float]:
    paths = [path] if isinstance(path, str | os.PathLike) else list(path)
    shares = [1.0] if dni_weight is None and len(paths) == 1 else list(dni_weight or ())
    if len(paths) != len(shares):
        raise srkit.SettingsError(f"model_path names {len(paths)} files, but dni_weight has {len(shares)} shares")
    return dict(zip(paths, shares, strict=True))
