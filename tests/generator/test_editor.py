"""The Editor in Python: what it takes for keypoints, and what it refuses in one line."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from generator.editing.editor import Editor
from kpdetect.errors import InputError
from tests.builders.generators import write_generator


@pytest.fixture
def editor(tmp_path: Path) -> Editor:
    """Of an untrained generator of 3 keypoints that draws 32-pixel images."""
    return Editor.load(write_generator(tmp_path / "one"), "cpu")


def test_integers_of_every_kind_and_arrays_are_keypoints(editor: Editor) -> None:
    for which in (np.int64(2), np.array(2), torch.tensor(2), "2", [np.uint8(2)], np.array([2])):
        assert editor.numbers(which) == (2,)  # type: ignore[arg-type]
    assert editor.numbers(np.array([1, 2])) == editor.numbers((1, "2")) == (1, 2)
    assert editor.numbers("all") == (0, 1, 2)
    parts = editor.sample(np.int64(0))
    moved = editor.keypoints_px(editor.move(parts, np.int64(2), np.array([1, 0]))) - editor.keypoints_px(parts)  # type: ignore[arg-type]
    np.testing.assert_allclose(moved[0], [[0, 0], [0, 0], [1, 0]], atol=1e-4)
    placed = editor.keypoints_px(editor.place(parts, np.array([1]), (20, 11)))
    np.testing.assert_allclose(placed[0, 1], (20, 11), atol=1e-4)


@pytest.mark.parametrize("which", [1.0, True, None, np.array([0.5]), -1, np.int64(3), [[1]], "1,"])
def test_what_is_no_keypoint_is_refused(editor: Editor, which: object) -> None:
    with pytest.raises(InputError, match="keypoint '.*': expected 0 to 2, a name"):
        editor.remove(editor.sample(0), which)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda e, p: e.move(p, 0, (float("nan"), 0)), r"by_px \(nan, 0\): expected \(x, y\) in pixels"),
        (lambda e, p: e.add(p, 0, (1, float("inf"))), r"by_px \(1, inf\): expected"),
        (lambda e, p: e.move(p, 0, 3), "by_px 3: expected"),
        (lambda e, p: e.move(p, 0, (1, 2, 3)), r"by_px \(1, 2, 3\): expected"),
        (lambda e, p: e.place(p, 0, (float("nan"), 0)), r"place \(nan, 0\): expected"),
        (lambda e, p: e.place(p, 0, (31.6, 3)), r"place: \(31.6, 3\) is outside of the image of 32x32"),
        (lambda e, p: e.place(p, 0, (3, -0.6)), r"place: \(3, -0.6\) is outside"),
        (lambda e, p: e.place(p, "1,2", (3, 3)), r"place: got keypoints \[1, 2\], expected one"),
        (lambda e, p: e.turn(p, scale=float("inf")), "scale inf, degrees 0.0: expected"),
        (lambda e, p: e.turn(p, degrees=float("nan")), "degrees nan: expected"),
        (lambda e, p: e.pose(p, e.sample(1), 1.5), "share 1.5: expected a number from 0 to 1"),
        (lambda e, p: e.appearance(p, e.sample(1), share=-0.1), "share -0.1: expected"),
        (lambda e, p: e.background(p, e.sample(1), float("nan")), "share nan: expected"),
        (lambda e, p: e.pose(p, np.full((3, 2), np.nan)), "not finite"),
        (lambda e, p: e.pose(p, [[0, 0]]), r"pose: got shape \[1, 2\], expected \[3, 2\]"),
        (lambda e, p: e.draw(e.move(p, 0, (40, 0))), "draw: keypoint 0 would be at .*outside of the image"),
        (lambda e, p: e.draw(replace(p, keypoints=p.keypoints * np.nan)), "draw: keypoint 0 would be at"),
        (lambda e, p: e.draw(None), r"parts: got NoneType, expected Parts, such as the result of editor.sample\(0\)"),
        (lambda e, p: e.sample(1.5), "sample 1.5: no such sample"),
    ],
)
def test_bad_values_are_one_line(editor: Editor, edit, message: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(InputError, match=message) as refused:
        edit(editor, editor.sample(0))
    assert "\n" not in str(refused.value)


def test_edits_may_pass_through_places_outside_of_the_frame(editor: Editor) -> None:
    parts = editor.sample(0)
    back = editor.move(editor.move(parts, 0, (40, 0)), 0, (-40, 0))
    torch.testing.assert_close(back.keypoints, parts.keypoints)
    assert editor.draw(back).shape == (1, 32, 32, 3)


def test_parts_of_another_model_are_refused(editor: Editor, tmp_path: Path) -> None:
    alike, wider = (Editor.load(write_generator(tmp_path / str(count), keypoints=count), "cpu") for count in (3, 4))
    again = Editor.load(tmp_path / "one", "cpu", seed=9)
    other = Editor.load(write_generator(tmp_path / "other", pose_divisor=7.0), "cpu")
    mine = editor.sample(0)
    for source in (editor, again, alike):  # the same weights
        assert editor.draw(editor.pose(mine, source.sample(1))).shape == (1, 32, 32, 3)
    for theirs in (wider.sample(1), other.sample(1), wider.stream.parts(0, 1)):
        for edit in (
            lambda: editor.draw(theirs),  # noqa: B023
            lambda: editor.remove(theirs, 0),  # noqa: B023
            lambda: editor.background(theirs, mine),  # noqa: B023
            lambda: editor.pose(mine, theirs),  # noqa: B023
            lambda: editor.appearance(mine, theirs),  # noqa: B023
            lambda: editor.background(mine, theirs),  # noqa: B023
        ):
            with pytest.raises(InputError, match="parts: they come from another model"):
                edit()
    with pytest.raises(InputError, match="parts of 2 images, expected 1 or 3"):
        editor.pose(editor.stream.parts(0, 3), editor.stream.parts(0, 2))


def test_a_model_without_keypoints_is_drawn(tmp_path: Path) -> None:
    editor = Editor.load(write_generator(tmp_path / "adain", separate_background=False, style="adain"), "cpu")
    assert editor.draw(editor.sample(0)).shape == (1, 32, 32, 3)
