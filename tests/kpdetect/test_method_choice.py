"""Which method a project gets whose objects have all directions."""

import numpy as np
import pytest

from kpdetect.config import write_config
from kpdetect.data.training_images import TrainingImages
from kpdetect.errors import ConfigError, InputError
from kpdetect.images.image_files import write_image
from kpdetect.project import method_choice, pipeline
from kpdetect.project.config import project_config
from kpdetect.project.method_choice import chosen_method
from kpdetect.project.pipeline import run_project
from kpdetect.project.price import ProjectPrice


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


def test_installed_features_are_used(installed, tmp_path):
    method, why = chosen_method(tmp_path)
    assert method == "correspondence"
    assert why.startswith("method: correspondence. It uses features of a network trained on ImageNet")
    assert "`method=gan` trains one" in why
    assert chosen_method(tmp_path, ["generator.data.crop=pad"])[0] == "correspondence"


def test_without_features_a_generator_is_trained(missing, tmp_path):
    method, why = chosen_method(tmp_path)
    assert method == "gan"
    assert why.startswith("method: gan; the method `correspondence` needs less time for the same error")
    assert "pip install 'kpdetect[imagenet]'" in why


@pytest.mark.parametrize(
    ("overrides", "how", "reason"),
    [
        ([], {"pretrained": False}, "pretrained weights are not allowed"),
        ([], {"given": {"keypoints": 7, "size": 64, "last": "report"}}, "only a generator uses `size`"),
        ([], {"given": {"size": None, "last": "generator"}}, "`last=generator` asks for a generator"),
        (["refined=false", "generator.model.tau=0.02"], {}, "only a generator uses `generator.model.tau`"),
    ],
    ids=["not allowed", "parameter", "last stage", "assignment"],
)
def test_what_asks_for_a_generator_gets_one(installed, tmp_path, overrides, how, reason):
    assert chosen_method(tmp_path, overrides, **how) == ("gan", f"method: gan, because {reason}")


@pytest.mark.slow
def test_a_run_that_ends_with_the_generator_trains_one(installed, tmp_path, monkeypatch):
    monkeypatch.setattr(ProjectPrice, "text", "")  # nothing is measured
    for number in range(16):
        write_image(tmp_path / "images" / f"{number}.png", np.zeros((40, 32, 3), np.uint8))
    images, out = tmp_path / "images", tmp_path / "out"
    plan = run_project(images, out, last="generator", dry_run=True, device="cpu").plan
    assert plan[0] == "method: gan, because `last=generator` asks for a generator"
    for method in ("correspondence", "imm"):
        with pytest.raises(InputError, match=f"`last=generator`: `method={method}` trains no generator; use `method=gan`"):
            run_project(images, out, method=method, last="generator", dry_run=True, device="cpu")
    assert not out.exists()


def test_a_wrong_assignment_is_reported_as_such(missing, tmp_path):
    with pytest.raises(ConfigError, match="unknown key 'correspondence.cels'"):
        chosen_method(tmp_path, ["correspondence.cels=3"])


@pytest.mark.parametrize("method", ["gan", "correspondence"])
def test_a_project_keeps_its_method(installed, tmp_path, method):
    write_config(project_config(method=method), tmp_path / "config.yaml")
    assert "began" not in chosen_method(tmp_path)[1]  # the project ended before it did anything
    (tmp_path / "pairs").mkdir()
    assert chosen_method(tmp_path) == (method, f"method: {method}, with which this project began")


def test_methods_have_their_numbers_of_keypoints():
    methods = [project_config(method=method) for method in ("gan", "imm", "correspondence")]
    assert [(each.learned, each.kept) for each in methods] == [(10, None), (10, None), (32, "auto")]
    more = [project_config(method="correspondence", keypoints=count) for count in (7, 50, 64)]
    assert [(each.learned, each.kept) for each in more] == [(12, 7), (64, 50), (64, None)]


@pytest.mark.parametrize("method", ["gan", "correspondence"])
@pytest.mark.parametrize("turned", [True, False], ids=["all directions", "upright"])
def test_objects_with_all_directions_get_other_settings(said, tmp_path, monkeypatch, turned, method):
    monkeypatch.setattr(pipeline, "settle_orientation", lambda *arguments, **options: turned)
    settings, images = project_config(method=method), TrainingImages(tmp_path)
    found = pipeline._oriented(settings, "auto", [], images, tmp_path / "out", writes=True, say=said.append)
    assert found.method == method
    assert found.detector.augment.rotation == (180 if turned else settings.detector.augment.rotation)
    assert found.refine.warp.rotation == (180 if turned else settings.refine.warp.rotation)
    assert found.correspondence.headings == (turned and method == "correspondence")
    assert (found.generator.model.orientation == "any") == (turned and method == "gan")


def test_objects_are_tested_if_the_user_chooses_clusters(tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(pipeline, "settle_orientation", lambda *given, possible, **options: asked.append(possible) or possible)
    how = {"writes": True, "say": str}
    given = ["refine.warp.rotation=90"], TrainingImages(tmp_path), tmp_path / "out"
    found = pipeline._oriented(project_config(method="correspondence"), "auto", *given, **how)
    assert found.correspondence.headings
    assert found.refine.warp.rotation == 90  # the user's assignments win
    assert not pipeline._oriented(project_config(method="imm"), "auto", *given, **how).correspondence.headings
    assert asked == [True, False]
