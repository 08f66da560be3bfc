"""Weight files of every kind, whole, damaged and hostile."""

# ruff: noqa: E402 -- where torch is not installed this file is skipped before it imports it

from __future__ import annotations

import contextlib
import os
import pickle
import tempfile
from collections import OrderedDict
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import save_file

from srkit.errors import SrkitError, UnsafeWeights, WeightsError, WeightsNotFound
from srkit.weights.read import CARD_KEY, CONFIG_KEY, read, read_file


def tensors():
    """A few tensors with values that a careless conversion would change."""
    odd = torch.tensor([0.0, -0.0, 1e-40, -1e-45, 3.4e38, 0.1])
    weight = torch.linspace(-1, 1, 54).reshape(2, 3, 3, 3)
    return {"body.0.weight": weight, "body.0.bias": odd, "count": torch.tensor(2**40 + 1)}


def save_legacy(loaded, path, **options):
    torch.save(loaded, path, _use_new_zipfile_serialization=False, **options)


WRITERS = {"safetensors": save_file, "zip": torch.save, "legacy": save_legacy}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder for many examples of one property."""
    return tmp_path_factory.mktemp("read")


@pytest.fixture(scope="module")
def originals(folder):
    """The bytes of the same tensors in each format."""
    found = {}
    for name, write in WRITERS.items():
        write(tensors(), folder / name)
        found[name] = (folder / name).read_bytes()
    return found


def check_refused(path, error=SrkitError, match=None):
    with pytest.raises(error, match=match) as caught:
        read(path)
    assert path.name in str(caught.value)
    return caught.value


@pytest.mark.parametrize("suffix", [".safetensors", ".pth", ".ckpt", ""])
def test_bit_identical(tmp_path, suffix):
    """The same network gives the same bits in the same order from every format, whatever the file is called."""
    wanted = dict(sorted(tensors().items()))
    for name, write in WRITERS.items():
        write(wanted, tmp_path / f"{name}{suffix}")
        found = read(tmp_path / f"{name}{suffix}")
        assert sorted(found) == list(wanted)
        if name != "safetensors":  # which sorts by dtype
            assert list(found) == list(wanted)
        for key, tensor in wanted.items():
            assert found[key].dtype == tensor.dtype
            assert found[key].numpy().tobytes() == tensor.numpy().tobytes()


def test_any_safetensors_header(tmp_path):
    """A safetensors file is known by its content for every length of header, those that look like a pickle's start too."""
    heads = set()
    for length in range(8, 1500, 8):
        save_file({"w": torch.ones(2)}, tmp_path / "net.pth", metadata={"note": "x" * length})
        heads.add((tmp_path / "net.pth").read_bytes()[:2])
        assert read(tmp_path / "net.pth")["w"].tolist() == [1, 1]
    assert heads >= {b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05"}


@pytest.mark.parametrize("write", WRITERS.values(), ids=WRITERS)
@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float64"])
def test_float32(tmp_path, write, dtype):
    """Other floats become float32; integers stay."""
    stored = {"w": torch.randn(5, dtype=torch.float64).to(getattr(torch, dtype)), "n": torch.tensor([3])}
    write(stored, tmp_path / "net")
    found = read(tmp_path / "net")
    assert (found["w"].dtype, found["n"].dtype) == (torch.float32, torch.int64)
    assert torch.equal(found["w"], stored["w"].float())


ONE, TWO = {"w": torch.ones(1)}, {"w": torch.zeros(1)}


@pytest.mark.parametrize("write", [torch.save, save_legacy], ids=["zip", "legacy"])
@pytest.mark.parametrize(
    "checkpoint",
    [
        ONE,
        OrderedDict(ONE),
        {"params": TWO, "params_ema": ONE},
        {"params": ONE, "optimizer": {"w": torch.zeros(1)}, "epoch": 3},
        {"state_dict": ONE, "epoch": 3, "name": "net"},
        {"model_state_dict": ONE},
        {"model": ONE, "loss": 0.1},
        {"w": torch.ones(1), "step": 5},
        {"params_ema": {"module.w": torch.ones(1)}},
    ],
    ids=lambda checkpoint: "+".join(checkpoint),
)
def test_checkpoints(tmp_path, checkpoint, write):
    """The network is found in a checkpoint: averaged weights first, and without the prefix of distributed training."""
    write(checkpoint, tmp_path / "net.pth")
    found = read(tmp_path / "net.pth")
    assert list(found) == ["w"]
    assert found["w"].item() == 1


def test_names_that_look_like_nests(tmp_path):
    """A tensor called like a place where checkpoints keep networks is a tensor; a prefix not shared by all is a name."""
    state = {"params": torch.ones(1), "module.w": torch.ones(2)}
    torch.save(state, tmp_path / "net.pth")
    assert read(tmp_path / "net.pth").keys() == state.keys()


@pytest.mark.parametrize("protocol", [2, 3])
def test_quiet(tmp_path, protocol, recwarn):
    """A file that can be read is read without a warning."""
    torch.save(tensors(), tmp_path / "net.pth", pickle_protocol=protocol)
    assert len(read(tmp_path / "net.pth")) == 3
    assert not recwarn.list


@pytest.mark.parametrize("name", WRITERS)
def test_truncated(folder, originals, name):
    """A file cut anywhere is refused by name: at every byte of its structure, and here and there in its data."""
    whole, path = originals[name], folder / "cut.weights"
    for length in (*range(min(600, len(whole))), *range(600, len(whole), 17)):
        path.write_bytes(whole[:length])
        check_refused(path, WeightsError)


@pytest.mark.parametrize("name", WRITERS)
def test_damaged(folder, originals, name):
    """A byte replaced anywhere gives other tensors or a refusal by name; no other error and no warning comes out."""
    whole, path = originals[name], folder / "damaged.weights"
    for at in range(min(900, len(whole))):
        byte = whole[at] ^ 1 if at % 3 else 0x80
        path.write_bytes(whole[:at] + bytes([byte]) + whole[at + 1 :])
        try:
            read(path)
        except WeightsError as error:
            assert path.name in str(error)  # to be read is an answer too


HEADS = [b"", b"PK\x03\x04", b"\x80\x02", b"\x80\x05", b"\x40\0\0\0\0\0\0\0{", b"7767517\n2 2\n", b"\x47\x6b\x30\x01"]


@given(
    suffix=st.sampled_from([".safetensors", ".pth", ".pt", ".ckpt", ".param", ".bin", ""]),
    head=st.sampled_from(HEADS),
    noise=st.binary(max_size=200),
    beside=st.booleans(),
)
def test_noise(folder, suffix, head, noise, beside):
    """Random bytes, whatever they begin like and are called, are refused by name."""
    path = folder / f"noise{suffix}"
    for other in (path.with_suffix(".param"), path.with_suffix(".bin")):
        other.unlink(missing_ok=True)
        if beside:
            other.write_text("7767517\n0 0\n")
    path.write_bytes(head + noise)
    check_refused(path)


class Evil:
    """Unpickled, it makes a file."""

    def __init__(self, marker):
        self.marker = marker

    def __reduce__(self):
        return os.system, (f"touch '{self.marker}'",)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("suffix", [".pth", ".safetensors", ".bin"])
def test_malicious_pickle(tmp_path, protocol, suffix):
    """A pickle that would run a command is refused as such, and the command does not run."""
    marker, path = tmp_path / "marker", tmp_path / f"evil{suffix}"
    path.write_bytes(pickle.dumps({"w": Evil(marker)}, protocol))
    pickle.loads(path.read_bytes())
    assert marker.exists(), "it would not have run in any case"
    marker.unlink()
    # The first two protocols have no mark to know a pickle by.
    check_refused(path, UnsafeWeights if protocol >= 2 else SrkitError)
    assert not marker.exists()


@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("write", [torch.save, save_legacy], ids=["zip", "legacy"])
def test_malicious_checkpoint(tmp_path, protocol, write):
    """The same inside a checkpoint of PyTorch, beside honest tensors."""
    marker, path = tmp_path / "marker", tmp_path / "evil.pth"
    write({"w": torch.ones(1), "extra": Evil(marker)}, path, pickle_protocol=protocol)
    check_refused(path, UnsafeWeights, match="more than tensors.*nothing in it was run.*safetensors")
    assert not marker.exists()


@pytest.mark.parametrize(
    "thing", [[torch.ones(1)], 3, "text", torch.ones(1), None], ids=lambda thing: type(thing).__name__
)
def test_no_state_dict(tmp_path, thing):
    """A checkpoint that holds something else says what it holds."""
    torch.save(thing, tmp_path / "net.pth")
    check_refused(tmp_path / "net.pth", WeightsError, match=type(thing).__name__)


def test_no_tensors(tmp_path):
    """A dict without tensors says what its entries are; a pickled module is refused as more than tensors."""
    torch.save({"epoch": 3, "loss": 0.1}, tmp_path / "net.pth")
    check_refused(tmp_path / "net.pth", WeightsError, match="no tensors.*epoch, loss")
    torch.save(torch.nn.Conv2d(1, 1, 1), tmp_path / "module.pth")
    check_refused(tmp_path / "module.pth", UnsafeWeights)


def test_empty_and_directory(tmp_path):
    """An empty file and a directory are refused as what they are, with the path on the error."""
    (tmp_path / "empty.pth").touch()
    assert check_refused(tmp_path / "empty.pth", WeightsError).path == tmp_path / "empty.pth"
    (tmp_path / "folder.pth").mkdir()
    assert check_refused(tmp_path / "folder.pth", WeightsError, match="directory").path == tmp_path / "folder.pth"


def test_missing(tmp_path):
    """A missing file is told with the weight files beside it."""
    for name in ("b.pth", "a.safetensors", "c.param", "c.bin", "notes.txt"):
        (tmp_path / name).touch()
    assert isinstance(check_refused(tmp_path / "d.pth", WeightsNotFound), FileNotFoundError)
    check_refused(tmp_path / "d.pth", match="a.safetensors, b.pth, c.param$")
    for name in ("nowhere/d.pth", "notes.txt/d.pth", "d" * 300, "d\0"):
        check_refused(tmp_path / name)


@contextlib.contextmanager
def nobody():
    """Not root, who may read everything."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="no permissions of this kind here")
@pytest.mark.parametrize("locked", ["the file", "its folder"])
def test_no_permission(locked):
    """A file that may not be read, or not even looked for, is refused by name, with the reason."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "net.pth"
        torch.save(ONE, path)
        Path(folder).chmod(0o755 if locked == "the file" else 0)
        path.chmod(0) if locked == "the file" else None
        try:
            with nobody():
                check_refused(path, match="[Pp]ermission")
        finally:
            Path(folder).chmod(0o700)


def test_checkpoint_that_holds_itself(tmp_path):
    """A mapping that is its own entry is refused, not followed for ever."""
    checkpoint = {"epoch": 3}
    checkpoint["params"] = checkpoint
    torch.save(checkpoint, tmp_path / "ring.pth")
    with pytest.raises(WeightsError, match="ring.pth holds no tensors"):
        read(tmp_path / "ring.pth")


def test_ncnn_data_that_looks_like_safetensors(tmp_path):
    """Nine bytes of weights can be anything: a .bin with a brace in that place is still ncnn's."""
    layers = ["7767517", "2 2", "Input data 0 1 data", "Convolution c 1 1 data output 0=1 1=1 4=0 5=0 6=2"]
    (tmp_path / "n.param").write_text("\n".join(layers))
    data = b"\0\0\0\0" + bytes(4) + b"{" + bytes(3)
    (tmp_path / "n.bin").write_bytes(data)
    assert list(read(tmp_path / "n.bin")) == ["ncnn.0000.conv.weight"]


def test_ncnn_model_that_resizes_its_result(tmp_path):
    """A resize behind the network is no part of it, and is refused rather than left out."""
    layers = ["7767517", "3 3", "Input data 0 1 data", "Convolution c 1 1 data c 0=1 1=1 4=0 5=0 6=2"]
    (tmp_path / "n.param").write_text("\n".join([*layers, "Interp r 1 1 c output 0=3 1=5.0e-01 2=5.0e-01"]))
    (tmp_path / "n.bin").write_bytes(bytes(12))
    with pytest.raises(WeightsError, match="resizes what its network gives.*scale="):
        read(tmp_path / "n.param")


def test_what_files_tell_of_themselves(tmp_path):
    """The texts beside the tensors are read alike from safetensors and checkpoints; other values under the keys are not."""
    texts = {CONFIG_KEY: '{"upscale": 2}', CARD_KEY: '{"scale": 2}'}
    save_file(tensors(), tmp_path / "a.safetensors", metadata=texts)
    torch.save({"params_ema": tensors(), "training": {"iteration": 1}, **texts}, tmp_path / "a.pth")
    torch.save({"params": tensors(), CONFIG_KEY: 3, CARD_KEY: "[1]"}, tmp_path / "b.pth")
    for name in ("a.safetensors", "a.pth"):
        stored = read_file(tmp_path / name)
        assert stored.tensors.keys() == tensors().keys()
        assert (stored.config, stored.card) == ({"upscale": 2}, {"scale": 2})
    assert (read_file(tmp_path / "b.pth").config, read_file(tmp_path / "b.pth").card) == ({}, {})


def test_a_damaged_card_is_told(tmp_path):
    """What is no JSON is refused, named by its key."""
    torch.save({"params": tensors(), CARD_KEY: "{"}, tmp_path / "a.pth")
    check_refused(tmp_path / "a.pth", WeightsError, match=r"damaged srkit\.card")
