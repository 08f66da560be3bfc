"""Make srkit's own networks from nothing: photos, crops, training, weights, evaluation, model cards.

    python make.py FOLDER

All that is made is in FOLDER. It can be stopped at any point, and the same command goes on: what is there is not made again,
and a training that was interrupted goes on to the very weights it would have had. Steps, in their order:

    photos            fetch the photos that scripts/photos.csv and evaluation.csv list (330 MB)
    crops             scale, draw, cut and pack what is trained with: crops.lmdb, less than 60 MB
    faithful          train by pixels, clean inputs, and export srkit-compact-x4-faithful, in half precision
    restoring-pixels  go on from there, by pixels: bad inputs
    restoring         go on with a discriminator and by features, and export srkit-compact-x4-restoring
    evaluation        measure them beside bicubic, Lanczos and Real-ESRGAN's networks: evaluation.csv
    cards             write the model cards, and compare the metrics with those published

With --from restoring-pixels, what goes on is the faithful network that srkit-archs-realesrgan brings, unless FOLDER has one.
To train elsewhere, with little to send: run --to crops here, take crops.lmdb and photos, but for photos/train, there, and
go on with --from faithful.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import attrs
import card
import draw_pages
import evaluate
from flatten import flatten
from tqdm import tqdm

from srkit.export import export

HERE = Path(__file__).resolve().parent
FETCH = HERE.parents[1] / "scripts" / "fetch_photos.py"
RESULTS = HERE / "results"
BUNDLED = HERE.parents[1] / "plugins" / "srkit-archs-realesrgan" / "src" / "srkit_archs_realesrgan" / "weights"
FAITHFUL, RESTORING = "srkit-compact-x4-faithful", "srkit-compact-x4-restoring"
NETWORKS: Mapping[str, Sequence[str]] = {FAITHFUL: ("faithful",), RESTORING: ("restoring-pixels", "restoring")}
"""The trainings of each, in their order."""
INPUTS = {"scale": 4, "gt_size": 128, "crop": 192, "pool": 0, "rotate": False}
"""How pictures are cut that the last change of a network is to leave as they are."""
PEERS = ("realesr-general-x4v3", "RealESRGAN_x4plus")


@attrs.frozen
class Making:
    """Where it is made, and with what."""

    folder: Path
    cpu: bool
    vgg16: Path | None
    lpips: Mapping[str, str]
    overrides: Sequence[str]
    peers: Sequence[str]


def main(argv: Sequence[str] | None = None) -> None:
    """Run the steps from one to another."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, metavar="FOLDER")
    parser.add_argument("--from", dest="first", choices=STEPS, default="photos", help="leave out the steps before")
    parser.add_argument("--to", dest="last", choices=STEPS, default="cards", help="leave out the steps after")
    parser.add_argument("--cpu", action="store_true", help="train on the processor, whatever else is here")
    parser.add_argument("--vgg16", type=Path, metavar="FILE", help="features of VGG16, in place of fetching them")
    parser.add_argument(
        "--lpips",
        nargs=2,
        type=Path,
        metavar=("FEATURES", "LINEAR"),
        help="of AlexNet and LPIPS 0.1, in place of fetching them",
    )
    parser.add_argument(
        "--peer",
        action="append",
        metavar="MODEL",
        help=f"what to evaluate beside ours: a model's name or a file (default: {', '.join(PEERS)})",
    )
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="for srkit train, to try things out"
    )
    parser.add_argument(
        "--publish", action="store_true", help="at the end, put weights, cards and logs into the repository"
    )
    options = parser.parse_args(argv)
    making = Making(
        folder=options.folder.resolve(),
        cpu=options.cpu,
        vgg16=options.vgg16 and options.vgg16.resolve(),
        lpips=evaluate.lpips_weights([path.resolve() for path in options.lpips or ()]),
        overrides=options.set,
        peers=options.peer or PEERS,
    )
    making.folder.mkdir(parents=True, exist_ok=True)
    names = [*STEPS]
    for name in names[names.index(options.first) : names.index(options.last) + 1]:
        tqdm.write(f"make: {name}", file=sys.stderr)
        STEPS[name](making)
    if options.publish:
        publish(making)


def photos(making: Making) -> None:
    """Those to train with, to validate on, and to evaluate with."""
    for table in (FETCH.with_name("photos.csv"), HERE / "evaluation.csv"):
        _python(making, [str(FETCH), "photos", "--table", str(table)])


def crops(making: Making) -> None:
    """Photos are made smaller, which leaves out their own JPEG artefacts and blur; then all is cut into squares."""
    draw_pages.main(making.folder / "pages")
    _srkit(making, ["dataset", "multi-scale", "photos/train", "-o", "scaled", "--scale", "0.36", "--shortest", "0"])
    _srkit(
        making,
        ["dataset", "sub-images", "scaled", "pages", "-o", "crops", "--crop", "256", "--step", "256", "--least", "128"],
    )
    _srkit(making, ["dataset", "pack", "crops", "-o", "crops.lmdb"])


def training(name: str, run: str) -> Callable[[Making], None]:
    """The step of one training of a network; the last one's exports it."""

    def train(making: Making) -> None:
        shutil.copy(HERE / "degradation.yaml", making.folder)
        if name == RESTORING and not (making.folder / f"{FAITHFUL}.safetensors").exists():
            shutil.copy(BUNDLED / f"{FAITHFUL}.safetensors", making.folder)
        given = [*making.overrides]
        if run == "restoring" and making.vgg16:
            given.append(f"trainer.options.losses.perceptual.weights={making.vgg16}")
        if run == "restoring" and making.lpips:
            given.append(f"validation.lpips_weights={json.dumps(making.lpips)}")
        options = [part for one in given for part in ("--set", one)] + ["--cpu"] * making.cpu
        _srkit(making, ["train", str(HERE / f"{run}.yml"), *options])
        if run == NETWORKS[name][-1]:
            _export(making, name, run)

    return train


def _export(making: Making, name: str, run: str) -> None:
    """The average of the weights that were trained, made to leave flat flat and grey grey, with its card in the file."""
    trained = making.folder / "runs" / run / "checkpoints" / "latest.pt"
    target = making.folder / f"{name}.safetensors"
    if not target.exists() or target.stat().st_mtime < trained.stat().st_mtime:
        data = {"targets": str(making.folder / "crops.lmdb"), "degradation": str(making.folder / "degradation.yaml")}
        source = flatten(trained, making.folder / "runs" / run / "flat.safetensors", {**data, **INPUTS})
        about = {"name": name, "licence": "BSD-3-Clause", "recipe": f"recipes/default/{run}.yml"}
        export(source, target, half=True, force=True, card={**about, "commit": card.commit()})


def evaluation(making: Making) -> None:
    """All methods on all photos; rows of other weights than these are measured anew."""
    out = making.folder / "evaluation.csv"
    newest = max((making.folder / f"{name}.safetensors").stat().st_mtime for name in NETWORKS)
    if out.exists() and out.stat().st_mtime < newest:
        kept = [row for row in evaluate.read_rows(out) if row["method"] not in NETWORKS]
        evaluate.write_rows(out, kept)
    networks = {name: str(making.folder / f"{name}.safetensors") for name in NETWORKS}
    networks |= {Path(peer).stem: peer for peer in making.peers}
    evaluate.evaluate(making.folder / "photos" / "evaluation", out, networks, making.lpips)


def write_cards(making: Making) -> None:
    """The model cards; says how far the metrics are from those published."""
    for name in _trained(making):
        (making.folder / f"{name}.md").write_text(card.card(making.folder, name, NETWORKS[name]), "utf-8")
    sys.stdout.write(card.agreement(making.folder / "evaluation.csv", RESULTS / "evaluation.csv", [*NETWORKS]) + "\n")


def publish(making: Making) -> None:
    """Into the repository."""
    BUNDLED.mkdir(exist_ok=True)
    RESULTS.mkdir(exist_ok=True)
    shutil.copy(making.folder / "evaluation.csv", RESULTS)
    for name in _trained(making):
        for kind in ("safetensors", "md"):
            shutil.copy(making.folder / f"{name}.{kind}", BUNDLED)
        for run in NETWORKS[name]:
            for log in ("log", "validation"):
                shutil.copy(making.folder / "runs" / run / f"{log}.csv", RESULTS / f"{run}-{log}.csv")


def _trained(making: Making) -> list[str]:
    """The networks that were trained here; the other came with the package."""
    return [name for name, runs in NETWORKS.items() if (making.folder / "runs" / runs[-1]).exists()]


STEPS: dict[str, Callable[[Making], None]] = {
    "photos": photos,
    "crops": crops,
    **{run: training(name, run) for name, runs in NETWORKS.items() for run in runs},
    "evaluation": evaluation,
    "cards": write_cards,
}


def _srkit(making: Making, arguments: Sequence[str]) -> None:
    _python(making, ["-m", "srkit", *arguments])


def _python(making: Making, arguments: Sequence[str]) -> None:
    ended = subprocess.run([sys.executable, *arguments], cwd=making.folder, check=False)
    if ended.returncode:
        sys.exit(f"make: {' '.join(arguments)} ended with {ended.returncode}; the same command goes on from here")


if __name__ == "__main__":
    main()
