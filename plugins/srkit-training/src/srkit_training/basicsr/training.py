"""How is learned: ``train``, and what a trainer is made with."""

from __future__ import annotations

from typing import Any

from .data import gpus, is_paired
from .ledger import Ledger
from .networks import network, weights

_PIXELS = {"L1Loss": "l1", "MSELoss": "mse", "CharbonnierLoss": "charbonnier"}
_LOSSES = ("pixel_opt", "perceptual_opt", "gan_opt")


def trainer(ledger: Ledger) -> dict[str, Any]:
    """``trainer.options``."""
    losses: dict[str, Any] = {}
    sharpened: dict[str, bool] = {}
    pixels, features = _pixels(ledger), _features(ledger)
    if pixels is not None:
        name, losses[name] = pixels[0], pixels[1]
        sharpened[name] = _is_sharpened(ledger, "l1")
    if features is not None:
        losses["perceptual"] = features
        sharpened["perceptual"] = _is_sharpened(ledger, "percep")
    for name in ledger.keys("train"):
        if name.endswith("_opt") and name not in _LOSSES and ledger.get(f"train.{name}"):
            ledger.refuse(
                f"train.{name}", f"srkit translates {', '.join(_LOSSES)}; leave it out, or write the loss yourself"
            )
    if ledger.get("model_type") not in {"RealESRGANModel", "SRGANModel"}:
        ledger.ignore("network_d", "train.optim_d", "train.gan_opt", why="this model has no discriminator")
        return {"losses": losses, "sharpened": sharpened}
    sharpened["gan"] = _is_sharpened(ledger, "gan")
    to = "trainer.options.discriminator"
    judge = {**network(ledger, "d", to), "weights": weights(ledger, "d", f"{to}.weights")}
    more = {
        key: ledger.take(f"train.{key}", f"trainer.options.{key}", default)
        for key, default in (("net_d_iters", 1), ("net_d_init_iters", 0))
    }
    return {"losses": losses, "sharpened": sharpened, "gan": _gan(ledger), "discriminator": judge, **more}


def _is_sharpened(ledger: Ledger, loss: str) -> bool:
    if ledger.get("model_type") == "RealESRGANModel":
        return bool(ledger.take(f"{loss}_gt_usm", "trainer.options.sharpened", default=True))
    # RealESRNetModel knows one target, which is sharpened before it is degraded.
    return (
        ledger.get("model_type") == "RealESRNetModel" and not is_paired(ledger) and ledger.get("gt_usm", True) is True
    )


def _pixels(ledger: Ledger) -> tuple[str, dict[str, Any]] | None:
    at = "train.pixel_opt"
    if not ledger.get(at):
        return None
    kind = str(ledger.get(f"{at}.type"))
    if kind not in _PIXELS:
        ledger.refuse(f"{at}.type", f"srkit translates {', '.join(_PIXELS)}")
        return None
    name = _PIXELS[kind]
    ledger.take(f"{at}.type", f"trainer.options.losses.{name}")
    if ledger.take(f"{at}.reduction", f"what {name} does", "mean") != "mean":
        ledger.refuse(f"{at}.reduction", "losses are means; expected mean, and another loss_weight")
    options = {"weight": ledger.take(f"{at}.loss_weight", f"trainer.options.losses.{name}.weight", 1.0)}
    if name == "charbonnier":
        options["eps"] = ledger.take(f"{at}.eps", f"trainer.options.losses.{name}.eps", 1e-12)
    return name, options


def _features(ledger: Ledger) -> dict[str, Any] | None:
    at, to = "train.perceptual_opt", "trainer.options.losses.perceptual"
    if not ledger.get(at):
        return None
    if ledger.take(f"{at}.type", to) != "PerceptualLoss":
        ledger.refuse(f"{at}.type", "expected PerceptualLoss")
    for key, needed in (("use_input_norm", True), ("range_norm", False)):
        if ledger.take(f"{at}.{key}", f"what {to} does", needed) is not needed:
            ledger.refuse(f"{at}.{key}", f"VGG is given pictures as it was trained with them; expected {needed}")
    if ledger.get(f"{at}.vgg_type", "vgg19") not in {"vgg19", "vgg16"}:
        ledger.refuse(f"{at}.vgg_type", "expected vgg19 or vgg16")
    weight = ledger.take(f"{at}.perceptual_weight", f"{to}.weight", 1.0)
    style = ledger.take(f"{at}.style_weight", f"{to}.style, a multiple of its weight", 0)
    if style and not weight:
        ledger.refuse(
            f"{at}.style_weight", "srkit weighs style by a multiple of perceptual_weight, which must not be 0"
        )
        return None
    options = {
        "weight": weight,
        "network": ledger.take(f"{at}.vgg_type", f"{to}.network", "vgg19"),
        "layers": ledger.take(f"{at}.layer_weights", f"{to}.layers"),
        "criterion": ledger.take(f"{at}.criterion", f"{to}.criterion", "l1"),
    }
    return {**options, "style": style / weight} if style else options


def _gan(ledger: Ledger) -> dict[str, Any]:
    at, to = "train.gan_opt", "trainer.options.gan"
    if ledger.take(f"{at}.type", to, "GANLoss") != "GANLoss":
        ledger.refuse(f"{at}.type", "expected GANLoss")
    return {
        "kind": ledger.take(f"{at}.gan_type", f"{to}.kind", "vanilla"),
        "weight": ledger.take(f"{at}.loss_weight", f"{to}.weight", 1.0),
        "real_label": ledger.take(f"{at}.real_label_val", f"{to}.real_label", 1.0),
        "fake_label": ledger.take(f"{at}.fake_label_val", f"{to}.fake_label", 0.0),
    }


def training(ledger: Ledger) -> dict[str, Any]:
    """``train``."""
    count = gpus(ledger)
    ledger.ignore("num_gpu", why="torchrun --nproc-per-node says how many processes there are")
    if count > 1:
        ledger.take(
            "num_gpu", f"train.accumulate={count}: one process does the work of all; with torchrun, set it to 1"
        )
    warmup = ledger.take("train.warmup_iter", "train.warmup", 0)
    said = {
        "iterations": ledger.take("train.total_iter", "train.iterations"),
        "ema": ledger.take("train.ema_decay", "train.ema", 0),
        "warmup": max(warmup, 0),
        "accumulate": count,
        **_optimiser(ledger),
    }
    return {key: value for key, value in said.items() if value is not None} | {"schedule": _schedule(ledger, said)}


def _optimiser(ledger: Ledger) -> dict[str, Any]:
    own, judges = ledger.get("train.optim_g", {}), ledger.get("train.optim_d")
    options = {
        key: ledger.take(f"train.optim_g.{key}", f"train.optimiser.options.{key}")
        for key in own
        if key not in {"type", "lr"}
    }
    said = {
        "lr": ledger.take("train.optim_g.lr", "train.lr", 1e-4),
        "optimiser": {"name": ledger.take("train.optim_g.type", "train.optimiser.name", "Adam"), "options": options},
    }
    if judges and ledger.get("model_type") in {"RealESRGANModel", "SRGANModel"}:
        for key in sorted({*own, *judges} - {"lr"}):
            if own.get(key) != judges.get(key):
                ledger.refuse(
                    f"train.optim_d.{key}", f"all networks have one optimiser; expected {own.get(key)!r}, as in optim_g"
                )
            else:
                ledger.take(f"train.optim_d.{key}", "train.optimiser, that of all networks")
        rate = ledger.take("train.optim_d.lr", "train.rates.discriminator, if it is another", said["lr"])
        if rate != said["lr"]:
            said["rates"] = {"discriminator": rate}
    return said


def _schedule(ledger: Ledger, said: dict[str, Any]) -> dict[str, Any]:
    at, to = "train.scheduler", "train.schedule"
    kind = ledger.get(f"{at}.type")
    if kind in {"MultiStepLR", "MultiStepRestartLR"}:
        return _multistep(ledger, said.get("iterations") or 0)
    if kind == "CosineAnnealingRestartLR":
        ledger.take(f"{at}.type", f"{to}.name=cosine")
        least = ledger.take(f"{at}.eta_min", f"{to}.least, as a share of the rate", 0)
        return {
            "name": "cosine",
            "periods": ledger.take(f"{at}.periods", f"{to}.periods"),
            "restarts": ledger.take(f"{at}.restart_weights", f"{to}.restarts", []),
            "least": least / said["lr"],
        }
    if kind is not None:
        ledger.refuse(f"{at}.type", "expected MultiStepLR or CosineAnnealingRestartLR")
    return {}


def _multistep(ledger: Ledger, iterations: int) -> dict[str, Any]:
    at, to = "train.scheduler", "train.schedule"
    for key, needed in (("restarts", [0]), ("restart_weights", [1])):
        if ledger.take(f"{at}.{key}", to, needed) != needed:
            ledger.refuse(
                f"{at}.{key}", f"steps do not start anew in srkit; expected {needed}, or CosineAnnealingRestartLR"
            )
    given = ledger.take(f"{at}.milestones", f"{to}.milestones, those before the end", [])
    milestones = [one for one in given if one < iterations]
    if not milestones:
        ledger.ignore(f"{at}.milestones", f"{at}.gamma", why="none comes before the end, so the rate stays as it is")
        ledger.take(f"{at}.type", f"{to}.name=constant")
        return {}
    ledger.take(f"{at}.type", f"{to}.name=multistep")
    return {"name": "multistep", "milestones": milestones, "gamma": ledger.take(f"{at}.gamma", f"{to}.gamma", 0.1)}
