"""The clock of a training run: a budget in minutes counts what the device does, not only what was asked of it."""

import time

import pytest
import torch

from kpdetect.config import StrictConfig
from kpdetect.progress import listening
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
    trainer.run_until(10**6, minutes=0.05)  # 3 seconds
    assert trainer.step == 4
    assert trainer.seconds == pytest.approx(3.0)


@pytest.mark.parametrize(("steps", "total", "remaining"), [(20, 80, 12.0), (1_000, 4_000, 297.0), (UNLIMITED, None, 297.0)])
def test_the_remaining_time_is_that_until_the_steps_or_the_minutes_end(tmp_path, monkeypatch, steps, total, remaining):
    clock, seen = {"now": 100.0}, []
    trainer = Asynchronous(tmp_path / "run", clock)
    monkeypatch.setattr(time, "monotonic", lambda: clock["now"])
    with listening(seen.append):
        trainer.run_until(steps, minutes=5)
    assert seen[3].total == total
    assert seen[3].remaining == pytest.approx(remaining)  # four steps took 3 seconds
