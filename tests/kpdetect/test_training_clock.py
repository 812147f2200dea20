"""The clock of a training run: a budget in minutes counts what the device does, not only what was asked of it."""

import time

import pytest
import torch

from kpdetect.config import StrictConfig
from kpdetect.progress import listening
from kpdetect.training.budget import Budget
from kpdetect.training.data_key import DataKey
from kpdetect.training.loop import UNLIMITED, Trainer, TrainingConfig
from kpdetect.training.run_folder import RunFolder
from kpdetect.training.runtime import Runtime


class Late:
    """A metric that is ready half a second after it was asked for, as on a device that works by itself."""

    def __init__(self, clock):
        self.clock, self.waited = clock, False

    def detach(self):
        self.clock["now"] += 0.0 if self.waited else 0.5
        self.waited = True
        return torch.tensor(1.0)

    def __float__(self):
        return float(self.detach())


class Asynchronous(Trainer):
    kind = "detector"

    def __init__(self, folder, clock):
        config = TrainingConfig()
        run = RunFolder(folder, StrictConfig())
        super().__init__(run, config, 4, DataKey(source="data"), Runtime(device=torch.device("cpu"), compute=torch.float32))
        self.clock = clock

    def stateful(self):
        return {}

    def train_step(self):
        self.clock["now"] += 0.25  # what it takes to ask
        return {"loss": Late(self.clock)}

    def write_sheet(self):
        """None."""

    def write_weights(self):
        """None."""


def test_minutes_count_until_the_device_is_done(tmp_path, monkeypatch):
    clock = {"now": 100.0}
    trainer = Asynchronous(tmp_path / "run", clock)
    monkeypatch.setattr(time, "monotonic", lambda: clock["now"])
    trainer.run_until(Budget(steps=10**6, minutes=0.05))  # 3 seconds
    assert trainer.step == 4
    assert trainer.seconds == pytest.approx(3.0)


@pytest.mark.parametrize(
    ("budget", "steps"),
    [
        (Budget(steps=10**6, minutes=0.05, least_steps=10), 10),  # 0.75 seconds a step
        (Budget(steps=10**6, minutes=0.05, least_steps=2), 4),
        (Budget(steps=10**6, minutes=0.05, least_steps=10, most_minutes=0.1), 8),
        (Budget(steps=6, minutes=0.05, least_steps=10), 6),
        (Budget(steps=10**6, minutes=0.05, least_steps=6, most_minutes=0.1, least_left=0.02), 6),  # 1.5 seconds are left
        (Budget(steps=10**6, minutes=0.05, least_steps=7, most_minutes=0.1, least_left=0.02), 8),  # 0.75 seconds were left
        (Budget(steps=10**6, minutes=0.05, least_steps=2, most_minutes=0.1, least_left=0.06), 8),
    ],
)
def test_minutes_do_not_end_a_run_before_its_least_steps(tmp_path, monkeypatch, budget, steps):
    clock = {"now": 100.0}
    trainer = Asynchronous(tmp_path / "run", clock)
    monkeypatch.setattr(time, "monotonic", lambda: clock["now"])
    trainer.run_until(budget)
    assert trainer.step == steps
    trainer.run_until(budget)
    assert trainer.step == steps


def test_the_time_that_is_left_includes_the_least_steps():
    budget = Budget(steps=1_000, minutes=1.0, least_steps=200, most_minutes=5.0)
    assert budget.seconds_left(100, 20.0, rate=1.0) == 100.0
    assert budget.seconds_left(100, 20.0, rate=10.0) == 40.0
    assert budget.seconds_left(100, 20.0, rate=0.1) == 280.0
    assert budget.seconds_left(200, 90.0, rate=0.1) == 0.0
    assert [budget.most_seconds_left(step, 20.0) for step in (100, 200)] == [280.0, 40.0]
    whole = Budget(steps=1_000, minutes=1.0, least_steps=200, most_minutes=5.0, least_left=2.0)
    assert [whole.seconds_left(100, 20.0, rate) for rate in (10.0, 1.0, 0.5)] == [40.0, 100.0, 280.0]
    assert [whole.most_seconds_left(200, seconds) for seconds in (90.0, 190.0)] == [0.0, 110.0]
    unlimited = Budget(steps=1_000, least_steps=200)
    assert (unlimited.seconds_left(0, 0.0, rate=1.0), unlimited.most_seconds_left(0, 0.0)) == (None, None)


@pytest.mark.parametrize(("steps", "total", "remaining"), [(20, 80, 12.0), (1_000, 4_000, 297.0), (UNLIMITED, None, 297.0)])
def test_the_remaining_time_is_that_until_the_steps_or_the_minutes_end(tmp_path, monkeypatch, steps, total, remaining):
    clock, seen = {"now": 100.0}, []
    trainer = Asynchronous(tmp_path / "run", clock)
    monkeypatch.setattr(time, "monotonic", lambda: clock["now"])
    with listening(seen.append):
        trainer.run_until(Budget(steps=steps, minutes=5))
    assert seen[3].total == total
    assert seen[3].remaining == pytest.approx(remaining)  # four steps took 3 seconds
