"""Every random generator of a process, kept and restored."""

from __future__ import annotations

import io
import random

import numpy as np
import torch

from srkit_training.randomness import random_states, restore_random_states, seed_all


def _drawn():
    return [
        random.random(),
        random.gauss(0, 1),
        np.random.rand(),
        np.random.randn(),
        float(torch.rand(())),
        float(torch.randn(())),
    ]


def test_states_go_through_a_file_and_give_the_same_numbers():
    """Restored from a file that is read in safety, Python, numpy and torch draw on as they would have."""
    seed_all(5, 0)
    random.gauss(0, 1)
    np.random.randn()  # each keeps a second number for later
    file = io.BytesIO()
    torch.save(random_states(), file)
    expected = _drawn()
    _drawn()
    file.seek(0)
    restore_random_states(torch.load(file, weights_only=True))
    assert _drawn() == expected


def test_seeds_differ_by_process():
    """The same seed gives each process other numbers, and the same process the same."""
    drawn = []
    for seed, rank in ((1, 0), (1, 1), (1, 0)):
        seed_all(seed, rank)
        drawn.append(_drawn())
    assert drawn[0] == drawn[2]
    assert all(a != b for a, b in zip(drawn[0], drawn[1], strict=True))
