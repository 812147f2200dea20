"""How long a training lasts, in steps and minutes."""

from __future__ import annotations

import math
from dataclasses import dataclass

from kpdetect.errors import ConfigError


@dataclass(frozen=True, kw_only=True)
class Budget:
    """The length of a training, counting earlier calls that trained the same run.

    Attributes:
        steps: number of steps after which the run ends.
        minutes: training time after which the run ends; None: only `steps` ends it.
        least_steps: number of steps before which `minutes` does not end the run.
        most_minutes: training time that ends the run even before `least_steps`. A value below `minutes` has no effect.
        least_left: minutes that are of use to later trainings. If fewer would be left of `most_minutes`, time ends the run only
            at `most_minutes`.

    Raises:
        ConfigError: the minutes are not a number of at least 0.
    """

    steps: int
    minutes: float | None = None
    least_steps: int = 0
    most_minutes: float = math.inf
    least_left: float = 0.0

    def __post_init__(self) -> None:
        require_minutes(self.minutes)

    def is_used_up(self, step: int, seconds: float) -> bool:
        """Tell whether a run ends after this number of steps and this training time in seconds."""
        if step >= self.steps:
            return True
        if self.minutes is None or seconds < 60 * self.minutes:
            return False
        return seconds >= 60 * self.most_minutes or (step >= self.least_steps and not self._goes_on(seconds))

    def most_seconds_left(self, step: int, seconds: float) -> float | None:
        """Return the training time, in seconds, after which time certainly ends the run. None if time does not end it."""
        if self.minutes is None:
            return None
        goes_on = step < self.least_steps or self._goes_on(seconds)
        return max(0.0, 60 * (max(self.minutes, self.most_minutes) if goes_on else self.minutes) - seconds)

    def seconds_left(self, step: int, seconds: float, rate: float) -> float | None:
        """Forecast the training time that is left, in seconds, if only time ends the run. None if time does not end it.

        Args:
            step: number of steps so far.
            seconds: training time so far.
            rate: steps per second.
        """
        most = self.most_seconds_left(step, seconds)
        if self.minutes is None or most is None:
            return None
        left = max(60 * self.minutes - seconds, max(0, self.least_steps - step) / rate)
        return most if self._goes_on(seconds + left) else min(most, left)

    def _goes_on(self, seconds: float) -> bool:
        """Tell whether a run that could end after this time uses all of `most_minutes`, because later trainings cannot."""
        if self.minutes is None or self.most_minutes <= self.minutes:
            return False
        return 60 * self.most_minutes - max(seconds, 60 * self.minutes) < 60 * self.least_left


def require_minutes(minutes: float | None) -> None:
    """Refuse minutes that are not a number of at least 0.

    Raises:
        ConfigError: the minutes are negative, infinite or not a number.
    """
    if minutes is not None and not 0 <= minutes < math.inf:
        raise ConfigError(f"`minutes={minutes:g}`: expected a number of at least 0; without it, training ends after its steps")
