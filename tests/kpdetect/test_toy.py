"""The cartoon faces: exact keypoints, independent factors, and a folder that can be interrupted."""

from __future__ import annotations

import csv
import json
from dataclasses import astuple, replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from kpdetect.errors import ConfigError, FormatError, OutputError
from kpdetect.files.hashes import file_hash
from kpdetect.images.image_files import list_images
from kpdetect.toy import dataset
from kpdetect.toy.background import rgb
from kpdetect.toy.dataset import KEYPOINT_NAMES, read_description, write_toy
from kpdetect.toy.geometry import KEYPOINT_NAMES as ORDER
from kpdetect.toy.geometry import keypoints_px, visible
from kpdetect.toy.render import BLACK, render
from kpdetect.toy.scene import Backdrop, Colours, FaceParts, Light, Occluder, Pose, Scene, factor_ranges, sample_scene

LEFT_EYE, RIGHT_EYE, NOSE, MOUTH_LEFT, MOUTH_RIGHT = range(5)
GREEN = Backdrop(kind="plain", first=(1 / 3, 1.0, 1.0), second=(1 / 3, 1.0, 1.0), angle=0.0, period=0.2, texture=0)


def middle(kind: type, **changes: float) -> object:
    """A group of factors, each in the middle of its range unless it is named."""
    return kind(**{name: (low + high) / 2 for name, (low, high) in factor_ranges(kind).items()} | changes)


def plain_scene(occluder: Occluder | None = None, **pose: float) -> Scene:
    """A frontal face left of and below the frame's middle, evenly lit, before green."""
    return Scene(
        pose=middle(Pose, **({"x": 0.44, "y": 0.56, "diameter": 0.64, "roll": 0.0, "yaw": 0.0, "pitch": 0.0} | pose)),
        parts=middle(FaceParts, gaze_x=0.0, gaze_y=0.0, eye_spacing=0.4, eye_height=0.1, mouth_shift=0.0),
        colours=middle(Colours),
        light=middle(Light, gain=1.0, slope=0.0),
        background=GREEN,
        occluder=occluder,
    )


def test_first_names_are_the_usual_five() -> None:
    assert KEYPOINT_NAMES == ORDER
    assert KEYPOINT_NAMES[:5] == ("left_eye", "right_eye", "nose", "mouth_left", "mouth_right")
    assert len(set(KEYPOINT_NAMES)) == len(KEYPOINT_NAMES)


@pytest.mark.parametrize("size", [50, 64])
def test_eyes_by_hand(size: int) -> None:
    # Radius 0.32 of the side; an eye is 0.4 heads beside and 0.1 above the centre (0.44, 0.56).
    points = keypoints_px(plain_scene(), size)
    assert points[LEFT_EYE] == pytest.approx([(0.44 - 0.4 * 0.32) * size - 0.5, (0.56 - 0.1 * 0.32) * size - 0.5])
    assert points[RIGHT_EYE] == pytest.approx([(0.44 + 0.4 * 0.32) * size - 0.5, (0.56 - 0.1 * 0.32) * size - 0.5])
    assert points[KEYPOINT_NAMES.index("chin")] == pytest.approx([0.44 * size - 0.5, 0.88 * size - 0.5])


def test_quarter_turn_and_yaw_by_hand() -> None:
    upright, turned = keypoints_px(plain_scene(), 100), keypoints_px(plain_scene(roll=90.0), 100)
    centre = np.array([43.5, 55.5])
    offset = upright - centre
    assert np.allclose(turned - centre, np.stack([-offset[:, 1], offset[:, 0]], axis=1))  # clockwise: right becomes down
    yawed = keypoints_px(plain_scene(yaw=20.0), 100) - upright
    assert (yawed[:5, 0] > 5).all()
    assert np.allclose(yawed[:5, 1], 0)
    assert np.allclose(yawed[KEYPOINT_NAMES.index("chin") :], 0)  # the outline stays


@pytest.mark.parametrize("size", [50, 128])
@pytest.mark.parametrize("roll", [0.0, 20.0])
def test_colours_at_the_keypoints(size: int, roll: float) -> None:
    scene = plain_scene(roll=roll, yaw=12.0, pitch=-6.0)
    drawn = render(scene, size)
    columns, rows = np.rint(drawn.keypoints_px).astype(int).T
    found = drawn.image[rows, columns].astype(float)
    assert (np.abs(rows - columns) > 1)[:5].all()  # swapped axes would show other pixels
    assert np.abs(found[[LEFT_EYE, RIGHT_EYE]] - BLACK).max() < 60  # pupil, partly iris
    skin = scene.colours
    tip = rgb(skin.skin_hue, skin.skin_saturation + 0.25, skin.skin_value * 0.60)
    assert np.abs(found[NOSE] - tip).max() < 30
    for name in ("left_brow", "right_brow"):
        assert found[KEYPOINT_NAMES.index(name)].max() < 90


@pytest.mark.parametrize("size", [48, 97])
@pytest.mark.parametrize("roll", [0.0, -15.0])
def test_irises_are_drawn_at_the_eyes(size: int, roll: float) -> None:
    """The centroid of what changes with the iris' colour, found in the picture, is the keypoint."""
    scene = plain_scene(roll=roll)
    red, blue = (
        render(replace(scene, colours=replace(scene.colours, iris_hue=hue, iris_value=0.45)), size) for hue in (0.0, 2 / 3)
    )
    coverage = np.abs(red.image.astype(float) - blue.image).sum(axis=2)
    rows, columns = np.indices(coverage.shape)
    for x, y in red.keypoints_px[[LEFT_EYE, RIGHT_EYE]]:
        near = coverage * (np.hypot(columns - x, rows - y) < 0.2 * 0.32 * size)  # half an eye's distance from the middle
        assert near.sum() > 1_000
        assert [(near * columns).sum() / near.sum(), (near * rows).sum() / near.sum()] == pytest.approx([x, y], abs=0.3)
        assert abs(x - y) > 1


def test_drawn_place_is_unbiased() -> None:
    """The centroid of a drawn disc is where the geometry says, to a tenth of a pixel."""
    blue = Occluder(kind="disc", x=0.3, y=-0.2, radius=0.3, angle=0.0, colour=(2 / 3, 1.0, 1.0))
    red = replace(blue, colour=(0.0, 1.0, 1.0))
    with_blue, with_red = (render(plain_scene(occluder), 61).image[..., 2].astype(float) for occluder in (blue, red))
    coverage = (with_blue - with_red) / 255
    rows, columns = np.indices(coverage.shape)
    found = np.array([(coverage * columns).sum(), (coverage * rows).sum()]) / coverage.sum()
    assert found == pytest.approx([(0.44 + 0.3 * 0.32) * 61 - 0.5, (0.56 - 0.2 * 0.32) * 61 - 0.5], abs=0.1)
    assert coverage.sum() == pytest.approx(np.pi * (0.3 * 0.32 * 61) ** 2, rel=0.06)


@pytest.mark.parametrize("size", [32, 64])
def test_size_changes_the_sampling_only(size: int) -> None:
    """A picture of twice the size, averaged over areas, is the same picture: nothing moves with the resolution."""
    for index in range(6):
        scene = sample_scene(3, index)
        small, large = render(scene, size), render(scene, 2 * size)
        halved = cv2.resize(large.image, (size, size), interpolation=cv2.INTER_AREA).astype(float)
        assert np.abs(halved - small.image).mean() < 4
        assert np.allclose((large.keypoints_px + 0.5) / 2, small.keypoints_px + 0.5)


def test_every_draw_is_its_own() -> None:
    assert sample_scene(7, 3) == sample_scene(7, 3)
    assert sample_scene(7, 3) != sample_scene(7, 4)
    assert sample_scene(7, 3) != sample_scene(3, 7)
    assert np.array_equal(render(sample_scene(7, 3), 40).image, render(sample_scene(7, 3), 40).image)
    with pytest.raises(ConfigError, match="`seed=-1`"):
        sample_scene(-1, 0)


def test_factors_are_independent_and_fill_their_ranges() -> None:
    scenes = [sample_scene(1, index) for index in range(2_000)]
    groups = (Pose, FaceParts, Colours, Light)
    values = np.array([sum((astuple(part) for part in (s.pose, s.parts, s.colours, s.light)), ()) for s in scenes])
    correlation = np.corrcoef(values.T) - np.eye(values.shape[1])
    assert np.abs(correlation).max() < 0.10  # standard deviation 0.022, about 800 pairs
    ranges = np.array([limits for group in groups for limits in factor_ranges(group).values()])
    shares = (values - ranges[:, 0]) / (ranges[:, 1] - ranges[:, 0])
    assert (shares.min(axis=0) < 0.02).all()
    assert (shares.max(axis=0) > 0.98).all()
    assert ((shares >= 0) & (shares <= 1)).all()
    occluded = np.array([scene.occluder is not None for scene in scenes])
    assert 0.12 < occluded.mean() < 0.18
    kinds = [scene.background.kind for scene in scenes]
    assert all(0.16 < kinds.count(kind) / len(kinds) < 0.24 for kind in set(kinds))
    assert len(set(kinds)) == 5


def test_parts_move_within_the_head_and_pose_moves_the_head() -> None:
    scenes = [sample_scene(2, index) for index in range(500)]
    still = {"x": 0.5, "y": 0.5, "diameter": 0.64, "roll": 0.0, "yaw": 0.0, "pitch": 0.0}
    upright = np.stack([keypoints_px(replace(scene, pose=middle(Pose, **still)), 64) for scene in scenes])
    spread = upright[:, :7].std(axis=0).max(axis=1)
    assert (spread > 0.7).all()  # pixels of 64: eyes, nose, mouth corners and brows move within a still head
    points = np.stack([keypoints_px(scene, 64) for scene in scenes])[:, :5]
    apart = np.linalg.norm(points[:, 1] - points[:, 0], axis=1)
    mean_shape_percent = (np.linalg.norm(points - points.mean(axis=0), axis=2).mean(axis=1) / apart).mean() * 100
    assert 25 < mean_shape_percent < 42


def test_keypoints_are_in_the_frame_and_seen_ones_on_the_mask() -> None:
    inner = [name not in ("chin", "left_cheek", "right_cheek") for name in KEYPOINT_NAMES]
    hidden = 0
    for index in range(80):
        drawn = render(sample_scene(4, index), 48)
        assert ((drawn.keypoints_px > -0.5) & (drawn.keypoints_px < 47.5)).all()
        assert set(np.unique(drawn.mask)) == {0, 255}
        near = cv2.dilate(drawn.mask, np.ones((3, 3), np.uint8))
        columns, rows = np.rint(drawn.keypoints_px).astype(int).T
        assert (near[rows, columns][drawn.visible] == 255).all()
        assert (drawn.mask[rows, columns] == 255)[drawn.visible & inner].mean() > 0.8
        clear = cv2.erode(drawn.mask, np.ones((5, 5), np.uint8))[rows, columns] == 255
        assert drawn.visible[clear].all()  # what is deep inside the mask is not hidden
        hidden += int((~drawn.visible).sum())
    assert hidden > 10


def test_occluders_hide_what_is_behind_them() -> None:
    disc = Occluder(kind="disc", x=0.4, y=-0.1, radius=0.2, angle=0.0, colour=(0.6, 1.0, 1.0))
    seen = visible(plain_scene(disc), 64)
    assert [name for name, here in zip(KEYPOINT_NAMES, seen, strict=True) if not here] == ["right_eye"]
    bar = replace(disc, kind="bar", x=0.0, radius=0.2, angle=0.0)  # 1.2 long, 0.24 thick: over both eyes
    seen = visible(plain_scene(bar), 64)
    assert [name for name, here in zip(KEYPOINT_NAMES, seen, strict=True) if not here] == ["left_eye", "right_eye"]
    assert visible(plain_scene(replace(bar, angle=90.0)), 64)[LEFT_EYE]
    drawn = render(plain_scene(bar), 64)
    column, row = np.rint(drawn.keypoints_px[LEFT_EYE]).astype(int)
    assert drawn.mask[row, column] == 0
    assert drawn.image[row, column] == pytest.approx(rgb(0.6, 1.0, 1.0), abs=1)


def hashes(folder: Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): file_hash(path) for path in sorted(folder.rglob("*")) if path.is_file()}


def test_folder_is_as_described(tmp_path: Path) -> None:
    seen: list[int] = []
    write_toy(tmp_path, 6, size=36, seed=5, report=seen.append)
    assert sum(seen) == 6
    drawn = render(sample_scene(5, 4), 36)
    assert np.array_equal(cv2.imread(str(tmp_path / "images" / "000004.png"))[..., ::-1], drawn.image)
    assert np.array_equal(cv2.imread(str(tmp_path / "masks" / "000004.png"), cv2.IMREAD_UNCHANGED), drawn.mask)
    with open(tmp_path / "keypoints.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["image", "keypoint", "x_px", "y_px", "visible"]
    assert len(rows) == 6 * len(KEYPOINT_NAMES)
    mine = [row for row in rows if row["image"] == "000004.png"]
    assert [row["keypoint"] for row in mine] == list(KEYPOINT_NAMES)
    found = np.array([[float(row["x_px"]), float(row["y_px"])] for row in mine])
    assert np.abs(found - drawn.keypoints_px).max() <= 0.5e-4 + 1e-12
    assert [row["visible"] == "1" for row in mine] == drawn.visible.tolist()
    description = read_description(tmp_path)
    assert (description["seed"], description["size"], description["count"]) == (5, 36, 6)
    assert {path.name for path in tmp_path.iterdir()} == {"images", "masks", "keypoints.csv", "toy.json"}
    assert [path.parent.name for path in list_images(tmp_path)] == ["images"] * 6  # no mask is taken for an image


def test_a_longer_set_begins_with_the_shorter_one(tmp_path: Path) -> None:
    write_toy(tmp_path / "short", 3, size=20)
    write_toy(tmp_path / "long", 7, size=20)
    short, long = hashes(tmp_path / "short" / "images"), hashes(tmp_path / "long" / "images")
    assert short == {name: long[name] for name in short}
    drawn: list[int] = []
    write_toy(tmp_path / "short", 7, size=20, report=drawn.append)
    assert sum(drawn) == 4
    assert hashes(tmp_path / "short") == hashes(tmp_path / "long")


def test_interrupted_writing_continues(tmp_path: Path) -> None:
    write_toy(tmp_path / "whole", 8, size=20, seed=1)
    done: list[int] = []

    def stop(count: int) -> None:
        done.append(count)
        if len(done) == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_toy(tmp_path / "cut", 8, size=20, seed=1, report=stop)
    assert not (tmp_path / "cut" / "toy.json").exists()
    assert not (tmp_path / "cut" / "keypoints.csv").exists()
    with pytest.raises(ConfigError, match="seed 1.* but seed 2 is requested"):
        write_toy(tmp_path / "cut", 8, size=20, seed=2)
    kept = tmp_path / "cut" / "images" / "000001.png"
    torn = tmp_path / "cut" / "images" / "000002.png"
    torn.write_bytes(torn.read_bytes()[:-20])
    before = kept.stat().st_mtime_ns
    drawn: list[int] = []
    write_toy(tmp_path / "cut", 8, size=20, seed=1, report=drawn.append)
    assert sum(drawn) == 4  # the three that were missing and the torn one
    assert kept.stat().st_mtime_ns == before
    assert hashes(tmp_path / "cut") == hashes(tmp_path / "whole")


def test_finished_set_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_toy(tmp_path, 5, size=20)
    before = hashes(tmp_path)
    monkeypatch.setattr(dataset, "render", lambda *_: pytest.fail("drew again"))
    write_toy(tmp_path, 3, size=20)
    assert hashes(tmp_path) == before


@pytest.mark.parametrize(
    ("change", "message"), [({"seed": 9}, "seed 0.* but seed 9 is requested"), ({"size": 24}, "size 20.* size 24")]
)
def test_other_sets_are_refused(tmp_path: Path, change: dict[str, int], message: str) -> None:
    write_toy(tmp_path, 2, size=20)
    before = hashes(tmp_path)
    with pytest.raises(ConfigError, match=message):
        write_toy(tmp_path, 2, **({"size": 20} | change))
    assert hashes(tmp_path) == before


def test_foreign_folders_damage_and_bad_numbers_are_refused(tmp_path: Path) -> None:
    (tmp_path / "own" / "images").mkdir(parents=True)
    (tmp_path / "own" / "images" / "cat.jpg").touch()
    with pytest.raises(OutputError, match="do not belong to a toy data set"):
        write_toy(tmp_path / "own", 2)
    write_toy(tmp_path / "toy", 2, size=20)
    (tmp_path / "toy" / "toy.json").write_text(json.dumps({"seed": 0}))
    with pytest.raises(FormatError, match="not the record of a toy data set"):
        write_toy(tmp_path / "toy", 2, size=20)
    for change in ({"count": 0}, {"size": 8}, {"seed": -1}):
        with pytest.raises(ConfigError, match=next(iter(change))):
            write_toy(tmp_path / "new", **({"count": 1} | change))
    assert not (tmp_path / "new").exists()
