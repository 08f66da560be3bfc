"""What goes wrong with the pictures of a data set."""

from __future__ import annotations

from collections.abc import Mapping

import srkit


class PictureError(srkit.ImageError):
    """The picture ``name`` of a data set cannot be used, because of ``reason``."""

    def __init__(self, name: str, reason: str) -> None:
        self.name, self.reason = name, reason
        super().__init__(f"{name}: {reason}")

    def __reduce__(self) -> tuple[type[PictureError], tuple[str, str]]:
        return type(self), (self.name, self.reason)


class TooManyBadPictures(srkit.DatasetError):
    """More files of a data set are ``bad`` (name → reason) than ``limit``."""

    def __init__(self, bad: Mapping[str, str], limit: int) -> None:
        self.bad, self.limit = dict(bad), limit
        name, reason = list(bad.items())[-1]
        super().__init__(
            f"{len(bad)} pictures cannot be used, and {limit} may be bad; the last is {name}: {reason}. Find all with "
            f"'srkit dataset list --check', or raise bad_limit"
        )
