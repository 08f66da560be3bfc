"""How a check says what is wrong."""

from __future__ import annotations

import inspect

from ..errors import ContractError


def require(condition: bool, message: str) -> None:
    """Raise ContractError, named after the calling check, with what to change, unless ``condition`` holds."""
    if not condition:
        frame = inspect.currentframe()
        name = frame.f_back.f_code.co_name if frame and frame.f_back else "check"
        raise ContractError(message, name)
