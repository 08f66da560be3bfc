"""Reach: what the graph tells is what an impulse shows."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

import srkit  # noqa: E402
from srkit_archs_realesrgan.rrdb import RRDBNet  # noqa: E402
from srkit_archs_realesrgan.srvgg import SRVGGNetCompact  # noqa: E402
from srkit_engine_tiled.graph import Tracer  # noqa: E402
from srkit_engine_tiled.reach import Reach, reach  # noqa: E402

PUBLISHED = {
    "realesr-animevideov3": (lambda: SRVGGNetCompact(num_feat=2, num_conv=16), 4, 1, 18),
    "realesr-general-x4v3": (lambda: SRVGGNetCompact(num_feat=2, num_conv=32), 4, 1, 34),
    "RealESRGAN_x4plus_anime_6B": (lambda: RRDBNet(num_feat=2, num_block=6, num_grow_ch=1), 4, 1, 94),
    "RealESRGAN_x4plus": (lambda: RRDBNet(num_feat=2, num_block=23, num_grow_ch=1), 4, 1, 349),
    "RealESRGAN_x2plus": (lambda: RRDBNet(scale=2, num_feat=2, num_block=23, num_grow_ch=1), 2, 2, 698),
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_reach_of_the_published_networks(name):
    """The reach from the graph is that of an impulse through the network: nothing farther, and that far."""
    make, scale, multiple, expected = PUBLISHED[name]
    network = make().eval().requires_grad_(False)
    found = reach(Tracer(network, srkit.Traits(scale=scale, multiple_of=multiple)).typical)
    assert found == Reach(expected, expected, expected, expected)
    for parameter in network.parameters():
        # All ones: what an impulse touches cannot cancel, and overflowing it stays more than zero.
        torch.nn.init.constant_(parameter, float(parameter.ndim > 1))
    height = 2 * expected + 4 * multiple
    height -= height % (2 * multiple)
    above = below = 0
    for row in range(height // 2, height // 2 + multiple):
        image = torch.zeros(1, 3, height, 2 * multiple)
        image[:, :, row] = 1
        touched = (network(image) != 0).flatten(0, 1).any(0).any(1).nonzero().flatten()
        above = max(above, int(touched[-1]) // scale - row)
        below = max(below, row - int(touched[0]) // scale)
    assert (above, below) == (expected, expected)
