"""When to stop: the error on held-out pairs has not fallen for some measurements."""

from __future__ import annotations

from typing import Any


class Patience:
    """Counts measurements since the best one.

    Args:
        limit: measurements without a new best after which it is exhausted; 0: never.
    """

    def __init__(self, limit: int) -> None:
        self.limit, self.best, self.since = limit, float("inf"), 0

    def measure(self, error: float) -> None:
        """Take note of an error."""
        if error < self.best:
            self.best, self.since = error, 0
        else:
            self.since += 1

    @property
    def exhausted(self) -> bool:
        """Whether training should end."""
        return 0 < self.limit <= self.since

    def state_dict(self) -> dict[str, Any]:
        """For checkpoints."""
        return {"best": self.best, "since": self.since}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """From a checkpoint."""
        self.best, self.since = float(state["best"]), int(state["since"])
        if self.best != self.best or self.since < 0:
            raise ValueError("the best measurement is no number")
