"""Damaged and lying files of every format: a picture or an ImageFileError, in bounded memory, never a crash or a hang.

Files are read in a process of their own, so that a crash is a failure with a name. ``SRKIT_FUZZ=20000`` reads that many.
"""

from __future__ import annotations

import io
import json
import os
import random
import re
import selectors
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

import srkit_io
from srkit_io import Picture, WriteOptions

INPUTS = int(os.environ.get("SRKIT_FUZZ", "400"))
HANG = 60
"""Seconds after which a small file counts as a hang; reading one takes milliseconds."""
ALLOWED = 64 * 2**20
# A picture may be held whole up to what is allowed, while what libvips turns or decodes stands beside it.
GROWTH = 4 * ALLOWED

TRAILER = 14
"""Bytes that end a file without telling of pixels: of PNG, the chunk IEND."""

READER = r"""
import json, os, resource, sys
told = open(os.dup(1), "w")
os.dup2(2, 1)  # what libraries print is not the result
import srkit, srkit_io
srkit.parse_memory(1)  # loads torch

def status(name):
    return next(int(line.split()[1]) * 1024 for line in open("/proc/self/status") if line.startswith(name))

ENOUGH = 2**25  # values; what a lying header makes of the rest takes time, not memory

def read(path):
    picture = srkit_io.open_picture(path, memory=sys.argv[1])
    strips, values = picture.strips(), 0
    for page in picture.pages:
        layout, rows = page.layout, 0
        while rows < layout.height:
            strip = next(strips)
            wanted = (layout.width,) if layout.flat else (layout.width, layout.channels)
            assert strip.shape[1:] == wanted and strip.dtype == layout.dtype and len(strip), (strip.shape, layout)
            rows += len(strip)
            values += strip.size
            if values > ENOUGH:
                return "much"
        assert rows == layout.height, (rows, layout)
    assert next(strips, None) is None, "more rows than told"
    return f"{len(picture.pages)} pages"

limited = False
for path in map(str.strip, sys.stdin):
    try:
        open("/proc/self/clear_refs", "w").write("5")  # the high-water mark starts anew
    except OSError:
        pass
    before = status("VmRSS")
    try:
        result = {"read": read(path)}
    except (srkit_io.ImageFileError, srkit.OutOfMemory) as error:
        result = {"refused": str(error)}
    except BaseException as error:
        result = {"failed": f"{type(error).__name__}: {error}"}
    result["growth"] = status("VmHWM") - before
    if not limited:  # now that all is loaded
        size = status("VmSize") + 4 * 2**30
        resource.setrlimit(resource.RLIMIT_AS, (size, size))
        limited = True
    print(json.dumps(result), file=told, flush=True)
"""


class Reader:
    """A process that reads files; a new one where the last crashed."""

    def __init__(self):
        self.process = None

    def read(self, path):
        """What became of it: ``{"read": …}``, ``{"refused": …}`` or ``{"failed": …}``."""
        if self.process is None:
            self.process = subprocess.Popen(
                [sys.executable, "-c", READER, str(ALLOWED)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
            )
        self.process.stdin.write(f"{path}\n")
        self.process.stdin.flush()
        with selectors.DefaultSelector() as selector:
            selector.register(self.process.stdout, selectors.EVENT_READ)
            if not selector.select(HANG):
                self.close()
                return {"failed": "hangs"}
        line = self.process.stdout.readline()
        if line:
            return json.loads(line)
        code = self.process.wait()
        self.close()
        return {"failed": f"the process ended with {code}"}

    def close(self):
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process.stdin.close()
            self.process.stdout.close()
            self.process = None


@pytest.fixture(scope="module")
def reader():
    one = Reader()
    yield one
    one.close()


NOISE = np.random.default_rng(0).integers(0, 256, (24, 20, 4), dtype=np.uint8)
SMOOTH = (np.indices((40, 36)).sum(0) * 3).astype(np.uint8)


def saved(img, kind, **options):
    buffer = io.BytesIO()
    (img if isinstance(img, Image.Image) else Image.fromarray(img)).save(buffer, kind, **options)
    return buffer.getvalue()


def tiff(img, **options):
    import tifffile

    buffer = io.BytesIO()
    tifffile.imwrite(buffer, img, metadata=None, **options)
    return buffer.getvalue()


def written(folder, suffix, img, **options):
    path = folder / f"a{suffix}"
    srkit_io.save(path, Picture.of(img if isinstance(img, list) else [img]), WriteOptions(**options))
    return path.read_bytes()


def of_pillow():
    """Files as other programs make them."""
    rgb, palette = NOISE[..., :3], Image.fromarray(NOISE[..., :3]).quantize(9)
    frames = [Image.fromarray(np.roll(NOISE, i * 5, 0)) for i in range(3)]
    exif = Image.Exif()
    exif[0x0112] = 6
    jpegs = [
        saved(rgb, "JPEG", exif=exif, dpi=(96, 96)),
        saved(SMOOTH, "JPEG", progressive=True, restart_marker_blocks=1),
        saved(Image.frombytes("CMYK", (20, 24), NOISE.tobytes()), "JPEG"),
    ]
    pngs = [saved(rgb, "PNG", exif=exif), saved(palette, "PNG", transparency=2), saved(NOISE[..., 0] > 99, "PNG")]
    return {
        "png": [*pngs, saved(frames[0], "PNG", save_all=True, append_images=frames[1:], duration=50)],
        "jpeg": jpegs,
        "webp": [
            saved(rgb, "WEBP", exif=exif),
            saved(NOISE, "WEBP", lossless=True),
            saved(frames[0], "WEBP", save_all=True, append_images=frames[1:], duration=50),
        ],
        "gif": [saved(palette, "GIF"), saved(frames[0], "GIF", save_all=True, append_images=frames[1:], duration=50)],
        "bmp": [saved(rgb, "BMP"), saved(palette, "BMP"), saved(NOISE, "BMP"), saved(NOISE[..., 0] > 99, "BMP")],
        "tiff": [
            saved(rgb, "TIFF", compression="tiff_lzw", exif=exif),
            saved(palette, "TIFF", compression="packbits"),
            saved(NOISE[..., 0] > 99, "TIFF", compression="group4"),
            saved(rgb, "TIFF", compression="jpeg"),
            saved(frames[0], "TIFF", save_all=True, append_images=[frames[1].resize((9, 7))]),
            tiff(np.moveaxis(rgb.astype(np.uint16), 2, 0), photometric="rgb", planarconfig="separate", bigtiff=True),
            tiff(NOISE.astype(np.float32), photometric="rgb", tile=(16, 16), byteorder=">"),
        ],
    }


OWN = {
    "avif": (".avif", [NOISE, NOISE.astype(np.uint16) * 257]),
    "heic": (".heic", [NOISE[..., :3]]),
    "jpeg2000": (".jp2", [NOISE[..., :3], NOISE[..., 0].astype(np.uint16)]),
    "jxl": (".jxl", [NOISE[..., :3], SMOOTH]),
    "hdr": (".hdr", [NOISE[..., :3].astype(np.float32) / 9]),
    "exr": (".exr", [NOISE.astype(np.float32) / 9, SMOOTH.astype(np.float16)]),
    "npy": (".npy", [NOISE, SMOOTH.astype(np.float32)]),
}


@pytest.fixture(scope="module")
def seeds(tmp_path_factory):
    """``seeds(kind)``: valid files of a format; the test is skipped where the package for it is missing."""
    folder, pillow = tmp_path_factory.mktemp("seeds"), of_pillow()

    def files(kind):
        if kind in pillow:
            return pillow[kind]
        suffix, images = OWN[kind]
        try:
            return [written(folder, suffix, img) for img in images]
        except srkit_io.ImageFileError as error:
            if "not installed" in str(error):
                pytest.skip(str(error))
            raise

    return files


KINDS = ("png", "jpeg", "webp", "gif", "bmp", "tiff", *OWN)
NUMBERS = (0, 1, 2, 3, 7, 16, 255, 256, 32767, 65535, 65536, 2**24, 2**28, 2**31 - 1, 2**31, 2**32 - 1)


def damaged(files, rng):
    """One of the files after some mutations; of a PNG sometimes with checksums that fit again."""
    data = bytearray(rng.choice(files))
    for _ in range(rng.randint(1, 4)):
        if len(data) > 40:
            rng.choice(MUTATIONS)(rng, data)
    if data.startswith(b"\x89PNG") and rng.random() < 0.7:
        mend_checksums(data)
    return bytes(data)


def place(rng, data, length=1):
    """A position, among the first bytes more often than further on: there are the headers."""
    last = len(data) - length
    return rng.randint(0, min(last, 200) if rng.random() < 0.5 else last)


def flip(rng, data):
    for _ in range(rng.randint(1, 8)):
        data[place(rng, data)] ^= rng.randint(1, 255)


def truncate(rng, data):
    del data[place(rng, data) :]


def remove(rng, data):
    at = place(rng, data)
    del data[at : at + rng.randint(1, 64)]


def repeat(rng, data):
    at = place(rng, data)
    data[at:at] = data[at : at + rng.randint(1, 64)] * rng.randint(1, 4)


def swap(rng, data):
    size = rng.randint(1, 32)
    a, b = place(rng, data, size), place(rng, data, size)
    data[a : a + size], data[b : b + size] = bytes(data[b : b + size]), bytes(data[a : a + size])


def number(rng, data):
    form = rng.choice((">I", "<I", ">H", "<H"))
    value = rng.choice(NUMBERS) % 2 ** (8 * struct.calcsize(form))
    struct.pack_into(form, data, place(rng, data, 4), value)


def lie(rng, data):
    """Another width and height, where the format has them."""
    width, height = rng.choice(NUMBERS), rng.choice(NUMBERS)
    if data.startswith(b"\x89PNG"):
        struct.pack_into(">II", data, 16, width, height)
        struct.pack_into(">I", data, 29, zlib.crc32(data[12:29]))
    elif data.startswith(b"\xff\xd8"):
        at = max(data.find(b"\xff\xc0"), data.find(b"\xff\xc2"))
        if 0 <= at < len(data) - 9:
            struct.pack_into(">HH", data, at + 5, height % 65536, width % 65536)
    elif data[:2] in (b"II", b"MM"):
        lie_in_tiff(rng, data, width)
    elif data.startswith(b"BM"):
        struct.pack_into("<II", data, 18, width, height)
    elif data.startswith(b"GIF"):
        struct.pack_into("<HH", data, 6, width % 65536, height % 65536)
    elif b"ispe" in data[:-16]:
        struct.pack_into(">II", data, data.find(b"ispe") + 8, width, height)
    elif data.startswith(b"\x93NUMPY"):
        data[:] = re.sub(rb"\(\d+, \d+", b"(%d, %d" % (width, height), bytes(data), count=1)
    else:
        number(rng, data)


TIFF_TAGS = (256, 257, 258, 259, 262, 273, 277, 278, 279, 284, 317, 320, 322, 323, 324, 325, 338, 339)


def lie_in_tiff(rng, data, value):
    """A field of the first directory: a size, the samples' kind, the compression or where the pixels are."""
    order = "<" if data[:2] == b"II" else ">"
    at = data.find(struct.pack(f"{order}H", rng.choice(TIFF_TAGS)), 8)
    if 0 <= at < len(data) - 12:
        struct.pack_into(f"{order}I", data, at + 8, value)


def mend_checksums(data):
    at = 8
    while at + 12 <= len(data):
        length = struct.unpack_from(">I", data, at)[0]
        if at + 12 + length > len(data):
            return
        struct.pack_into(">I", data, at + 8 + length, zlib.crc32(data[at + 4 : at + 8 + length]))
        at += 12 + length


MUTATIONS = (flip, truncate, remove, repeat, swap, number, lie, lie)


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="measures memory as Linux tells it")
@pytest.mark.parametrize("kind", KINDS)
def test_damaged_files_are_refused_or_read(kind, seeds, reader, tmp_path):
    """Whatever is in a file, it gives a picture as announced or an ImageFileError, in the memory that is allowed."""
    files = seeds(kind)
    failures = []
    for seed in range(max(20, INPUTS // len(KINDS))):
        data = damaged(files, random.Random(f"{kind} {seed}"))
        path = tmp_path / "damaged.bin"
        path.write_bytes(data)
        result = reader.read(path)
        if "failed" in result or result["growth"] > GROWTH:
            kept = tmp_path / f"{kind}-{seed}.bin"
            kept.write_bytes(data)
            failures.append(f"{kept}: {result}")
    assert not failures, "\n".join(failures)


@pytest.mark.parametrize("kind", KINDS)
def test_the_files_are_read_before_they_are_damaged(kind, seeds, reader, tmp_path):
    """What is mutated are files that can be read, or else nothing is tried."""
    for index, data in enumerate(seeds(kind)):
        path = tmp_path / f"{index}.bin"
        path.write_bytes(data)
        assert "read" in reader.read(path), reader.read(path)


def test_the_reader_tells_crashes_hangs_and_memory(reader, tmp_path):
    """The instrument works: a process that dies is told as that."""
    other = Reader()
    assert "refused" in other.read(tmp_path / "nowhere.png")
    other.process.kill()
    assert "ended" in other.read(tmp_path / "nowhere.png")["failed"]
    assert "refused" in other.read(tmp_path / "nowhere.png")
    other.close()


HEADS = (
    b"",
    b"\x89PNG\r\n\x1a\n",
    b"\xff\xd8\xff",
    b"II*\0",
    b"MM\0+",
    b"GIF89a",
    b"BM",
    b"RIFF\0\0\0\0WEBP",
    b"\x93NUMPY",
)


@given(data=st.binary(max_size=200), head=st.sampled_from(HEADS))
def test_what_is_no_picture_is_refused(reader, tmp_path_factory, data, head):
    """Bytes that only begin like a picture are an ImageFileError that names the file."""
    path = tmp_path_factory.mktemp("noise") / "a.bin"
    path.write_bytes(head + data)
    assert str(path) in reader.read(path)["refused"]


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_cut_off_is_refused(kind, seeds, reader, tmp_path):
    """No format makes up what is missing: cut off anywhere but in its last bytes, which may tell nothing, it is refused."""
    for data in seeds(kind):
        for cut in np.linspace(20, len(data) - TRAILER, 25).astype(int):
            if kind == "gif" and not data[cut - 1]:
                continue  # a block may end here, and a file after it
            path = tmp_path / "cut.bin"
            path.write_bytes(data[:cut])
            assert "refused" in reader.read(path), (len(data), cut)
