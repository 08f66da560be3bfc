"""Networks as ONNX files, checked by running them."""

from __future__ import annotations

import importlib
import tempfile
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs
import torch
from torch import Tensor, nn

from .declarations import Traits
from .errors import SettingsError, WeightsError
from .networks import LoadedNetwork

OPSET = 17
"""Of the ONNX operators. Nothing newer is needed, and every runtime since 2022 knows it."""

TOLERANCE = 1e-4
"""How far the file's result may be from the network's, relative to its largest value. Rounding makes some 1e-6 of it."""

# batch, and height and width in units of what the network wants multiples of: the least there is, odd, long and wide.
_CHECKED = ((1, 1, 1), (2, 3, 5), (1, 17, 8), (1, 12, 32))


@attrs.frozen
class Agreement:
    """How far the file's result is from the network's, relative to the latter's largest value, and at which (H, W)."""

    difference: float
    sizes: tuple[tuple[int, int], ...]


def onnx_file(loaded: LoadedNetwork, metadata: Mapping[str, str], *, check: bool) -> tuple[bytes, Agreement | None]:
    """The network ``picture`` → ``upscaled``, both (batch, channels, height, width), with ``metadata`` as metadata_props.

    Raises SettingsError if a package is missing, WeightsError if the network cannot be traced, or if ``check`` finds
    that the file gives something else.
    """
    onnx = _needed("onnx")
    runtime = _needed("onnxruntime") if check else None
    model = onnx.load_from_string(_traced(loaded))
    model.doc_string = _description(loaded.traits)
    onnx.helper.set_model_props(model, dict(metadata))
    contents: bytes = model.SerializeToString()
    return contents, None if runtime is None else _compare(runtime, loaded, contents)


def _needed(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise SettingsError(
            f'ONNX files need the package {name}, which is not installed; run: pip install "srkit[onnx]"'
        ) from error


def _traced(loaded: LoadedNetwork) -> bytes:
    traits = loaded.traits
    picture = torch.zeros(2, traits.in_channels, *map(traits.units, (8, 12)))
    axes = {
        "picture": {0: "batch", 2: "height", 3: "width"},
        "upscaled": {0: "batch", 2: _times(traits.scale, "height"), 3: _times(traits.scale, "width")},
    }
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        file = Path(folder, "network.onnx")
        # Of torch's two exporters the one that records a run is deprecated, and better here (torch 2.13): RRDBNet takes
        # it 5 s instead of 38, it wants no onnxscript, and writes no paths of this machine into every node. What it
        # cannot do, keep what a network computes in Python from the size of its input, the comparison after it finds.
        warnings.simplefilter("ignore", DeprecationWarning)
        try:
            torch.onnx.export(
                loaded.network,
                (picture,),
                file,
                dynamo=False,
                opset_version=OPSET,
                input_names=["picture"],
                output_names=["upscaled"],
                dynamic_axes=axes,
            )
        except Exception as error:  # whatever an operator without a counterpart leads to
            raise WeightsError(
                f"{loaded.name} ({loaded.architecture}) cannot be written as ONNX: {error}; export it as .safetensors"
            ) from error
        return file.read_bytes()


def _times(scale: int, side: str) -> str:
    return side if scale == 1 else f"{scale}*{side}"


def _description(traits: Traits) -> str:
    multiples = f" Height and width must be multiples of {traits.multiple_of}." if traits.multiple_of > 1 else ""
    multiples += f" They must be at least {traits.minimum}." if traits.minimum > 1 else ""
    multiples += "" if traits.maximum is None else f" They must be at most {traits.maximum}."
    return (
        f"picture (batch, {traits.in_channels}, height, width), float32, RGB in [0, 1], to upscaled, ×{traits.scale}, "
        f"not clamped.{multiples}"
    )


def _compare(runtime: Any, loaded: LoadedNetwork, contents: bytes) -> Agreement:
    options = runtime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.log_severity_level = 3
    draw = torch.Generator().manual_seed(0)
    traits = loaded.traits
    pictures = [torch.rand(n, traits.in_channels, *map(traits.units, size), generator=draw) for n, *size in _CHECKED]
    try:
        session = runtime.InferenceSession(contents, options, providers=["CPUExecutionProvider"])
        given = [torch.from_numpy(session.run(["upscaled"], {"picture": one.numpy()})[0]) for one in pictures]
    except Exception as error:  # the runtime's own classes, of no common base
        raise WeightsError(
            f"ONNX Runtime fails on the file of {loaded.name}, which was not kept ({error}); export it as .safetensors"
        ) from error
    sizes = [(one.shape[2], one.shape[3]) for one in pictures]
    differences = [_difference(*pair, loaded.network) for pair in zip(given, pictures, strict=True)]
    for difference, (height, width) in zip(differences, sizes, strict=True):
        if not difference <= TOLERANCE:
            raise WeightsError(
                f"the ONNX file of {loaded.name} is off by {difference:.1e} relative to the network on a picture of "
                f"{height}×{width}, more than {TOLERANCE:g}, and was not kept; export it as .safetensors, or add "
                f"--no-check (check=False)"
            )
    return Agreement(max(differences), tuple(sizes))


def _difference(given: Tensor, picture: Tensor, network: nn.Module) -> float:
    with torch.inference_mode():
        wanted: Tensor = network(picture)
    if given.shape != wanted.shape:
        return float("inf")
    return float((given - wanted).abs().max() / wanted.abs().max().clamp_min(1e-12))
