"""What passes between readers, the network and writers: pages of pixels, given as strips, and what is told about them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence

import attrs
import numpy as np

import srkit

from .exif import renewed


@attrs.frozen
class Metadata:
    """What a file says about a picture beside its pixels.

    ``icc``: the colour profile; ``exif``: a TIFF structure as Exif has it (Exif 2.32, 4.5), without the "Exif" mark before
    it; ``xmp``: an XMP packet; ``dpi``: pixels an inch, (across, down); ``text``: keywords and texts, as in PNG.
    """

    icc: bytes | None = attrs.field(default=None, repr=lambda icc: f"<{len(icc)} bytes>" if icc else "None")
    exif: bytes | None = attrs.field(default=None, repr=lambda exif: f"<{len(exif)} bytes>" if exif else "None")
    xmp: bytes | None = attrs.field(default=None, repr=lambda xmp: f"<{len(xmp)} bytes>" if xmp else "None")
    dpi: tuple[float, float] | None = None
    text: tuple[tuple[str, str], ...] = ()

    def upright(self, size: srkit.Size) -> Metadata:
        """What is true of the picture, which is ``size``, now that it has been turned as the file says it is to be seen."""
        return attrs.evolve(
            self, exif=self.exif and renewed(self.exif, size, None), xmp=self.xmp and _renewed_xmp(self.xmp, size)
        )

    def scaled(self, size: srkit.Size, new_size: srkit.Size) -> Metadata:
        """What is true of the picture once it is ``new_size``: as large in inches as before, and upright."""
        height, width = new_size
        dpi = self.dpi and (self.dpi[0] * width / size[1], self.dpi[1] * height / size[0])
        return attrs.evolve(
            self,
            dpi=dpi,
            exif=self.exif and renewed(self.exif, new_size, dpi),
            xmp=self.xmp and _renewed_xmp(self.xmp, new_size),
        )


_XMP_NUMBERS: dict[bytes, Callable[[srkit.Size], int]] = {
    b"tiff:Orientation": lambda _: 1,
    b"tiff:ImageWidth": lambda size: size[1],
    b"tiff:ImageLength": lambda size: size[0],
    b"exif:PixelXDimension": lambda size: size[1],
    b"exif:PixelYDimension": lambda size: size[0],
}


def _renewed_xmp(xmp: bytes, size: srkit.Size) -> bytes:
    """The packet with the properties that tell size and orientation brought up to date; all else stays as it is."""
    for name, value in _XMP_NUMBERS.items():
        number = str(value(size)).encode()
        xmp = re.sub(rb"(" + name + rb"\s*=\s*[\"'])\d+", rb"\g<1>" + number, xmp)
        xmp = re.sub(rb"(<" + name + rb">)\s*\d+", rb"\g<1>" + number, xmp)
    return xmp


@attrs.frozen
class Page:
    """One picture of a file: how its rows are laid out, and what is said about it.

    ``linear``: the values are proportional to light and may lie above 1 (OpenEXR, Radiance HDR).
    """

    layout: srkit.Layout
    metadata: Metadata = Metadata()
    linear: bool = False

    @property
    def size(self) -> srkit.Size:
        """(height, width)."""
        return self.layout.height, self.layout.width


@attrs.frozen
class Picture:
    """A picture, or several in one file (pages, frames), whose rows can be had from top to bottom.

    ``strips()`` gives the rows of all pages one after another, arrays (h, W) or (h, W, C), RGB, of the page's dtype; a strip
    never reaches over two pages. ``delays``: milliseconds each frame is shown, if it is an animation; ``loop``: how often
    it is shown, 0 for ever. ``streams``: whether rows are decoded as they are asked for; if not, all are held at once.
    """

    pages: tuple[Page, ...]
    strips: Callable[[], Iterator[np.ndarray]]
    delays: tuple[int, ...] = ()
    loop: int = 0
    streams: bool = True

    @classmethod
    def of(cls, images: Sequence[np.ndarray], metadata: Metadata | None = None) -> Picture:
        """Pictures in memory, as a file's pages."""
        pages = tuple(Page(srkit.layout_of(image), metadata or Metadata()) for image in images)
        return cls(pages, lambda: iter(images))

    @property
    def nbytes(self) -> int:
        """Bytes of all pixels, decoded."""
        return sum(bytes_of(page.layout) for page in self.pages)


def bytes_of(layout: srkit.Layout) -> int:
    """Bytes of a picture of this layout."""
    return layout.height * layout.width * layout.channels * layout.dtype.itemsize


def cut(image: np.ndarray) -> Iterator[np.ndarray]:
    """The rows of an array, a moderate number at a time; of a memory map, only those are read."""
    step = rows_at_once(image[:1].nbytes)
    for top in range(0, len(image), step):
        yield image[top : top + step]


def rows_at_once(row_bytes: int) -> int:
    """Rows that make a strip of about a megabyte: enough to keep the machinery cheap, few enough to stay small."""
    return max(1, min(256, 2**20 // max(1, row_bytes)))


def collected(picture: Picture) -> list[np.ndarray]:
    """The pages as arrays, for encoders that want them whole."""
    strips = picture.strips()
    images = []
    for page in picture.pages:
        parts: list[np.ndarray] = []
        while sum(map(len, parts)) < page.layout.height:
            parts.append(next(strips))
        images.append(parts[0] if len(parts) == 1 else np.concatenate(parts))
    return images
