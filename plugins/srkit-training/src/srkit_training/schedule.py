"""Learning rates as a function of the iteration: nothing to save, nothing to restore."""

from __future__ import annotations

import math

from .config import ScheduleConfig


def factor(schedule: ScheduleConfig, warmup: int, iteration: int) -> float:
    """What the learning rate is multiplied with in an iteration, counted from 0.

    The warm-up is linear and reaches 1 in its last iteration; the schedule's own iterations are counted from 0 all the same.
    """
    warm = min(1.0, (iteration + 1) / warmup) if warmup else 1.0
    return warm * _SHAPES[schedule.name](schedule, iteration)


def _constant(_: ScheduleConfig, _iteration: int) -> float:
    return 1.0


def _multistep(schedule: ScheduleConfig, iteration: int) -> float:
    return schedule.gamma ** sum(milestone <= iteration for milestone in schedule.milestones)


def _cosine(schedule: ScheduleConfig, iteration: int) -> float:
    """Loshchilov and Hutter, "SGDR", ICLR 2017, equation 5; the last period's end is held."""
    start = 0
    for number, period in enumerate(schedule.periods):
        last = number == len(schedule.periods) - 1
        if iteration < start + period or last:
            break
        start += period
    height = schedule.restarts[number] if schedule.restarts else 1.0
    done = min((iteration - start) / period, 1.0)
    return schedule.least + (height - schedule.least) * (1 + math.cos(math.pi * done)) / 2


_SHAPES = {"constant": _constant, "multistep": _multistep, "cosine": _cosine}
