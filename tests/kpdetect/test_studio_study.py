"""The user study: what is asked, in which order, and how answers are counted, with numbers worked out by hand."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from kpdetect.cli.main import app
from kpdetect.errors import FormatError, InputError
from kpdetect.images.image_files import read_image, write_image
from kpdetect.studio.answers import Vote, import_answers, read_answers, read_votes, write_answers
from kpdetect.studio.study import QUESTIONS, Question, Study, make_study, read_questions, read_study
from kpdetect.studio.study_order import ORDERS, order_number, shown_order
from kpdetect.studio.study_page import study_page, trial_of
from kpdetect.studio.tally import design_effect, markdown, tally, wilson


def write_results(folder: Path, level: int, count: int = 8) -> Path:
    """Edited images of a grey level, 5 wide and 4 high, and their originals, one level darker."""
    for number in range(count):
        write_image(folder / "images" / f"{number:06d}.png", np.full((4, 5, 3), level + number, np.uint8))
        write_image(folder / "before" / f"{number:06d}.png", np.full((4, 5, 3), level + number - 1, np.uint8))
    return folder


@pytest.fixture
def study(tmp_path: Path) -> Study:
    folders = {"ours": write_results(tmp_path / "a", 100), "other": write_results(tmp_path / "b", 200)}
    return make_study(tmp_path / "study", "faces", folders, per_question=5)


def test_questions_without_pictures_are_left_out(study: Study) -> None:
    assert [question.name for question in study.questions] == [question.name for question in QUESTIONS[:3]]
    assert len(study.items) == 15


@pytest.mark.slow
def test_the_look_that_was_taken_is_found(tmp_path: Path) -> None:
    for name in ("a", "b"):
        folder = write_results(tmp_path / name, 90)
        write_image(folder / "donors" / "000040.png", np.full((4, 5, 3), 7, np.uint8))
        (folder / "edits.json").write_text(json.dumps({"edits": {"appearance_from": [{"sample": 40}]}}))
    study = make_study(tmp_path / "s", "s", {"a": tmp_path / "a", "b": tmp_path / "b"})
    assert len(study.questions) == 4
    shown = trial_of(study, 0)[-1]
    assert [picture["caption"] for picture in shown["left"]] == ["original", "appearance taken from", "edited"]
    assert read_image(tmp_path / "s" / "pictures" / shown["left"][1]["file"])[0, 0, 0] == 7


def test_pictures_are_copied(study: Study, tmp_path: Path) -> None:
    item = study.items[0]
    kept = tmp_path / "study" / "pictures" / study.files[f"other/images/{item.name}"]
    assert read_image(kept)[0, 0, 0] == 200 + int(Path(item.name).stem)
    assert read_study(tmp_path / "study") == study


@pytest.mark.parametrize("number", range(ORDERS))
def test_sides_are_balanced_in_every_order(study: Study, number: int) -> None:
    order = shown_order(study, number)
    assert sorted(shown.item for shown in order) == list(range(15))
    for question in range(3):
        left = Counter(shown.left for shown in order if study.items[shown.item].question == question)
        assert abs(left[0] - left[1]) == 1  # of five


def test_orders_follow_from_the_seed(study: Study) -> None:
    assert shown_order(study, 3) == shown_order(study, 3)
    assert shown_order(study, 3) != shown_order(study, 4)
    assert shown_order(study, 3) != shown_order(study.model_copy(update={"seed": 2}), 3)
    assert order_number("") == 0x811C9DC5 % ORDERS
    assert order_number("a") == 0xE40C292C % ORDERS  # FNV-1a's published value


def test_answers_name_what_was_preferred(study: Study, tmp_path: Path) -> None:
    folder = tmp_path / "study"
    path = write_answers(folder, study, "Ann", {0: "left", 1: "right", 2: "equal"})
    order = shown_order(study, order_number("Ann"))
    rows = [line.split(",") for line in path.read_text().splitlines()]
    assert rows[1][:5] == ["faces", "1", "Ann", "0", study.questions[0].name]
    assert [row[9] for row in rows[1:]] == [study.methods[order[0].left], study.methods[order[1].right], "equal"]
    assert read_answers(folder, "Ann") == {0: "left", 1: "right", 2: "equal"}
    with pytest.raises(InputError, match="expected left, right, equal"):
        write_answers(folder, study, "Ann", {0: "both"})
    with pytest.raises(InputError, match="letters or digits"):
        write_answers(folder, study, "../..", {})


def test_imported_answers(study: Study, tmp_path: Path) -> None:
    folder = tmp_path / "study"
    record = {"study": "faces", "seed": 1, "participant": "Ben", "answers": {"0": "left", "4": "equal"}}
    assert import_answers(folder, study, record, "file") == "Ben"
    assert read_answers(folder, "Ben") == {0: "left", 4: "equal"}
    with pytest.raises(InputError, match="answered comparison 0 differently"):
        import_answers(folder, study, {**record, "answers": {"0": "right"}}, "file")
    with pytest.raises(InputError, match="of seed 2"):
        import_answers(folder, study, {**record, "seed": 2}, "file")
    with pytest.raises(FormatError, match="not answers"):
        import_answers(folder, study, ["x"], "file")


def votes_of(preferred: dict[str, list[str]]) -> list[Vote]:
    pair = ("ours", "other")
    return [
        Vote(participant=who, question="q", methods=pair, preferred=each) for who, all_ in preferred.items() for each in all_
    ]


def test_tally_of_three_participants() -> None:
    votes = votes_of({"a": ["ours", "ours"], "b": ["ours", "equal"], "c": ["other", "ours"]})
    [line] = tally(votes)
    shares = (line.favour.percent, line.against.percent, line.equal.percent)
    assert shares == pytest.approx((400 / 6, 100 / 6, 100 / 6))
    assert (line.votes, line.participants) == (6, 3)


def test_interval_by_hand() -> None:
    # 8 of 10: (0.8 + 3.8415 / 20 -+ 1.96 sqrt(0.016 + 3.8415 / 400)) / 1.38415
    assert wilson(0.8, 10) == pytest.approx((0.49016, 0.94332), abs=1e-4)
    assert wilson(1.0, 4)[1] == 1.0


def test_design_effect_by_hand() -> None:
    # two participants of two equal answers each: correlation 1, so four answers count as two
    assert design_effect(np.array([1.0, 1, 0, 0]), ["a", "a", "b", "b"]) == pytest.approx(2)
    # between 0: nothing is alike
    assert design_effect(np.array([1.0, 0, 1, 0]), ["a", "a", "b", "b"]) == 1
    assert design_effect(np.array([1.0, 0]), ["a", "a"]) == 1


def test_the_command_tallies_and_imports(study: Study, tmp_path: Path) -> None:
    folder = tmp_path / "study"
    for name in ("Ann", "Ben"):
        order = shown_order(study, order_number(name))
        write_answers(
            folder, study, name, {number: "left" if shown.left == 0 else "right" for number, shown in enumerate(order)}
        )
    order = shown_order(study, order_number("Cy"))
    answers = {str(number): "right" if shown.left == 0 else "left" for number, shown in enumerate(order)}
    sent = tmp_path / "answers-Cy.json"
    sent.write_text(json.dumps({"study": "faces", "seed": 1, "participant": "Cy", "answers": answers}))
    done = CliRunner().invoke(app, ["study", str(folder), "--import", str(sent)], catch_exceptions=False)
    lines = done.output.splitlines()
    assert lines[0] == "imported: Cy"
    assert lines[1].startswith("| Aspect | Method to compare | In favour of ours | In favour of others | Equal |")
    assert lines[3].startswith("| Editing image quality | ours against other | 66.67 % (")
    assert " | 33.33 % (" in lines[3]
    assert lines[3].endswith("| 15 | 3 |")
    assert len(read_votes(sorted((folder / "answers").glob("*.csv")))) == 45


def test_own_questions() -> None:
    [question] = read_questions("- name: Sharpness\n  text: Which is sharper?\n", "q.yaml")
    assert question == Question(name="Sharpness", text="Which is sharper?", shows=("images",))
    with pytest.raises(FormatError, match="expected a list"):
        read_questions("name: x", "q.yaml")


def test_the_exported_page_needs_nothing_else(study: Study, tmp_path: Path) -> None:
    text = study_page(tmp_path / "study", study)
    assert "http://" not in text.replace("http://www.w3.org", "")
    assert "https://" not in text
    assert "src=" not in text
    assert "import " not in text.split('<script type="module">')[1].split("\n")[1]


def test_what_cannot_be_compared_is_said(tmp_path: Path) -> None:
    one = write_results(tmp_path / "a", 100)
    with pytest.raises(InputError, match="at least two"):
        make_study(tmp_path / "s", "s", {"a": one})
    (tmp_path / "b").mkdir()
    with pytest.raises(InputError, match="no images"):
        make_study(tmp_path / "s", "s", {"a": one, "b": tmp_path / "b"})
    write_image(tmp_path / "c" / "x.png", np.zeros((4, 5, 3), np.uint8))
    with pytest.raises(InputError, match="nothing can be compared"):
        make_study(tmp_path / "s", "s", {"a": one, "c": tmp_path / "c"})
    assert not (tmp_path / "s").exists()


def test_markdown_has_a_row_a_line() -> None:
    assert len(markdown(tally(votes_of({"a": ["ours"]}))).splitlines()) == 3
