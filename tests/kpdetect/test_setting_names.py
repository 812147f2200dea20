"""Advice of a project's trainings names settings that `kpdetect run --set` accepts."""

import logging

import pytest

from generator.training.collapse import ADVICE
from kpdetect.config import apply_overrides
from kpdetect.data.training_images import TrainingImages
from kpdetect.errors import TrainingError
from kpdetect.messages import log
from kpdetect.project import run_stages
from kpdetect.project.config import project_config
from kpdetect.project.run_stages import Project
from kpdetect.project.setting_names import in_project, project_key
from kpdetect.refinement.collapse import Health, require_health
from kpdetect.refinement.config import RefineConfig
from kpdetect.training.forecast import Needs, needs_lines
from kpdetect.training.runtime import resolve_runtime


@pytest.mark.parametrize(
    ("stage", "key", "name"),
    [
        ("generator", "optimiser.batch", "generator.optimiser.batch"),
        ("detector", "rate", "detector.rate"),
        ("refine", "anchor_weight", "refine.anchor_weight"),
        ("imm", "reconstruction.features", "refine.reconstruction.features"),
        ("round", "rate", "rounds.rate"),
        ("round", "batch", "detector.batch"),
        ("generator", "model.safetensors", "model.safetensors"),
        ("generator", "generator.optimiser.batch", "generator.optimiser.batch"),
    ],
)
def test_a_setting_of_a_training_gets_the_name_of_its_section(stage, key, name):
    assert project_key(key, stage) == name
    message = f"runs/optimiser.batch: try `overrides={key}=0.5` or another `seed` (model.safetensors)"
    assert in_project(message, stage) == message.replace(f"overrides={key}", f"overrides={name}")
    assert in_project(f"{key}: wrong", stage) == (f"{name}: wrong" if "." in key else f"{key}: wrong")


def test_every_advice_of_a_collapse_can_be_typed():
    settings = project_config()
    texts = [(text, "generator") for text in ADVICE.values()]
    with pytest.raises(TrainingError) as refused:
        require_health(Health(spread=0.0, motion=0, drift=0), Health(spread=1.0, motion=1, drift=0), RefineConfig(), "out")
    for text, stage in [*texts, (str(refused.value), "refine")]:
        for part in in_project(text, stage).split("`")[1::2]:
            if part.startswith("overrides="):
                apply_overrides(settings, [part.removeprefix("overrides=").replace("...", "0.02")])


def test_errors_and_warnings_of_every_stage_name_the_settings_of_the_project(tmp_path, monkeypatch, caplog):
    def collapsed(*args, **options):
        log.warning("see `overrides=steps=...`")
        raise TrainingError("try a lower `overrides=rate=...`, see model.backbone")

    for name in ("run_generator_job", "run_detector_job", "run_refine_job", "teach_round"):
        monkeypatch.setattr(run_stages, name, collapsed)
    project = Project(
        images=TrainingImages(tmp_path),
        out=tmp_path / "out",
        settings=project_config(),
        runtime=resolve_runtime("cpu"),
    )
    stages, filters = project.stages(), list(log.filters)
    expected = {
        0: ("generator.steps", "rate", "model.backbone"),
        2: ("detector.steps", "detector.rate", "detector.model.backbone"),
        3: ("refine.steps", "refine.rate", "refine.model.backbone"),
        4: ("rounds.steps", "rounds.rate", "detector.model.backbone"),
    }
    for number, (steps, rate, backbone) in expected.items():
        caplog.clear()
        with caplog.at_level(logging.WARNING), pytest.raises(TrainingError) as refused:
            stages[number].run()
        assert str(refused.value) == f"try a lower `overrides={rate}=...`, see {backbone}"
        assert f"see `overrides={steps}=...`" in caplog.messages
    assert log.filters == filters


def test_too_little_memory_is_answered_by_a_setting():
    line = needs_lines(Needs(2, 1, 0, 1, batch="optimiser.batch"))[1][1]
    assert "a smaller `overrides=optimiser.batch=...`" in line
