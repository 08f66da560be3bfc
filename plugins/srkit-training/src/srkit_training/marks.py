"""What validations have reached so far."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .config import ValidationConfig
from .metrics import METRICS


class Marks:
    """The metrics of the last validation, the best value of each, and how many validations ago that was."""

    def __init__(self) -> None:
        self.metrics: dict[str, float] = {}
        self._best: dict[str, float] = {}
        self._since: dict[str, int] = {}

    def note(self, metrics: Mapping[str, float]) -> None:
        """The metrics of one more validation."""
        self.metrics = dict(metrics)
        for name, value in metrics.items():
            if METRICS[name].improves(value, self._best.get(name)):
                self._best[name], self._since[name] = value, 0
            else:
                self._since[name] = self._since.get(name, 0) + 1

    def is_best(self, config: ValidationConfig) -> bool:
        """Whether the last validation is the best so far by the metric that is to tell."""
        return self._since.get(config.best) == 0

    def is_over(self, config: ValidationConfig) -> bool:
        """Whether the metric of early stopping was no better for as long as it may be."""
        return config.stop is not None and self._since.get(config.stop.metric, 0) >= config.stop.patience

    def state_dict(self) -> dict[str, Any]:
        """All of it."""
        return {"metrics": dict(self.metrics), "best": dict(self._best), "since": dict(self._since)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """As it was."""
        self.metrics, self._best, self._since = dict(state["metrics"]), dict(state["best"]), dict(state["since"])
