"""The Edit and Name pages in a real browser, as a person who sees them for the first time uses them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from generator.editing.editor import Editor
from kpdetect.images.image_files import read_image
from kpdetect.studio.server import Served
from kpdetect.studio.workplace import open_workplace
from tests.builders.studio import CONTRAST, Held, Watched, picture_of, place_of, serving

pytestmark = pytest.mark.slow

CHOSEN = ".chip[aria-pressed='true']"
EMPTY = """(number) => {
  const canvas = document.querySelectorAll(".stage canvas")[number];
  return !canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data.some(Boolean);
}"""
"""Whether nothing is drawn on a canvas."""


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving(open_workplace(Path("toy-32"), out=tmp_path_factory.mktemp("studio") / "out")) as opened:
        yield opened


@pytest.fixture
def watched(browser: Any, served: Served) -> Iterator[Watched]:
    opened = Watched(browser, served)
    opened.room()
    opened.drawn()
    yield opened
    opened.context.close()
    assert opened.complaints == []


def frame(page: Any, left: float, top: float, right: float, bottom: float) -> None:
    page.mouse.move(left, top)
    page.mouse.down()
    page.mouse.move(right, bottom, steps=3)
    page.mouse.up()


def exchange(page: Any, sample: int) -> None:
    page.click("#exchange")
    page.click(f".thumb[data-sample='{sample}']")


def test_a_frame_chooses_the_keypoints_near_it_or_says_that_there_are_none(watched: Watched) -> None:
    page = watched.page
    x, y = place_of(page, "4")
    box = page.locator(".stage").first.bounding_box()
    near = 0.06 * box["width"]
    frame(page, x + near + 8, y + near + 8, x + near, y + near)  # 8.5 % of the side from keypoint 4, and it holds none
    assert page.get_attribute(".chip[data-number='4']", "aria-pressed") == "true"
    before = page.locator(CHOSEN).count()
    places = np.array([place_of(page, str(number)) for number in range(10)])
    corners = [
        (box["x"] + right * box["width"], box["y"] + down * box["height"]) for right in (0.02, 0.98) for down in (0.02, 0.98)
    ]
    corner = max(corners, key=lambda at: np.hypot(*(places - at).T).min())
    assert np.hypot(*(places - corner).T).min() > 0.15 * box["width"]
    inward = [5 if at < middle else -5 for at, middle in zip(corner, (box["x"] + 150, box["y"] + 150), strict=True)]
    frame(page, *corner, corner[0] + inward[0], corner[1] + inward[1])
    assert page.inner_text(".note") == "No keypoint lies in the frame; draw a larger one."
    assert page.locator(CHOSEN).count() == before  # nothing that was chosen is lost
    assert page.evaluate(CONTRAST) == []


def test_neighbours_of_the_chosen_parts_can_be_added(watched: Watched) -> None:
    page = watched.page
    assert page.is_disabled("#neighbours")
    page.click(".chip[data-number='4']")
    places = np.array([place_of(page, str(number)) for number in range(10)])
    far = np.hypot(*(places - places[4]).T) / page.locator(".stage").first.bounding_box()["width"]
    page.click("#neighbours")
    chosen = page.locator(CHOSEN).evaluate_all("(chips) => chips.map((chip) => Number(chip.dataset.number))")
    nearest = np.sort(far)[1]  # at least one is added
    assert chosen == [number for number in range(10) if far[number] <= max(0.15, nearest + 1e-6)]
    assert page.inner_text(".note").endswith("chosen too. Press “Exchange them…” or “Take their appearance…”.")
    for _ in range(9):
        if page.is_enabled("#neighbours"):
            page.click("#neighbours")
    assert page.locator(CHOSEN).count() == 10
    assert page.is_disabled("#neighbours")  # there are no more


def test_the_other_picture_is_empty_until_its_own_has_arrived(watched: Watched) -> None:
    page = watched.page
    page.click(".chip[data-number='2']")
    exchange(page, 6)
    watched.drawn()
    page.click("#undo")
    watched.drawn()
    held = Held(page, "**/api/edit/draw", wanted=lambda request: request.post_data_json["sample"] == 3)
    exchange(page, 3)
    page.locator("figcaption >> nth=1", has_text="Drawing…").wait_for()
    assert page.evaluate(EMPTY, 1)
    page.locator("#command", has_text="--appearance-from=3:2").wait_for()
    assert page.evaluate(EMPTY, 1)  # the first picture has arrived, the second one not yet
    held.release()
    page.locator("figcaption", has_text="Sample 3 with these parts of sample 0").wait_for()
    watched.drawn()
    editor = Editor.load("toy-32")
    one, other = editor.sample(0), editor.sample(3)
    assert np.array_equal(picture_of(page, 1), editor.draw(editor.appearance(other, one, [2]))[0])
    page.click("#before")
    assert np.array_equal(picture_of(page, 1), editor.draw(other)[0])


def test_after_an_exchange_no_step_is_marked_and_both_pictures_are_saved(watched: Watched, tmp_path: Path) -> None:
    page = watched.page
    page.click(".chip[data-number='2']")
    assert "main" in page.get_attribute("#exchange", "class").split()
    exchange(page, 6)
    page.locator("figcaption", has_text="Sample 6 with").wait_for()
    assert page.locator(".steps li[aria-current]").count() == 0
    assert "main" not in page.get_attribute("#exchange", "class").split()
    assert "Done. Both pictures are below." in page.inner_text(".steps li >> nth=2")
    for number, button in enumerate(("[data-save='png']", "[data-save-other]")):
        page.evaluate("document.querySelector('.saved').replaceChildren()")
        page.click(button)
        with page.expect_download() as coming:
            page.click(".saved a")
        coming.value.save_as(tmp_path / "saved.png")
        assert np.array_equal(read_image(tmp_path / "saved.png"), picture_of(page, number))
    page.click(".chip[data-number='5']")  # another part: the exchange goes on
    assert page.inner_text(".steps li[aria-current]").startswith("2.")


def test_parts_whose_exchange_hardly_changes_the_picture_are_named(watched: Watched) -> None:
    page = watched.page
    page.click(".chip[data-number='2']")
    code = "([number]) => { const { picture } = window.studio.room; picture.faint = (numbers) => numbers; }"
    page.evaluate(code, [0])
    exchange(page, 6)
    page.locator(
        ".note", has_text="Part 2 hardly changes this picture. Choose its neighbours too: drag a frame around it"
    ).wait_for()
    watched.drawn()
    code = """async () => {
      const { changeAround } = await import("/static/edit-draw.js");
      const [one, other] = [new ImageData(20, 10), new ImageData(20, 10)];
      other.data.set([30, 60, 90, 255], 4 * (5 * 20 + 16));
      return [changeAround(one, other, [15, 5]), changeAround(one, other, [4, 5])];
    }"""
    assert page.evaluate(code) == pytest.approx([60 / 29, 0])  # 29 pixels lie within 3 pixels of a pixel


def test_nothing_can_be_pressed_before_there_is_a_picture(watched: Watched) -> None:
    page = watched.page
    held = Held(page, "**/api/edit/model*")
    page.reload(wait_until="commit")
    page.locator(".note", has_text="Loading samples…").wait_for()
    assert page.locator(".edit button:enabled").count() == 0
    sliders = page.locator("input[type='range']").evaluate_all("(all) => all.map((each) => each.value)")
    held.release()
    page.locator("#before:enabled").wait_for()
    assert page.inner_text(".note") == ""
    assert (
        page.locator("input[type='range']").evaluate_all("(all) => all.map((each) => each.value)") == sliders == ["1", "0", "1"]
    )


def test_a_shipped_model_says_first_that_names_cannot_be_saved(watched: Watched) -> None:
    page, asked = watched.room("name"), list[str]()
    assert "toy-32 comes with the package, so its names cannot be saved." in page.inner_text("#fixed")
    assert "kpdetect pack toy-32 --out my-toy-32" in page.inner_text("#fixed")
    assert "own left" in page.inner_text("main")
    assert "probability" in page.get_attribute("th:has-text('Confidence')", "title")

    def answer(dialog: Any) -> None:
        asked.append(dialog.type)
        dialog.accept()

    page.on("dialog", answer)
    page.get_by_label("Name of keypoint 1").click()
    page.keyboard.type("ear")  # the field still has the focus
    page.click("nav a[href='/edit']")
    page.wait_for_url("**/edit")
    assert asked == ["beforeunload"]
    page = watched.room("name")
    page.click("nav a[href='/edit']")
    page.wait_for_url("**/edit")
    watched.drawn()
    assert asked == ["beforeunload"]  # nothing was typed


TOPS = "(all) => all.map((selector) => document.querySelector(selector).getBoundingClientRect().top + scrollY)"
"""The distances of elements from the top of the page."""


def test_nothing_moves_away_from_the_pointer(watched: Watched) -> None:
    page, parts = watched.page, [".thumbs", "#undo", ".stage", "#exchange", "#neighbours", ".chip"]
    tops = page.evaluate(TOPS, parts)
    for number in ("2", "5", "7"):
        page.click(f".chip[data-number='{number}']")
        assert page.evaluate(TOPS, parts) == tops
    page.click("#exchange")
    assert page.evaluate(TOPS, parts) == tops
    page.click(".thumb[data-sample='6']")
    watched.drawn()
    assert page.evaluate(TOPS, parts) == tops
    page.evaluate("window.studio.room.chooseIn([[-9, -9], [-9, -9]])")
    assert page.inner_text(".note") != ""
    assert page.evaluate(TOPS, parts) == tops
    page.click(".thumb[data-sample='4']")
    page.wait_for_selector("[data-offer='look']")
    assert page.evaluate(TOPS, parts) == tops
    page, parts = watched.room("name"), [".tiles", "tbody"]
    tops = page.evaluate(TOPS, parts)
    for tool in ("pair", "link", "drop", "name"):
        page.click(f"[data-tool='{tool}']")
        assert page.evaluate(TOPS, parts) == tops
    page.get_by_label("Name of keypoint 1").fill("ear")
    page.keyboard.press("Tab")
    assert page.evaluate(TOPS, parts) == tops
    page.keyboard.press("Control+z")
