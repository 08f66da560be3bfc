"""Write the tables that plugins/srkit-io/tests/test_matrix.py proves into docs/formats.md."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

ROOT = Path(__file__).parents[1]


def main() -> None:
    """Replace what stands between the marks."""
    spec = importlib.util.spec_from_file_location("matrix", ROOT / "plugins" / "srkit-io" / "tests" / "test_matrix.py")
    assert spec is not None
    assert spec.loader is not None
    matrix = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(matrix)
    page = ROOT / "docs" / "formats.md"
    marked = re.compile(r"(?<=<!-- table -->\n).*(?=<!-- /table -->)", re.DOTALL)
    page.write_text(marked.sub(lambda _: f"\n{matrix.table()}\n\n", page.read_text()))


if __name__ == "__main__":
    main()
