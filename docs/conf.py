"""The site: what `nox -s docs` makes of the Markdown of this folder, of docstrings and of the command line."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx
from sphinx.errors import ExtensionError

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

project = "srkit"
extensions = ["myst_parser", "sphinx.ext.autodoc"]
exclude_patterns = ["images/README.md"]

html_theme = "furo"
html_title = "srkit"
html_copy_source = False
html_show_copyright = False

myst_heading_anchors = 4  # the anchors that GitHub gives

autodoc_default_options = {
    "members": True,
    "member-order": "bysource",
    "special-members": "__call__, __getitem__, __next__",
}
autodoc_typehints_format = "short"
python_maximum_signature_line_length = 100
suppress_warnings = ["ref.python"]  # two records may have one name, in different distributions
# Heavy, and not needed to read signatures and docstrings.
autodoc_mock_imports = ["PIL", "accelerate", "cv2", "llvmlite", "pyvips", "safetensors", "tifffile", "torch"]

NAVIGATION = {
    "Guides": [
        "files",
        "gigapixels",
        "depth-and-alpha",
        "choose",
        "gpu",
        "training",
        "finetune",
        "photos",
        "new-plugin",
        "plugins",
        "migrate",
        "troubleshooting",
    ],
    "How it works": [
        "exactness",
        "plugin-system",
        "degradations",
        "architecture",
        "benchmarks",
        "benchmarks-cuda",
        "gallery",
    ],
    "In detail": ["pictures", "formats", "weights", "spandrel", "datasets", "losses", "metrics"],
    "Reference": [
        "reference/commands",
        "reference/srkit",
        "reference/plugins",
        "reference/srkit-io",
        "reference/srkit-datasets",
        "reference/srkit-training",
        "reference/srkit-archs-realesrgan",
        "reference/srkit-engine-tiled",
    ],
}
"""Section → pages of this folder, in the order of the site. A page that is missing here, or there, fails the build."""

_FROM_ELSEWHERE = re.compile(
    r"""<(?:script|img|source)\b[^>]*\bsrc="(?:https?:)?//|<link\b[^>]*\bhref="(?:https?:)?//"""
)
_BESIDE = re.compile(r"\]\((\.\./[^)#\s]+\.md)(?:#[^)]*)?\)")  # a link to a page of another folder


def setup(app: Sphinx) -> None:
    """What Sphinx calls first."""
    app.connect("source-read", _complete)
    app.connect("autodoc-process-signature", _told_plainly)
    app.connect("build-finished", _refuse_what_is_fetched)


def _complete(_: Sphinx, page: str, source: list[str]) -> None:
    """Make the site's page of one that is read on GitHub as well: what would be noise there, or is written by srkit."""
    source[0] = _BESIDE.sub(lambda link: _to_file(link, (HERE / page).parent), source[0])
    if page == "index":
        source[0] += "".join(
            f"\n```{{toctree}}\n:hidden:\n:caption: {caption}\n\n" + "\n".join(pages) + "\n```\n"
            for caption, pages in NAVIGATION.items()
        )
    elif page == "reference/commands":
        from commands import reference

        from srkit.cli import program

        source[0] += "\n" + "\n\n".join(reference(program, "srkit")) + "\n"


def _to_file(link: re.Match[str], folder: Path) -> str:
    """Pages of the repository that are none of the site are there as files."""
    within = (folder / link[1]).resolve().is_relative_to(HERE)
    return link[0] if within else f"](path:{link[1]})"


def _told_plainly(
    _: Sphinx, __: str, ___: str, subject: Any, ____: Any, signature: str | None, returns: str | None
) -> tuple[str | None, str | None]:
    """Protocols are never called to make something; what attrs makes anew each time is no value to show."""
    if getattr(subject, "_is_protocol", False):
        return "", returns
    return (signature or "").replace("= NOTHING", "= …") or signature, returns


def _refuse_what_is_fetched(app: Sphinx, failure: Exception | None) -> None:
    """No page asks for a script, a font or a picture of another machine."""
    for page in [] if failure else Path(app.outdir).rglob("*.html"):
        found = _FROM_ELSEWHERE.search(page.read_text("utf-8"))
        if found:
            raise ExtensionError(f"{page} fetches {found[0]!r} from elsewhere; the site must work without a network")
