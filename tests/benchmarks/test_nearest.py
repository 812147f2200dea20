"""Finding stored training images."""

from __future__ import annotations

import json

import numpy as np
import pytest

from benchmarks.studies.nearest import Nearest, _search, _vectors, describe_nearest, nearest_training_images
from kpdetect.config import apply_overrides
from kpdetect.files.hashes import file_hash
from tests.builders.generators import CONFIG
from tests.builders.runtimes import CPU
from tests.builders.trainings import fit_generator


def test_distance_is_in_grey_levels_and_mirrors_count() -> None:
    random = np.random.default_rng(0)
    training = random.integers(0, 256, (5, 32, 32, 3), np.uint8)
    known = np.concatenate([_vectors(training), _vectors(training[:, :, ::-1])])
    brighter = np.clip(training[3].astype(int) + 4, 0, 255).astype(np.uint8)
    rows = _vectors([training[1, :, ::-1], brighter])
    distances, places = _search(rows, known, None)
    assert list(places) == [1 + 5, 3]
    assert distances[0] == pytest.approx(0, abs=0.1)
    assert distances[1] == pytest.approx(4, abs=0.1)


def test_a_training_image_does_not_find_itself_or_its_mirror() -> None:
    training = np.zeros((3, 32, 32, 3), np.uint8)
    training[1], training[2] = 10, 30
    known = np.concatenate([_vectors(training), _vectors(training[:, :, ::-1])])
    distances, places = _search(_vectors(training), known, np.arange(3))
    assert list(places % 3) == [1, 0, 1]
    assert distances == pytest.approx([10, 10, 20], abs=0.01)


def test_description_has_both_scales() -> None:
    text = describe_nearest(
        Nearest(generated=(1, 2, 3, 4), training=(5, 6, 7, 8), closer=0.25, images=40, training_images=1234)
    )
    assert "| generated images | 1.0 | 2.0 | 3.0 | 4.0 |" in text
    assert "25.0 % of the 40 generated images are nearer to a training image than 99 % of the 1,234 training images are" in text


@pytest.mark.slow
def test_the_file_says_what_was_compared_with_what(blob_folder, tmp_path) -> None:  # type: ignore[no-untyped-def]
    weights = fit_generator(blob_folder, tmp_path / "run", apply_overrides(CONFIG, ["steps=2"]), CPU)
    left_out = tmp_path / "left-out.txt"
    left_out.write_text("001.png\n")
    result = nearest_training_images(weights, blob_folder, tmp_path / "out", CPU, count=4, seed=3, exclude=[left_out])
    found = json.loads((tmp_path / "out" / "nearest.json").read_text())
    assert (found["schema"], found["seed"], found["images"]) == ("kpdetect-nearest", 3, 4)
    assert found["generator"] == file_hash(weights)
    assert (found["model"], found["folder"]) == (str(weights), str(blob_folder))
    assert found["exclude"] == {"left-out.txt": file_hash(left_out)}
    assert tuple(found["generated"]) == result.generated
