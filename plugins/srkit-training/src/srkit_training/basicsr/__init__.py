"""Option files of Real-ESRGAN and BasicSR as configurations: :func:`translate`."""

from __future__ import annotations

from .translation import translate

__all__ = ["translate"]
