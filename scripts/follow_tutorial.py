"""Follow docs/new-plugin.md as its reader does, from no environment at all to a plugin that passes, and say how long it took.

What the page has after "Train it" needs photos of the reader's own, and is left to the tests. pip is told by its own
variables, PIP_FIND_LINKS and PIP_CONSTRAINT, where srkit is found before it is published.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Mapping
from pathlib import Path

BLOCK = re.compile(r"^```(python|sh)(?: file=(\S+))?\n(.*?)^```", re.MULTILINE | re.DOTALL)


def main() -> None:
    """Create an environment, install srkit, and run the page's commands until one fails."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("page", type=Path)
    page = parser.parse_args().page.read_text("utf-8").partition("\n## Train it")[0]
    begun = time.perf_counter()
    with tempfile.TemporaryDirectory() as away:
        folder = Path(away)
        venv.create(folder / "env", with_pip=True)
        path = f"{folder / 'env' / 'bin'}{os.pathsep}{os.environ['PATH']}"
        env = {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "VIRTUAL_ENV")} | {
            "PATH": path
        }
        _run("pip install srkit", folder, env)
        for language, file, text in BLOCK.findall(page):
            if file:
                (folder / file).write_text(text, "utf-8")
            elif language == "sh":
                for line in text.splitlines():
                    if line.startswith("cd "):
                        folder /= line.removeprefix("cd ")
                    else:
                        _run(line, folder, env)
    print(f"from nothing to a plugin that passes: {time.perf_counter() - begun:.0f} s")


def _run(line: str, folder: Path, env: Mapping[str, str]) -> None:
    """Run a command; one that fails ends all."""
    begun = time.perf_counter()
    done = subprocess.run(
        line, shell=True, cwd=folder, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    print(f"{time.perf_counter() - begun:6.1f} s  {line}", flush=True)
    if done.returncode:
        sys.exit(done.stdout)


if __name__ == "__main__":
    main()
