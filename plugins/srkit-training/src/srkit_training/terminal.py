"""How a run is told about while it goes on: a bar on a terminal, lines in a pipe; both on standard error."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping

from tqdm import tqdm


class Terminal:
    """Tells of a run of ``total`` iterations that begins after ``begun``."""

    def __init__(self, total: int, begun: int) -> None:
        self._total, self._begun, self._start = total, begun, time.perf_counter()
        self._bar = tqdm(total=total, initial=begun, unit="it", disable=None, dynamic_ncols=True)

    def progress(self, iteration: int, values: Mapping[str, float], rate: float, memory: float) -> None:
        """Iterations done, numbers to show, iterations a second, and gigabytes of memory."""
        shown = f"{told(values)}, {memory:.2f} GB"
        if self._bar.disable:
            left = (time.perf_counter() - self._start) * (self._total - iteration) / max(1, iteration - self._begun)
            sys.stderr.write(f"{iteration}/{self._total}: {shown}, {rate:.3g} it/s, {duration(left)} left\n")
            sys.stderr.flush()
        else:
            self._bar.set_postfix_str(shown, refresh=False)
            self._bar.update(iteration - self._bar.n)

    def say(self, text: str) -> None:
        """A line that stays, above the bar if there is one."""
        tqdm.write(text, file=sys.stderr)
        sys.stderr.flush()

    def close(self) -> None:
        """Leave the bar as it is."""
        self._bar.close()


def told(values: Mapping[str, float]) -> str:
    """Names and numbers, four digits of each."""
    return ", ".join(f"{name} {value:.4g}" for name, value in values.items())


def duration(seconds: float) -> str:
    """The two largest units, such as ``3 h 20 min``."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    parts = [(days, "d"), (hours, "h"), (minutes, "min"), (rest, "s")]
    first = next((place for place, (count, _) in enumerate(parts) if count), 3)
    return " ".join(f"{count} {unit}" for count, unit in parts[first : first + 2] if count) or "0 s"
