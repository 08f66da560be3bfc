"""What must work with installed wheels, away from the repository; run as a program: ``smoke.py core|files|data|training``."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file

import srkit
from srkit_archs_realesrgan.srvgg import SRVGGNetCompact


def _command(*arguments: str) -> None:
    subprocess.run([sys.executable, "-c", "from srkit.cli import main; main()", *arguments], check=True)


def main(part: str) -> None:
    assert "site-packages" in srkit.__file__, srkit.__file__
    assert "+g" in srkit.__version__, srkit.__version__
    torch.manual_seed(0)
    network = SRVGGNetCompact(num_feat=16, num_conv=2)
    save_file(network.state_dict(), "network.safetensors")
    if part == "core":
        img = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)
        out = srkit.upscale(img, arch="srvgg", weights="network.safetensors")
        assert out.shape == (80, 120, 3)
        assert out.dtype == np.uint8
        # The network that comes along: nothing else is installed here, and nothing may be fetched.
        assert srkit.upscale(img, arch="srvgg").shape == (80, 120, 3)
        assert srkit.load().loaded.name == "srkit-compact-x4-faithful"
        _command("plugins")
        _command("check", "srkit-archs-realesrgan")
    elif part == "data":
        import srkit_io
        from srkit import plugins

        Path("targets").mkdir(exist_ok=True)
        srkit_io.write("targets/a.png", np.full((60, 50, 3), 100, np.uint8))
        _command("degrade", "targets/a.png", "worse.png")
        assert srkit_io.read("worse.png").shape == (15, 12, 3)
        _command("dataset", "sub-images", "targets", "-o", "sub", "--crop", "40", "--step", "20")
        _command("dataset", "pack", "sub", "-o", "shards")
        dataset = plugins.current().datasets.find("realesrgan").load(srkit.Dataset)
        batches = dataset.open({"targets": "shards/*.tar", "crop": 32}, srkit.Feed(batch_size=2, workers=1))
        assert next(batches).gt.shape == (2, 3, 32, 32)
        batches.close()
        _command("check", "srkit-datasets")
    elif part == "training":
        import srkit_io

        Path("photos").mkdir(exist_ok=True)
        srkit_io.write("photos/a.png", np.full((60, 50, 3), 100, np.uint8))
        options = "data.options={targets: photos, degradation: second-order, crop: 32, gt_size: 32, pool: 0}"
        short = ["train.iterations=2", "train.schedule={name: constant}", "validation=null", options, "data.workers=0"]
        _command("train", "tiny", *(part for value in short for part in ("--set", value)))
        _command("models", "export", "runs/tiny/checkpoints/latest.pt", "tiny.safetensors", "--force")
        assert srkit.upscale(np.zeros((8, 9, 3), np.uint8), weights="tiny.safetensors").shape == (32, 36, 3)
        _command("check", "srkit-training")
    else:
        import srkit_io

        Path("in").mkdir(exist_ok=True)
        for name in ("a.png", "b.jpg"):
            srkit_io.write(f"in/{name}", np.full((9, 8, 3), 100, np.uint8))
        _command("upscale", "in", "-o", "out", "--weights", "network.safetensors")
        assert srkit_io.read("out/b.jpg").shape == (36, 32, 3)
    print(f"smoke test of {part} passed")


if __name__ == "__main__":
    main(sys.argv[1])
