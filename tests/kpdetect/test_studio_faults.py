"""The studio's pages in a real browser while the studio ends, refuses an edit, or finds other files than the page shows."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kpdetect.studio.server import Served
from kpdetect.studio.workplace import open_workplace
from tests.builders.studio import Watched, said, serving

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
