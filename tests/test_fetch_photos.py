"""scripts/fetch_photos.py, but for the network."""

from __future__ import annotations

import hashlib
import importlib.util
import io
import lzma
import sys
import tarfile
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("PIL")

from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageCms

SCRIPT = Path(__file__).parents[1] / "scripts" / "fetch_photos.py"
spec = importlib.util.spec_from_file_location("fetch_photos", SCRIPT)
script = importlib.util.module_from_spec(spec)
sys.modules["fetch_photos"] = script
spec.loader.exec_module(script)


def png(size=(40, 24), seed=0, **options):
    """A picture file of random colours, different for each seed."""
    image = Image.frombytes("RGB", size, bytes((i * 37 + seed * 11) % 256 for i in range(size[0] * size[1] * 3)))
    written = io.BytesIO()
    image.save(written, "PNG", **options)
    return written.getvalue()


CONTENTS = {name: png(seed=seed) for seed, name in enumerate(["one", "two", "three"])}


def photo(name, set_="train", package="debian/first", size=(40, 24), **changed):
    fields = dict(
        zip(script.Photo._fields, ["", "", name, "", f"usr/{name}.png", "", "", "Ann", "CC0-1.0", ""], strict=True)
    )
    digest = hashlib.sha256(CONTENTS.get(name, b"")).hexdigest()
    fields |= {"set": set_, "package": package, "width": str(size[0]), "height": str(size[1]), "sha256": digest}
    return script.Photo(**{**fields, **changed})


PHOTOS = [photo("one"), photo("two"), photo("three", "validation", "pypi/scikit-learn")]


class Shelf:
    """Packages at hand; remembers what was asked of it."""

    def __init__(self, broken=(), **changed):
        self.contents = {f"usr/{name}.png": data for name, data in {**CONTENTS, **changed}.items() if data is not None}
        self.contents["usr/share/doc/first/copyright"] = b"CC0"
        self.broken = broken
        self.asked = []

    def __call__(self, package, paths):
        self.asked.append(package)
        if package in self.broken:
            raise OSError("no route to it")
        return "1.2-3", {path: self.contents[path] for path in paths if path in self.contents}


def files(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


ALL = [
    "SOURCES.csv",
    "licences/first.txt",
    "licences/scikit-learn.txt",
    "train/one.png",
    "train/two.png",
    "validation/three.png",
]


EVALUATION = SCRIPT.parents[1] / "recipes" / "default" / "evaluation.csv"


def test_the_tables_are_whole():
    """Each picture has a name of its own, author or not, licence, digest, size; a package's are all to train with or none."""
    photos = script.read_table(script.TABLE)
    measured = script.read_table(EVALUATION)
    assert len({row.name for row in photos + measured}) == len(photos) + len(measured)
    assert {row.set for row in photos} == {"train", "validation"}
    assert {row.set for row in measured} == {"evaluation"}
    assert not {row.package for row in measured} & {row.package for row in photos}
    for row in photos + measured:
        assert row.package.partition("/")[0] in {"debian", "pypi", "npm"}
        assert row.licence
        assert len(bytes.fromhex(row.sha256)) == 32
        assert min(int(row.width), int(row.height)) > 100
    trained, held_out = ({row.package for row in photos if row.set == name} for name in ("train", "validation"))
    assert not trained & held_out
    small = [row.set for row in photos if row.small]
    assert (small.count("train"), small.count("validation")) == (16, 8)


@given(
    size=st.tuples(st.integers(8, 9000), st.integers(8, 9000)),
    set_=st.sampled_from(["train", "validation"]),
    small=st.booleans(),
)
def test_fits(size, set_, small):
    """Sides are divided by the least whole number that makes the longer about 1000; held-out ones by 8, small ones to 512."""
    fit = script.fit_of(photo("one", set_, size=size), small=small)
    scaled = [side // fit.factor for side in size]
    if set_ == "train" and not small:
        assert (fit.factor, fit.size, fit.changes) == (1, size, "none")
        return
    assert max(size) / fit.factor <= 1000
    assert fit.factor == 1 or max(size) / (fit.factor - 1) > 1000
    if set_ == "train":
        assert fit.size == tuple(scaled)
        return
    most = 512 if small else 1000
    assert all(side % 8 == 0 and side <= most for side in fit.size)
    assert all(min(whole, most) - side < 8 for side, whole in zip(fit.size, scaled, strict=True))


@pytest.mark.parametrize("factor", [2, 3, 5])
def test_scaling_is_antialiased_and_exact(factor):
    """Lines of one pixel become an even grey, an edge stays where it is, and what is left over is cut off."""
    columns = np.arange(factor * 16 + factor - 1)
    lines, edge = 255 * (columns % 2), 255 * (columns >= factor * 8)
    made = []
    for row in (lines, edge):
        written = io.BytesIO()
        Image.fromarray(np.tile(row.astype(np.uint8), (factor * 8, 1))).save(written, "PNG")
        image = script.make(written.getvalue(), script.Fit(factor, (16, 8), ""))
        assert image.mode == "RGB"
        made.append(np.asarray(image)[4, :, 0].astype(int))
        assert (np.asarray(image) == made[-1][None, :, None]).all()
    assert (abs(made[0][2:14] - 127) < 45).all()
    assert (made[1][:5] == 0).all()
    assert (made[1][11:] == 255).all()
    assert made[1][7] < 32 < 223 < made[1][8]


def test_pictures_that_fit_are_lossless_and_bare():
    """Without scaling, every pixel stays; what the file says besides is dropped."""
    data = png(icc_profile=ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes(), dpi=(72, 72))
    image = script.make(data, script.Fit(1, (40, 24), "none"))
    assert np.array_equal(image, Image.open(io.BytesIO(data)))
    assert image.info == {}


def test_other_colour_spaces_become_srgb():
    """A profile whose red is sRGB's green makes red pixels green."""
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    for old, new in ((b"rXYZ", b"????"), (b"gXYZ", b"rXYZ"), (b"????", b"gXYZ")):
        profile = profile.replace(old, new, 1)
    profile = profile.replace("sRGB".encode("utf-16-be"), "swap".encode("utf-16-be"))
    written = io.BytesIO()
    Image.new("RGB", (8, 8), "red").save(written, "PNG", icc_profile=profile)
    red, green, blue = script.make(written.getvalue(), script.Fit(1, (8, 8), "none")).getpixel((3, 3))
    assert green > 250 > 5 > max(red, blue)


def test_pictures_are_turned_upright():
    """What EXIF says of the camera's position is done before anything is measured."""
    exif = Image.Exif()
    exif[0x112] = 6
    written = io.BytesIO()
    Image.new("RGB", (8, 16)).save(written, "JPEG", exif=exif)
    assert script.make(written.getvalue(), script.Fit(1, (16, 8), "none")).size == (16, 8)


def test_pictures_and_their_sources_are_written(tmp_path):
    """Each picture is in its set, pixel for pixel, with a row of SOURCES.csv and its package's licence text."""
    assert script.fetch_photos(PHOTOS, tmp_path, Shelf(), small=False) == []
    assert files(tmp_path) == ALL
    written = io.BytesIO((tmp_path / "train" / "two.png").read_bytes())
    assert np.array_equal(Image.open(written), Image.open(io.BytesIO(CONTENTS["two"])))
    rows = (tmp_path / "SOURCES.csv").read_text().splitlines()
    assert rows[0] == "file,package,version,path,author,licence,changes,sha256"
    digest = hashlib.sha256(CONTENTS["one"]).hexdigest()
    assert rows[1] == f"train/one.png,debian/first,1.2-3,usr/one.png,Ann,CC0-1.0,none,{digest}"
    assert (tmp_path / "licences" / "first.txt").read_text() == "CC0"


def test_it_goes_on_where_it_was(tmp_path):
    """A package that could not be fetched is told and asked for again alone; what is there is not; what is lost is."""
    shelf = Shelf(broken=["debian/first"])
    refused = script.fetch_photos(PHOTOS, tmp_path, shelf, small=False)
    assert [line.partition(":")[0] for line in refused] == ["train/one.png", "train/two.png"]
    assert all("debian/first cannot be fetched: no route to it" in line for line in refused)
    for wanted in (["debian/first"], []):
        shelf = Shelf()
        assert script.fetch_photos(PHOTOS, tmp_path, shelf, small=False) == []
        assert shelf.asked == wanted
    (tmp_path / "train" / "one.png").unlink()
    script.fetch_photos(PHOTOS, tmp_path, Shelf(two=b"not looked at again"), small=False)
    assert files(tmp_path) == ALL


def test_other_sizes_are_made_anew(tmp_path):
    """A folder of whole pictures becomes one of small ones, and says so."""
    tall = [
        photo("one", size=(40, 24)),
        photo("big", size=(1500, 30), sha256=hashlib.sha256(png((1500, 30))).hexdigest()),
    ]
    for small, size, changes in ((False, (1500, 30), "none"), (True, (750, 15), "scaled by 1/2")):
        shelf = Shelf(big=png((1500, 30)))
        assert script.fetch_photos(tall, tmp_path, shelf, small=small) == []
        with Image.open(tmp_path / "train" / "big.png") as image:
            assert image.size == size
        assert f",{changes}," in (tmp_path / "SOURCES.csv").read_text().splitlines()[1]


def test_other_pictures_are_refused(tmp_path):
    """A picture that is another than the listed one, or gone, is not written, and told with package, path and digest."""
    other = png(seed=99)
    refused = script.fetch_photos(PHOTOS, tmp_path, Shelf(one=other, three=None), small=False)
    digests = f"{hashlib.sha256(other).hexdigest()}, not {hashlib.sha256(CONTENTS['one']).hexdigest()}"
    assert refused == [
        f"train/one.png: usr/one.png of debian/first 1.2-3 is another picture than the one listed: its sha256 is {digests}",
        "validation/three.png: usr/three.png of pypi/scikit-learn 1.2-3 is not there",
    ]
    assert {"train/two.png"} == {name for name in files(tmp_path) if name.endswith(".png")}
    assert "one.png" not in (tmp_path / "SOURCES.csv").read_text()


def deb(contents):
    """A Debian package: an ar archive of a version, an (odd) control part and data.tar.xz."""
    inner = io.BytesIO()
    with tarfile.open(fileobj=inner, mode="w:xz") as archive:
        for path, data in contents.items():
            member = tarfile.TarInfo(f"./{path}")
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    parts = {"debian-binary": b"2.0\n", "control.tar.xz": b"odd", "data.tar.xz": inner.getvalue()}
    whole = b"!<arch>\n"
    for name, data in parts.items():
        whole += f"{name:<16}{0:<12}{0:<6}{0:<6}{100644:<8}{len(data):<10}`\n".encode() + data + b"\n" * (len(data) % 2)
    return whole


def test_debian_packages_are_read():
    """The wanted paths come out, and only those; what is not there is left out."""
    data = deb({"usr/a": b"A", "usr/b": b"B" * 70_000, "usr/c": b"C"})
    assert script.read_deb(data, ["usr/b", "usr/c", "usr/d"]) == {"usr/b": b"B" * 70_000, "usr/c": b"C"}


def test_packages_come_from_a_mirror_where_there_is_no_apt(tmp_path, monkeypatch):
    """The index tells file, version and digest; a damaged or unknown package is refused."""
    monkeypatch.setattr(script.shutil, "which", lambda name: None)
    data = deb({"usr/a": b"A"})
    about = "Package: {0}\nVersion: 1:2-3\nFilename: pool/{0}_2-3_all.deb\nDescription: a\n more: of it\nSHA256: {1}\n"
    index = "\n".join(about.format(name, hashlib.sha256(data).hexdigest()) for name in ("first-extra", "first", "bad"))
    folder = tmp_path / "dists" / script.RELEASE / "main" / "binary-amd64"
    folder.mkdir(parents=True)
    (folder / "Packages.xz").write_bytes(lzma.compress(index.encode()))
    (tmp_path / "pool").mkdir()
    (tmp_path / "pool" / "first_2-3_all.deb").write_bytes(data)
    (tmp_path / "pool" / "bad_2-3_all.deb").write_bytes(data + b"!")
    (tmp_path / "away").mkdir()
    packages = script.Packages(tmp_path.as_uri(), tmp_path / "away")
    assert packages("debian/first", ["usr/a"]) == ("2-3", {"usr/a": b"A"})
    with pytest.raises(OSError, match="damaged"):
        packages("debian/bad", ["usr/a"])
    with pytest.raises(LookupError, match="has no package none"):
        packages("debian/none", ["usr/a"])


def test_packages_come_from_npm(tmp_path, monkeypatch):
    """The version is part of the name, and the archive is that of the registry."""
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w:gz") as written:
        member = tarfile.TarInfo("package/a.webp")
        member.size = 1
        written.addfile(member, io.BytesIO(b"A"))
    folder = tmp_path / "pictures" / "-"
    folder.mkdir(parents=True)
    (folder / "pictures-1.0.6.tgz").write_bytes(archive.getvalue())
    monkeypatch.setattr(script, "NPM", tmp_path.as_uri())
    packages = script.Packages("", tmp_path)
    assert packages("npm/pictures@1.0.6", ["package/a.webp", "package/b"]) == ("1.0.6", {"package/a.webp": b"A"})
    with pytest.raises(OSError, match=r"1\.0\.7"):
        packages("npm/pictures@1.0.7", [])


def test_what_is_missing_is_the_exit_status(tmp_path, monkeypatch, capsys):
    """The counts are printed, and a run that could not get everything ends with 1 and says what."""
    monkeypatch.setattr(script, "read_table", lambda path: PHOTOS)
    monkeypatch.setattr(script, "Packages", lambda mirror, away: Shelf(two=None))
    with pytest.raises(SystemExit, match=r"two\.png of debian/first 1\.2-3 is not there\n1 of 3 pictures"):
        script.main([str(tmp_path)])
    assert f"{tmp_path / 'train'}: 1 pictures" in capsys.readouterr().out
    monkeypatch.setattr(script, "Packages", lambda mirror, away: Shelf())
    script.main([str(tmp_path)])
    assert f"{tmp_path / 'train'}: 2 pictures" in capsys.readouterr().out
