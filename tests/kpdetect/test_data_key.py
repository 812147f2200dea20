"""The text by which a checkpoint names its training data."""

from __future__ import annotations

import pytest

from kpdetect.training.data_key import DataKey, first_stage_in, images_in


@pytest.mark.parametrize(
    ("key", "text"),
    [
        (DataKey(source="a1"), "a1"),
        (DataKey(source="a1", judge="j"), "a1/j"),
        (DataKey(source="a1", first_stage=""), "a1//"),
        (DataKey(source="a1", first_stage="d2", judge="j"), "a1/d2//j"),
        (DataKey(source="a1", first_stage="d2", anchors=("s1", "s2"), judge="j"), "a1/d2/s1/s2/j"),
        (DataKey(source="20/s1/s2"), "20/s1/s2"),
    ],
)
def test_texts_are_those_of_earlier_checkpoints(key: DataKey, text: str) -> None:
    assert key.text == text
    assert key.continues(text)
    assert not key.continues(text + "x")
    assert not key.continues(None)


def test_checkpoints_from_before_the_judge_was_named_are_continued() -> None:
    key = DataKey(source="a1", first_stage="d2", anchors=("s1",), judge="j")
    assert key.continues("a1/d2/s1")
    assert not key.continues("a1/d2/s1/k")
    assert not DataKey(source="a1", first_stage="d2", anchors=("s1",)).continues("a1/d2/s1/j")


def test_parts_are_read_from_the_text() -> None:
    text = DataKey(source="a1", first_stage="d2", anchors=("s1", "s2"), judge="j").text
    assert (images_in(text), first_stage_in(text)) == ("a1", "d2")
    assert images_in("a1") == "a1"
