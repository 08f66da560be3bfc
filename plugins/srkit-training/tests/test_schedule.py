"""Learning rates by iteration."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from srkit_training.config import ScheduleConfig
from srkit_training.schedule import factor


def test_warm_up_rises_in_a_line_to_one():
    """Four iterations of warm-up: quarters, then the whole."""
    assert [factor(ScheduleConfig(), 4, i) for i in range(6)] == [0.25, 0.5, 0.75, 1, 1, 1]


@given(st.lists(st.integers(1, 60), min_size=1, max_size=4, unique=True).map(sorted), st.floats(0.1, 0.9))
def test_multistep_is_torchs(milestones, gamma):
    """The rates are those of torch's MultiStepLR."""
    parameter = torch.nn.Parameter(torch.zeros(1))
    optimiser = torch.optim.SGD([parameter], lr=1.0)
    theirs = torch.optim.lr_scheduler.MultiStepLR(optimiser, milestones, gamma)
    schedule = ScheduleConfig(name="multistep", milestones=milestones, gamma=gamma)
    for iteration in range(64):
        assert factor(schedule, 0, iteration) == pytest.approx(optimiser.param_groups[0]["lr"])
        optimiser.step()
        theirs.step()


def test_cosine_restarts():
    """Each period begins at its height and comes down to the least; after the last it stays there."""
    schedule = ScheduleConfig(name="cosine", periods=(10, 20), restarts=(1.0, 0.5), least=0.1)
    rates = [factor(schedule, 0, i) for i in range(40)]
    assert rates[0] == 1.0
    assert rates[5] == pytest.approx(0.55)
    assert rates[9] == pytest.approx(0.1 + 0.9 * (1 + math.cos(0.9 * math.pi)) / 2)
    assert rates[10] == 0.5
    assert rates[20] == pytest.approx(0.3)
    assert rates[30:] == [pytest.approx(0.1)] * 10
