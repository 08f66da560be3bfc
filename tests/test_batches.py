"""How batches are asked for."""

from __future__ import annotations

import pytest

import srkit


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"batch_size": 0}, "batch_size=0 is not a whole number of at least 1"),
        ({"batch_size": 2.0}, "batch_size=2.0 is not a whole number"),
        ({"batch_size": True}, "batch_size=True is not a whole number"),
        ({"batch_size": 1, "workers": -1}, "workers=-1 is not a whole number of at least 0"),
        ({"batch_size": 1, "rank": 2, "world_size": 2}, "rank=2 is not below world_size=2"),
    ],
)
def test_a_feed_that_means_nothing_is_refused(given, words):
    """What cannot be is a SettingsError that names the value."""
    with pytest.raises(srkit.SettingsError, match=words):
        srkit.Feed(**given)


def test_a_feed_cannot_be_changed():
    """A feed is a record."""
    feed = srkit.Feed(batch_size=4)
    with pytest.raises(AttributeError):
        feed.batch_size = 5
    assert feed == srkit.Feed(batch_size=4)
