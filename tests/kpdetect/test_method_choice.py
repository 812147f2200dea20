"""Which method a project gets whose objects have all directions."""

import pytest

from kpdetect.config import write_config
from kpdetect.data.training_images import TrainingImages
from kpdetect.errors import ConfigError
from kpdetect.project import method_choice, pipeline
from kpdetect.project.config import project_config
from kpdetect.project.method_choice import chosen_method


@pytest.fixture
def installed(monkeypatch):
    monkeypatch.setattr(method_choice, "require_features", lambda config: None)


@pytest.fixture
def missing(monkeypatch):
    def refuse(config):
        raise ConfigError("not installed")

    monkeypatch.setattr(method_choice, "require_features", refuse)


def test_installed_features_are_used(installed, tmp_path, caplog):
    caplog.set_level("INFO")
    assert chosen_method(project_config(), tmp_path, report=True) == "correspondence"
    assert "method: correspondence" in caplog.text
    assert "`method=gan` trains one" in caplog.text


def test_without_features_a_generator_is_trained(missing, tmp_path, caplog):
    caplog.set_level("INFO")
    assert chosen_method(project_config(), tmp_path, report=True) == "gan"
    assert "pip install 'kpdetect[imagenet]'" in caplog.text


@pytest.mark.parametrize("method", ["gan", "correspondence"])
def test_a_project_keeps_its_method(installed, tmp_path, method):
    write_config(project_config(method=method), tmp_path / "config.yaml")
    assert chosen_method(project_config(), tmp_path, report=False) == method


@pytest.mark.parametrize(
    ("turned", "choose", "method"),
    [(True, True, "correspondence"), (True, False, "gan"), (False, True, "gan")],
    ids=["all directions", "chosen by the user", "upright"],
)
def test_only_objects_with_all_directions_get_another_method(installed, tmp_path, monkeypatch, turned, choose, method):
    monkeypatch.setattr(pipeline, "settle_orientation", lambda *arguments, **options: turned)
    settings = project_config()
    found = pipeline._oriented(settings, "auto", [], TrainingImages(tmp_path), tmp_path / "out", choose=choose, writes=True)
    assert found.method == method
    turns = turned and method == "gan"
    assert found.detector.augment.rotation == (180 if turns else settings.detector.augment.rotation)
