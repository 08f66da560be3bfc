"""The figures of the second-order degradation, as a recipe."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import Any

import srkit
import srkit_datasets

from .ledger import Ledger

RECIPE = "second-order"
"""The shipped recipe with Real-ESRGAN's figures."""

_TO = "data.options.degradation"
_KINDS = {
    "iso": "iso",
    "aniso": "aniso",
    "generalized_iso": "generalised-iso",
    "generalized_aniso": "generalised-aniso",
    "plateau_iso": "plateau-iso",
    "plateau_aniso": "plateau-aniso",
}
_CUTOFFS = {"cutoff": [1 / 3, 1], "cutoff_large": [1 / 5, 1]}


def degradation(ledger: Ledger, *, sharpened: bool) -> Any:
    """The shipped recipe's name if the figures are its, else the recipe; ``sharpened``: of a sharpened target."""
    ledger.ignore(
        "datasets.train.blur_kernel_size",
        "datasets.train.blur_kernel_size2",
        why="kernels are 7 to 21 pixels wide, whatever it says, in Real-ESRGAN as well",
    )
    steps = [
        _blur(ledger, "", [0.2, 3]),
        _resize(ledger, "", [0.2, 0.7, 0.1], [0.15, 1.5]),
        _noise(ledger, "", [1, 30], [0.05, 3]),
        {"jpeg": {"quality": _whole(ledger.take("jpeg_range", _TO, [30, 95]))}},
        {"with-probability": {"p": ledger.take("second_blur_prob", _TO, 0.8), "step": _blur(ledger, "2", [0.2, 1.5])}},
        _resize(ledger, "2", [0.3, 0.4, 0.3], [0.3, 1.2]),
        _noise(ledger, "2", [1, 25], [0.05, 2.5]),
        _end(ledger),
        "quantise",
    ]
    if not sharpened:
        return {"steps": steps}
    recipe = {"steps": ["unsharp-mask", *steps]}
    # Figures out of range are told when the configuration is checked.
    with contextlib.suppress(srkit.SettingsError, srkit.UnknownName):
        if srkit_datasets.build({"chain": {**recipe, "scale": 4}}) == srkit_datasets.load_recipe(RECIPE):
            return RECIPE
    return recipe


def _blur(ledger: Ledger, order: str, sigma: Sequence[float]) -> dict[str, Any]:
    at = "datasets.train."
    kinds = ledger.take(f"{at}kernel_list{order}", _TO, [*_KINDS])
    shares = ledger.take(f"{at}kernel_prob{order}", _TO, [0.45, 0.25, 0.12, 0.03, 0.12, 0.03])
    unknown = [kind for kind in kinds if kind not in _KINDS]
    if unknown or len(kinds) != len(shares):
        why = f"expected kinds of {', '.join(_KINDS)}, and a share for each in kernel_prob{order}"
        ledger.refuse(f"{at}kernel_list{order}", why)
        return {"blur": {}}
    blur = {
        "kinds": {_KINDS[kind]: share for kind, share in zip(kinds, shares, strict=True)},
        "sigma": ledger.take(f"{at}blur_sigma{order}", _TO, sigma),
        "beta_generalised": ledger.take(f"{at}betag_range{order}", _TO, [0.5, 4]),
        "beta_plateau": ledger.take(f"{at}betap_range{order}", _TO, [1, 2]),
    }
    share = ledger.take(f"{at}sinc_prob{order}", _TO, 0.1)
    return {"one-of": {"choices": [{"blur": blur}, {"sinc": _CUTOFFS}], "weights": [1 - share, share]}}


def _resize(ledger: Ledger, order: str, shares: Sequence[float], factors: Sequence[float]) -> dict[str, Any]:
    up, down, keep = ledger.take(f"resize_prob{order}", _TO, shares)
    whole = up + down + keep
    if abs(whole - 1) > 1e-9:
        up, down = up / whole, down / whole
    resize = {"up": up, "down": down, "range": ledger.take(f"resize_range{order}", _TO, factors)}
    return {"resize": {**resize, "of": "goal"} if order else resize}


def _noise(ledger: Ledger, order: str, sigma: Sequence[float], scale: Sequence[float]) -> dict[str, Any]:
    grey = ledger.take(f"gray_noise_prob{order}", _TO, 0.4)
    share = ledger.take(f"gaussian_noise_prob{order}", _TO, 0.5)
    choices = [
        {"gaussian-noise": {"sigma": ledger.take(f"noise_range{order}", _TO, sigma), "grey": grey}},
        {"poisson-noise": {"scale": ledger.take(f"poisson_scale_range{order}", _TO, scale), "grey": grey}},
    ]
    return {"one-of": choices} if share == 0.5 else {"one-of": {"choices": choices, "weights": [share, 1 - share]}}


def _end(ledger: Ledger) -> dict[str, Any]:
    jpeg = {"jpeg": {"quality": _whole(ledger.take("jpeg_range2", _TO, [30, 95]))}}
    ring = {"with-probability": {"p": ledger.take("datasets.train.final_sinc_prob", _TO, 0.8), "step": "sinc"}}
    to_goal = [{"resize": {"of": "goal"}}, ring]
    return {"one-of": [{"chain": [*to_goal, jpeg]}, {"chain": [jpeg, *to_goal]}]}


def _whole(quality: Sequence[float]) -> list[int]:
    """Of libjpeg, which knows whole ones."""
    return [round(one) for one in quality]
