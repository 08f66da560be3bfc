"""srkit_io.exr: OpenEXR."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import pictures

from srkit_io import ImageFileError, Metadata, Picture, open_picture, read, save, write

OpenEXR = pytest.importorskip("OpenEXR")

RNG = np.random.default_rng(0)
PLANE = RNG.random((4, 6)).astype(np.float32)
HEADER = {"compression": OpenEXR.ZIP_COMPRESSION, "type": OpenEXR.scanlineimage}


def exr(path, channels, **header):
    """A file of these channels."""
    OpenEXR.File({**HEADER, **header}, channels).write(str(path))
    return path


@given(img=pictures(dtypes=("float16", "float32"), channels=(None, 1, 3)), power=st.integers(-8, 8))
def test_round_trip(tmp_path_factory, img, power):
    """Every value of half and float comes back, far above 1, too."""
    path = tmp_path_factory.mktemp("exr") / "a.exr"
    img = np.ldexp(img, power)
    write(path, img)
    back = read(path)
    assert back.dtype == img.dtype
    np.testing.assert_array_equal(back, img[..., 0] if img.shape[2:] == (1,) else img)
    assert open_picture(path).pages[0].linear


@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_all_values(tmp_path, dtype):
    """Negative, infinite and tiny values, and no numbers, come back as they are."""
    info = np.finfo(dtype)
    img = np.array([[0, -1, info.max, info.min, info.tiny, np.inf, -np.inf, np.nan]], dtype)
    write(tmp_path / "a.exr", img)
    np.testing.assert_array_equal(read(tmp_path / "a.exr"), img)
    for alpha in (0, 0.5, 1):
        write(tmp_path / "b.exr", np.stack((img, np.full_like(img, alpha)), axis=-1))
        back = read(tmp_path / "b.exr")[..., 0]
        finite = np.isfinite(img)
        assert np.isnan(back[np.isnan(img)]).all() == (alpha > 0)
        if alpha:
            np.testing.assert_allclose(back[finite], img[finite], atol=info.smallest_subnormal)
            assert (back[np.isinf(img)] == np.copysign(info.max, img[np.isinf(img)])).all()


@given(img=pictures(dtypes=("float16", "float32"), channels=(2, 4)))
def test_alpha(tmp_path_factory, img):
    """Colours with alpha come back to the precision of the dtype where alpha is not 0, above 1, too; alpha exactly."""
    path = tmp_path_factory.mktemp("exr") / "a.exr"
    img[..., :-1] *= 8
    write(path, img)
    back = read(path)
    np.testing.assert_array_equal(back[..., -1], img[..., -1])
    seen = img[..., -1] > 0.01
    np.testing.assert_allclose(back[seen], img[seen], rtol=4 * np.finfo(img.dtype).eps, atol=1e-5)
    assert not back[img[..., -1] == 0].any()


def test_alpha_is_multiplied_in_the_file(tmp_path):
    """In the file colours are multiplied by alpha, as OpenEXR wants it; a glow (light, and alpha 0) is read as light."""
    write(tmp_path / "a.exr", np.array([[[4, 2, 1, 0.5]]], np.float32))
    stored = OpenEXR.File(str(tmp_path / "a.exr"), separate_channels=True).channels()
    assert [float(stored[name].pixels[0, 0]) for name in "RGBA"] == [2, 1, 0.5, 0.5]
    glow = {name: np.full((1, 1), value, np.float32) for name, value in zip("RGBA", (3, 2, 1, 0), strict=True)}
    np.testing.assert_array_equal(read(exr(tmp_path / "b.exr", glow)), [[[3, 2, 1, 0]]])


def test_mixed_types(tmp_path):
    """Half beside float is read as float."""
    half = PLANE.astype(np.float16)
    back = read(exr(tmp_path / "a.exr", {"R": half, "G": PLANE, "B": half}))
    assert back.dtype == np.float32
    np.testing.assert_array_equal(back, np.stack((half, PLANE, half), axis=-1))


def test_density(tmp_path):
    """Density is kept, down and across, and none is made up."""
    save(tmp_path / "a.exr", Picture.of([PLANE], Metadata(dpi=(300, 150))))
    assert open_picture(tmp_path / "a.exr").pages[0].metadata.dpi == pytest.approx((300, 150))
    write(tmp_path / "b.exr", PLANE)
    assert open_picture(tmp_path / "b.exr").pages[0].metadata.dpi is None


def test_data_window(tmp_path):
    """The size is that of the data window, wherever it lies."""
    window = (np.array([-10, 20], np.int32), np.array([-5, 23], np.int32))
    whole = (np.array([0, 0], np.int32), np.array([99, 99], np.int32))
    path = exr(tmp_path / "a.exr", {"Y": PLANE}, dataWindow=window, displayWindow=whole)
    np.testing.assert_array_equal(read(path), PLANE)


@pytest.mark.parametrize(
    "compression", ["NO", "RLE", "ZIPS", "ZIP", "PIZ", "PXR24", "B44", "DWAA"], ids=lambda name: name.lower()
)
@pytest.mark.parametrize("kind", ["scanlineimage", "tiledimage"])
def test_compressions(tmp_path, compression, kind):
    """Every compression is read, in scan lines and tiles."""
    img = np.tile(np.linspace(0, 2, 40, dtype=np.float16), (30, 1))
    header = {"compression": getattr(OpenEXR, f"{compression}_COMPRESSION"), "type": getattr(OpenEXR, kind)}
    if kind == "tiledimage":
        header["tiles"] = OpenEXR.TileDescription()
    np.testing.assert_allclose(read(exr(tmp_path / "a.exr", {"Y": img}, **header)), img, atol=0.02)


def test_the_part_with_a_picture(tmp_path):
    """Of several parts, the one with colours is read; with none, or two, the file is refused."""
    depth = OpenEXR.Part({"name": "depth"}, {"Z": PLANE})
    beauty = OpenEXR.Part({"name": "beauty"}, {"R": PLANE, "G": 2 * PLANE, "B": 3 * PLANE})
    OpenEXR.File([depth, beauty]).write(str(tmp_path / "a.exr"))
    np.testing.assert_array_equal(read(tmp_path / "a.exr"), np.stack((PLANE, 2 * PLANE, 3 * PLANE), axis=-1))
    other = OpenEXR.Part({"name": "other"}, {"Y": PLANE})
    OpenEXR.File([beauty, other]).write(str(tmp_path / "b.exr"))
    with pytest.raises(ImageFileError, match="2 parts, 2 of them with a picture"):
        open_picture(tmp_path / "b.exr")
    OpenEXR.File([depth]).write(str(tmp_path / "c.exr"))
    with pytest.raises(ImageFileError, match=r"none of them with a picture \(channels Z\)"):
        open_picture(tmp_path / "c.exr")


@pytest.mark.parametrize(
    ("channels", "words"),
    [
        ({"R": PLANE, "G": PLANE, "B": PLANE, "Z": PLANE, "left.R": PLANE}, "the channels Z, left.R;"),
        ({"R": PLANE, "G": PLANE}, "the channels G, R;"),
        ({"Y": PLANE, "RY": PLANE, "BY": PLANE}, "the channels BY, RY;"),
        ({"Y": PLANE.astype(np.uint32)}, "whole numbers"),
    ],
)
def test_other_channels_are_refused(tmp_path, channels, words):
    """Channels that are no picture, and such of whole numbers, are refused by name."""
    with pytest.raises(ImageFileError, match=words):
        open_picture(exr(tmp_path / "a.exr", channels))


def test_subsampling_is_refused(tmp_path):
    """So are channels of fewer pixels than others."""
    data = bytearray(exr(tmp_path / "a.exr", {"Y": PLANE}).read_bytes())
    at = data.index(b"chlist") + 7 + 4 + 2 + 8
    assert data[at : at + 8] == (1).to_bytes(4, "little") * 2
    data[at] = 2
    (tmp_path / "a.exr").write_bytes(data)
    with pytest.raises(ImageFileError, match="subsampling"):
        open_picture(tmp_path / "a.exr")


def test_a_lying_header_takes_no_memory(tmp_path):
    """More pixels than memory may take are refused before any is decoded, in whichever part; so is damage."""
    data = exr(tmp_path / "a.exr", {"Y": PLANE}).read_bytes()
    at = data.index(b"dataWindow\0box2i\0") + 17 + 4 + 8
    for right, words in ((10**9, "must be decoded whole"), (-5, "is damaged")):
        lying = data[:at] + right.to_bytes(4, "little", signed=True) + data[at + 4 :]
        (tmp_path / "b.exr").write_bytes(lying)
        with pytest.raises(ImageFileError, match=words):
            open_picture(tmp_path / "b.exr", memory="10MB")
    whole = {"displayWindow": (np.array([0, 0], np.int32), np.array([5, 3], np.int32))}
    big = OpenEXR.Part({"name": "z", **whole}, {"Z": np.zeros((300, 300), np.float32)})
    OpenEXR.File([big, OpenEXR.Part({"name": "y", **whole}, {"Y": PLANE})]).write(str(tmp_path / "c.exr"))
    with pytest.raises(ImageFileError, match="must be decoded whole"):
        open_picture(tmp_path / "c.exr", memory=300_000)
    for end in range(9, len(data), 13):
        (tmp_path / "d.exr").write_bytes(data[:end])
        with pytest.raises(ImageFileError):
            read(tmp_path / "d.exr")
    (tmp_path / "d.exr").write_bytes(data[:-20])
    with pytest.raises(ImageFileError, match="its pixels cannot be decoded"):
        read(tmp_path / "d.exr")
