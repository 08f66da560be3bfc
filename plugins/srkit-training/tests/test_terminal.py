"""What is told on a terminal, and in a pipe."""

from __future__ import annotations

import io
import sys

import pytest

from srkit_training.terminal import Terminal, duration


class Screen(io.StringIO):
    """Standard error that is a terminal."""

    def isatty(self):
        return True


def test_lines_in_a_pipe(capsys):
    """One line for each call: iteration, numbers, memory, rate and time left; no bar and no control characters."""
    terminal = Terminal(1000, 400)
    terminal.progress(500, {"l1": 0.0123456, "lr": 2e-4}, 12.3456, 1.5)
    terminal.say("validation: psnr 28")
    terminal.close()
    out, err = capsys.readouterr()
    first, second = err.splitlines()
    assert first.startswith("500/1000: l1 0.01235, lr 0.0002, 1.50 GB, 12.3 it/s, ")
    assert first.endswith(" left")
    assert second == "validation: psnr 28"
    assert "\r" not in err
    assert not out


def test_a_bar_on_a_terminal(monkeypatch):
    """The numbers stand behind a bar that goes on from where the run was; other lines stay above it."""
    screen = Screen()
    monkeypatch.setattr(sys, "stderr", screen)
    terminal = Terminal(1000, 400)
    assert "400/1000" in screen.getvalue()
    terminal.progress(600, {"l1": 0.5}, 1, 0.25)
    terminal.say("validation: psnr 28")
    terminal.close()
    assert "validation: psnr 28\n" in screen.getvalue()
    last = screen.getvalue().rpartition("\r")[2]
    assert "600/1000" in last
    assert "l1 0.5, 0.25 GB" in last


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (0.2, "0 s"),
        (59.6, "1 min"),
        (61, "1 min 1 s"),
        (3600, "1 h"),
        (12_025, "3 h 20 min"),
        (90_061, "1 d 1 h"),
        (86_400 * 12 + 59, "12 d"),
    ],
)
def test_durations(seconds, expected):
    """The two largest units are enough."""
    assert duration(seconds) == expected
