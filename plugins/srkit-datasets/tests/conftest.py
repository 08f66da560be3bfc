"""What several tests of degradations need."""

from __future__ import annotations

import numpy as np
import pytest
import torch


@pytest.fixture(scope="session")
def picture(photo):
    """The sample photo, (1, 3, 256, 256) float32 in [0, 1]."""
    return torch.from_numpy(photo.astype(np.float32) / 255).permute(2, 0, 1)[None].contiguous()
