"""Checkpoints in a folder."""

from __future__ import annotations

import pytest
import torch

from srkit_training.checkpoints import Checkpoints


@pytest.mark.parametrize("keep", [0, 1, 2, 9])
def test_as_many_numbered_ones_stay_as_are_to_be_kept(tmp_path, keep):
    """The last ``keep`` of them, none of 0; latest and best stay in any case, whatever became of their numbers."""
    checkpoints = Checkpoints(tmp_path, keep)
    for iteration in range(1, 5):
        checkpoints.write({"iteration": iteration}, iteration, best=iteration == 2)
    assert [int(path.stem) for path in checkpoints.numbered()] == [1, 2, 3, 4][max(0, 4 - keep) :]
    assert torch.load(tmp_path / "latest.pt", weights_only=True) == {"iteration": 4}
    assert torch.load(tmp_path / "best.pt", weights_only=True) == {"iteration": 2}
