"""Editing generated images: what moves, what stays, what is refused, and what is written."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image as Pillow

from benchmarks.studies.locality import locality_table, measure_locality, nearby
from generator.config import ModelConfig
from generator.editing.editor import Editor
from generator.editing.options import read_edits, read_samples
from generator.editing.parts import copied, mixed, moved, posed, turned, with_appearance, with_background, without
from generator.keypoints import Parts
from generator.layers import StyleMap
from generator.model import Generator
from generator.stream import PairStream
from kpdetect.errors import InputError
from kpdetect.heatmaps import gaussian_heatmaps
from kpdetect.images.image_files import read_image, write_image
from kpdetect.inference.labelling import change_labels
from kpdetect.inference.predictor import Predictor
from tests.builders.commands import run
from tests.builders.generators import TEST_MODEL, write_generator
from tests.builders.runtimes import CPU


def parts_at(*places: tuple[float, float], seed: int = 0) -> Parts:
    """One image's parts in float64."""
    torch.manual_seed(seed)
    return Parts(
        keypoints=torch.tensor([places], dtype=torch.float64),
        embeddings=torch.randn(1, len(places), 4, dtype=torch.float64),
        background=torch.randn(1, 4, dtype=torch.float64),
        centre=torch.zeros(1, 2, dtype=torch.float64),
    )


def model_of(**changes: object) -> Generator:
    torch.manual_seed(1)
    return Generator(ModelConfig(**(TEST_MODEL.model_dump() | changes))).double().eval()


@pytest.fixture
def project(small_project: Path) -> Path:
    """A project with an untrained generator and detector."""
    write_generator(small_project / "generator")
    return small_project


def test_places_by_hand() -> None:
    parts = parts_at((0.2, -0.1), (0.4, 0.3))
    shifted = moved(parts, [1], (0.1, -0.2)).keypoints
    torch.testing.assert_close(shifted, torch.tensor([[[0.2, -0.1], [0.5, 0.1]]], dtype=torch.float64))
    around = turned(parts, scale=2, degrees=90).keypoints  # about (0.3, 0.1): (-0.1, -0.2) becomes (0.4, -0.2)
    torch.testing.assert_close(around, torch.tensor([[[0.7, -0.1], [-0.1, 0.3]]], dtype=torch.float64))
    half = posed(parts, torch.tensor([[[0.0, 0.1], [0.0, 0.1]]]), 0.5).keypoints
    torch.testing.assert_close(half, torch.tensor([[[0.1, 0.0], [0.2, 0.2]]], dtype=torch.float64))
    torch.testing.assert_close(parts.keypoints, torch.tensor([[[0.2, -0.1], [0.4, 0.3]]], dtype=torch.float64))


def test_copies_go_with_their_keypoint() -> None:
    parts = copied(parts_at((0.2, -0.1), (0.4, 0.3)), [1], (0.0, 0.5))
    assert parts.numbers == (0, 1, 1)
    assert moved(parts, [1], (0.1, 0.0)).keypoints[0, 2].tolist() == pytest.approx([0.5, 0.8])
    assert posed(parts, torch.zeros(1, 2, 2)).keypoints[0, 2].tolist() == pytest.approx([0.0, 0.5])
    other = parts_at((0, 0), (0, 0), seed=5)
    assert torch.equal(with_appearance(parts, other, [1]).embeddings[:, 2], other.embeddings[:, 1])
    assert torch.equal(with_appearance(parts, other, [1]).embeddings[:, 0], parts.embeddings[:, 0])
    assert without(parts, [1]).presence.tolist() == [[1, 0, 0]]  # type: ignore[union-attr]


def test_between_two_images() -> None:
    one, two = parts_at((0.2, -0.1), (0.4, 0.3)), parts_at((0.6, 0.1), (0.0, 0.3), seed=5)
    between = mixed(one, two, 0.25)
    torch.testing.assert_close(between.keypoints, torch.tensor([[[0.3, -0.05], [0.3, 0.3]]], dtype=torch.float64))
    torch.testing.assert_close(between.background, 0.75 * one.background + 0.25 * two.background)
    assert between.presence is None
    fading = mixed(one, without(copied(one, [1], (0.0, 0.5)), [0]), 0.25)
    torch.testing.assert_close(fading.presence, torch.tensor([[0.75, 1.0, 0.25]], dtype=torch.float64))
    assert fading.keypoints[0, 2].tolist() == pytest.approx([0.4, 0.8])
    several = replace(one, **{name: getattr(one, name).repeat(2, *[1] * (getattr(one, name).ndim - 1)) for name in FIELDS})
    each = mixed(several, replace(several, keypoints=several.keypoints + 1), torch.tensor([0.0, 0.5]))
    torch.testing.assert_close(
        each.keypoints - several.keypoints, torch.tensor([0, 0.5]).double()[:, None, None].expand(2, 2, 2)
    )
    with pytest.raises(ValueError, match="expected copies of the same keypoints"):
        mixed(copied(one, [0], (0, 0)), copied(one, [1], (0, 0)), 0.5)


FIELDS = ("keypoints", "embeddings", "background", "centre")


def test_a_moved_keypoint_changes_pixels_near_it_and_leaves_far_ones() -> None:
    model = model_of(start="learned")  # a positional start is relative to all keypoints at once
    parts = parts_at((-0.9, 0.3), (-0.7, -0.4), (0.1, 0.1))
    here, there = model.draw(parts), model.draw(moved(parts, [0], (2 * 2 / 16, 0.0)))  # two pixels of the 16-pixel start
    change = (there.image - here.image).abs().amax(dim=(0, 1))
    # Heat ends 0.59 from (-0.65, 0.3); two style layers and convolutions of 16 and 32 pixels reach 0.7 further: x = 0.64.
    assert change[:, 27:].max() == 0
    assert change[17:25, 2:6].max() > 1e-3
    assert torch.equal(here.background, there.background)


def test_a_local_move_leaves_the_positional_start_alone() -> None:
    model, parts = model_of(), parts_at((-0.9, 0.3), (-0.7, -0.4), (0.1, 0.1))
    here = model.draw(parts).image
    local, free = (model.draw(moved(parts, [0], (0.25, 0.0), local=local)).image for local in (True, False))
    assert (local - here).abs()[..., 27:].max() == 0
    assert (free - here).abs()[..., 27:].max() > 1e-4
    assert (local - here).abs()[..., 17:25, 2:6].max() > 1e-3


def test_anchors_go_with_what_is_done_to_all_keypoints() -> None:
    parts = moved(parts_at((0.2, -0.1), (0.4, 0.3)), [1], (0.2, 0.4), local=True)
    assert parts.origins[0].tolist() == [[0.2, -0.1], [0.4, 0.3]]
    onward = moved(parts, [0], (0.1, 0.0))
    assert onward.origins[0, 0].tolist() == pytest.approx([0.3, -0.1])
    about = turned(parts, scale=3).origins[0]  # about (0.4, 0.3)
    assert about.flatten().tolist() == pytest.approx([-0.2, -0.9, 0.4, 0.3])
    assert posed(parts, torch.zeros(1, 2, 2), 0.5).origins[0].flatten().tolist() == pytest.approx([0.1, -0.05, 0.2, 0.15])
    half = mixed(parts_at((0.2, -0.1), (0.4, 0.3)), parts, 0.5)
    assert half.origins[0, 1].tolist() == pytest.approx([0.4, 0.3])
    assert half.keypoints[0, 1].tolist() == pytest.approx([0.5, 0.5])


def test_all_keypoints_moved_by_whole_pixels_move_the_object() -> None:
    model, parts = model_of(), parts_at((-0.2, 0.1), (0.1, -0.3), (0.0, 0.2))
    here, there = model.draw(parts), model.draw(moved(parts, range(3), (0.0, 2 * 2 / 16)))
    torch.testing.assert_close(there.mask[..., 12:-12, 12:-12], here.mask[..., 8:-16, 12:-12], atol=1e-10, rtol=0)


@pytest.mark.parametrize("changes", [{}, {"separate_background": False}], ids=["tuned", "no background network"])
def test_a_removed_part_has_no_heat(changes: dict[str, object]) -> None:
    model, parts = model_of(**changes), parts_at((-0.2, 0.1), (0.1, -0.3), (0.0, 0.2))
    other = parts_at((0, 0), (0, 0), (0, 0), seed=5)
    gone, whole = without(parts, [1]), model.draw(parts).image
    assert (model.draw(gone).image - whole).abs().max() > 1e-4
    assert (model.draw(with_appearance(parts, other, [1])).image - whole).abs().max() > 1e-4
    assert torch.equal(model.draw(with_appearance(gone, other, [1])).image, model.draw(gone).image)
    style = StyleMap(gone, 0.01, margin=1)
    expected = 1 - gaussian_heatmaps(parts.keypoints[:, [0, 2]], (8, 8), 0.01, margin=1).amax(dim=1)
    torch.testing.assert_close(style.behind(8)[0], expected)


def test_an_added_part_is_drawn_like_its_keypoint() -> None:
    model, parts = model_of(), parts_at((-0.2, 0.1), (0.1, -0.3), (0.0, 0.2))
    twice = copied(parts, [1], (0.0, 0.0))
    instead = replace(twice, presence=torch.tensor([[1.0, 0, 1, 1]], dtype=torch.float64))
    torch.testing.assert_close(model.draw(instead).image, model.draw(parts).image, atol=1e-12, rtol=0)
    beside = model.draw(copied(parts, [1], (0.5, 0.0))).image
    assert (beside - model.draw(parts).image).abs().max() > 1e-4


def test_everything_of_another_sample_is_that_sample(project: Path) -> None:
    editor = Editor.load(project, "cpu", seed=3)
    one, two = editor.sample(4), editor.sample(9)
    edited = editor.background(editor.appearance(editor.pose(one, two), two), two)
    np.testing.assert_array_equal(editor.draw(edited), editor.draw(two))
    assert (editor.draw(one) != editor.draw(two)).any()
    (pair,) = editor.stream.batches(9, 10)
    np.testing.assert_array_equal(pair.keypoints, two.keypoints.numpy())
    assert np.abs(pair.images.astype(int) - editor.draw(two)).max() <= 1
    quarter = editor.pose(one, two, 0.25).keypoints
    torch.testing.assert_close(quarter, 0.75 * one.keypoints + 0.25 * two.keypoints)


def test_pixels_and_names(project: Path) -> None:
    change_labels(project, names=["1=left eye", "2=tail"])
    editor = Editor.load(project, "cpu")
    parts = editor.sample(0)
    was = editor.keypoints_px(parts)[0]
    now = editor.keypoints_px(editor.move(parts, "tail", (3, -1.5)))[0]
    np.testing.assert_allclose(now - was, [[0, 0], [0, 0], [3, -1.5]], atol=1e-4)
    placed = editor.place(parts, "left eye", (20, 11))
    np.testing.assert_allclose(editor.keypoints_px(placed)[0, 1], (20, 11), atol=1e-4)
    assert editor.numbers("tail, 0") == (2, 0)
    assert editor.numbers([1, "1"]) == (1,)
    assert np.isnan(editor.keypoints_px(editor.remove(parts, "tail"))[0, 2]).all()
    with pytest.raises(InputError, match="keypoint 'nose': expected 0 to 2, a name"):
        editor.numbers("nose")


def edit(*arguments: object, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    code, err = run("edit", *arguments, monkeypatch=monkeypatch, capsys=capsys)
    assert code == 0, err


@pytest.mark.slow
def test_what_is_written(project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> None:  # type: ignore[no-untyped-def]
    out, again = tmp_path / "out", tmp_path / "again"
    options = ("--seed", 5, "--move", "1:4,-3", "--add", "0:2,0", "--remove", "2", "--appearance-from", "7:1")
    edit(project, "--out", out, "--samples", "0-1,4", "--steps", 3, *options, monkeypatch=monkeypatch, capsys=capsys)
    rows = pd.read_csv(out / "edits.csv")
    assert list(rows["sample"]) == [0] * 4 + [1] * 4 + [4] * 4
    assert list(rows["keypoint"][:4]) == [0, 1, 2, 0]
    first = rows[rows["sample"] == 4].set_index("keypoint")
    assert first.loc[1, "after_x_px"] - first.loc[1, "before_x_px"] == pytest.approx(4, abs=2e-4)
    assert first.loc[1, "after_y_px"] - first.loc[1, "before_y_px"] == pytest.approx(-3, abs=2e-4)
    assert rows["after_x_px"].isna().tolist() == [False, False, True, False] * 3
    assert rows["before_x_px"].isna().tolist() == [False, False, False, True] * 3
    record = json.loads((out / "edits.json").read_text())
    assert record["edits"]["moves"] == [{"keypoints": [1], "by_px": [4.0, -3.0]}]
    assert (record["seed"], record["samples"], record["steps"]) == (5, [0, 1, 4], 3)
    assert record["generator"] == Editor.load(project).stream.hash
    assert record["environment"]["packages"]
    assert read_image(out / "sheet.png").shape == (
        20 + 3 * 128,
        6 * 128,
        3,
    )  # before, keypoints, look, after, keypoints, difference
    assert [read_image(out / "frames" / "000004" / f"{step:03d}.png").shape for step in range(3)] == [(32, 32, 3)] * 3
    for step, kind in ((0, "before"), (2, "images")):
        frame = read_image(out / "frames" / "000004" / f"{step:03d}.png")
        np.testing.assert_array_equal(frame, read_image(out / kind / "000004.png"))
    with Pillow.open(out / "edit.gif") as loop:
        assert (loop.n_frames, loop.info["loop"]) == (4, 0)  # there and back

    edit(project, "--out", again, "--samples", "4", *options, monkeypatch=monkeypatch, capsys=capsys)
    assert (again / "images" / "000004.png").read_bytes() == (out / "images" / "000004.png").read_bytes()
    edit(project, "--out", out, "--samples", "4", *options, monkeypatch=monkeypatch, capsys=capsys)
    left = {path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file()}
    pictures = {"before/000004.png", "donors/000007.png", "images/000004.png", "sheet.png"}
    assert left == pictures | {"edits.csv", "edits.json", "derived.json"}


def test_pictures_of_a_killed_edit_of_more_samples_go(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:  # type: ignore[no-untyped-def]
    out, options = tmp_path / "edited", ("--rotate", "20")
    edit(project, "--out", out, "--samples", "0-2", "--steps", "2", *options, monkeypatch=monkeypatch, capsys=capsys)
    (out / "edits.json").unlink()  # a killed edit has none
    (out / "images" / "mine.png").write_text("mine")
    edit(project, "--out", out, "--samples", "1", *options, monkeypatch=monkeypatch, capsys=capsys)
    left = {path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file()}
    pictures = {"before/000001.png", "images/000001.png", "images/mine.png", "sheet.png"}
    assert left == pictures | {"edits.csv", "edits.json", "derived.json"}


def test_a_photo_lends_its_pose(project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> None:  # type: ignore[no-untyped-def]
    photo = np.random.default_rng(0).integers(0, 256, (40, 60, 3), np.uint8)
    write_image(tmp_path / "photo.png", photo)
    arguments = ("--samples", "2", "--pose-from", tmp_path / "photo.png")
    edit(project, "--out", tmp_path / "out", *arguments, monkeypatch=monkeypatch, capsys=capsys)
    predictor = Predictor.load(project, "cpu")
    keypoints, _ = predictor.read_squares(predictor.fit(photo).square[None])
    rows = pd.read_csv(tmp_path / "out" / "edits.csv")
    np.testing.assert_allclose(rows[["after_x_px", "after_y_px"]], (keypoints[0] + 1) * 16 - 0.5, atol=1e-3)
    record = json.loads((tmp_path / "out" / "edits.json").read_text())
    assert record["photo"]["detector"] == predictor.hash
    assert len(record["photo"]["confidence"]) == 3


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ((), "nothing to edit"),
        (("--move", "3:1,1"), "keypoint '3': expected 0 to 2"),
        (("--move", "1"), "--move 1: expected KEYPOINT:X,Y in pixels"),
        (("--add", "1:2"), "--add 1:2: expected KEYPOINT:X,Y"),
        (("--move", "1:nan,0"), "--move 1:nan,0: expected"),
        (("--move", "0:30,0"), "sample 0: keypoint 0 would be at (4"),
        (("--remove", "0", "--samples", "5-2"), "--samples 5-2: expected ranges"),
        (("--remove", "0", "--samples", "0,-1"), "--samples : no such sample"),
        (("--remove", "0", "--samples", "0-5000"), "at most 1,000"),
        (("--remove", "0", "--samples", str(2**64)), "no such sample"),
        (("--appearance-from", "x"), "--appearance-from x: no such sample"),
        (("--appearance-from", "1:"), "expected SAMPLE or SAMPLE:KEYPOINTS"),
        (("--appearance-from", "1:0", "--appearance-from", "2"), "keypoint 0 comes from 2 samples"),
        (("--move", "1:1,1", "--remove", "0,1"), "--move and --remove contradict each other: keypoint 1"),
        (("--mix", "0.5", "--remove", "0"), "--mix: there is no second sample"),
        (("--local", "--remove", "0"), "--local: there is no move"),
        (("--scale", "-1"), "--scale -1.0"),
        (("--steps", "1", "--remove", "0"), "--steps 1"),
        (("--pose-from", "none.png"), "none.png: not a readable image"),
        (("--truncation", "2", "--remove", "0"), "--truncation 2"),
    ],
)
def test_bad_input_is_one_line_and_leaves_nothing(project, tmp_path, fails, options, message) -> None:  # type: ignore[no-untyped-def] # noqa: F811
    assert message in fails("edit", project, "--out", tmp_path / "out", *options)
    assert not (tmp_path / "out").exists()


def test_what_a_model_lacks_is_refused(tmp_path: Path, fails) -> None:  # type: ignore[no-untyped-def] # noqa: F811
    alone = write_generator(tmp_path / "alone")
    write_image(tmp_path / "photo.png", np.zeros((40, 60, 3), np.uint8))
    out = ("--out", tmp_path / "out")
    assert "photo.png: a photo needs the model's detector too" in fails(
        "edit", alone, *out, "--pose-from", tmp_path / "photo.png"
    )
    base = {"separate_background": False}
    bare = write_generator(tmp_path / "bare", **base, background_part=False, embedding="constant")
    assert "background: this model has no separate background" in fails("edit", bare, *out, "--background-from", 2)
    assert "gives its parts the same look in every sample" in fails("edit", bare, *out, "--appearance-from", 2)
    learned = write_generator(tmp_path / "learned", start="learned")
    assert "its moves are local without" in fails("edit", learned, *out, "--move", "0:1,1", "--local")
    without_keypoints = write_generator(tmp_path / "adain", **base, style="adain")
    assert "a model without keypoints" in fails("edit", without_keypoints, *out, "--move", "0:1,1")
    assert not (tmp_path / "out").exists()


def test_locality_by_hand(project: Path) -> None:
    near = nearby(torch.tensor([[0.5, -0.25]]), 32)[0]  # within 6 pixels of the corner between 23, 24 and 11, 12
    assert near[11, 18]  # 5.5 px to the left, half a pixel up
    assert not near[11, 17]
    assert near[17, 23]
    assert not near[5, 23]
    found, floor = measure_locality(PairStream(project, CPU), 4)
    assert found.shape == (3, 4, 2)
    assert floor == pytest.approx(math.pi * 6**2 / 32**2, rel=0.02)
    assert (found > 0).all()
    assert found[..., 1].max() <= 1
    assert "| mean |" in locality_table(found, floor)


def test_numbers_of_samples() -> None:
    assert read_samples("0-3,7,2") == [0, 1, 2, 3, 7]


def test_a_project_of_two_halves_is_refused(small_project: Path, tmp_path: Path, fails) -> None:  # type: ignore[no-untyped-def] # noqa: F811
    write_generator(small_project / "generator", keypoints=4)
    write_image(tmp_path / "photo.png", np.zeros((40, 60, 3), np.uint8))
    message = fails("edit", small_project, "--out", tmp_path / "out", "--pose-from", tmp_path / "photo.png")
    assert "4 keypoints and a detector of 3" in message


def test_shares_stop_half_way(project: Path) -> None:
    editor = Editor.load(project, "cpu")
    edits = read_edits(editor, pose_from=3, background_from=3, appearance_from=["3"], mix=0.5, move=["0:2,0"])
    edited, one, two = edits.apply(editor, editor.sample(0)), editor.sample(0), editor.sample(3)
    torch.testing.assert_close(edited.embeddings, (one.embeddings + two.embeddings) / 2)
    torch.testing.assert_close(edited.centre, (one.centre + two.centre) / 2)
    step = torch.tensor([[2 * 2 / 32, 0], [0, 0], [0, 0]])  # a move is not mixed
    torch.testing.assert_close(edited.keypoints, (one.keypoints + two.keypoints) / 2 + step)
    assert math.isclose(edits.share, 0.5)
    assert with_background(one, two).background.equal(two.background)
