"""Folders, lists, LMDB and tar shards, one like the other."""

from __future__ import annotations

import pickle
import tarfile

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import srkit
from srkit_datasets import PictureError, Pictures, check_pictures, open_pictures
from srkit_datasets.packing import pack_lmdb, pack_tar
from srkit_datasets.pictures import read
from srkit_datasets.shards import index_file, key_of


def contents(source):
    """Names and files."""
    return {name: source.data(index) for index, name in enumerate(source.names)}


def test_folder(folder):
    """A folder is searched with its sub-folders, in the order of names; hidden files and other kinds are left out."""
    (folder / ".hidden.png").write_bytes(b"x")
    (folder / "notes.txt").write_text("x")
    source = open_pictures(folder)
    assert list(source.names) == [*(f"{n:02d} ü.png" for n in range(5)), "sub/05 ü.png", "sub/06 ü.png"]
    assert list(source.keys)[-1] == "sub/06 ü"
    assert read(source, 6).shape == (46, 44, 3)
    assert source.label(6) == str(folder / "sub" / "06 ü.png")
    assert list(open_pictures({"path": str(folder), "pattern": "sub/*"}).names) == ["sub/05 ü.png", "sub/06 ü.png"]


def test_folders_that_links_lead_round(folder):
    """Links to folders are followed, but not round in a circle."""
    (folder / "sub" / "again").symlink_to(folder)
    (folder / "linked").symlink_to(folder / "sub")
    names = open_pictures(folder).names
    assert len(names) < 20
    assert "00 ü.png" in names


def test_list(folder, tmp_path):
    """A list chooses and orders; its names may be gone, which is told when they are read."""
    (tmp_path / "list.txt").write_text("sub/06 ü.png (46,44,3)\n00 ü.png\nabsent.png\n", "utf-8")
    source = open_pictures({"path": folder, "list": str(tmp_path / "list.txt")})
    assert list(source.names) == ["sub/06 ü.png", "00 ü.png", "absent.png"]
    assert read(source, 0).shape == (46, 44, 3)
    with pytest.raises(PictureError, match=r"absent\.png: cannot be read: No such file"):
        source.data(2)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=20)
@given(st.integers(1, 9), st.integers(1, 3))
def test_packed_is_what_went_in(folder, tmp_path_factory, per_shard, threads):
    """Tar shards and LMDB hold each file to the byte under its name, and can be read in another process."""
    pytest.importorskip("lmdb")
    away = tmp_path_factory.mktemp("packed")
    expected = contents(open_pictures(folder))
    assert pack_tar(open_pictures(folder), away / "shards", per_shard=per_shard, threads=threads, restart=False) == 0
    assert pack_lmdb(open_pictures(folder), away / "a.lmdb", threads=threads, restart=False) == 0
    for where in (f"{away}/shards/*.tar", f"{away}/a.lmdb"):
        source = pickle.loads(pickle.dumps(open_pictures(where)))
        assert contents(source) == expected
        assert list(source.names) == list(open_pictures(folder).names)
        assert source.keys[0] in source.label(0)
        chosen = open_pictures({"path": where, "list": [source.names[2], source.names[0]]})
        assert [chosen.data(i) for i in (0, 1)] == [expected[source.names[2]], expected[source.names[0]]]


def test_basicsr_reads_and_writes_the_same_lmdb(folder, tmp_path):
    """The layout is BasicSR's: the key is the name up to the suffix, sizes and level stand behind the name."""
    lmdb = pytest.importorskip("lmdb")
    with lmdb.open(str(tmp_path / "a.lmdb"), map_size=2**24) as database, database.begin(write=True) as transaction:
        transaction.put(b"0001_s001", (folder / "00 ü.png").read_bytes())
    (tmp_path / "a.lmdb" / "meta_info.txt").write_text("0001_s001.png (40,50,3) 1\nlost.png (1,1,3) 1\n")
    source = open_pictures(tmp_path / "a.lmdb")
    assert read(source, 0).shape == (40, 50, 3)
    with pytest.raises(PictureError, match="it is not in the database"):
        source.data(1)


def test_index_is_built_once_and_never_stale(folder, tmp_path, monkeypatch):
    """A shard is searched when it is new or has changed, and else read by its index; a damaged index does no harm."""
    pack_tar(open_pictures(folder), tmp_path, per_shard=100, threads=1, restart=False)
    shard = tmp_path / "shard-000000.tar"
    opened = []
    original = tarfile.open
    monkeypatch.setattr(tarfile, "open", lambda *a, **k: opened.append(a) or original(*a, **k))
    assert len(open_pictures(shard).names) == 7
    assert opened == []
    index_file(shard).write_text("{}")
    assert len(open_pictures(shard).names) == 7
    assert len(opened) == 1
    with original(shard, "a") as tar:
        tar.add(folder / "00 ü.png", "new.png")
    assert len(open_pictures(shard).names) == 8
    assert len(opened) == 2


def test_shard_that_is_cut_off_after_it_was_opened(folder, tmp_path):
    """What is no longer in a shard is told as that picture's error."""
    pack_tar(open_pictures(folder), tmp_path, per_shard=100, threads=1, restart=False)
    source = open_pictures(f"{tmp_path}/*.tar")
    shard = tmp_path / "shard-000000.tar"
    shard.write_bytes(shard.read_bytes()[:2000])
    with pytest.raises(PictureError, match=r"shard-000000\.tar:sub/06 ü\.png: the tar file ends before it"):
        source.data(6)


def test_webdataset_keys():
    """Files of one sample have the path up to the first dot of the file's name in common."""
    assert key_of("a.b/0001.gt.png") == "a.b/0001"
    assert key_of("0001.png") == "0001"


def test_several_places(folder):
    """Sources one after another are numbered on."""
    both = open_pictures([str(folder), {"path": folder, "pattern": "sub/*"}])
    assert len(both.names) == 9
    assert np.array_equal(read(both, 8), read(both, 6))
    assert both.label(7) == str(folder / "sub" / "05 ü.png")
    assert open_pictures([folder]).names == open_pictures(folder).names


@pytest.mark.parametrize(
    ("where", "words"),
    [
        ("{0}/absent", "there is no"),
        ("{0}/absent/*.tar", "matches no files"),
        ("{0}/00 ü.png", "is a file; if it lists pictures"),
        ({"path": "{0}", "pattern": "*.jpg"}, r"holds no pictures that match '\*.jpg'"),
        ({"path": "{0}", "list": []}, "is empty"),
        ("{0}/broken.tar", "is no tar file"),
    ],
)
def test_nothing_to_read(folder, where, words):
    """Where there are no pictures, the error says so, and what to write instead."""
    (folder / "broken.tar").write_bytes(b"no tar" * 500)
    filled = where.format(folder) if isinstance(where, str) else {**where, "path": str(folder)}
    with pytest.raises(srkit.DatasetError, match=words):
        open_pictures(filled)


def test_places_are_checked_without_a_look_inside(folder, tmp_path):
    """check_pictures takes what is there, even if it is empty, and refuses what is not, as opening it would."""
    (tmp_path / "empty").mkdir()
    (tmp_path / "names.txt").write_text("00.png\n")
    (tmp_path / "a.tar").write_bytes(b"no tar")
    listed = {"path": str(folder), "list": str(tmp_path / "names.txt")}
    for where in (folder, tmp_path / "empty", f"{tmp_path}/*.tar", listed, [str(folder), listed]):
        check_pictures(where)
    for where, words in (
        (tmp_path / "none", "there is no .*none; expected a folder"),
        (f"{tmp_path}/*.rar", "there is no .*rar"),
        ([str(folder), str(tmp_path / "none")], "there is no .*none"),
        ({"path": str(folder), "list": "none.txt"}, "there is no list none.txt"),
    ):
        with pytest.raises(srkit.DatasetError, match=words):
            check_pictures(where)
    for where in ([], None, 5):
        with pytest.raises(srkit.SettingsError, match="names no pictures"):
            check_pictures(where)


def test_strange_places():
    """What is no place is a SettingsError; a misspelt key is told with the right one."""
    with pytest.raises(srkit.SettingsError, match="did you mean 'pattern'"):
        open_pictures({"path": "a", "patern": "*"})
    with pytest.raises(srkit.SettingsError, match="'path' is missing"):
        open_pictures({"pattern": "*"})
    with pytest.raises(srkit.SettingsError, match="names no pictures"):
        open_pictures([])


def test_folder_of_shards_says_how_to_read_them(tmp_path, folder):
    """Who names the folder of shards is told to name the shards."""
    pack_tar(open_pictures(folder), tmp_path / "shards", per_shard=4, threads=1, restart=False)
    with pytest.raises(srkit.DatasetError, match=r"write .*shards/\*\.tar"):
        open_pictures(tmp_path / "shards")
    with pytest.raises(srkit.DatasetError, match="holds no picture 'x.png', which the list names"):
        open_pictures(Pictures(path=f"{tmp_path}/shards/*.tar", list=["x.png"]))
