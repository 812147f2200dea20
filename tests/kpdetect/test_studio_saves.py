"""Saves of the studio's rooms in a real browser: slow, repeated, failed, and from two tabs at once."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kpdetect.images.image_files import write_image
from kpdetect.studio.server import Served
from tests.builders.studio import Held, Watched, drag, place_of, said, serving

pytestmark = pytest.mark.slow

UNANSWERED = ("400 (Bad Request)", "409 (Conflict)", "net::ERR_FAILED")
"""What Chromium itself reports of saves that were refused or not answered."""


@pytest.fixture(scope="module")
def compared(studio_project: Path) -> list[Path]:
    folders = [studio_project.parent / "ours", studio_project.parent / "other"]
    for folder in folders:
        for number in range(3):
            write_image(folder / "images" / f"{number:06d}.png", np.full((24, 30, 3), 90, np.uint8))
    return folders


@pytest.fixture
def opened(browser: Any, served: Served, studio_project: Path) -> Iterator[Watched]:
    watched = Watched(browser, served)
    yield watched
    watched.context.close()
    (studio_project / "detector" / "keypoints.yaml").unlink(missing_ok=True)
    (studio_project / "predictions" / "corrections.csv").unlink(missing_ok=True)
    assert [text for text in watched.complaints if not any(known in text for known in UNANSWERED)] == []


@pytest.fixture
def review(opened: Watched) -> Any:
    page = opened.room("review")
    page.wait_for_selector(".stage canvas[data-row='0']")
    return page


@pytest.fixture
def outdated(opened: Watched) -> Any:
    """A second tab with the Name page, after the first tab has saved the name "ear"."""
    page, other = opened.room("name"), beside(opened)
    page.get_by_label("Name of keypoint 1").fill("ear")
    page.keyboard.press("Control+s")
    said(page, "Saved:")
    return other


def beside(opened: Watched, ready: str = "body[data-ready]") -> Any:
    """Open the page of `opened` in a second tab, and wait for an element there."""
    other = opened.context.new_page()
    other.goto(opened.page.url)
    other.wait_for_selector(ready)
    return other


def get(request: Any) -> bool:
    return request.method == "GET"


def post(request: Any) -> bool:
    return request.method == "POST"


def names_in(project: Path) -> str:
    return (project / "detector" / "keypoints.yaml").read_text()


def corrected_in(project: Path) -> list[tuple[str, str]]:
    lines = (project / "predictions" / "corrections.csv").read_text().splitlines()[1:]
    return [(line.split(",")[0], line.split(",")[1]) for line in lines]


def test_names_changed_during_a_save_are_saved_by_the_next(opened: Watched, studio_project: Path) -> None:
    page = opened.room("name")
    held = Held(page, "**/api/name", post)
    page.get_by_label("Name of keypoint 1").fill("ear")
    page.keyboard.press("Control+s")
    held.wait()
    page.get_by_label("Name of keypoint 2").fill("mouth")
    page.keyboard.press("Control+s")
    held.wait(1)  # the second save waits for the first
    held.release()
    page.locator(".message").nth(1).wait_for()
    assert page.locator(".message.wrong").count() == 0
    assert "ear" in names_in(studio_project)
    assert "mouth" in names_in(studio_project)
    assert page.locator("#save").is_disabled()


def test_a_name_changed_during_a_save_counts_as_not_saved(opened: Watched, studio_project: Path) -> None:
    page = opened.room("name")
    held = Held(page, "**/api/name", post)
    page.get_by_label("Name of keypoint 1").fill("ear")
    page.keyboard.press("Control+s")
    held.wait()
    page.get_by_label("Name of keypoint 2").fill("mouth")
    page.locator("h1").click()
    held.release()
    said(page, "Saved:")
    assert "mouth" not in names_in(studio_project)
    assert page.locator(".place").inner_text().startswith("Not saved yet.")
    page.locator("#save").click()
    said(page, "Saved:")
    assert "mouth" in names_in(studio_project)


def test_a_save_pressed_twice_does_not_replace_what_another_tab_saved(outdated: Any, studio_project: Path) -> None:
    held = Held(outdated, "**/api/name", post)
    outdated.get_by_label("Name of keypoint 2").fill("mouth")
    for _ in range(2):
        outdated.keyboard.press("Control+s")
    held.wait(1)
    held.release()
    outdated.locator(".message", has_text="Press Save again").wait_for()
    outdated.wait_for_timeout(300)
    assert "mouth" not in names_in(studio_project)


def test_a_save_pressed_right_after_a_refusal_is_kept(outdated: Any, studio_project: Path) -> None:
    held = Held(outdated, "**/api/name?model=*", get)
    outdated.get_by_label("Name of keypoint 2").fill("mouth")
    outdated.keyboard.press("Control+s")
    outdated.locator(".message", has_text="nothing was saved").wait_for()
    held.wait()
    outdated.locator("#save").click()
    held.release()
    said(outdated, "Saved:")
    assert "mouth" in names_in(studio_project)


def test_names_cannot_change_while_another_model_is_opened(opened: Watched, studio_project: Path) -> None:
    page = opened.room("name")
    asked: list[str] = []
    page.on("dialog", lambda dialog: (asked.append(dialog.message), dialog.accept()))
    page.get_by_label("Name of keypoint 1").fill("ear")
    page.locator("h1").click()
    held = Held(page, "**/api/name?model=*", get)
    page.get_by_label("Model").select_option("toy-32")
    held.wait()
    assert asked == ["These names are not saved. Open the other model and lose them?"]
    assert page.get_by_text("Loading the detector…").is_visible()
    page.keyboard.press("Control+s")
    held.release()
    page.locator("#fixed", has_text="toy-32 comes with the package").wait_for()
    assert page.get_by_label("Name of keypoint 1").input_value() != "ear"
    assert not (studio_project / "detector" / "keypoints.yaml").exists()


def test_of_two_tabs_the_later_save_is_refused_and_nothing_is_lost(outdated: Any, studio_project: Path) -> None:
    outdated.get_by_label("Name of keypoint 2").fill("mouth")
    outdated.keyboard.press("Control+s")
    said(outdated, "changed elsewhere since this page read it; nothing was saved")
    assert outdated.get_by_label("Name of keypoint 2").input_value() == "mouth"
    assert "ear" in names_in(studio_project)
    assert "mouth" not in names_in(studio_project)
    outdated.locator("#save").click()
    said(outdated, "Saved:")
    assert "mouth" in names_in(studio_project)


def test_of_two_tabs_the_later_correction_is_refused(review: Any, opened: Watched, studio_project: Path) -> None:
    other = beside(opened, ".stage canvas[data-row='0']")
    drag(review, "4", 30, 20)
    review.wait_for_selector("body[data-saved='1']")
    drag(other, "1", -20, 10)
    other.locator(".message", has_text="nothing was saved").wait_for()
    other.locator(".message", has_text="shown now as it is saved").wait_for()
    assert corrected_in(studio_project) == [("000.png", "4")]
    assert place_of(other, "4") == pytest.approx(place_of(review, "4"), abs=0.01)
    drag(other, "1", -20, 10)
    other.wait_for_selector("body[data-saved='1']")
    assert ("000.png", "1") in corrected_in(studio_project)


def test_corrections_made_on_a_refused_one_do_not_replace_the_other_tabs(
    review: Any, opened: Watched, studio_project: Path
) -> None:
    other = beside(opened, ".stage canvas[data-row='0']")
    drag(review, "4", 30, 20)
    review.wait_for_selector("body[data-saved='1']")
    held = Held(other, "**/api/review/0/correct", post)
    drag(other, "1", -20, 10)
    drag(other, "3", 15, 10)
    held.wait(1)
    held.release()
    other.locator(".message", has_text="shown now as it is saved").wait_for()
    other.wait_for_timeout(300)
    assert corrected_in(studio_project) == [("000.png", "4")]


def test_corrections_that_found_no_studio_are_saved_later(review: Any, studio_project: Path) -> None:
    review.route("**/api/review/0/correct", lambda route: route.abort())
    drag(review, "4", 30, 20)
    said(review, "The studio does not answer")
    review.locator("#export").click()
    said(review, "The corrections of 000.png are not saved")
    assert not list((studio_project / "predictions").glob("*coco*"))
    review.unroute("**/api/review/0/correct")
    review.keyboard.press("ArrowRight")
    review.wait_for_selector(".stage canvas[data-row='1']")
    drag(review, "1", 10, 10)
    review.wait_for_selector("body[data-saved='2']")  # it also saves the earlier one
    review.locator("#export").click()
    said(review, "Written:")
    assert corrected_in(studio_project) == [("000.png", "4"), ("001.png", "1")]


def test_a_correction_that_the_studio_refuses_for_good_is_undone(review: Any, studio_project: Path) -> None:
    before = place_of(review, "4")
    refusal = {"status": 400, "content_type": "application/json", "body": '{"error": "keypoint 4: there are 3"}'}
    review.route("**/api/review/0/correct", lambda route: route.fulfill(**refusal))
    drag(review, "4", 30, 20)
    review.locator(".message", has_text="shown now as it is saved").wait_for()
    review.locator(".message", has_text="keypoint 4: there are 3").wait_for()
    assert place_of(review, "4") == pytest.approx(before, abs=0.01)
    review.locator("#export").click()
    said(review, "Written:")


def test_corrections_go_to_the_predictions_that_are_shown(
    browser: Any, studio_project: Path, compared: list[Path], tmp_path: Path
) -> None:
    from kpdetect.studio.workplace import open_workplace

    other = tmp_path / "other"
    shutil.copytree(studio_project / "predictions", other)
    with serving(open_workplace(studio_project, predictions=other)) as served:
        opened = Watched(browser, served)
        page = opened.room("review")
        page.wait_for_selector(".stage canvas[data-row='0']")
        shown = page.get_by_label("Predictions")
        folders = [Path(text) for text in shown.locator("option").all_inner_texts()]
        assert {folder.name for folder in folders} == {"predictions", "other"}
        held = Held(page, "**/correct", post)
        drag(page, "4", 30, 20)
        held.wait()
        shown.select_option("1")
        page.wait_for_timeout(200)
        held.release()
        page.wait_for_selector("body[data-saved='1']")
        page.wait_for_selector(".review:not([inert] *)")
        drag(page, "1", 10, 10)
        page.wait_for_selector("body[data-saved='2']")
        for folder, number in zip(folders, ("4", "1"), strict=True):
            lines = (folder / "corrections.csv").read_text().splitlines()[1:]
            assert [line.split(",")[:2] for line in lines] == [["000.png", number]]
        opened.context.close()
        assert opened.complaints == []
    (studio_project / "predictions" / "corrections.csv").unlink()


def begin_study(page: Any, name: str, participant: str) -> int:
    """Begin to answer a study as a participant, make the study if need be, and return the number of comparisons."""
    if not page.get_by_label(f"Participant of {name}").count():
        page.fill("#study-name", name)
        page.get_by_label("Comparisons of each question").fill("2")
        page.click("#make")
    page.get_by_label(f"Participant of {name}").fill(participant)
    page.keyboard.press("Enter")
    page.locator(".trial").wait_for()
    return int(page.locator(".trial p").first.inner_text().split(" of ")[1])


def answer(page: Any, key: str, count: int) -> None:
    for number in range(count):
        page.locator(".trial p", has_text=f"{number + 1} of").wait_for()
        page.keyboard.press(key)


def answers_in(path: Path) -> list[str]:
    return [line.split(",")[8] for line in path.read_text().splitlines()[1:]]


def test_of_two_tabs_with_one_name_the_later_answers_ask_before_they_replace(opened: Watched, studio_project: Path) -> None:
    page = opened.room("compare")
    count = begin_study(page, "shared", "Ann")
    other = beside(opened)
    begin_study(other, "shared", "Ann")
    answer(page, "ArrowLeft", count)
    said(page, "All answers are saved.")
    answers = studio_project / "studio" / "studies" / "shared" / "answers" / "Ann.csv"
    answer(other, "ArrowRight", count)
    other.get_by_text("Other answers were saved under this name").wait_for()
    assert answers_in(answers) == ["left"] * count
    other.locator("#again").click()
    said(other, "All answers are saved.")
    assert answers_in(answers) == ["right"] * count


def test_answers_whose_confirmation_was_lost_are_saved(opened: Watched, studio_project: Path) -> None:
    page = opened.room("compare")
    count = begin_study(page, "lost", "Ann")
    lost = []

    def lose(route: Any) -> None:
        if lost:
            return route.continue_()
        lost.append(route.fetch())  # the studio saves the answers, but the page does not learn it
        return route.abort()

    page.route("**/answers", lose)
    answer(page, "ArrowLeft", count)
    said(page, "All answers are saved.")
    answers = studio_project / "studio" / "studies" / "lost" / "answers" / "Ann.csv"
    assert answers_in(answers) == ["left"] * count


def test_answers_that_found_no_studio_stay_on_the_page(opened: Watched, studio_project: Path) -> None:
    page = opened.room("compare")
    count = begin_study(page, "unsteady", "Ann")
    page.route("**/answers", lambda route: route.abort())
    answer(page, "ArrowLeft", count)
    page.locator("#again").wait_for()
    answers = studio_project / "studio" / "studies" / "unsteady" / "answers" / "Ann.csv"
    assert not answers.exists()
    page.unroute("**/answers")
    page.locator("#again").click()
    said(page, "All answers are saved.")
    assert answers_in(answers) == ["left"] * count
