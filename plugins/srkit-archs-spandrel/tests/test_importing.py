"""spandrel with and without torchvision, or not at all."""

from __future__ import annotations

import importlib
import sys

import pytest

torch = pytest.importorskip("torch")

from srkit_archs_spandrel.importing import import_spandrel  # noqa: E402

PLACES = ("torchvision", "torchvision.transforms", "torchvision.transforms.functional")


@pytest.fixture
def site(tmp_path, monkeypatch):
    """A folder on the path; neither spandrel nor torchvision is loaded before or after."""
    for name in [name for name in sys.modules if name.partition(".")[0] in {"spandrel", "torchvision"}]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.syspath_prepend(tmp_path)
    importlib.invalidate_caches()
    yield tmp_path
    for name in [name for name in sys.modules if name.partition(".")[0] in {"spandrel", "torchvision"}]:
        del sys.modules[name]


def write(site, **modules):
    for name, source in modules.items():
        (site / name).mkdir(exist_ok=True)
        (site / name / "__init__.py").write_text(source)
    importlib.invalidate_caches()


SPANDREL = "from torchvision.transforms.functional import InterpolationMode, normalize, rotate"


def test_without_torchvision(site):
    """Where torchvision fails, spandrel is imported all the same; who calls what is missing learns why; no trace is left.

    ``normalize`` is not missing.
    """
    write(site, spandrel=SPANDREL, torchvision="raise RuntimeError('operator torchvision::nms does not exist')")
    spandrel = import_spandrel()
    with pytest.raises(ImportError, match="this network of spandrel needs torchvision") as caught:
        spandrel.rotate(0, 0)
    assert "nms does not exist" in str(caught.value.__cause__)
    assert not any(place in sys.modules for place in PLACES)
    picture = torch.tensor([0.0, 0.5, 1.0])[None, :, None, None].expand(2, 3, 4, 5)
    moved = spandrel.normalize(picture, [0.5, 0.25, 0.5], [0.5, 0.5, 0.25])
    assert torch.equal(moved, torch.tensor([-1.0, 0.5, 2.0])[None, :, None, None].expand(2, 3, 4, 5))


def test_with_torchvision(site):
    """Where torchvision can be imported, spandrel gets that."""
    write(site, spandrel=SPANDREL, torchvision="")
    (site / "torchvision" / "transforms").mkdir()
    (site / "torchvision" / "transforms" / "functional.py").write_text(
        "InterpolationMode = normalize = rotate = 'real'"
    )
    assert import_spandrel().normalize == "real"
    assert all(place in sys.modules for place in PLACES)


def test_not_installed(site, monkeypatch):
    """Without spandrel the error says how to install it."""
    monkeypatch.setitem(sys.modules, "spandrel", None)
    with pytest.raises(ModuleNotFoundError, match="pip install --no-deps spandrel"):
        import_spandrel()


@pytest.mark.parametrize("torchvision", ["", "raise ImportError('libcudart.so.13')"])
def test_broken_in_another_way(site, torchvision):
    """An error that has nothing to do with torchvision comes through as it is, and no trace of it is left."""
    write(site, spandrel="import a_module_that_is_not_there", torchvision=torchvision)
    with pytest.raises(ModuleNotFoundError, match="No module named 'a_module_that_is_not_there'"):
        import_spandrel()
    assert not {"spandrel", *PLACES[1:]} & sys.modules.keys()
