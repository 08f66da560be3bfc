"""The kernel of :mod:`.onepass`, in Triton's language; imported only where Triton is."""

# ruff: noqa: ANN001, ANN201, N803 -- Triton has its own ways
# mypy: ignore-errors

import triton
import triton.language as tl


@triton.jit
def one_pass(
    made,
    out,
    bias,
    beside,
    strides,
    height,
    width,
    HAS_BIAS: tl.constexpr,
    KINDS: tl.constexpr,
    VALUES: tl.constexpr,
    CHANNELS: tl.constexpr,
    LANES: tl.constexpr,
    COLUMNS: tl.constexpr,
):
    """Bias and steps, for a row's ``COLUMNS`` pixels and all channels; (picture, row, block of columns) are the programs.

    ``beside``: of each step its picture or its parameter, or what is not read; ``strides``: of ``made``, ``out`` and these,
    in values, along (picture, row, column, channel). Every result is rounded as torch does it: after each step.
    """
    line = tl.program_id(0).to(tl.int64)
    picture = line // height
    row = line % height
    column = (tl.program_id(1) * COLUMNS + tl.arange(0, COLUMNS))[:, None]
    channel = tl.arange(0, LANES)[None, :]
    inside = (column < width) & (channel < CHANNELS)
    s = strides[0]
    read = tl.load(made + picture * s[0] + row * s[1] + column * s[2] + channel * s[3], mask=inside)
    value = read.to(tl.float32)
    if HAS_BIAS:
        value += tl.load(bias + channel, mask=channel < CHANNELS).to(tl.float32)
        value = value.to(read.dtype).to(tl.float32)
    for i in tl.static_range(len(KINDS)):
        s = strides[2 + i]
        if KINDS[i] == "relu":
            value = tl.where(value <= 0, 0.0, value)  # NaN stays
        elif KINDS[i] == "leaky":
            value = tl.where(value > 0, value, value * VALUES[i])
        elif KINDS[i] == "scale":
            value = value * VALUES[i]
        elif KINDS[i] == "prelu":
            factor = tl.load(beside[i] + channel * s[3], mask=channel < CHANNELS).to(tl.float32)
            value = tl.where(value > 0, value, value * factor)
        elif KINDS[i] == "gain":
            value = value * tl.load(beside[i] + channel * s[3], mask=channel < CHANNELS).to(tl.float32)
        else:  # add, spread
            each = 1 if KINDS[i] == "add" else int(VALUES[i])
            at = beside[i] + picture * s[0] + row * s[1] + column * s[2] + (channel // each) * s[3]
            value = value + tl.load(at, mask=inside).to(tl.float32)
        value = value.to(read.dtype).to(tl.float32)
    s = strides[1]
    at = out + picture * s[0] + row * s[1] + column * s[2] + channel * s[3]
    tl.store(at, value.to(read.dtype), mask=inside)
