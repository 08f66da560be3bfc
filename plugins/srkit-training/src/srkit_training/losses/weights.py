"""Weight files of the fixed networks that losses look through: where they are had, and what is taken out of them."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeAlias

import attrs
from torch import Tensor

import srkit
from srkit.weights.locate import locate
from srkit.weights.read import read

Source: TypeAlias = "str | os.PathLike[str] | None"
"""A file, or a URL with its digest (``URL#sha256=HEX``); None for the published file."""

_TORCHVISION = "https://download.pytorch.org/models"
_LPIPS = (
    "https://raw.githubusercontent.com/richzhang/PerceptualSimilarity/082bb24f84c091ea94de2867d34c4544f68e0963"
    "/lpips/weights/v0.1"
)

# Each digest was found, equal, in several independent public places; those of LPIPS are also those of the files in the
# wheel lpips 0.1.4, and the names of torchvision's files hold the first 8 digits.
PUBLISHED: Mapping[str, str] = {
    "alex": f"{_TORCHVISION}/alexnet-owt-7be5be79.pth"
    "#sha256=7be5be791159472b1fbf3c69796f7cb30dca7ad8466c2df70058c37116cdee02",
    "vgg16": f"{_TORCHVISION}/vgg16-397923af.pth"
    "#sha256=397923af8e79cdbb6a7127f12361acd7a2f83e06b05044ddf496e83de57a5bf0",
    "vgg19": f"{_TORCHVISION}/vgg19-dcbb9e9d.pth"
    "#sha256=dcbb9e9dad569fff7a846263a77324fc34978fea2bfb039c012d710e1776ae44",
    "lpips-alex": f"{_LPIPS}/alex.pth#sha256=df73285e35b22355a2df87cdb6b70b343713b667eddbda73e1977e0c860835c0",
    "lpips-vgg": f"{_LPIPS}/vgg.pth#sha256=a78928a0af1e5f0fcb1f3b9e8f8c3a2a5a3de244d830ad5c1feddc79b8432868",
}
"""Where weights are fetched from if no other file is named, with their digests."""


def source() -> Any:
    """A field for a :data:`Source`."""

    def check(_: object, attribute: attrs.Attribute[Any], value: Any) -> None:
        if value is None:
            return
        if not isinstance(value, str | os.PathLike):
            raise srkit.SettingsError(f"{attribute.name}={value!r}; expected a file, or URL#sha256=HEX")
        if isinstance(value, str) and re.match("https?://", value, re.IGNORECASE):
            if not re.search("#sha256=[0-9a-fA-F]{64}$", value):
                raise srkit.SettingsError(f"{attribute.name}={value!r} has no digest; expected URL#sha256=HEX")
        elif not Path(value).expanduser().is_file():
            raise srkit.SettingsError(
                f"{attribute.name}={os.fspath(value)!r}; there is no such file; leave it out for the published one"
            )

    return attrs.field(default=None, validator=check, kw_only=True)


def take(file: Source, published: str, option: str, wanted: Mapping[str, tuple[int, ...]]) -> dict[str, Tensor]:
    """The tensors of these names and shapes, float32, out of ``file`` or else ``PUBLISHED[published]``.

    ``option`` is the one that ``file`` came with. Raises WeightsError for a file of something else, and whatever fetching
    raises.
    """
    try:
        path = locate(PUBLISHED[published] if file is None else file).path
    except srkit.DownloadError as error:
        error.add_note(f"once you have the file, name it with the option {option}: {option}=FILE")
        raise
    found = read(path)
    for name, shape in wanted.items():
        have = tuple(found[name].shape) if name in found else None
        if have != shape:
            problem = f"has no tensor {name!r}" if have is None else f"has {name!r} of shape {have}, not {shape}"
            raise srkit.WeightsError(
                f"{path} {problem}: it is not a file of {published}; name another with {option}=, or leave the option out "
                f"for {PUBLISHED[published].partition('#')[0]}",
                path,
            )
    return {name: found[name] for name in wanted}
