"""The verdict without labels: evidence on a detector whose answer is known, states, sentences, the file."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.describe import describe_measurements
from benchmarks.metrics.keypoint_quality import ERRORS, Neighbours
from benchmarks.studies.evidence import UNKNOWN, Coverage, Evidence, coverage_of, gather_evidence, same_scale
from benchmarks.studies.judging import coverage_without_generator, describe_verdict, images_seen_of_matches, judge_project
from benchmarks.studies.measured_rows import MeasuredNumber, write_measured
from benchmarks.studies.verdict import CAUTION, judge_keypoints, read_verdict, write_verdict
from kpdetect.discovery.object_masks import ObjectMasks
from kpdetect.errors import FormatError, InputError
from kpdetect.files.hashes import file_hash
from kpdetect.images.image_files import write_image
from kpdetect.inference.predictions import Predictions
from kpdetect.skeleton import Skeleton
from kpdetect.studio.project_room import _verdict
from tests.builders.runtimes import CPU


class Brightest:
    """Keypoint 0 is the brightest red, 1 the brightest green, 2 the pixel right of 0; 3 never moves, 4 is dropped."""

    skeleton = replace(Skeleton.plain(5), numbers=(0, 1, 2, 3), names=("a", "b", "c", "d"))

    def __call__(self, images: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        found = []
        for image in images:
            red, green = (np.unravel_index(image[..., colour].argmax(), image.shape[:2])[::-1] for colour in (0, 1))
            found.append([red, green, (red[0] + 1, red[1]), (20, 10), (0, 0)])
        return np.array(found, np.float64), np.ones((len(images), 5))


BRIGHTEST: Any = Brightest()


@pytest.fixture
def spots(tmp_path):
    """Twelve images, 100 wide and 60 high, with a red and a green spot somewhere in the middle."""
    source, paths = np.random.default_rng(0), []
    for number in range(12):
        image = np.zeros((60, 100, 3), np.uint8)
        for colour in (0, 1):
            row, column = source.integers(20, 40), source.integers(30, 70)
            image[row - 2 : row + 3, column - 2 : column + 3, colour] = 120
            image[row, column, colour] = 255
        paths.append(tmp_path / f"{number:02d}.png")
        write_image(paths[-1], image)
    return paths


def test_evidence_on_a_detector_that_is_known(spots) -> None:
    found = gather_evidence(BRIGHTEST, None, spots)
    assert (found.numbers, found.images) == ((0, 1, 2, 3), 12)
    assert found.motion[3] == pytest.approx(0.0, abs=1e-9)
    assert (found.view_error[:3] < 0.3).all()
    assert found.view_error[3] == pytest.approx(1.0)
    assert (found.noise[:3] < 0.3).all()
    assert found.noise[3] == 10.0
    assert found.movements == pytest.approx(4.0, abs=0.4)  # two spots, two directions each
    assert found.duplicates == {2: 0} or found.duplicates == {0: 2}
    assert found.neighbours.distance[0] == pytest.approx(100 / np.sqrt(6_000))
    assert (found.redrawn_error, found.coverage.within_reach, found.known_to_other) == (None, None, None)
    verdict = judge_keypoints(found, detector="abc")
    assert [each.state for each in verdict.keypoints][1::2] == ["steady", "still"]
    assert sorted(each.state for each in verdict.keypoints) == ["duplicate", "steady", "steady", "still"]


def test_coverage_from_masks_of_real_images(tmp_path) -> None:
    image = np.zeros((60, 100, 3), np.uint8)  # the centre square begins 20 pixels from the left
    image[30, 50, :2] = 255
    write_image(tmp_path / "a.png", image)
    masks = np.zeros((2, 24, 24), bool)  # a cell has 2.5 pixels
    masks[0, 12, 12] = True  # at the red spot
    masks[0, 3, 20] = True
    objects = ObjectMasks(names=("a.png", "gone.png"), masks=masks, crop="centre")
    found = coverage_of(BRIGHTEST, objects, tmp_path)
    assert found.within_reach == 0.5
    assert found.unknown is None
    lost = replace(objects, names=("x.png", "gone.png"))
    assert coverage_of(BRIGHTEST, lost, tmp_path) == UNKNOWN


def test_masks_of_a_project_are_used_for_its_own_images_alone(tmp_path) -> None:
    images, project = tmp_path / "images", tmp_path / "project"
    images.mkdir()
    image = np.zeros((60, 60, 3), np.uint8)
    image[30, 30, :2] = 255
    write_image(images / "a.png", image)
    masks = np.zeros((1, 24, 24), bool)
    masks[0, 12, 12] = True
    none = Predictions.none(Skeleton.plain(5))
    none.write(project / "predictions", {"source": str(images)})
    assert coverage_without_generator(BRIGHTEST, project, images) == UNKNOWN
    (project / "correspondence").mkdir()
    ObjectMasks(names=("a.png",), masks=masks, crop="centre").write(project / "correspondence", "key")
    assert coverage_without_generator(BRIGHTEST, project, images).within_reach == 1.0
    assert coverage_without_generator(BRIGHTEST, project, tmp_path) == UNKNOWN


def test_another_detector_explains_what_both_find(spots) -> None:
    class Red(Brightest):
        """Finds the red spot alone, with x and y exchanged."""

        skeleton = Skeleton.plain(1)

        def __call__(self, images):
            keypoints, confidence = super().__call__(images)
            return keypoints[:, :1, ::-1], confidence[:, :1]

    found = gather_evidence(BRIGHTEST, None, spots, other=Red())
    assert found.known_to_other[[0, 2]] == pytest.approx([1.0, 1.0], abs=0.01)
    assert found.known_to_other[[1, 3]].max() < 0.5
    verdict = judge_keypoints(
        replace(EVIDENCE, known_to_other=np.array([1.0, 0.9, 0.9, -0.2, 0.0, 0.7])), detector="abc", other="def"
    )
    assert "The other detector's keypoints explain 55 % of the keypoints' motion." in verdict.sentences
    assert (verdict.other, verdict.keypoints[5].known_to_other) == ("def", 0.7)


def test_one_image_is_too_few(spots) -> None:
    with pytest.raises(InputError, match="needs at least 2"):
        gather_evidence(BRIGHTEST, None, spots[:1])


def test_one_scale_for_both_axes() -> None:
    image = np.zeros((25, 100, 3), np.uint8)  # side 50
    corners = same_scale(np.array([[[-0.5, -0.5], [99.5, 24.5], [49.5, 12.0]]]), [image])
    assert corners[0].tolist() == [[-2.0, -0.5], [2.0, 0.5], [0.0, 0.0]]


EVIDENCE = Evidence(
    numbers=(0, 2, 3, 5, 6, 7),
    images=40,
    motion=np.array([5.0, 4.0, 4.0, 0.2, 3.0, 6.0]),
    neighbours=Neighbours(
        nearest=np.array([1, 2, 1, 4, 3, 0]),
        distance=np.array([9.0, 2.0, 2.0, 7.0, 7.0, 12.0]),
        play=np.array([3.0, 0.5, 0.5, 3.0, 3.0, 5.0]),
        shared=np.array([0.64, 0.98, 0.98, 0.0, 0.0, 0.3]),
    ),
    duplicates={2: 1},
    view_error=np.array([0.1, 0.2, 0.25, 0.1, 0.9, 0.5]),
    mirror_error=np.array([0.5, 0.5, 0.5, 1.0, 1.0, 0.5]),
    redrawn_error=np.array([0.1, 0.1, 0.1, 1.0, 1.0, 0.4]),
    noise=np.array([0.1, 0.2, 0.25, 0.1, 0.9, 0.5]),
    movements=2.4,
    coverage=Coverage(within_reach=0.4, within_hull=0.3),
)


def test_states_score_and_sentences() -> None:
    verdict = judge_keypoints(EVIDENCE, detector="abc", generator="def", images_seen=7_000)
    assert [each.state for each in verdict.keypoints] == ["steady", "steady", "duplicate", "still", "lost", "unsteady"]
    assert (verdict.score, verdict.movements) == (0.411, 2.4)  # sqrt(2.4 / 4.4) (1 - 0.4439)
    assert (verdict.keypoints[2].repeats, verdict.keypoints[5].nearest) == (2, 0)
    assert verdict.sentences == (
        "2 of 6 keypoints are steady.",
        "7 follows the object with errors.",
        "3 is a duplicate (of 2).",
        "6 does not follow the object.",
        "5 hardly moves.",
        "Together the keypoints show 2 of at most 12 independent movements (score 0.41): most of them move together, or are "
        "unsteady.",
        "Of 106 measured detectors, those with a score of 0.3 to 0.5 had 0.62 to 0.82 of the mean shape's error "
        "(median 0.78; 1: nothing learned).",
        "The keypoints enclose 30 % of the object; its outer parts have none.",
        "Keypoints are near 40 % of the object; parts of it have none.",
        "The generator saw 7,000 images and needs 16,000 to 24,000: train longer; the same command with a larger budget "
        "continues the training.",
    )


def test_several_keypoints_in_one_sentence_and_nothing_that_is_not_known() -> None:
    unknown = Coverage(unknown="there is no generator that draws it")
    several = replace(EVIDENCE, noise=np.array([0.1, 0.9, 0.8, 0.7, 0.9, 0.1]), movements=6.0, coverage=unknown, duplicates={})
    verdict = judge_keypoints(several, detector="abc")
    assert verdict.sentences == (
        "2 of 6 keypoints are steady.",
        "2, 3 and 6 do not follow the object.",
        "5 hardly moves.",
        "Together the keypoints show 6 of at most 12 independent movements (score 0.28): most of them move together, or are "
        "unsteady.",
        "Of 106 measured detectors, those with a score below 0.3 had 0.60 to 1.00 of the mean shape's error "
        "(median 0.74; 1: nothing learned).",
        "How much of the object has keypoints is unknown: there is no generator that draws it.",
    )
    steady = judge_keypoints(replace(several, noise=np.full(6, 0.1)), detector="abc")
    assert "Together the keypoints show 6 of at most 12 independent movements (score 0.78)." in steady.sentences
    assert "those with a score of 0.7 to 0.8 had" in " ".join(steady.sentences)
    assert not judge_keypoints(EVIDENCE, detector="abc", images_seen=16_000).sentences[-1].startswith("The generator saw")


def test_a_detector_that_learned_from_too_few_matches_is_named() -> None:
    few = judge_keypoints(EVIDENCE, detector="abc", matched_seen=4_000)
    assert few.sentences[-1] == (
        "The first detector saw 4,000 images and needs 6,000 to 12,000: train longer; the same command with a larger budget "
        "continues the training."
    )
    assert not judge_keypoints(EVIDENCE, detector="abc", matched_seen=6_000).sentences[-1].startswith("The first detector")


def test_what_the_verdict_says_about_a_score_stands_in_the_documentation() -> None:
    page = (Path(__file__).parents[2] / "docs" / "howto" / "measure.md").read_text()
    for (low, high), errors in ERRORS.items():
        scores = f"below {high}" if low == 0 else f"{low} or more" if high == 1 else f"{low} to {high}"
        row = next(line for line in page.splitlines() if line.startswith(f"| {scores} |"))
        assert row.endswith(" | " + ", ".join(f"{error:.2f}" for error in errors) + " |")


def test_a_verdict_is_read_as_it_was_written(tmp_path) -> None:
    path = tmp_path / "verdict.json"
    verdict = judge_keypoints(EVIDENCE, detector="abc", images_seen=120_000)
    write_verdict(verdict, path)
    assert read_verdict(path) == verdict
    assert describe_measurements(path)[:2] == [
        "verdict without labels, from 40 images; score 0.41 of 1",
        "  2 of 6 keypoints are steady.",
    ]
    content = json.loads(path.read_text())
    assert content["schema"] == "kpdetect-verdict-3"
    path.write_text(json.dumps(content | {"score": "much"}))
    with pytest.raises(FormatError, match="score = 'much' is not valid.*run `kpdetect report` again"):
        read_verdict(path)
    for earlier in ("kpdetect-verdict", "kpdetect-verdict-2"):
        path.write_text(json.dumps(content | {"schema": earlier}))
        with pytest.raises(FormatError, match="earlier version.*run `kpdetect report` again"):
            describe_measurements(path)
    path.write_text("[]")
    with pytest.raises(FormatError, match="not a verdict of kpdetect"):
        read_verdict(path)


def test_a_verdict_goes_with_the_detector_it_was_about(spots, small_project, tmp_path) -> None:
    verdict = judge_keypoints(gather_evidence(BRIGHTEST, None, spots), detector="abc")
    rows = [MeasuredNumber(name="FID", value=3.0)]
    write_measured(rows, Path("project"), tmp_path, {}, verdict)
    assert (tmp_path / "verdict.json").exists()
    write_measured(rows, Path("generator"), tmp_path, {})
    assert not (tmp_path / "verdict.json").exists()
    write_verdict(verdict, tmp_path / "verdict.json")  # of another command: it stays
    write_measured(rows, Path("generator"), tmp_path, {})
    assert (tmp_path / "verdict.json").exists()

    write_verdict(verdict, small_project / "verdict.json")
    shown = _verdict(small_project)  # in the studio
    assert (shown[0], shown[-1]) == (verdict.sentences[0], CAUTION)
    assert judge_project(small_project, None, CPU) is None
    assert describe_verdict(small_project) == ""
    assert _verdict(small_project) == []


def test_a_verdict_of_an_earlier_version_gets_the_sentences_of_this_one(spots, small_project) -> None:
    weights = small_project / "detector" / "model.safetensors"
    found = replace(gather_evidence(BRIGHTEST, None, spots), numbers=(0, 1, 2))
    judged = judge_keypoints(found, detector=file_hash(weights))
    write_verdict(judged.model_copy(update={"sentences": ("Old words.",)}), small_project / "verdict.json")
    assert judge_project(small_project, None, CPU, store=False).sentences == judged.sentences
    assert read_verdict(small_project / "verdict.json").sentences == ("Old words.",)
    assert judge_project(small_project, None, CPU).sentences == judged.sentences
    assert read_verdict(small_project / "verdict.json").sentences == judged.sentences
    assert images_seen_of_matches(small_project) is None  # it did not learn from matches
