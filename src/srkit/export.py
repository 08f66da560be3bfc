"""A network from wherever it is, a training checkpoint for one, to a file for others to use."""

from __future__ import annotations

import io
import json
import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs
import torch
from safetensors.torch import save
from torch import Tensor

from . import plugins
from .declarations import ModelCard
from .errors import SettingsError, WeightsError
from .networks import LoadedNetwork, Source, load_network
from .onnx_export import Agreement, onnx_file
from .weights.read import CARD_KEY, CONFIG_KEY

_SUFFIXES = (".safetensors", ".pth", ".onnx")


@attrs.frozen
class Exported:
    """What was written: the network, with its card, and what the check of an ONNX file found."""

    network: LoadedNetwork
    agreement: Agreement | None


def export(
    source: Source,
    target: str | os.PathLike[str],
    *,
    half: bool = False,
    check: bool = True,
    force: bool = False,
    card: Mapping[str, Any] | None = None,
) -> Exported:
    """Write the network that ``source`` means to ``target``, whose suffix says how; nothing half-written is left.

    ``source``: a training checkpoint (of which the moving average is taken), a weight file of any kind srkit reads, a
    model's name, or a URL.

    - ``.safetensors``: float32; with ``half``, convolution weights in float16. srkit takes it as ``weights=`` at once.
    - ``.pth``: the state dict under ``params_ema``, as the programs of Real-ESRGAN want it.
    - ``.onnx``: picture (batch, channels, height, width), float32, RGB in [0, 1] → upscaled, all sizes open. ``check``
      compares it with the network by ONNX Runtime.

    With each goes the card of the source, or one made of what is known, and over it ``card``, of what JSON can say.
    Raises SettingsError for a target that exists without ``force``, another suffix, or ``half`` where it means nothing;
    WeightsError for a source that cannot be read, a target that cannot be written, or an ONNX file that gives something
    else; what ``srkit.load`` raises.
    """
    path = Path(target)
    if path.suffix not in _SUFFIXES:
        raise SettingsError(f"{path} ends in {path.suffix or 'nothing'!r}; end it in .safetensors, .pth or .onnx")
    if half and path.suffix != ".safetensors":
        raise SettingsError(f"--half (half=True) is for .safetensors, not {path.name}; leave it out")
    if path.exists() and not force:
        raise SettingsError(f"{path} exists; add --force (force=True) to overwrite it")
    loaded = load_network(weights=source)
    known = loaded.card or _card(loaded, _catalogued(source), source)
    loaded = attrs.evolve(loaded, card={**known, **(card or {})})
    agreement = None
    if path.suffix == ".safetensors":
        contents = _safetensors(loaded, half=half)
    elif path.suffix == ".pth":
        contents = _pth(loaded)
    else:
        contents, agreement = onnx_file(loaded, _metadata(loaded), check=check)
    _write(path, contents)
    return Exported(loaded, agreement)


def _metadata(loaded: LoadedNetwork) -> dict[str, str]:
    """What goes beside the tensors: not everything can be told from them, the slope of leaky relu for one."""
    return {
        CONFIG_KEY: json.dumps(dict(loaded.config)),
        CARD_KEY: json.dumps(dict(loaded.card), ensure_ascii=False),
    }


def _safetensors(loaded: LoadedNetwork, *, half: bool) -> bytes:
    tensors = loaded.network.state_dict()
    if half:
        tensors = {name: _halved(name, tensor) for name, tensor in tensors.items()}
    contiguous = {name: tensor.contiguous() for name, tensor in tensors.items()}
    return save(contiguous, metadata=_metadata(loaded))


def _halved(name: str, tensor: Tensor) -> Tensor:
    if tensor.dim() != 4 or not tensor.is_floating_point():
        return tensor
    halved = tensor.half()
    if not torch.equal(halved.isfinite(), tensor.isfinite()):
        raise SettingsError(
            f"{name} holds {tensor.abs().max():g}, which float16 (up to {torch.finfo(torch.float16).max:g}) cannot; "
            f"export without --half (half=False)"
        )
    return halved


def _pth(loaded: LoadedNetwork) -> bytes:
    written = io.BytesIO()
    # Real-ESRGAN's programs take the state dict under params_ema and leave what else there is.
    torch.save({"params_ema": loaded.network.state_dict(), **_metadata(loaded)}, written)
    return written.getvalue()


def _write(path: Path, contents: bytes) -> None:
    part = path.with_name(f".{secrets.token_hex(8)}.part")
    try:
        part.write_bytes(contents)
        part.replace(path)
    except OSError as error:
        raise WeightsError(f"{path} cannot be written: {error.strerror or error}; name another place", path) from error
    finally:
        part.unlink(missing_ok=True)


def _catalogued(source: Source) -> ModelCard | None:
    """The model of the catalogue that ``source`` names, or whose URL it is."""
    for entry in plugins.current().models:
        card = entry.spec
        if source == card.url or (source in (card.name, *card.aliases) and not Path(source).exists()):
            return card
    return None


def _card(loaded: LoadedNetwork, model: ModelCard | None, source: Source) -> Mapping[str, Any]:
    """A card made of what is known; without the folders of this machine."""
    card: dict[str, Any] = {
        "architecture": loaded.architecture,
        "configuration": dict(loaded.config),
        "scale": loaded.traits.scale,
        "source": Path(source).name,
    }
    if model is not None:
        card |= {"source": model.url or model.name, "model": model.name, "licence": model.licence}
    return card
