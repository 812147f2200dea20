"""How `kpdetect run` spends its minutes: on which stages, and on how many pairs."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from kpdetect.config import apply_overrides
from kpdetect.data.training_images import TrainingImages, warn_of_few
from kpdetect.project import run_stages
from kpdetect.project.budget import LEAST_PAIRS, affordable, images_of_round, omission, pairs_needed, share_of
from kpdetect.project.config import FIRST, changed, project_config
from kpdetect.project.job import REFINED_COST, ProjectJob
from kpdetect.project.pipeline import run_project
from kpdetect.project.price import ProjectPrice
from kpdetect.project.run_stages import Project
from kpdetect.training.forecast import Forecast, Needs
from kpdetect.training.price import Price
from kpdetect.training.processes import Peers
from tests.builders.peers import together
from tests.builders.runtimes import CPU


def priced(minutes, detector_rate=50.0, drawing_rate=100.0, *overrides):
    """The forecast of a project of which nothing is trained, as if these images and pairs a second had been measured."""
    settings = apply_overrides(project_config(), ["detector.steps=1000000000", *overrides])
    images, out = TrainingImages(Path("images")), Path("nowhere")
    job = ProjectJob(images=images, out=out, settings=settings, runtime=CPU, minutes=minutes)
    price = ProjectPrice(job=job)
    seconds = minutes and 60 * minutes * share_of("detector", True, 1)
    forecast = Forecast(detector_rate, 0, 10**12, seconds_left=seconds)
    measured = {"prices": tuple(SimpleNamespace(forecast=forecast) for _ in job.trainings), "drawing_rate": drawing_rate}
    price.__dict__.update(measured)
    return price


def test_the_pairs_follow_what_the_detector_can_see():
    detector, pairs = (60 * share_of(stage, True, 1) for stage in ("detector", "pairs"))
    assert priced(30).pairs_count == pytest.approx(30 * detector * 50 / 2, rel=0.05)  # each pair is seen twice
    assert priced(30, 50, 10).pairs_count == max(LEAST_PAIRS, round(30 * pairs * 10, -2))  # drawing is slow
    assert priced(600).pairs_count == 20_000  # the setting is the largest number
    assert priced(0.5).pairs_count == LEAST_PAIRS
    assert priced(0.5, 50, 100, "pairs.count=100").pairs_count == 100
    assert priced(None, 50, 100, "detector.steps=200").pairs_count == 200 * 32  # no more than there are places in batches
    assert pairs_needed(project_config(), 1_234) == 1_200


def matched(minutes, *overrides):
    settings = affordable(changed(project_config(method="correspondence"), minutes, overrides), minutes)
    return ProjectJob(
        images=TrainingImages(Path("images")), out=Path("nowhere"), settings=settings, runtime=CPU, minutes=minutes
    )


def test_the_minutes_of_clusters_pay_for_no_generator():
    job = matched(20)
    assert [training.stage for training in job.trainings] == ["detector", "refine", "round", "round", "round"]
    assert sum(training.job.minutes for training in job.trainings[:3]) == pytest.approx(20)
    counted = matched(20, "rounds.count=2", "rounds.stops=false")
    assert sum(training.job.minutes for training in counted.trainings) == pytest.approx(20)


def test_trainings_on_matches_end_before_they_learn_the_errors_by_heart():
    settings = project_config(method="correspondence")
    assert (settings.detector.batch, settings.detector.warmup, settings.refine.warmup) == (16, 50, 50)
    for minutes in (600, None):
        assert [training.job.config.steps for training in matched(minutes).trainings] == [1_000, 313, *[750] * 3]
    named = {training.stage: training.job.config.steps for training in matched(60, "detector.steps=5000").trainings}
    assert (named["detector"], named["round"]) == (5_000, 750)
    larger = {training.stage: training.job.config.steps for training in matched(60, "detector.batch=64").trainings}
    assert (larger["detector"], larger["round"]) == (250, 188)
    assert affordable(changed(project_config(), 60, []), 60).detector.steps >= 10**9  # pairs of a generator have no errors


def test_further_rounds_use_the_minutes_that_the_trainings_leave(monkeypatch):
    took = {"detector": 300.0, "refined": 240.0, "taught-1": 200.0, "taught-2": 200.0, "taught-3": 0.0}
    monkeypatch.setattr("kpdetect.project.job.progress_in", lambda folder, kind: (1, took[folder.name]))
    assert [matched(20).allows_round(number) for number in (2, 3)] == [True, False]
    took["detector"] = 600.0
    assert not matched(20).allows_round(2)
    assert matched(None).allows_round(3)


def test_the_first_detector_comes_first_on_a_slow_machine(monkeypatch):
    took = {"detector": 600.0, "refined": 0.0, "taught-1": 0.0, "taught-2": 0.0, "taught-3": 0.0}
    steps = {"detector": 2_000}  # 53 images a second
    progress = property(lambda self: (steps.get(self.job.out.name, 1), took[self.job.out.name]))
    monkeypatch.setattr("kpdetect.project.job.Training.progress", progress)
    job = matched(20)
    assert (job.detector_job.least_steps, job.detector_job.most_minutes) == (FIRST / 16, 20)
    assert matched(20, "detector.batch=64").detector_job.least_steps == FIRST / 64
    assert (job.reason_without_refinement(), job.reason_without_round(1)) == (None, None)
    steps["detector"] = 500  # 13 images a second
    few = "it would see about 1,100 images, and with fewer than 3,000 it gains nothing"
    assert (job.reason_without_refinement(), matched(60).reason_without_refinement()) == (few, None)
    assert matched(20, "refine.steps=30").reason_without_refinement() is None  # the steps end it, as the user asked
    took["detector"] = 900.0
    assert job.reason_without_refinement() == "the first detector needed its minutes"
    assert job.reason_without_round(1) is None  # 5 of the 6 minutes of a round are left
    took["detector"] = 1_200.0
    assert job.reason_without_round(1) == job.reason_without_round(2) == "the minutes are used up"
    for given in (matched(20, "rounds.count=1", "rounds.stops=false"), matched(None)):
        assert given.detector_job.least_steps == 0
        assert (given.reason_without_refinement(), given.reason_without_round(1)) == (None, None)


def test_a_round_has_at_most_the_minutes_that_are_left(monkeypatch):
    took = {"detector": 900.0, "refined": 30.0}
    monkeypatch.setattr("kpdetect.project.job.progress_in", lambda folder, kind: (1, took.get(folder.name, 0.0)))
    assert [matched(20).round_job(number).minutes for number in (1, 2)] == [4.5, 4.5]  # of 20 - 15.5
    assert (matched(60).round_job(1).minutes, matched(None).round_job(1).minutes) == (18, None)
    took["taught-1"] = 100.0
    assert [matched(22).round_job(number).minutes for number in (1, 2)] == [pytest.approx(6.5), pytest.approx(4.95)]
    assert matched(22, "rounds.count=1", "rounds.stops=false").round_job(1).minutes == pytest.approx(6.6)


def test_a_round_has_the_minutes_that_are_too_few_for_another_one(monkeypatch):
    took = {"detector": 600.0}
    monkeypatch.setattr("kpdetect.project.job.progress_in", lambda folder, kind: (1, took.get(folder.name, 0.0)))
    assert matched(20).round_job(1).minutes == 10  # 6 would leave 4, and a round needs 4.5
    assert matched(20, "rounds.count=1").round_job(1).minutes == 10
    took["detector"] = 540.0
    assert matched(20).round_job(1).minutes == 6
    assert matched(20, "rounds.count=1").round_job(1).minutes == 11  # no other round follows
    assert matched(20, "rounds.count=1", "rounds.stops=false").round_job(1).minutes == 6


@pytest.mark.parametrize("took", [(15, 6, 9), (18.75, 7.5, 11.25), (10, 6, 8)])  # of 30 minutes, with 1 and with 2 rounds
def test_later_trainings_are_not_discarded_for_a_larger_share(took, monkeypatch, tmp_path):
    seconds = dict(zip(("detector", "refined", "taught-1"), took, strict=True))
    monkeypatch.setattr("kpdetect.project.job.progress_in", lambda folder, kind: (1, 60 * seconds.get(folder.name, 0)))
    for stage in seconds:
        (tmp_path / stage).mkdir()
        (tmp_path / stage / "checkpoint.pt").touch()
    job, longer, other = (replace(matched(each), out=tmp_path / name) for each, name in ((30, ""), (60, ""), (30, "other")))
    assert [training.is_finished for training in job.trainings[:2]] == [True, True]
    assert not longer.trainings[0].is_finished
    assert longer.detector_job.least_steps == other.detector_job.least_steps == FIRST / 16
    assert job.round_job(1).minutes > 0
    (tmp_path / "taught-2").mkdir()
    (tmp_path / "taught-2" / "checkpoint.pt").touch()
    assert job.round_job(1).minutes == 0


def test_few_minutes_keep_the_later_stages_that_are_there(tmp_path):
    (tmp_path / "taught-1").mkdir()
    (tmp_path / "taught-1" / "checkpoint.pt").touch()
    settings = project_config(method="correspondence")
    for minutes, refined in ((3, False), (4, True)):
        assert affordable(settings, minutes).refined is refined
        assert affordable(settings, minutes, tmp_path).refined
    assert omission(settings, 3) is not None
    assert omission(settings, 3, tmp_path) is None


def test_advice_below_the_least_minutes_is_about_a_run_with_all_stages():
    whole = project_config(method="correspondence")
    job = replace(matched(3), whole=whole)
    assert job.share("detector") == 3
    assert job.share_of_more_minutes("detector") == 0.5


def test_a_detector_uses_the_minutes_of_no_other_training(tmp_path, monkeypatch):
    monkeypatch.setattr("kpdetect.project.job.progress_in", lambda folder, kind: (1, 0.0))
    config = matched(20).detector_job.config

    def is_finished(job, minutes, step=FIRST // 16):
        return replace(job, out=tmp_path).detector_job.budget(config.steps).is_used_up(step, 60 * minutes)

    assert not is_finished(matched(20), 16)  # no round fits into 4 minutes
    assert is_finished(matched(20), 15)
    without_rounds = matched(20, "rounds.count=0")
    assert is_finished(without_rounds, without_rounds.share("detector"))  # the refinement has the rest
    assert not is_finished(matched(12), 10)
    (tmp_path / "taught-1").mkdir()
    (tmp_path / "taught-1" / "checkpoint.pt").touch()
    assert is_finished(matched(12), 10)  # otherwise it would discard the round


def test_a_round_predicts_as_many_images_as_its_pupil_can_see_twice(monkeypatch):
    took = {"detector": (500, 800.0)}  # 8,000 images, 10 a second
    monkeypatch.setattr("kpdetect.project.job.Training.progress", property(lambda self: took.get(self.job.out.name, (0, 0.0))))
    assert matched(20).images_of_round(1) == 2_000  # 6.7 minutes: 4,000 images
    assert matched(20, "rounds.images=1500").images_of_round(1) == 1_500
    assert matched(8).images_of_round(1) == LEAST_PAIRS
    assert matched(600).images_of_round(1) == matched(None).images_of_round(1) == 12_000 / 2
    took.clear()  # nothing is trained
    assert matched(20).images_of_round(1) == 12_000 / 2
    assert images_of_round(project_config(), 48_000) == 10_000


@pytest.mark.parametrize(
    ("rate", "stages", "minutes"),
    [
        (5.0, ["detector"], 20),
        (8.3, ["detector"], 20),  # 8,000 images take 16 minutes; the rest is too short for a round, so the detector has it
        (9.0, ["detector", "round"], 20),  # the round has the 5.2 minutes that are left
        (10.0, ["detector", "round"], 20),
        (18.0, ["detector", "round"], 20),  # a refinement on 1,440 images gains nothing, and the round has its minutes
        (45.0, ["detector", "refine", "round", "round"], 18.8),
        (500.0, ["detector", "refine", "round", "round", "round"], 2.7),
    ],
)
def test_the_forecast_lists_the_trainings_that_the_minutes_allow(rate, stages, minutes):
    price = ProjectPrice(job=matched(20))
    found = []
    for training in price.job.trainings:
        config = training.job.config
        limit, speed = config.steps * config.batch, rate / (REFINED_COST if training.stage == "refine" else 1)
        limited = training.stage != "round"  # the minutes of a round depend on the trainings before it
        seconds = training.job.budget(config.steps).seconds_left(0, 0.0, speed / config.batch) if limited else None
        found.append(Price(forecast=Forecast(speed, 0, limit, seconds_left=seconds), needs=Needs(0, None, 0, 0)))
    price.__dict__["prices"] = tuple(found)
    assert [training.stage for training, _ in price.expected] == stages
    whole = sum(each.forecast.seconds for _, each in price.expected)
    assert whole / 60 == pytest.approx(minutes, abs=0.1)
    lines = [line for _, line in price._spare_minutes(whole)]
    assert [line.split(":")[0] for line in lines] == ["the trainings need about 3 minutes of the 20"] * (rate == 500)


def test_refinement_is_measured_with_the_detectors_network(monkeypatch):
    price = priced(30, 50, 100, "detector.model.input_size=64")
    price.__dict__["squares"] = np.zeros((2, 64, 64, 3), np.uint8)
    monkeypatch.setattr(TrainingImages, "sample", lambda images, out, side, crop: side)
    monkeypatch.setattr("kpdetect.project.price.sampled_refine_price", lambda job, sample, **more: (sample, job.config))
    side, config = price._measured(next(training for training in price.job.trainings if training.stage == "refine"))
    assert (side, config.model.input_size) == (64, 64)


def test_a_short_run_leaves_out_refinement_and_rounds(blob_folder, tmp_path, monkeypatch, caplog):
    caplog.set_level("INFO")
    seen, shares = [], []

    def look(project):
        seen.append([stage.title for stage in project.stages()])
        shares.append((project.share("generator"), project.share_of_more_minutes("generator")))

    monkeypatch.setattr(Project, "run", look)
    for minutes in (3, 60, None):
        run_project(blob_folder, tmp_path / "project", method="gan", minutes=minutes, device=CPU)
    assert [len(titles) for titles in seen] == [6, 9, 9]
    assert shares[0] == (3 * share_of("generator", False), share_of("generator", True, 1))  # advice is about a longer run
    assert shares[1] == (60 * share_of("generator", True, 1), share_of("generator", True, 1))
    assert not any("Refine" in title or "Round" in title for title in seen[0])
    notes = [record.getMessage() for record in caplog.records if "too short" in record.getMessage()]
    assert len(notes) == 1
    assert notes[0].startswith("3 minutes are too short for refinement and self-training; from `minutes=4` on")
    plain = project_config(refined=False, rounds=0)
    assert (affordable(plain, 3), omission(plain, 3)) == (plain, None)
    imm = project_config(method="imm")
    assert affordable(imm, 1) == imm


def test_few_images_are_said_with_what_they_risk(caplog):
    warn_of_few(500, "the generator may memorise so few")
    assert not caplog.records
    warn_of_few(499, "the generator may memorise so few")
    (record,) = caplog.records
    assert record.getMessage() == "only 499 images; this training needs a few thousand, and the generator may memorise so few"


def test_processes_of_unequal_speed_draw_one_number_of_pairs(tmp_path, monkeypatch):
    drawn: list[int] = []
    monkeypatch.setattr(run_stages, "PairStream", lambda *_, **__: SimpleNamespace(provenance={}))
    monkeypatch.setattr(run_stages, "by_the_first", lambda *_: None)
    monkeypatch.setattr(run_stages, "read_sources", lambda _: None)
    monkeypatch.setattr(run_stages, "write_shards", lambda stream, out, count, **_: drawn.append(count))

    def draw(peers: Peers) -> None:
        price = SimpleNamespace(pairs_count=500 + peers.rank)  # of the measured speed of this process
        project: Any = SimpleNamespace(
            settings=project_config(method="gan"), out=tmp_path, runtime=None, minutes=10.0, price=price, peers=peers
        )
        Project.pairs(project)

    together(2, draw)
    assert drawn == [500, 500]
