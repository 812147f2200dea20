"""Which method a project gets whose objects have all directions."""

import pytest

from kpdetect.config import write_config
from kpdetect.data.training_images import TrainingImages
from kpdetect.errors import ConfigError
from kpdetect.project import method_choice, pipeline
from kpdetect.project.config import project_config
from kpdetect.project.method_choice import chosen_method


@pytest.fixture
def said():
    return []


@pytest.fixture
def installed(monkeypatch):
    monkeypatch.setattr(method_choice, "require_features", lambda config: None)


@pytest.fixture
def missing(monkeypatch):
    def refuse(config):
        raise ConfigError("not installed")

    monkeypatch.setattr(method_choice, "require_features", refuse)


def test_installed_features_are_used(installed, said, tmp_path):
    assert chosen_method(project_config(), tmp_path, say=said.append) == "correspondence"
    assert said[0].startswith("method: correspondence, because the objects have all directions")
    assert said[0].endswith("`method=gan` trains one")


def test_without_features_a_generator_is_trained(missing, said, tmp_path):
    assert chosen_method(project_config(), tmp_path, say=said.append) == "gan"
    assert said[0].startswith("method: gan; the method `correspondence` has lower errors")
    assert "pip install 'kpdetect[imagenet]'" in said[0]


@pytest.mark.parametrize("method", ["gan", "correspondence"])
def test_a_project_keeps_its_method(installed, said, tmp_path, method):
    write_config(project_config(method=method), tmp_path / "config.yaml")
    assert chosen_method(project_config(), tmp_path, say=said.append) == method
    assert said == [f"method: {method}, with which this project began"]


@pytest.mark.parametrize(
    ("turned", "choose", "method"),
    [(True, True, "correspondence"), (True, False, "gan"), (False, True, "gan")],
    ids=["all directions", "chosen by the user", "upright"],
)
def test_only_objects_with_all_directions_get_another_method(installed, said, tmp_path, monkeypatch, turned, choose, method):
    monkeypatch.setattr(pipeline, "settle_orientation", lambda *arguments, **options: turned)
    settings = project_config()
    images, how = TrainingImages(tmp_path), {"choose": choose, "writes": True, "say": said.append}
    found = pipeline._oriented(settings, "auto", [], images, tmp_path / "out", **how)
    assert [line.split("; ")[0].split(", ")[0] for line in said] == [f"method: {method}"] * choose
    assert found.method == method
    assert found.detector.augment.rotation == (180 if turned else settings.detector.augment.rotation)
    assert found.refine.warp.rotation == (180 if turned else settings.refine.warp.rotation)
    assert found.correspondence.headings == (method == "correspondence")
    assert (found.generator.model.orientation == "any") == (turned and method == "gan")


def test_objects_are_tested_if_the_user_chooses_clusters(tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(pipeline, "settle_orientation", lambda *given, possible, **options: asked.append(possible) or possible)
    how = {"choose": False, "writes": True, "say": str}
    given = ["refine.warp.rotation=90"], TrainingImages(tmp_path), tmp_path / "out"
    found = pipeline._oriented(project_config(method="correspondence"), "auto", *given, **how)
    assert found.correspondence.headings
    assert found.refine.warp.rotation == 90  # the user's assignments win
    assert not pipeline._oriented(project_config(method="imm"), "auto", *given, **how).correspondence.headings
    assert asked == [True, False]
