"""The studio's pages in a real browser while the studio ends, refuses an edit, or finds other files than the page shows."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kpdetect.studio.server import Served
from kpdetect.studio.workplace import open_workplace
from tests.builders.replaced import replace_predictions, replace_weights
from tests.builders.studio import Watched, drag, place_of, said, serving

pytestmark = pytest.mark.slow

ENDED = {
    "without an answer": None,
    "with another key": {"status": 403, "content_type": "application/json", "body": '{"error": "of another studio"}'},
    "after a fault": {"status": 500, "content_type": "application/json", "body": '{"error": "the studio failed"}'},
}
REFUSED = {"status": 400, "content_type": "application/json", "body": '{"error": "a keypoint is too far out"}'}


@pytest.fixture(scope="module")
def project(studio_project: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project, whose files the tests replace."""
    return Path(shutil.copytree(studio_project, tmp_path_factory.mktemp("replaced") / "project"))


@pytest.fixture(scope="module")
def served(project: Path) -> Iterator[Served]:
    with serving(open_workplace(project)) as opened:
        yield opened


@pytest.fixture
def opened(browser: Any, served: Served) -> Iterator[Watched]:
    watched = Watched(browser, served)
    yield watched
    watched.context.close()
    assert [text for text in watched.complaints if "Failed to load resource" not in text] == []  # Chromium's own line


@pytest.fixture
def edit(opened: Watched) -> Any:
    page = opened.room("edit")
    opened.drawn()
    return page


@pytest.fixture
def review(opened: Watched) -> Any:
    page = opened.room("review")
    page.wait_for_selector(".stage canvas[data-row='0']")
    return page


def move(page: Any, keypoint: str) -> None:
    page.locator(f".stage .point[data-id='{keypoint}']").first.focus()
    page.keyboard.press("ArrowRight")


def moves(page: Any) -> list[int]:
    """The moved keypoints of the edits that the browser keeps."""
    stored = page.evaluate("JSON.parse(sessionStorage.getItem('kpdetect-edit')).edits.moves")
    return [number for moved in stored for number in moved["keypoints"]]


@pytest.mark.parametrize("how", ENDED)
def test_edits_stay_while_the_studio_does_not_draw(edit: Any, opened: Watched, how: str) -> None:
    for keypoint in ("1", "2"):
        move(edit, keypoint)
    opened.drawn()
    edit.route("**/api/edit/draw", lambda route: route.fulfill(**ENDED[how]) if ENDED[how] else route.abort())
    move(edit, "3")
    edit.locator(".message.wrong").first.wait_for()
    opened.drawn()
    edit.wait_for_timeout(300)
    assert moves(edit) == [1, 2, 3]
    edit.unroute("**/api/edit/draw")
    move(edit, "4")
    edit.locator("#command", has_text="--move=4:1,0").wait_for()
    assert all(f"--move={number}:1,0" in edit.inner_text("#command") for number in (1, 2, 3))


def test_the_other_picture_of_an_exchange_is_drawn_later(edit: Any, opened: Watched) -> None:
    edit.get_by_role("button", name="None").click()
    edit.locator(".chip[data-number='2']").click()
    edit.route("**/api/edit/draw", lambda route: route.abort())
    edit.click("#exchange")
    edit.click(".thumb[data-sample='6']")
    edit.locator("figcaption", has_text="could not be drawn").wait_for()
    opened.drawn()
    edit.unroute("**/api/edit/draw")
    move(edit, "1")
    edit.locator("figcaption", has_text="Sample 6 with these parts of sample 0").wait_for()


def test_only_the_edit_that_the_generator_refuses_is_undone(edit: Any, opened: Watched) -> None:
    for keypoint in ("1", "2"):
        move(edit, keypoint)
        opened.drawn()
    asked: list[list[int]] = []

    def answer(route: Any) -> None:
        found = [number for moved in route.request.post_data_json["edits"]["moves"] for number in moved["keypoints"]]
        asked.append(found)
        if 3 in found:
            route.fulfill(**REFUSED)
        else:
            route.continue_()

    edit.route("**/api/edit/draw", answer)
    move(edit, "3")
    said(edit, "a keypoint is too far out")
    edit.wait_for_timeout(300)
    opened.drawn()
    assert asked == [[1, 2, 3], [1, 2]]
    assert moves(edit) == [1, 2]
    edit.unroute("**/api/edit/draw")
    edit.route("**/api/edit/draw", lambda route: route.fulfill(**REFUSED))  # everything, such as after the model was removed
    move(edit, "4")
    said(edit, "a keypoint is too far out")
    edit.wait_for_timeout(300)
    opened.drawn()
    assert moves(edit) == [1, 2]


def checked(project: Path) -> dict[str, str]:
    """The weights of every corrected keypoint."""
    lines = (project / "predictions" / "corrections.csv").read_text().splitlines()[1:]
    return {line.split(",")[1]: line.split(",")[6] for line in lines}


def test_a_picture_that_is_missing_is_said(opened: Watched) -> None:
    missing = {"status": 400, "content_type": "application/json", "body": '{"error": "000.png: no such file"}'}
    opened.page.route("**/api/review/0/picture/0*", lambda route: route.fulfill(**missing))
    page = opened.room("review")
    page.locator(".message.wrong", has_text="000.png: no such file").wait_for()


def test_corrections_on_other_weights_are_confirmed_on_the_page(review: Any, opened: Watched, project: Path) -> None:
    drag(review, "4", 30, 20)
    review.wait_for_selector("body[data-saved='1']")
    review.keyboard.press("Enter")
    review.wait_for_selector(".strip [data-row='0'].done")
    review.wait_for_selector("body[data-saved='2']")
    [old] = set(checked(project).values())
    replace_predictions(project / "predictions", model="0123456789abcdef")
    drag(review, "1", 10, 10)  # in the second picture
    said(review, "these predictions were made again; nothing was saved. Reload the page")
    assert set(checked(project).values()) == {old}
    page = opened.room("review")
    page.wait_for_selector(".stage canvas[data-row='0']")
    said(page, "Some corrections were made on the predictions of other weights")
    assert page.locator(".strip .done").count() == 0
    assert "10 corrected on other weights" in page.locator(".panel p.soft").first.inner_text()
    assert page.locator(".stage .point[data-id='4'] text").text_content().endswith(" ?")
    drag(page, "1", 10, 10)
    page.wait_for_selector("body[data-saved='1']")
    assert checked(project) == {str(number): "0123456789abcdef" if number == 1 else old for number in range(10)}
    page.click("#export")
    said(page, "9 keypoints that were corrected on the predictions of other weights are left out")
    coco = project / "predictions" / "predictions-coco.json"
    assert sum(json.loads(coco.read_text())["annotations"][0]["keypoint_human"]) == 1
    page.click("#check")
    page.wait_for_selector(".strip [data-row='0'].done")
    page.wait_for_selector("body[data-saved='2']")
    assert set(checked(project).values()) == {"0123456789abcdef"}
    page.click("#export")
    said(page, "Written:")
    assert sum(json.loads(coco.read_text())["annotations"][0]["keypoint_human"]) == 10
    page.keyboard.press("Control+z")
    page.wait_for_selector("body[data-saved='3']")
    assert set(checked(project).values()) == {old, "0123456789abcdef"}  # undone: not confirmed
    (project / "predictions" / "corrections.csv").unlink()


def test_names_for_replaced_weights_ask_to_reload(opened: Watched, project: Path) -> None:
    page = opened.room("name")
    before = place_of(page, "1")
    page.get_by_label("Name of keypoint 1").fill("ear")
    replace_weights(project)
    page.keyboard.press("Control+s")
    page.locator(".message.wrong", has_text="was replaced since this page showed its keypoints").wait_for()
    page.wait_for_timeout(300)
    assert page.locator(".message", has_text="Press Save again").count() == 0
    page.locator("#save").click()
    page.wait_for_timeout(300)
    assert not (project / "detector" / "keypoints.yaml").exists()
    page.once("dialog", lambda dialog: dialog.accept())
    page = opened.room("name")
    assert place_of(page, "8") == pytest.approx(before, abs=2)
    page.get_by_label("Name of keypoint 1").fill("ear")
    page.keyboard.press("Control+s")
    said(page, "Saved:")
