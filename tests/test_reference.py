"""What is public is in the reference, or a test fails."""

from __future__ import annotations

import ast
import importlib
import re
from pathlib import Path

import pytest

pytest.importorskip("torch")

ROOT = Path(__file__).parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("plugins/*/README.md")])
REFERENCE = "\n".join(page.read_text() for page in sorted(ROOT.glob("docs/reference/*.md")))
# Objects of their own, and modules whose public names are all shown.
NAMED = set(re.findall(r"^\.\. (?:auto(?!module)\w+|py:\w+):: (\S+)", REFERENCE, re.MULTILINE))
WHOLE = set(re.findall(r"^\.\. automodule:: (\S+)\n(?!   :no-members:)", REFERENCE, re.MULTILINE))
DISTRIBUTIONS = [
    "srkit",
    "srkit.testing",
    *sorted(path.parent.name for path in ROOT.glob("plugins/*/src/*/__init__.py")),
]
BLOCK = re.compile(r"^```python(?: file=\S+)?\n(.*?)^```", re.MULTILINE | re.DOTALL)


def _is_told(name: str) -> bool:
    return name in NAMED or name.rpartition(".")[0] in WHOLE or f"`{name}`" in REFERENCE


@pytest.mark.parametrize("module", DISTRIBUTIONS)
def test_public_names_are_in_the_reference(module):
    """Each name of a distribution's ``__all__`` has an entry."""
    names = getattr(pytest.importorskip(module), "__all__", ())
    assert [f"{module}.{name}" for name in names if not _is_told(f"{module}.{name}")] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_what_pages_import_is_in_the_reference(page):
    """What a page tells its readers to import is public, and so has an entry."""
    pytest.importorskip("srkit_training")
    missing = []
    for code in BLOCK.findall(page.read_text()):
        for node in ast.walk(ast.parse(code)):
            if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0].startswith("srkit"):
                named = [f"{node.module}.{alias.name}" for alias in node.names]
                missing += [name for name in named if not _is_told(name) and not _is_module(name)]
    assert missing == []


def _is_module(name: str) -> bool:
    try:
        importlib.import_module(name)
    except ModuleNotFoundError:
        return False
    return True


def test_the_reference_names_what_is_there():
    """No entry is left of what was renamed or removed."""
    pytest.importorskip("srkit_training")
    for name in NAMED:
        module, _, attribute = name.rpartition(".")
        assert hasattr(importlib.import_module(module), attribute), name


_PICTURES = "-i -n -o -dn -s --suffix -t --tile_pad --pre_pad --face_enhance --fp32 --alpha_upsampler --ext"
MOVED = {
    "inference_realesrgan": f"{_PICTURES} --model_path -g",
    "inference_realesrgan_video": f"{_PICTURES} --fps --ffmpeg_bin --extract_frame_first --num_process_per_gpu",
    "RealESRGANer": "scale model_path dni_weight model tile tile_pad pre_pad half device gpu_id img outscale alpha_upsampler",
    "train.py": "-opt --launcher --auto_resume --debug --local_rank --force_yml",
    "extract_subimages": "--input --output --crop_size --step --thresh_size --n_thread --compression_level",
    "generate_meta_info": "--input --root --meta_info --check",
    "generate_meta_info_pairdata": "--input --root --meta_info",
    "generate_multiscale_DF2K": "--input --output",
    "pytorch2onnx": "--input --output --params",
}
"""Programs and classes of Real-ESRGAN 0.3.0, and what they take."""


@pytest.mark.parametrize("program", MOVED)
def test_every_argument_of_real_esrgan_has_its_successor(program):
    """docs/migrate.md has a section of that name, with a row for every argument."""
    text = (ROOT / "docs" / "migrate.md").read_text()
    section = re.search(rf"^#+ `?{re.escape(program)}\b.*?\n(.*?)(?=^#|\Z)", text, re.MULTILINE | re.DOTALL)
    rows = [row.split("|")[1] for row in section[1].splitlines() if row.startswith("| `")]
    told = {word for row in rows for code in re.findall(r"`([^`]+)`", row) for word in re.split(r"[\s,=()\[\]]+", code)}
    assert set(MOVED[program].split()) <= told


@pytest.mark.parametrize("file", ["realesrgan", "realesrnet", "paired"])
def test_every_option_of_real_esrgan_has_its_successor(file):
    """docs/migrate.md names each option that the files of Real-ESRGAN have."""
    yaml = pytest.importorskip("yaml")
    text = (ROOT / "docs" / "migrate.md").read_text()
    told = set(re.findall(r"`([\w.]+)`", text[text.index("## Option files") :]))
    options = yaml.safe_load((ROOT / f"plugins/srkit-training/tests/options/{file}.yml").read_text())
    assert sorted(name for name in _leaves(options) if name not in told) == []


def _leaves(options, above=""):
    """Options by their whole names, `train.optim_g.lr`."""
    for name, value in options.items():
        if isinstance(value, dict) and name not in {"layer_weights", "dist_params"}:
            yield from _leaves(value, f"{above}{name}.")
        else:
            yield f"{above}{name}"
