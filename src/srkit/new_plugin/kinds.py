"""What can be made: the kinds of plugins there are templates for."""

from __future__ import annotations

import attrs


@attrs.frozen(kw_only=True)
class Kind:
    """What the templates that all kinds share must know of one.

    ``noun``: what it is. ``registry``: the attribute of :class:`srkit.plugins.Plugins` that holds such. ``words``: what names
    of distributions say for it, after ``srkit-``. ``needs`` and ``test_needs``: requirements beside srkit and torch.
    """

    noun: str
    registry: str
    words: tuple[str, ...]
    needs: tuple[str, ...] = ()
    test_needs: tuple[str, ...] = ()


KINDS = {
    "arch": Kind(
        noun="network architecture",
        registry="architectures",
        words=("archs", "arch"),
        test_needs=("numpy>=1.26", "safetensors>=0.4.3", "srkit-engine-tiled>=0.1"),
    ),
    "degradation": Kind(noun="degradation", registry="degradations", words=("degradations", "degradation")),
    "dataset": Kind(
        noun="data set",
        registry="datasets",
        words=("datasets", "dataset"),
        needs=("numpy>=1.26", "pillow>=10"),
    ),
    "trainer": Kind(noun="trainer", registry="trainers", words=("trainers", "trainer", "training")),
    "upsampler": Kind(noun="upsampler", registry="upsamplers", words=("upsamplers", "upsampler", "engines", "engine")),
}
"""The value of ``--kind`` → what it means."""
