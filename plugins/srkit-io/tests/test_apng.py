"""srkit_io.apng: animations as PNG."""

from __future__ import annotations

import struct
import zlib

import attrs
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from strategies import pictures

from srkit_io import ImageFileError, Metadata, Picture, open_picture, read, save

MARK = b"\x89PNG\r\n\x1a\n"


def chunk(name, data=b""):
    """A chunk with its checksum."""
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def rows(img):
    """The rows of a picture of 8 bits, unfiltered and compressed."""
    return zlib.compress(b"".join(b"\0" + row.tobytes() for row in img))


def film(path, size, colour, frames, loop=0, more=b"", still=None):
    """An animated PNG of 8 bits; frames are (img, left, top, delay, by, disposal, blend)."""
    out = MARK + chunk(b"IHDR", struct.pack(">IIBBBBB", *size[::-1], 8, colour, 0, 0, 0)) + more
    out += chunk(b"acTL", struct.pack(">II", len(frames), loop))
    if still is not None:
        out += chunk(b"IDAT", rows(still))
    number = 0
    for index, (img, *where) in enumerate(frames):
        out += chunk(b"fcTL", struct.pack(">5I2H2B", number, img.shape[1], img.shape[0], *where))
        first = not index and still is None
        out += chunk(b"IDAT", rows(img)) if first else chunk(b"fdAT", struct.pack(">I", number + 1) + rows(img))
        number += 1 + (not first)
    path.write_bytes(out + chunk(b"IEND"))
    return path


def frames_of(path):
    """The frames of a file, and the picture."""
    picture = open_picture(path)
    return [np.concatenate(parts) for parts in _by_page(picture)], picture


def _by_page(picture):
    strips = picture.strips()
    for page in picture.pages:
        parts = []
        while sum(map(len, parts)) < page.layout.height:
            parts.append(next(strips))
        yield parts
    assert next(strips, None) is None


@given(
    img=pictures(dtypes=("uint8", "uint16"), channels=(None, 2, 3, 4)),
    count=st.integers(2, 4),
    delays=st.lists(st.integers(0, 100_000), min_size=4, max_size=4),
    loop=st.integers(0, 9),
)
def test_round_trip(tmp_path_factory, img, count, delays, loop):
    """Every frame comes back, of every layout, with its time and the number of rounds; equal ones are not merged."""
    path = tmp_path_factory.mktemp("apng") / "a.png"
    images = [img, img, img[::-1], img][:count]
    save(path, attrs.evolve(Picture.of(images), delays=tuple(delays[:count]), loop=loop))
    back, picture = frames_of(path)
    assert len(back) == count
    for image, expected in zip(back, images, strict=True):
        assert image.dtype == expected.dtype
        np.testing.assert_array_equal(image, expected)
    assert picture.loop == loop
    # Beyond 65 s, a time is kept to a hundredth.
    assert picture.delays == pytest.approx(delays[:count], abs=10)
    assert all(back == told for back, told in zip(picture.delays, delays, strict=False) if told < 65536)


def test_pillow_reads_what_is_written(tmp_path):
    """Another reader sees the same frames, times and rounds."""
    images = list(np.random.default_rng(0).integers(0, 256, (3, 20, 30, 3), dtype=np.uint8))
    save(tmp_path / "a.png", attrs.evolve(Picture.of(images), delays=(40, 50, 60), loop=2))
    with Image.open(tmp_path / "a.png") as image:
        assert (image.n_frames, image.info["loop"]) == (3, 2)
        for index, expected in enumerate(images):
            image.seek(index)
            assert image.info["duration"] == (40, 50, 60)[index]
            np.testing.assert_array_equal(np.asarray(image), expected)


def test_metadata(tmp_path):
    """What is said of an animation is kept as in any PNG."""
    said = Metadata(icc=_profile(), xmp=b"<x:xmpmeta/>", dpi=(300, 300), text=(("Title", "Film"),))
    images = list(np.zeros((2, 4, 5, 3), np.uint8))
    save(tmp_path / "a.png", Picture.of(images, said))
    found = open_picture(tmp_path / "a.png").pages[0].metadata
    assert (found.icc, found.xmp, found.text) == (said.icc, said.xmp, said.text)
    assert found.dpi == pytest.approx((300, 300), rel=1e-3)


def _profile():
    from PIL import ImageCms

    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def test_frames_are_drawn(tmp_path):
    """Parts are put in their place; disposal leaves them, clears them or brings back what was there."""
    full = np.full((4, 6, 4), 255, np.uint8)
    red, green, blue = (np.broadcast_to(np.array(c, np.uint8), (2, 2, 4)) for c in _COLOURS)
    path = film(
        tmp_path / "a.png",
        (4, 6),
        6,
        [(full, 0, 0, 1, 10, 0, 0), (red, 1, 1, 1, 0, 2, 0), (green, 2, 0, 3, 1000, 1, 0), (blue, 4, 2, 0, 0, 0, 0)],
        loop=7,
    )
    frames, picture = frames_of(path)
    second, third = full.copy(), full.copy()
    second[1:3, 1:3], third[0:2, 2:4] = red, green
    fourth = full.copy()
    fourth[0:2, 2:4] = 0
    fourth[2:4, 4:6] = blue
    for frame, expected in zip(frames, (full, second, third, fourth), strict=True):
        np.testing.assert_array_equal(frame, expected)
    assert picture.delays == (100, 10, 3, 0)
    assert picture.loop == 7


_COLOURS = ((255, 0, 0, 255), (0, 255, 0, 128), (0, 0, 255, 0))


def test_blending(tmp_path):
    """What is blended over lies upon what was there (PNG, 13.16), semi-transparent on semi-transparent, too."""
    rng = np.random.default_rng(0)
    below, above = (rng.integers(0, 256, (8, 9, 4), dtype=np.uint8) for _ in range(2))
    above[0, :, 3], above[1, :, 3], below[2, :, 3] = 0, 255, 0
    path = film(tmp_path / "a.png", (8, 9), 6, [(below, 0, 0, 1, 1, 0, 0), (above, 0, 0, 1, 1, 0, 1)])
    (_, frame), _ = frames_of(path)
    a, b = above[..., 3:] / 255, below[..., 3:] / 255
    covered = a + b * (1 - a)
    with np.errstate(invalid="ignore"):
        colours = (above[..., :3] * a + below[..., :3] * b * (1 - a)) / covered
    np.testing.assert_allclose(frame[..., 3:], covered * 255, atol=0.51)
    seen = covered[..., 0] > 0
    np.testing.assert_allclose(frame[..., :3][seen], colours[seen], atol=0.51)


def test_opaque_frames_stay_so(tmp_path):
    """Frames without alpha make pictures without, unless something shows through."""
    full, part = np.full((4, 6, 3), 9, np.uint8), np.full((2, 2, 3), 200, np.uint8)
    keeping = film(tmp_path / "a.png", (4, 6), 2, [(full, 0, 0, 1, 1, 0, 0), (part, 1, 1, 1, 1, 0, 1)])
    frames, _ = frames_of(keeping)
    assert frames[1].shape == (4, 6, 3)
    np.testing.assert_array_equal(frames[1][1:3, 1:3], part)
    clearing = film(tmp_path / "b.png", (4, 6), 2, [(full, 0, 0, 1, 1, 1, 0), (part, 1, 1, 1, 1, 0, 1)])
    frames, _ = frames_of(clearing)
    assert frames[1].shape == (4, 6, 4)
    assert (frames[0][..., 3] == 255).all()
    assert frames[1][..., 3].sum() == 4 * 255


@pytest.mark.parametrize("grey", [True, False])
@pytest.mark.parametrize("transparent", [True, False])
def test_palettes(tmp_path, grey, transparent):
    """Palettes become grey or RGB, with alpha if a colour is transparent."""
    palette = np.array([[0, 0, 0], [80, 80, 80], [255, 255, 255 if grey else 0]], np.uint8)
    more = chunk(b"PLTE", palette.tobytes()) + (chunk(b"tRNS", b"\xff\x40") if transparent else b"")
    numbers = np.random.default_rng(0).integers(0, 3, (2, 4, 5), dtype=np.uint8)
    frames = [(image, 0, 0, 1, 1, 0, 0) for image in numbers]
    back, _ = frames_of(film(tmp_path / "a.png", (4, 5), 3, frames, more=more))
    expected = palette[numbers]
    if grey:
        expected = expected[..., :1]
    if transparent:
        expected = np.concatenate((expected, np.array([255, 64, 255], np.uint8)[numbers][..., None]), axis=-1)
    for image, wanted in zip(back, expected, strict=True):
        np.testing.assert_array_equal(image, wanted[..., 0] if wanted.shape[2] == 1 else wanted)


def test_the_still_is_no_frame(tmp_path):
    """A picture for programs without animation is left out where it is not the first frame."""
    still = np.zeros((3, 3), np.uint8)
    frames = [(still + 10, 0, 0, 1, 1, 0, 0), (still + 20, 0, 0, 1, 1, 0, 0)]
    back, _ = frames_of(film(tmp_path / "a.png", (3, 3), 0, frames, still=still))
    assert [int(image[0, 0]) for image in back] == [10, 20]


def test_without_frames_it_is_a_picture(tmp_path):
    """A file that says it is animated, and has no frames, is the picture in it."""
    still = np.arange(9, dtype=np.uint8).reshape(3, 3)
    np.testing.assert_array_equal(read(film(tmp_path / "a.png", (3, 3), 0, [], still=still)), still)


def test_upright(tmp_path):
    """Exif's orientation is applied to every frame."""
    exif = struct.pack("<2sHLHHHLHHL", b"II", 42, 8, 1, 274, 3, 1, 6, 0, 0)
    images = np.random.default_rng(0).integers(0, 256, (2, 3, 5), dtype=np.uint8)
    frames = [(image, 0, 0, 1, 1, 0, 0) for image in images]
    back, picture = frames_of(film(tmp_path / "a.png", (3, 5), 0, frames, more=chunk(b"eXIf", exif)))
    np.testing.assert_array_equal(back[1], np.rot90(images[1], -1))
    assert picture.pages[0].size == (5, 3)


@pytest.mark.parametrize("where", [(5, 0), (0, 3), (2**31, 0)])
def test_frames_beyond_the_picture(tmp_path, where):
    """A frame that is not within the picture is refused."""
    img = np.zeros((4, 6), np.uint8)
    frames = [(img, 0, 0, 1, 1, 0, 0), (img[:2, :2], *where, 1, 1, 0, 0)]
    with pytest.raises(ImageFileError, match="not within the picture"):
        read(film(tmp_path / "a.png", (4, 6), 0, frames))


def test_damage_is_told(tmp_path):
    """A flipped bit in any chunk of animation, or an end before the last, is an ImageFileError."""
    img = np.random.default_rng(0).integers(0, 256, (4, 6), dtype=np.uint8)
    data = film(tmp_path / "a.png", (4, 6), 0, [(img, 0, 0, 1, 1, 0, 0)] * 2).read_bytes()
    for name in (b"acTL", b"fcTL", b"fdAT"):
        broken = bytearray(data)
        broken[data.index(name) + 6] ^= 1
        (tmp_path / "b.png").write_bytes(broken)
        with pytest.raises(ImageFileError):
            frames_of(tmp_path / "b.png")
    for end in range(data.index(b"fcTL") + 10, len(data) - 12, 7):
        (tmp_path / "b.png").write_bytes(data[:end])
        with pytest.raises(ImageFileError):
            frames_of(tmp_path / "b.png")


def test_a_lying_header_takes_no_memory(tmp_path):
    """A canvas that memory may not take is refused before it is made."""
    img = np.zeros((1, 1, 4), np.uint8)
    path = film(tmp_path / "a.png", (60_000, 60_000), 6, [(img, 0, 0, 1, 1, 0, 0)] * 2)
    with pytest.raises(ImageFileError, match="60000×60000 pixels takes 57.6 GB"):
        open_picture(path, memory="1GB")
