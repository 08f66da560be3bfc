"""What the first bits of a JPEG XL codestream tell (ISO/IEC 18181-1, Annex D): size, samples, channels, colour.

imagecodecs does not tell it, and a decoder should not be asked before the size is known.
"""

from __future__ import annotations

import attrs

MARK = b"\xff\x0a"
_MOST = 2**16
"""Bytes that are looked at; names of channels are the only long thing there."""
_RATIOS = {1: (1, 1), 2: (12, 10), 3: (4, 3), 4: (3, 2), 5: (16, 9), 6: (5, 4), 7: (2, 1)}
_GREY, _XYB = 1, 2
_CUSTOM = 2
ALPHA = 0
SRGB, LINEAR = 13, 8
"""Transfer functions, numbered as in ITU-T H.273; so are primaries."""
D65 = SRGB_PRIMARIES = 1


@attrs.frozen(kw_only=True)
class Header:
    """The header of a codestream.

    ``extra``: the kinds of channels beyond colour, alpha being 0; ``icc``: whether a profile tells the colours, and not
    ``white``, ``primaries`` and ``curve``; ``curve_at``: the bit where the four are that tell LINEAR from SRGB, if it is
    one of these and they are written out.
    """

    height: int
    width: int
    animated: bool = False
    bits: int = 8
    is_float: bool = False
    extra: tuple[int, ...] = ()
    premultiplied: bool = False
    grey: bool = False
    icc: bool = False
    white: int = D65
    primaries: int = SRGB_PRIMARIES
    curve: int = SRGB
    curve_at: int | None = None


def header_of(codestream: bytes) -> Header:
    """Read the header; raises ValueError for what is none."""
    if not codestream.startswith(MARK):
        raise ValueError("the codestream of JPEG XL does not begin with its mark")
    bits = _Bits(codestream[:_MOST])
    height, width = _size(bits)
    header = Header(height=height, width=width)
    if bits.flag():  # all as usual: 8 bits, sRGB
        return header
    animated, turned = False, False
    if bits.flag():
        turned = bits.take(3) > 3
        if bits.flag():
            _size(bits)  # the size it is meant to be shown in
        if bits.flag():
            _skip_preview(bits)
        animated = bits.flag()
    if turned:
        header = attrs.evolve(header, height=width, width=height)
    if animated:
        return attrs.evolve(header, animated=True)
    is_float, depth = _depth(bits)
    bits.take(1)  # whether 16 bits are enough for the decoder
    extra = [_extra_channel(bits) for _ in range(bits.number((0, 0), (1, 0), (2, 4), (1, 12)))]
    bits.take(1)  # whether stored as XYB
    header = attrs.evolve(
        header,
        is_float=is_float,
        bits=depth,
        extra=tuple(kind for kind, _ in extra),
        premultiplied=any(premultiplied for _, premultiplied in extra),
    )
    return _with_colour(header, bits)


class _Bits:
    """Numbers out of bytes, the lowest bits first (9.2)."""

    def __init__(self, data: bytes) -> None:
        self._data, self.at = data, 8 * len(MARK)

    def take(self, count: int) -> int:
        first, last = self.at // 8, (self.at + count + 7) // 8
        if last > len(self._data):
            raise ValueError("the header of JPEG XL is not complete")
        value = int.from_bytes(self._data[first:last], "little") >> self.at % 8
        self.at += count
        return value & ((1 << count) - 1)

    def flag(self) -> bool:
        return bool(self.take(1))

    def number(self, *choices: tuple[int, int]) -> int:
        """One of four ranges, (first, bits) each: U32 in the standard."""
        first, count = choices[self.take(2)]
        return first + self.take(count)

    def enum(self) -> int:
        return self.number((0, 0), (1, 0), (2, 4), (18, 6))


def _size(bits: _Bits) -> tuple[int, int]:
    """(height, width), D.2."""
    small = bits.flag()

    def side() -> int:
        return 8 * (bits.take(5) + 1) if small else bits.number((1, 9), (1, 13), (1, 18), (1, 30))

    height = side()
    ratio = bits.take(3)
    if not ratio:
        return height, side()
    numerator, denominator = _RATIOS[ratio]
    return height, height * numerator // denominator


def _skip_preview(bits: _Bits) -> None:
    ranges = ((16, 0), (32, 0), (1, 5), (33, 9)) if bits.flag() else ((1, 6), (65, 8), (321, 10), (1345, 12))
    bits.number(*ranges)
    if not bits.take(3):
        bits.number(*ranges)


def _depth(bits: _Bits) -> tuple[bool, int]:
    """Whether samples are float, and their bits."""
    if not bits.flag():
        return False, bits.number((8, 0), (10, 0), (12, 0), (1, 6))
    depth = bits.number((32, 0), (16, 0), (24, 0), (1, 6))
    bits.take(4)
    return True, depth


def _extra_channel(bits: _Bits) -> tuple[int, bool]:
    """The kind of a channel beyond colour, and whether it is alpha that colours are multiplied by."""
    if bits.flag():
        return ALPHA, False
    kind = bits.enum()
    _depth(bits)
    bits.number((0, 0), (3, 0), (4, 0), (1, 3))
    for _ in range(bits.number((0, 0), (0, 4), (16, 5), (48, 10))):
        bits.take(8)
    if kind == ALPHA:
        return kind, bits.flag()
    bits.take({2: 64}.get(kind, 0))
    if kind == 5:
        bits.number((1, 0), (0, 2), (3, 4), (19, 8))
    return kind, False


def _with_colour(header: Header, bits: _Bits) -> Header:
    """The header with what it tells of colours, D.3.5."""
    if bits.flag():
        return header
    icc, space = bits.flag(), bits.enum()
    header = attrs.evolve(header, icc=icc, grey=space == _GREY)
    if icc or space == _XYB:
        return attrs.evolve(header, icc=True)
    white = bits.enum()
    if white == _CUSTOM:
        _skip_points(bits, 1)
    primaries = SRGB_PRIMARIES
    if space != _GREY:
        primaries = bits.enum()
        if primaries == _CUSTOM:
            _skip_points(bits, 3)
    header = attrs.evolve(header, white=white, primaries=primaries)
    if bits.flag():
        return attrs.evolve(header, curve=-bits.take(24))  # a power, in ten-millionths
    curve = bits.enum()
    return attrs.evolve(header, curve=curve, curve_at=bits.at - 4 if curve in {SRGB, LINEAR} else None)


def _skip_points(bits: _Bits, count: int) -> None:
    for _ in range(2 * count):
        bits.number((0, 19), (2**19, 19), (2**20, 20), (2**21, 21))


def with_curve(codestream: bytes, curve: int) -> bytes:
    """The codestream of an encoder that calls its values ``LINEAR``, or ``SRGB``, calling them ``curve``."""
    header = header_of(codestream)
    if header.curve == curve:
        return codestream
    if header.curve_at is None:
        raise ValueError("the codestream of JPEG XL does not say how its values follow light")
    first = header.curve_at // 8
    word = int.from_bytes(codestream[first : first + 2], "little")
    word ^= ((header.curve - 2) ^ (curve - 2)) << header.curve_at % 8
    return codestream[:first] + word.to_bytes(2, "little") + codestream[first + 2 :]
