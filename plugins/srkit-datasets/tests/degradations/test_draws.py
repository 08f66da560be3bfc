"""Drawing numbers."""

from __future__ import annotations

from srkit_datasets.degradations.draws import chance, integer, pick, seeded, seeds, uniform


def test_the_first_seeds_are_the_same_however_many_follow():
    """What a picture draws does not depend on how many come after it."""
    assert seeds(seeded(3), 5)[:2] == seeds(seeded(3), 2)
    assert len(set(seeds(seeded(3), 1000))) == 1000


def test_draws_stay_in_their_ranges():
    """Numbers lie in their range, both ends of whole ones are reached, weights of 0 are never picked."""
    rng = seeded(0)
    assert all(2 <= uniform(rng, 2, 3) <= 3 for _ in range(1000))
    assert {integer(rng, 1, 3) for _ in range(100)} == {1, 2, 3}
    assert {pick(rng, (0, 2, 0, 1, 0)) for _ in range(1000)} == {1, 3}
    assert not any(chance(rng, 0) for _ in range(100))
    assert all(chance(rng, 1) for _ in range(100))
