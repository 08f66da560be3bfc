"""docs/spandrel.md says which networks stream."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

pytest.importorskip("torch")
pytest.importorskip("srkit_engine_tiled")
pytest.importorskip(
    "srkit_archs_spandrel.bridge",
    reason="spandrel cannot be imported; pip install --no-deps spandrel",
    exc_type=ImportError,
)

from srkit_archs_spandrel.samples import SAMPLES

SCRIPT = Path(__file__).parents[3] / "scripts" / "spandrel_table.py"


@pytest.fixture(scope="module")
def table():
    """The script that writes the table."""
    spec = importlib.util.spec_from_file_location("spandrel_table", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize(("name", "kind"), [(name, kind) for name, kinds in SAMPLES.items() for kind in kinds])
def test_the_page_says_what_is_so(table, name, kind):
    """What the engine tells of a network, and whether the stream is the whole image's, is what the page says."""
    assert table.rows_of(table.PAGE.read_text("utf-8"))[name, kind] == table.row(name, kind)
