"""Directions of objects: the test without labels, the choice, its record, and the settings that follow."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from generator.config import GeneratorConfig
from generator.stream import PairStream
from kpdetect.config import apply_overrides, read_config
from kpdetect.data.training_images import TrainingImages
from kpdetect.detector.config import preset_config
from kpdetect.errors import ConfigError
from kpdetect.images.image_files import write_image
from kpdetect.images.orientation import FEWEST, SIDE, measure_orientation
from kpdetect.project.generator_training import train_generator
from kpdetect.project.orientation import for_pairs, settle_orientation
from kpdetect.refinement.config import RefineConfig
from kpdetect.training.run_folder import CONFIG as RUN_CONFIG
from kpdetect.training.run_folder import ORIENTATION
from tests.builders.generators import CONFIG, write_generator


def arrows(count: int, spread: float, side: int = SIDE) -> NDArray[np.uint8]:
    """Dark arrows on a light floor with a dark wall at the left, at angles of at most `spread` degrees."""
    source = np.random.default_rng(0)
    images = np.full((count, side, side, 3), 200, np.uint8)
    images[:, :, : side // 8] = 60
    for image in images:
        angle = np.deg2rad(source.uniform(-spread, spread))
        along = np.array([np.cos(angle), np.sin(angle)]) * side * 0.2
        middle = side / 2 + source.uniform(-0.03, 0.03, 2) * side
        tail, tip = ((middle + sign * along).round().astype(int).tolist() for sign in (-1, 1))
        cv2.arrowedLine(image, tail, tip, (20, 20, 20), max(1, side // 24), tipLength=0.6)
    return images


def test_turns_are_recognised_only_where_objects_are_upright() -> None:
    upright, turned = measure_orientation(arrows(FEWEST, 20)), measure_orientation(arrows(FEWEST, 180))
    assert upright.share is not None
    assert upright.share > 0.95
    assert not upright.any
    assert turned.share is not None
    assert turned.share < 0.5
    assert turned.any
    few = measure_orientation(arrows(FEWEST - 1, 180))
    assert few.share is None
    assert not few.any


@pytest.fixture(scope="module")
def turned_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Small images of arrows in all directions."""
    folder = tmp_path_factory.mktemp("arrows")
    for number, image in enumerate(arrows(FEWEST, 180, side=48)):
        write_image(folder / f"{number:03d}.png", image)
    return folder


def test_the_choice_is_said_recorded_and_kept(turned_folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    images, gone = TrainingImages(turned_folder), TrainingImages(tmp_path / "gone")
    with caplog.at_level(logging.INFO, "kpdetect"):
        assert settle_orientation("auto", images, tmp_path / "dry", "centre", writes=False) is True
        assert not (tmp_path / "dry").exists()
        assert settle_orientation("auto", images, tmp_path, "centre") is True
    assert "objects have all directions: a classifier recognises" in caplog.text
    record = json.loads((tmp_path / ORIENTATION).read_text())
    assert record["orientation"] == "any"
    assert record["chosen_by"] == "test"
    assert record["images"] == FEWEST
    assert record["text"] in caplog.text
    assert record["turns_recognised"] < record["threshold"]
    said: list[str] = []
    assert settle_orientation("auto", gone, tmp_path, "centre", say=said.append) is True  # nothing is measured again
    assert said == [f"decided earlier: {record['text']}"]
    assert settle_orientation("upright", images, tmp_path, "centre") is False
    again = json.loads((tmp_path / ORIENTATION).read_text())
    assert again == {"orientation": "upright", "chosen_by": "user", "text": "the user chose the orientation upright"}
    (tmp_path / RUN_CONFIG).touch()  # a run that ended before it did anything
    assert settle_orientation("any", images, tmp_path, "centre") is True
    assert json.loads((tmp_path / ORIENTATION).read_text())["orientation"] == "any"
    (tmp_path / "checkpoint.pt").touch()
    assert settle_orientation("upright", images, tmp_path, "centre") is False
    assert json.loads((tmp_path / ORIENTATION).read_text())["orientation"] == "any"
    assert settle_orientation("auto", images, tmp_path / "no", "centre", possible=False) is False
    with pytest.raises(ConfigError, match="`orientation=left`: expected one of upright, any, auto"):
        settle_orientation("left", images, tmp_path, "centre")  # type: ignore[arg-type]


@pytest.mark.slow
def test_a_training_takes_the_settings_and_continues_with_them(turned_folder: Path, tmp_path: Path) -> None:
    config = apply_overrides(CONFIG, ["steps=1"])
    train_generator(turned_folder, tmp_path, config, orientation="auto", overrides=["model.mask_prior=1"], device="cpu")
    held = read_config(GeneratorConfig, tmp_path / "config.yaml").model
    assert (held.orientation, held.mask_prior) == ("any", 1)
    train_generator(turned_folder, tmp_path, config, orientation="auto", overrides=["model.mask_prior=1"], device="cpu")


def test_detectors_follow_the_generator_of_their_pairs(tmp_path: Path) -> None:
    for name in ("upright", "any"):
        write_generator(tmp_path / name, orientation=name)
    detector, refine = preset_config("tiny"), RefineConfig()
    assert for_pairs(detector, "auto", tmp_path / "any").augment.rotation == 180
    assert for_pairs(refine, "auto", tmp_path / "any").warp.rotation == 180
    assert for_pairs(refine, "any", None).warp.rotation == 180
    for unchanged in (tmp_path / "upright", tmp_path / "gone", None):
        assert for_pairs(detector, "auto", unchanged) == detector
    assert for_pairs(detector, "upright", tmp_path / "any") == detector
    assert PairStream(tmp_path / "any", "cpu").provenance["orientation"] == "any"
    assert "orientation" not in PairStream(tmp_path / "upright", "cpu").provenance
