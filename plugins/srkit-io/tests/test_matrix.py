"""What each format holds: every depth, channel and kind of metadata is written and read again.

PICTURES and METADATA say what is expected; docs/formats.md shows them as a table, which ``scripts/format_table.py`` renews.
"""

from __future__ import annotations

import io
import struct
from pathlib import Path

import attrs
import numpy as np
import pytest
from PIL import Image, ImageCms

import srkit_io
from srkit_io import ImageFileError, Metadata, Picture
from srkit_io.formats import ALL

ROOT = Path(__file__).parents[3]
CHANNELS = (1, 2, 3, 4)
DEPTHS = {
    "uint8": "8 bits",
    "uint16": "16 bits",
    "float16": "half float",
    "float32": "float",
    "float64": "double",
}
MEANINGS = {"=": "exact", "~": "close", "c": "as RGB, close", "p": "256 colours", "-": "–"}
"""Of the four marks of a depth: grey, grey + alpha, RGB, RGB + alpha; a depth that is not there is refused."""
PICTURES = {
    "PNG": {"uint8": "====", "uint16": "===="},
    "JPEG": {"uint8": "~-~-"},
    "TIFF": {"uint8": "====", "uint16": "====", "float16": "====", "float32": "====", "float64": "===="},
    "WebP": {"uint8": "cc~~"},
    "GIF": {"uint8": "pppp"},
    "AVIF": {"uint8": "cc~~", "uint16": "cc~~"},
    "BMP": {"uint8": "=-=-"},
    "HEIC": {"uint8": "~c~~", "uint16": "~c~~"},
    "JPEG 2000": {"uint8": "====", "uint16": "===="},
    "JPEG XL": {"uint8": "~~~~", "uint16": "~~~~", "float16": "~~~~", "float32": "~~~~"},
    "Radiance HDR": {"float32": "c-~-"},
    "OpenEXR": {"float16": "=~=~", "float32": "=~=~"},
    "NumPy array": dict.fromkeys(DEPTHS, "===="),
    "Zarr array": dict.fromkeys(DEPTHS, "===="),
}
KINDS = ("icc", "exif", "xmp", "dpi", "text")
METADATA = {
    "PNG": "icc exif xmp dpi text",
    "JPEG": "icc exif xmp dpi",
    "TIFF": "icc exif xmp dpi",
    "WebP": "icc exif xmp dpi",
    "GIF": "",
    "AVIF": "icc exif xmp dpi",
    "BMP": "dpi",
    "HEIC": "icc exif xmp dpi",
    "JPEG 2000": "icc exif xmp dpi",
    "JPEG XL": "exif xmp dpi",
    "Radiance HDR": "",
    "OpenEXR": "dpi",
    "NumPy array": "",
    "Zarr array": "",
}
WRITTEN = [kind for kind in ALL if kind.writable]
CELLS = [(kind, depth, channels) for kind in WRITTEN for depth in DEPTHS for channels in CHANNELS]
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><note>kept</note></x:xmpmeta>'


def table():
    """The tables of docs/formats.md."""
    lines = ["| format | depth | grey | grey + alpha | RGB | RGB + alpha |", "|---|---|---|---|---|---|"]
    for name, depths in PICTURES.items():
        for depth, marks in depths.items():
            lines.append(f"| {name} | {DEPTHS[depth]} | " + " | ".join(MEANINGS[mark] for mark in marks) + " |")
    lines += ["", "| format | " + " | ".join(KINDS) + " |", "|---" * 6 + "|"]
    for name, kept in METADATA.items():
        lines.append(f"| {name} | " + " | ".join("kept" if kind in kept.split() else "–" for kind in KINDS) + " |")
    return "\n".join(lines)


def picture(depth, channels):
    """(48, 60) or (48, 60, channels), smooth, so that what is close can be told from what is wrong."""
    y, x = np.mgrid[0:48, 0:60]
    planes = {1: [x / 60], 2: [x / 60, 0.2 + y / 60], 3: [x / 60, y / 48, (x + y) / 108]}
    planes[4] = [*planes[3], 0.2 + y / 60]
    values = np.dstack(planes[channels])
    dtype = np.dtype(depth)
    values = np.round(values * np.iinfo(dtype).max) if dtype.kind == "u" else values
    return (values[..., 0] if channels == 1 else values).astype(dtype)


def written(kind, path, img, metadata=None):
    """Writes; skips the test where the format's package is missing."""
    try:
        srkit_io.write(path, img, metadata=metadata)
    except ImageFileError as error:
        if "not installed" in str(error):
            pytest.skip(str(error))
        raise


def rms(a, b):
    white = np.iinfo(b.dtype).max if b.dtype.kind == "u" else 1
    return np.sqrt(np.mean((a.astype(float) - b.astype(float)) ** 2)) / white


def test_docs_show_this_table():
    """docs/formats.md has the tables that these tests prove."""
    assert table() in (ROOT / "docs" / "formats.md").read_text(), "run python scripts/format_table.py"


def test_every_format_is_in_the_table():
    """No format is written without being tested, and none is read that nothing writes but camera raw."""
    assert list(PICTURES) == list(METADATA) == [kind.name for kind in WRITTEN]
    assert {kind.name for kind in ALL} - set(PICTURES) == {"camera raw"}


@pytest.mark.parametrize(
    ("kind", "depth", "channels"), CELLS, ids=[f"{kind.name}-{depth}-{channels}" for kind, depth, channels in CELLS]
)
def test_what_a_format_holds(kind, depth, channels, tmp_path):
    """Each depth and layout comes back as the table says, or is refused before a file appears."""
    path, img = tmp_path / f"a{kind.suffixes[0]}", picture(depth, channels)
    mark = PICTURES[kind.name].get(depth, "----")[channels - 1]
    if mark == "-":
        with pytest.raises(ImageFileError, match="cannot hold"):
            srkit_io.write(path, img)
        assert not list(tmp_path.iterdir())
        return
    written(kind, path, img)
    back = srkit_io.read(path)
    assert back.dtype == img.dtype
    if mark == "c":
        img = np.dstack([img if channels == 1 else img[..., 0]] * 3 + ([img[..., 1]] if channels == 2 else []))
    if mark == "=":
        np.testing.assert_array_equal(back, img)
        return
    assert back.shape == img.shape
    if mark == "p" and channels in {2, 4}:
        shown = img[..., -1] >= 128
        np.testing.assert_array_equal(back[..., -1], shown * 255)
        back, img = back[shown][..., :-1], img[shown][..., :-1]
    assert rms(back, img) < (0.06 if mark == "p" else 0.02)


@pytest.mark.parametrize("kept", KINDS)
@pytest.mark.parametrize("kind", WRITTEN, ids=lambda kind: kind.name)
def test_what_metadata_a_format_keeps(kind, kept, tmp_path, exif_of):
    """Each kind of metadata comes back, or is lost where the table says so."""
    exif = exif_of(">", size=(48, 60))
    given = Metadata(icc=SRGB, exif=exif, xmp=XMP, dpi=(300, 200), text=(("Comment", "Grüße"), ("Author", "x")))
    blank = Metadata()
    path = tmp_path / f"a{kind.suffixes[0]}"
    written(kind, path, picture(kind.depths[0], 3), attrs.evolve(blank, **{kept: getattr(given, kept)}))
    back = getattr(srkit_io.open_picture(path).pages[0].metadata, kept)
    if kept not in METADATA[kind.name].split():
        assert not back
    elif kept == "dpi":
        assert back == pytest.approx(given.dpi, rel=1e-5)
    elif kept == "exif" and kind.name == "TIFF":
        assert camera(back) == camera(exif)  # in directories of its own
    else:
        assert back == getattr(given, kept)


def camera(exif):
    """What Pillow reads of an Exif structure: maker, maker note and place."""
    told = Image.Exif()
    told.load(b"Exif\0\0" + exif)
    return told[0x010F], told.get_ifd(0x8769)[0x927C], dict(told.get_ifd(0x8825))


PAIRED = (".png", ".jpg", ".tif", ".webp", ".avif")


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("to", PAIRED)
@pytest.mark.parametrize("source", PAIRED)
def test_metadata_survives_from_format_to_format(source, to, order, tmp_path, exif_of):
    """Profile, camera, place, maker note, XMP and density go from each of the usual formats to each."""
    metadata = Metadata(icc=SRGB, exif=exif_of(order, size=(48, 60)), xmp=XMP, dpi=(300, 300))
    srkit_io.write(tmp_path / f"a{source}", picture("uint8", 3), metadata=metadata)
    srkit_io.save(tmp_path / f"b{to}", srkit_io.open_picture(tmp_path / f"a{source}"))
    back = srkit_io.open_picture(tmp_path / f"b{to}").pages[0].metadata
    assert back.icc == SRGB
    assert back.xmp == XMP
    assert camera(back.exif) == camera(metadata.exif)
    # Only a TIFF's density is no Exif, and WebP and AVIF have it only there.
    if source != ".tif" or to not in {".webp", ".avif"}:
        assert back.dpi == pytest.approx((300, 300), rel=1e-5)


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".avif"])
def test_other_programs_read_the_exif(suffix, tmp_path, exif_of):
    """Pillow finds the very Exif that was given, thumbnail and all."""
    thumbnail = io.BytesIO()
    Image.new("RGB", (16, 12)).save(thumbnail, "JPEG")
    exif = exif_of(">", size=(48, 60), thumbnail=thumbnail.getvalue())
    for channels in (3, 4) if suffix != ".jpg" else (3,):
        srkit_io.write(tmp_path / f"a{suffix}", picture("uint8", channels), metadata=Metadata(exif=exif))
        with Image.open(tmp_path / f"a{suffix}") as image:
            image.load()
            assert image.info["exif"].removeprefix(b"Exif\0\0") == exif


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".tif", ".webp", ".avif"])
def test_nothing_is_made_up(suffix, tmp_path):
    """A picture without metadata becomes a file without: no Exif, no resolution of 72 dpi."""
    srkit_io.write(tmp_path / f"a{suffix}", picture("uint8", 3))
    assert srkit_io.open_picture(tmp_path / f"a{suffix}").pages[0].metadata == Metadata()
    with Image.open(tmp_path / f"a{suffix}") as image:
        assert not image.info.get("exif")


def test_metadata_too_long_for_jpeg_is_refused(tmp_path, exif_of):
    """JPEG has 64 kB for Exif and for XMP; more is refused with what to do, not dropped."""
    exif = exif_of("<", thumbnail=b"\xff\xd8\xff" + bytes(70_000))
    for metadata, words in (
        (Metadata(exif=exif), "65527 bytes of Exif"),
        (Metadata(xmp=XMP + b" " * 70_000), "of XMP"),
    ):
        with pytest.raises(ImageFileError, match=rf"{words}.*write PNG"):
            srkit_io.write(tmp_path / "a.jpg", picture("uint8", 3), metadata=metadata)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_very_wide_pictures(suffix, tmp_path):
    """Rows of a million pixels are no trouble to the formats that have room for them."""
    img = np.random.default_rng(0).integers(0, 65536, (2, 1_100_000, 3)).astype(np.uint16)
    srkit_io.write(tmp_path / f"a{suffix}", img)
    np.testing.assert_array_equal(srkit_io.read(tmp_path / f"a{suffix}"), img)


@pytest.mark.parametrize("suffix", [".gif", ".webp"])
def test_animations_keep_frames_delays_and_loop(suffix, tmp_path):
    """Each frame, how long it is shown and how often all are, goes through save()."""
    frames = [np.full((20, 30, 3), (i * 60, 200 - i * 40, 30), np.uint8) for i in range(4)]
    made = attrs.evolve(Picture.of(frames), delays=(50, 100, 250, 1000), loop=3)
    srkit_io.save(tmp_path / f"a{suffix}", made)
    srkit_io.save(tmp_path / f"b{suffix}", srkit_io.open_picture(tmp_path / f"a{suffix}"))
    back = srkit_io.open_picture(tmp_path / f"b{suffix}")
    assert (back.delays, back.loop, len(back.pages)) == (made.delays, 3, 4)
    strips = back.strips()
    for frame in frames:
        assert rms(next(strips)[..., :3], frame) < 0.02
    with Image.open(tmp_path / f"b{suffix}") as image:
        assert image.n_frames == 4
        assert image.info["loop"] == (3 if suffix == ".webp" else 2)  # GIF counts repetitions, Pillow as GIF


@pytest.mark.parametrize("suffix", [".gif", ".webp"])
def test_animations_of_pillow_come_composed(suffix, tmp_path):
    """Frames that hold only what changed come as they are seen, with Pillow's delays."""
    frames = []
    for i in range(3):
        frame = Image.new("RGB", (24, 16), (10, 90, 160))
        frame.paste((250, 200, 20), (i * 6, 4, i * 6 + 5, 9))
        frames.append(frame)
    options = {"lossless": True} if suffix == ".webp" else {}
    frames[0].save(
        tmp_path / f"a{suffix}", save_all=True, append_images=frames[1:], duration=[40, 80, 120], loop=0, **options
    )
    back = srkit_io.open_picture(tmp_path / f"a{suffix}")
    assert (back.delays, back.loop) == ((40, 80, 120), 0)
    for strip, frame in zip(back.strips(), frames, strict=True):
        np.testing.assert_array_equal(strip[..., :3], np.asarray(frame))  # of animated WebP, alpha comes along


def test_gif_keeps_256_colours_exactly(tmp_path):
    """A picture of no more than 256 colours is exact in GIF; an opaque one has no alpha."""
    rng = np.random.default_rng(0)
    img = rng.integers(0, 256, (200, 3), dtype=np.uint8)[rng.integers(0, 200, (50, 60))]
    srkit_io.write(tmp_path / "a.gif", img)
    np.testing.assert_array_equal(srkit_io.read(tmp_path / "a.gif"), img)


def test_jpeg_of_each_kind(tmp_path):
    """Grey stays one channel; YCbCr, progressive and subsampled ones are the colours Pillow sees."""
    img = Image.fromarray(picture("uint8", 3))
    kinds = {"plain": {}, "progressive": {"progressive": True}, "rgb": {"keep_rgb": True}, "420": {"subsampling": 2}}
    for name, options in kinds.items():
        img.save(tmp_path / f"{name}.jpg", quality=92, **options)
        with Image.open(tmp_path / f"{name}.jpg") as seen:
            expected = np.asarray(seen)
        assert np.abs(srkit_io.read(tmp_path / f"{name}.jpg").astype(int) - expected).max() <= 3, name
    img.convert("L").save(tmp_path / "grey.jpg")
    assert srkit_io.read(tmp_path / "grey.jpg").ndim == 2


def cmyk_profile():
    """An ICC profile (ICC.1:2004-10) of inks that are not common: cyan prints red-brown, and so on, by a table of corners."""

    def tag(data):
        return data + b"\0" * (-len(data) % 4)

    lab = {(0, 0, 0, 0): (255, 128, 128)}
    for corner in np.ndindex(2, 2, 2, 2):
        c, m, y, k = corner
        lightness = 255 * (1 - 0.3 * c) * (1 - 0.35 * m) * (1 - 0.1 * y) * (1 - 0.8 * k)
        lab[corner] = (int(lightness), 128 + 50 * c - 40 * m, 128 + 40 * c + 30 * m - 50 * y)
    clut = bytes(value for corner in np.ndindex(2, 2, 2, 2) for value in lab[corner])
    identity = struct.pack(">9i", 65536, 0, 0, 0, 65536, 0, 0, 0, 65536)
    table = b"mft1\0\0\0\0" + bytes((4, 3, 2, 0)) + identity + bytes(range(256)) * 4 + clut + bytes(range(256)) * 3
    parts = {
        b"desc": tag(b"desc\0\0\0\0" + struct.pack(">I", 5) + b"inks\0" + bytes(78)),
        b"cprt": tag(b"text\0\0\0\0none\0"),
        b"wtpt": b"XYZ \0\0\0\0" + struct.pack(">3i", 63190, 65536, 54061),
        b"A2B0": tag(table),
    }
    at, entries, body = 128 + 4 + 12 * len(parts), b"", b""
    for name, data in parts.items():
        entries += struct.pack(">4sII", name, at + len(body), len(data))
        body += data
    header = struct.pack(">I4sI4s4s4s", at + len(body), b"test", 0x02400000, b"prtr", b"CMYK", b"Lab ")
    header += bytes(12) + b"acsp" + bytes(28) + struct.pack(">3i", 63190, 65536, 54061)
    return header.ljust(128, b"\0") + struct.pack(">I", len(parts)) + entries + body


@pytest.mark.parametrize("kind", ["cmyk.jpg", "ycck.jpg", "cmyk.tif"])
def test_cmyk_becomes_rgb_by_its_profile(kind, tmp_path):
    """CMYK comes as littleCMS turns it into sRGB by the profile in the file, and the profile does not go on."""
    inks, profile, path = picture("uint8", 4), cmyk_profile(), tmp_path / kind
    image = Image.frombytes("CMYK", (60, 48), inks.tobytes())
    if kind == "ycck.jpg":
        imagecodecs = pytest.importorskip("imagecodecs")
        data = imagecodecs.jpeg8_encode(
            255 - inks, level=98, colorspace="CMYK", outcolorspace="YCCK", subsampling="444"
        )
        pieces = [profile[i : i + 60000] for i in range(0, len(profile), 60000)]
        for index, piece in enumerate(pieces):
            segment = b"ICC_PROFILE\0" + bytes((index + 1, len(pieces))) + piece
            data = data[:2] + b"\xff\xe2" + struct.pack(">H", len(segment) + 2) + segment + data[2:]
        path.write_bytes(data)
    else:
        image.save(path, icc_profile=profile, **({"quality": 98} if kind == "cmyk.jpg" else {}))
    ours = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    expected = ImageCms.profileToProfile(
        image, ours, ImageCms.createProfile("sRGB"), ImageCms.Intent.RELATIVE_COLORIMETRIC, "RGB"
    )
    picture_ = srkit_io.open_picture(path)
    assert rms(srkit_io.read(path), np.asarray(expected)) < 0.02
    assert picture_.pages[0].metadata.icc is None


def test_cmyk_without_a_profile(tmp_path):
    """CMYK of unknown inks comes as common ones: white is white, black dark, cyan blue-green."""
    inks = np.zeros((8, 24, 4), np.uint8)
    inks[:, 8:16, 3] = 255
    inks[:, 16:, 0] = 255
    Image.frombytes("CMYK", (24, 8), inks.tobytes()).save(tmp_path / "a.tif")
    white, black, cyan = (srkit_io.read(tmp_path / "a.tif")[4, x].astype(int) for x in (4, 12, 20))
    assert white.min() > 250
    assert black.max() < 70
    assert cyan[0] + 60 < min(cyan[1:])
