"""What a training says of itself before it has got far: how much this machine will do, and early sample sheets."""

from __future__ import annotations

import logging
import time

import pytest
import torch

from generator.training.forecast import Forecast, forecast_lines
from kpdetect.config import StrictConfig
from kpdetect.progress import Pace
from kpdetect.training.data_key import DataKey
from kpdetect.training.loop import Trainer, TrainingConfig
from kpdetect.training.run_folder import RunFolder
from kpdetect.training.runtime import Runtime


def test_pace_leaves_out_the_first_steps() -> None:
    pace = Pace(skipped=2, seconds=10.0)
    found = [pace.measured(elapsed) for elapsed in (30.0, 40.0, 44.0, 48.0, 52.0, 56.0)]
    assert found == [None, None, None, None, pytest.approx(3 / 12), None]  # three steps from 40 s to 52 s, said once


def test_images_at_the_end_follow_from_time_or_steps() -> None:
    timed = Forecast(20.0, 1_000, 10**9, seconds_used=60.0, seconds_left=600.0)
    assert timed.images == 13_000
    assert timed.seconds == pytest.approx(600.0)
    assert timed.minutes_for(25_000) == pytest.approx((60 + 24_000 / 20) / 60)
    assert Forecast(20.0, 1_000, 5_000, seconds_left=600.0).images == 5_000  # the steps end first
    assert Forecast(20.0, 1_000, 5_000).seconds == pytest.approx(200.0)


def test_too_few_images_are_said_with_what_to_change() -> None:
    enough = Forecast(50.0, 0, 10**9, seconds_left=2_400.0)
    expected = "this machine trains the generator on 50.0 images a second: in 40 minutes it has seen about 120,000 images"
    assert forecast_lines(enough) == [(logging.INFO, expected)]
    (_, few), (level, warning) = forecast_lines(Forecast(15.0, 0, 10**9, seconds_left=1_800.0), share=0.5)
    assert level == logging.WARNING
    assert "in 30 minutes it has seen about 27,000 images" in few
    assert "keypoints need about 100,000 images" in warning
    assert "--minutes 225 " in warning  # 100,000 images take 111.1 minutes, half of 222.2
    assert "the mask needs about 15,000" in forecast_lines(Forecast(15.0, 0, 10**9, seconds_left=600.0))[1][1]
    assert "more steps or images" in forecast_lines(Forecast(15.0, 0, 9_600))[1][1]


class Slow(Trainer):
    """Steps that take seven seconds of a clock that is turned by hand."""

    kind = "detector"

    def __init__(self, folder, clock, **schedule) -> None:
        run = RunFolder(folder, StrictConfig())
        runtime = Runtime(device=torch.device("cpu"), compute=torch.float32)
        super().__init__(run, TrainingConfig(**schedule), 4, DataKey(source="data"), runtime)
        self.clock, self.sheets, self.announced = clock, [], []

    def stateful(self):
        return {}

    def train_step(self):
        self.clock["now"] += 7.0
        return {"loss": torch.tensor(1.0)}

    def forecast(self, rate, steps, seconds_left):
        self.announced.append((rate, steps, seconds_left))
        return [(logging.WARNING, "about to be said")]

    def write_sheet(self):
        self.sheets.append(self.step)

    def write_weights(self):
        """None."""


def test_early_sheets_come_at_doubled_times_until_the_regular_ones(tmp_path, monkeypatch) -> None:
    clock = {"now": 0.0}
    trainer = Slow(tmp_path / "run", clock, sample_every=40)
    monkeypatch.setattr(time, "monotonic", lambda: clock["now"])
    trainer.run_until(81, minutes=None)
    assert trainer.sheets == [5, 9, 18, 35, 40, 80, 81]  # 35 s, 63 s, 126 s, 245 s; every 40 steps; the end
    assert trainer.announced == [(pytest.approx(1 / 7), 81, None)]


def test_what_is_left_of_the_time_is_announced(tmp_path, monkeypatch, caplog) -> None:
    clock = {"now": 0.0}
    trainer = Slow(tmp_path / "run", clock)
    monkeypatch.setattr(time, "monotonic", lambda: clock["now"])
    trainer.run_until(10**6, minutes=2.0)
    assert trainer.announced == [(pytest.approx(1 / 7), 10**6, pytest.approx(120 - 35))]  # three steps skipped, two measured
    assert ("kpdetect", logging.WARNING, "about to be said") in caplog.record_tuples
