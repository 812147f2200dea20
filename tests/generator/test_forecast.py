"""What a training says of itself before it has got far: how much this machine will do, and early sample sheets."""

from __future__ import annotations

import logging
import time

import pytest
import torch

from kpdetect.config import StrictConfig
from kpdetect.progress import Pace
from kpdetect.training.budget import Budget
from kpdetect.training.data_key import DataKey
from kpdetect.training.forecast import DETECTOR, GENERATOR, Forecast, Needs, forecast_lines, needs_lines, outlook_lines
from kpdetect.training.loop import Trainer, TrainingConfig
from kpdetect.training.run_folder import RunFolder
from kpdetect.training.runtime import Runtime


def test_pace_leaves_out_the_first_steps() -> None:
    pace = Pace(skipped=2, seconds=10.0)
    found = [pace.measured(elapsed) for elapsed in (30.0, 40.0, 44.0, 48.0, 52.0, 56.0)]
    assert found == [None, None, None, None, pytest.approx(3 / 12), None]  # three steps from 40 s to 52 s, said once


def test_pace_of_slow_steps_ends_in_time_and_that_of_few_steps_early() -> None:
    slow = Pace(skipped=3, seconds=10.0, most=20.0)
    assert [slow.measured(elapsed) for elapsed in (15.0, 25.0, 35.0)] == [None, pytest.approx(1 / 10), None]
    short = Pace(skipped=1, seconds=10.0, steps=2)
    assert [short.measured(elapsed) for elapsed in (1.0, 1.5, 2.0)] == [None, None, pytest.approx(2 / 1)]


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
    measured = "in measurements, more than 24,000 did not improve the first detector"
    outlook = f"about 120,000 images are plenty for the generator: {measured}"
    assert forecast_lines(enough) == [(logging.INFO, expected), (logging.INFO, outlook)]
    assert "20,000 images are enough" in forecast_lines(Forecast(10.0, 0, 10**9, seconds_left=2_000.0))[1][1]
    (_, few), (level, warning) = forecast_lines(Forecast(5.0, 0, 10**9, seconds_left=1_800.0), share=0.8)
    assert level == logging.WARNING
    assert "in 30 minutes it has seen about 9,000 images" in few
    assert warning.startswith("about 9,000 images are few for the generator: with fewer than 16,000, the mask often misses")
    assert "give `minutes=100` for 24,000 images" in warning  # they take 80 minutes, 0.8 of 100
    slow = outlook_lines(Forecast(1.0, 0, 10**9, seconds_left=1_800.0), GENERATOR, 0.5)[0][1]
    assert "give `minutes=840` (14 hours) for 24,000 images" in slow  # 13.3 hours
    assert "more steps (`overrides=steps=...`)" in forecast_lines(Forecast(15.0, 0, 9_600))[1][1]
    assert outlook_lines(Forecast(9.0, 0, 3_200), DETECTOR)[0][1].startswith("about 3,200 images are few for the detector")


def test_a_stage_without_guidance_is_not_said_to_be_short() -> None:
    assert [level for level, _ in forecast_lines(Forecast(15.0, 0, 9_600, stage="detector"))] == [logging.INFO]


def test_needs_are_compared_with_the_machine() -> None:
    gib = 2**30
    enough = needs_lines(Needs(3 * gib // 2, 8 * gib, 40 * 2**20, 100 * gib))
    said = "it needs about 1.5 GiB of memory (there are 8.0 GiB) and writes about 40 MiB to disk (100.0 GiB are free)"
    assert enough == [(logging.INFO, said)]
    _, memory, disk = needs_lines(Needs(15 * gib // 2, 8 * gib, 2 * gib, gib, gpu=True))
    assert (memory[0], disk[0]) == (logging.WARNING, logging.WARNING)
    assert "memory" in memory[1]
    assert "another disk" in disk[1]


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
    trainer.run_until(Budget(steps=81))
    assert trainer.sheets == [3, 5, 9, 18, 35, 40, 80, 81]  # 21 s, 35 s, 63 s, 126 s, 245 s; every 40 steps; the end
    assert trainer.announced == [(pytest.approx(1 / 7), 81, None)]


def test_what_is_left_of_the_time_is_announced(tmp_path, monkeypatch, caplog) -> None:
    clock = {"now": 0.0}
    trainer = Slow(tmp_path / "run", clock)
    monkeypatch.setattr(time, "monotonic", lambda: clock["now"])
    trainer.run_until(Budget(steps=10**6, minutes=2.0))
    assert trainer.announced == [(pytest.approx(1 / 7), 10**6, pytest.approx(120 - 35))]  # three steps skipped, two measured
    assert ("kpdetect", logging.WARNING, "about to be said") in caplog.record_tuples
