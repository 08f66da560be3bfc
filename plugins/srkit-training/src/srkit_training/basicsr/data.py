"""What is read: ``datasets`` and ``val``."""

from __future__ import annotations

from typing import Any

from .degradation import degradation
from .ledger import Ledger

AT = "datasets.train."
_PAIRS = ("RealESRGANPairedDataset", "PairedImageDataset")
_METRICS = {"calculate_psnr": "psnr", "calculate_ssim": "ssim", "calculate_niqe": "niqe", "calculate_lpips": "lpips"}
_NO_DIFFERENCE = "srkit reads ahead by its own rules, and what a batch holds does not depend on it"


def is_paired(ledger: Ledger) -> bool:
    """Whether the file reads ready pairs."""
    return ledger.get(f"{AT}type") in _PAIRS


def gpus(ledger: Ledger) -> int:
    """How many the file was written for, 1 if it does not say."""
    count = ledger.get("num_gpu")
    return count if isinstance(count, int) and count > 0 else 1


def data(ledger: Ledger) -> dict[str, Any]:
    """``data``."""
    paired = is_paired(ledger)
    name = "realesrgan-paired" if paired else "realesrgan"
    if paired or ledger.get(f"{AT}type") == "RealESRGANDataset":
        ledger.take(f"{AT}type", f"data.dataset={name}")
    else:
        ledger.refuse(
            f"{AT}type", f"srkit has no such data set; expected RealESRGANDataset or one of {', '.join(_PAIRS)}"
        )
    options = {
        **(_paired(ledger) if paired else _degraded(ledger)),
        "scale": ledger.take("scale", "data.options.scale", 1),
    }
    mirrored = ledger.first((f"{AT}use_hflip", f"{AT}use_flip"), "data.options.flip")
    options |= {
        "flip": True if mirrored is None else mirrored,
        "rotate": ledger.take(f"{AT}use_rot", "data.options.rotate", True),
        "shuffle": ledger.take(f"{AT}use_shuffle", "data.options.shuffle", True),
    }
    _leave_out(ledger)
    count, here = gpus(ledger), ledger.get(f"{AT}batch_size_per_gpu", 12)
    ledger.take(f"{AT}batch_size_per_gpu", f"data.batch_size={here * count}, of all processes together")
    workers = ledger.take(f"{AT}num_worker_per_gpu", "data.workers", 4)
    return {"dataset": name, "options": options, "batch_size": here * count, "workers": workers}


def _degraded(ledger: Ledger) -> dict[str, Any]:
    """Targets that are degraded on the fly."""
    if ledger.get("high_order_degradation", True) is False:
        ledger.refuse(
            "high_order_degradation", f"without it there are no inputs of {ledger.get(f'{AT}type')}; name pairs"
        )
    ledger.take("high_order_degradation", "data.options.degradation")
    # RealESRGANModel degrades sharpened targets always, RealESRNetModel if gt_usm says so.
    sharpened = ledger.get("model_type") == "RealESRGANModel" or ledger.get("gt_usm", True) is True
    ledger.take("gt_usm", "data.options.sharpen and trainer.options.sharpened")
    ledger.ignore(
        f"{AT}gt_size", why="Real-ESRGAN cuts crops of 400 pixels, and gt_size above says what is cut of those"
    )
    return {
        "targets": _place(ledger, f"{AT}dataroot_gt", f"{AT}meta_info", "data.options.targets"),
        "degradation": degradation(ledger, sharpened=sharpened),
        "sharpen": sharpened,
        "crop": 400,
        "gt_size": ledger.take("gt_size", "data.options.gt_size", 256),
        "pool": ledger.take("queue_size", "data.options.pool", 180),
    }


def _paired(ledger: Ledger) -> dict[str, Any]:
    """Ready pairs."""
    ledger.ignore("high_order_degradation", why="pairs are ready; data.dataset says so")
    ledger.ignore("gt_usm", why="RealESRNetModel sharpens no targets of pairs")
    ledger.ignore("gt_size", "queue_size", why="they are of targets that are degraded on the fly")
    options = {
        "gt": _place(ledger, f"{AT}dataroot_gt", f"{AT}meta_info_file", "data.options.gt"),
        "lq": ledger.take(f"{AT}dataroot_lq", "data.options.lq"),
        "gt_size": ledger.take(f"{AT}gt_size", "data.options.gt_size", 256),
    }
    pairs = ledger.take(f"{AT}meta_info", "data.options.pairs")
    template = ledger.take(f"{AT}filename_tmpl", "data.options.lq_name", "{}")
    options |= {"pairs": pairs} if pairs else {"lq_name": template}
    if any(ledger.get(f"{name}_gt_usm") for name in ("l1", "percep", "gan")):
        options["sharpen"] = True
    return options


def _place(ledger: Ledger, root: str, listed: str, to: str) -> Any:
    """A folder, or what a list names in it; LMDB brings a list of its own."""
    backend = f"{root.rpartition('.')[0]}.io_backend.type"
    kind = ledger.get(backend, "disk")
    if kind not in {"disk", "lmdb"}:
        ledger.refuse(backend, "expected disk or lmdb")
    ledger.take(backend, "what the folder turns out to be")
    folder = ledger.take(root, to)
    if kind == "lmdb":
        ledger.ignore(listed, why="LMDB knows its pictures")
        return folder
    names = ledger.take(listed, f"{to}.list")
    return {"path": folder, "list": names} if names else folder


def _leave_out(ledger: Ledger) -> None:
    for name in ("mean", "std"):
        if ledger.get(f"{AT}{name}") is not None:
            ledger.refuse(f"{AT}{name}", "srkit gives networks RGB in [0, 1]")
    if ledger.get(f"{AT}color") == "y":
        ledger.refuse(f"{AT}color", "srkit trains on RGB")
    ledger.ignore(f"{AT}name", f"{AT}mean", f"{AT}std", why="it says nothing of the pictures")
    ledger.ignore(
        *(f"{AT}{name}" for name in ("prefetch_mode", "num_prefetch_queue", "pin_memory", "persistent_workers")),
        why=_NO_DIFFERENCE,
    )
    ledger.ignore(f"{AT}dataset_enlarge_ratio", why="a new epoch costs nothing")
    ledger.ignore(f"{AT}io_backend", why="the folder tells what it is")


def validation(ledger: Ledger) -> dict[str, Any] | None:
    """``validation``, of the first data set that has targets."""
    sets = [name for name in ledger.keys("datasets") if name.startswith("val")]
    first = next((name for name in sets if ledger.get(f"datasets.{name}.dataroot_gt")), None)
    for name in sets:
        if name != first:
            ledger.ignore(f"datasets.{name}", why="there is one data set of validation, with targets")
    if first is None:
        ledger.ignore("val", why="there are no targets to validate with; add datasets.val")
        return None
    at = f"datasets.{first}."
    ledger.ignore(f"{at}name", f"{at}type", f"{at}io_backend", why="the folder tells what it is")
    said = {
        "gt": _place(ledger, f"{at}dataroot_gt", f"{at}meta_info_file", "validation.gt"),
        "lq": ledger.take(f"{at}dataroot_lq", "validation.lq"),
        "lq_name": ledger.take(f"{at}filename_tmpl", "validation.lq_name", "{}"),
        "every": ledger.take("val.val_freq", "validation.every", 5000),
        "samples": 4 if ledger.take("val.save_img", "validation.samples", default=True) else 0,
    }
    ledger.ignore(
        "val.pbar", "val.suffix", "val.use_pbar", "val.rgb2bgr", "val.use_image", why="it is about the display"
    )
    return said | _metrics(ledger)


def _metrics(ledger: Ledger) -> dict[str, Any]:
    said: dict[str, Any] = {}
    names: list[str] = []
    for name in ledger.keys("val.metrics"):
        at = f"val.metrics.{name}."
        kind = _METRICS.get(str(ledger.get(f"{at}type")))
        ledger.ignore(f"{at}better", why="srkit knows which way its metrics are better")
        if kind is None or kind in names:
            ledger.ignore(f"val.metrics.{name}", why=f"srkit has {', '.join(_METRICS.values())}, each once")
            continue
        ledger.take(f"{at}type", f"validation.metrics={kind}")
        names.append(kind)
        border = ledger.take(f"{at}crop_border", "validation.border")
        if border is not None:
            said.setdefault("border", border)
        if ledger.take(f"{at}test_y_channel", "validation.channel"):
            said["channel"] = "y"
    return said | ({"metrics": names, "best": names[0]} if names else {})
