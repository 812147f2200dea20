"""Every control of the studio's rooms in a real browser: one browser and one server for all."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as Pillow
from typer.testing import CliRunner

from generator.editing.editor import Editor
from kpdetect.cli.main import app
from kpdetect.images.image_files import read_image, write_image
from kpdetect.studio.server import Served
from tests.builders.studio import (
    CONTRAST,
    Watched,
    drag,
    picture_of,
    place_of,
    said,
)

pytestmark = pytest.mark.slow

DROP = """([selector, name, kind, bytes]) => {
  const held = new DataTransfer();
  held.items.add(new File([new Uint8Array(bytes)], name, { type: kind }));
  const given = { dataTransfer: held, bubbles: true, cancelable: true };
  document.querySelector(selector).dispatchEvent(new DragEvent("drop", given));
}"""
"""Drops a file on an element."""


@pytest.fixture(scope="module")
def studio_project(studio_project: Path) -> Path:
    """The project, with keypoint 2 displaced in the fourth image."""
    table = studio_project / "predictions" / "predictions.csv"
    table.write_text(re.sub(r"^003\.png,2,[^,]*,[^,]*,", "003.png,2,47.0,39.0,", table.read_text(), flags=re.MULTILINE))
    return studio_project


@pytest.fixture(scope="module")
def opened(browser: Any, served: Served) -> Iterator[Watched]:
    watched = Watched(browser, served)
    watched.room()
    watched.context.grant_permissions(["clipboard-read", "clipboard-write"])
    yield watched
    watched.context.close()


@pytest.fixture
def edit(opened: Watched) -> Iterator[Any]:
    """The room Edit with nothing changed."""
    opened.complaints.clear()
    opened.page.evaluate("sessionStorage.clear()")
    page = opened.room("edit")
    opened.drawn()
    yield page
    assert opened.complaints == []


@pytest.fixture
def review(opened: Watched, studio_project: Path) -> Iterator[Any]:
    opened.complaints.clear()
    (studio_project / "predictions" / "corrections.csv").unlink(missing_ok=True)
    page = opened.room("review")
    page.wait_for_selector(".stage canvas[data-row='0']")
    yield page
    assert opened.complaints == []


def command(page: Any) -> str:
    return str(page.inner_text("#command"))


def slide(page: Any, selector: str, value: float) -> None:
    events = "for (const name of ['input', 'change']) input.dispatchEvent(new Event(name));"
    code = f"(input, value) => {{ input.value = value; {events} }}"
    page.locator(selector).evaluate(code, value)


# Edit


def test_a_click_between_keypoints_chooses_the_nearest(edit: Any) -> None:
    x, y = place_of(edit, "4")
    edit.mouse.click(x + 15, y + 18)
    assert edit.locator(".chip[aria-pressed='true']").count() == 1
    assert edit.get_attribute(".chip[data-number='4']", "aria-pressed") == "true"
    assert edit.inner_text(".steps li[aria-current]").startswith("2.")
    box = edit.locator(".stage").first.bounding_box()
    edit.mouse.move(box["x"] + 3, box["y"] + 3)  # a frame round everything
    edit.mouse.down()
    edit.mouse.move(box["x"] + box["width"] - 3, box["y"] + box["height"] - 3)
    edit.mouse.up()
    assert edit.locator(".chip[aria-pressed='true']").count() == 10


def test_a_sample_clicked_with_parts_chosen_asks_what_it_is_for(edit: Any, opened: Watched, studio_project: Path) -> None:
    assert edit.is_disabled("#exchange")
    for number in ("0", "5"):
        edit.click(f".chip[data-number='{number}']")
    edit.click(".thumb[data-sample='7']")
    for _ in ("light", "dark"):
        assert edit.evaluate(CONTRAST) == []
        edit.click("#theme")
    edit.click("[data-offer='exchange']")
    opened.drawn()
    edit.locator("#command", has_text="--samples 7").wait_for()
    editor = Editor.load(studio_project)
    one, other = editor.sample(0), editor.sample(7)
    assert np.array_equal(picture_of(edit), editor.draw(editor.appearance(one, other, [0, 5]))[0])
    assert np.array_equal(picture_of(edit, 1), editor.draw(editor.appearance(other, one, [0, 5]))[0])
    edit.click("#undo")
    edit.click(".thumb[data-sample='3']")
    edit.click("[data-offer='look']")
    opened.drawn()
    assert "--appearance-from=3:0,5" in command(edit)
    assert edit.locator(".pictures figure").nth(1).is_hidden()
    edit.click(".thumb[data-sample='2']")
    edit.click("[data-offer='open']")
    opened.drawn()
    assert edit.inner_text("figcaption >> nth=0") == "Sample 2, unchanged"


def test_parts_by_keys_alone(edit: Any, opened: Watched) -> None:
    edit.locator(".stage .point[data-id='5']").first.focus()
    edit.keyboard.press("Space")
    edit.keyboard.press("x")
    assert edit.evaluate("document.activeElement.dataset.sample") == "1"
    edit.keyboard.press("Escape")
    assert edit.locator(".picking").count() == 0
    edit.keyboard.press("l")
    edit.keyboard.press("Tab")
    edit.keyboard.press("Enter")
    opened.drawn()
    assert "--appearance-from=2:5" in command(edit)
    edit.keyboard.press("n")
    edit.keyboard.press("a")
    assert edit.locator(".chip[aria-pressed='true']").count() == 10


def test_add_scale_turn_mix_and_local_and_what_they_say(
    edit: Any, opened: Watched, studio_project: Path, tmp_path: Path
) -> None:
    edit.click(".chip[data-number='5']")
    edit.click("#add")
    opened.drawn()
    assert edit.locator(".stage .point[data-id='copy-0-5']").count() == 1
    drag(edit, "copy-0-5", 24, 16)
    opened.drawn()
    assert edit.is_disabled("[data-slider='mix']")
    edit.click("#pose")
    edit.click(".thumb[data-sample='4']")
    edit.click("#background")
    edit.click(".thumb[data-sample='6']")
    slide(edit, "[data-slider='scale']", 0.9)
    slide(edit, "[data-slider='rotate']", 6)
    slide(edit, "[data-slider='mix']", 0.7)
    drag(edit, "3", 12, 8)
    opened.drawn()
    assert "--local" in command(edit)
    edit.click("#local")
    opened.drawn()
    done = command(edit)
    assert "--local" not in done
    for text in ("--pose-from=4", "--background-from=6", "--scale=0.9", "--rotate=6", "--mix=0.7", "--move=3:", "--add=5:"):
        assert text in done
    picture = picture_of(edit)
    assert_reproduced(edit, picture, tmp_path)
    edit.get_by_label("Take back: Background of sample 6").click()
    opened.drawn()
    assert "--background-from" not in command(edit)
    while edit.is_enabled("#undo"):
        edit.click("#undo")
    opened.drawn()
    assert np.array_equal(picture_of(edit), Editor.load(studio_project).draw(Editor.load(studio_project).sample(0))[0])
    while edit.is_enabled("#redo"):
        edit.click("#redo")
    opened.drawn()
    assert "--background-from" not in command(edit)
    edit.click("#reset")
    opened.drawn()
    assert command(edit).startswith("#")


def assert_reproduced(page: Any, picture: np.ndarray, folder: Path) -> None:
    """The copied command and the copied Python draw the picture again, to the bit."""
    copied = []
    for name in ("command", "python"):
        page.click(f"[data-copy='{name}']")
        said(page, "Copied.")
        copied.append(page.evaluate("navigator.clipboard.readText()"))
    words = shlex.split(copied[0])
    words[words.index("--out") + 1] = str(folder / "edited")
    assert CliRunner().invoke(app, words[1:], catch_exceptions=False).exit_code == 0
    [path] = (folder / "edited" / "images").glob("*.png")
    assert np.array_equal(read_image(path), picture)
    names: dict[str, Any] = {}
    exec(copied[1], names)
    assert np.array_equal(names["image"], picture)


def test_before_difference_and_keypoints(edit: Any, opened: Watched) -> None:
    before = picture_of(edit)
    drag(edit, "3", 30, -10)
    opened.drawn()
    after = picture_of(edit)
    edit.click("#before")
    assert np.array_equal(picture_of(edit), before)
    edit.click("#before")
    edit.keyboard.down("b")
    assert np.array_equal(picture_of(edit), before)
    edit.keyboard.up("b")
    assert np.array_equal(picture_of(edit), after)
    edit.click("#difference")
    apart = np.abs(after.astype(float) - before).mean(2)
    assert np.abs(picture_of(edit)[..., 0] - apart * 255 / apart.max()).max() <= 1
    edit.keyboard.press("d")
    edit.keyboard.press("k")
    assert edit.evaluate("getComputedStyle(document.querySelector('.stage svg > g')).visibility") == "hidden"
    edit.keyboard.press("k")


def test_saved_files_open_and_reproduce(edit: Any, opened: Watched, tmp_path: Path) -> None:
    before = picture_of(edit).astype(int)
    drag(edit, "2", 20, 10)
    opened.drawn()
    picture, files = picture_of(edit), {}
    for kind in ("png", "gif", "json"):
        edit.click(f"[data-save='{kind}']")
        edit.wait_for_selector(".message a")
        with edit.expect_download() as coming:
            edit.click(".message a")
        files[kind] = tmp_path / coming.value.suggested_filename
        coming.value.save_as(files[kind])
        edit.evaluate("document.getElementById('messages').replaceChildren()")
    assert np.array_equal(read_image(files["png"]), picture)
    with Pillow.open(files["gif"]) as loop:
        assert (loop.n_frames, loop.size) == (30, (128, 128))  # small pictures are enlarged
        assert np.abs(np.asarray(loop.convert("RGB"))[2::4, 2::4].astype(int) - before).mean() < 8
    said_there = command(edit)
    edit.click("#reset")
    opened.drawn()
    edit.set_input_files("#open + input", files["json"])
    edit.locator("#command", has_text="--move").wait_for()
    opened.drawn()
    assert command(edit) == said_there == json.loads(files["json"].read_text())["command"]
    assert np.array_equal(picture_of(edit), picture)
    (tmp_path / "x.json").write_text("no json")
    edit.set_input_files("#open + input", tmp_path / "x.json")
    said(edit, "x.json is no JSON; open edits that were saved here")


def test_a_photo_dropped_on_the_page_gives_its_pose(edit: Any, opened: Watched, studio_project: Path, tmp_path: Path) -> None:
    photo = studio_project.parent / "images" / "004.png"
    edit.evaluate(DROP, ["main", "my photo.png", "image/png", list(photo.read_bytes())])
    edit.locator("#command", has_text="--pose-from").wait_for()
    opened.drawn()
    assert_reproduced(edit, picture_of(edit), tmp_path)
    said_before = command(edit)
    edit.evaluate(DROP, ["main", "notes.txt", "text/plain", list(b"no picture")])
    said(edit, "the file is no picture; give a JPEG, PNG, WebP, BMP, TIFF or GIF")
    write_image(tmp_path / "wide.png", np.zeros((1, 2, 3), np.uint8))
    edit.evaluate(DROP, ["main", "cut.png", "image/png", list(photo.read_bytes()[:200])])
    said(edit, "cut.png: the picture is damaged; give another one")
    edit.evaluate("""() => {
      const held = new DataTransfer();
      held.items.add(new File([new Uint8Array(33 * 2 ** 20)], "large.png"));
      const given = { dataTransfer: held, bubbles: true, cancelable: true };
      document.querySelector("main").dispatchEvent(new DragEvent("drop", given));
    }""")
    said(edit, "The file is larger than 32 MiB; give a smaller one.")
    assert command(edit) == said_before
    opened.complaints[:] = [text for text in opened.complaints if "400 (Bad Request)" not in text]  # Chromium's own line


# Review


def place(page: Any, number: str) -> tuple[float, float]:
    """Where a keypoint is in pixels of the image."""
    dot = page.locator(f".stage .point[data-id='{number}'] .dot")
    return float(dot.get_attribute("cx")), float(dot.get_attribute("cy"))


def view(page: Any) -> list[float]:
    return [float(value) for value in page.get_attribute(".stage svg", "viewBox").split()]


def test_zoom_and_pan(review: Any) -> None:
    assert view(review) == [-0.5, -0.5, 48, 40]
    review.get_by_label("Zoom in").click()
    assert view(review)[2] == pytest.approx(48 / 1.4, abs=0.01)
    review.keyboard.press("0")
    assert view(review) == [-0.5, -0.5, 48, 40]
    box = review.locator(".stage").bounding_box()
    corner = box["x"] + 4, box["y"] + 4
    review.mouse.move(*corner)
    review.mouse.wheel(0, -500)
    review.wait_for_function("document.querySelector('.stage svg').getAttribute('viewBox').split(' ')[2] < 30")
    left, top, wide, _ = view(review)
    assert (left, top) == pytest.approx((-0.5, -0.5), abs=0.4)  # what is under the pointer stays there
    review.mouse.down()
    review.mouse.move(corner[0] - 0, corner[1])
    review.mouse.up()
    x, y = box["x"] + box["width"] * 0.98, box["y"] + box["height"] * 0.97
    review.mouse.move(x, y)
    review.mouse.down()
    review.mouse.move(x - box["width"] / 4, y, steps=3)
    review.mouse.up()
    assert view(review)[0] == pytest.approx(left + wide / 4, abs=0.1)
    at = place(review, "4")
    x, y = place_of(review, "4")
    drawn = box["x"] + (at[0] - view(review)[0]) / view(review)[2] * box["width"]
    assert x == pytest.approx(drawn, abs=1)
    review.get_by_label("The whole picture").click()
    assert view(review) == [-0.5, -0.5, 48, 40]


def test_a_zoomed_picture_is_corrected_in_its_own_pixels(review: Any, studio_project: Path) -> None:
    before = place(review, "1")
    for _ in range(3):
        review.keyboard.press("+")
    saved = int(review.evaluate("document.body.dataset.saved || 0"))
    drag(review, "1", 30, 20)
    review.wait_for_selector(f"body[data-saved='{saved + 1}']")
    scale = review.locator(".stage").bounding_box()["width"] / view(review)[2]
    row = (studio_project / "predictions" / "corrections.csv").read_text().splitlines()[1].split(",")
    assert (float(row[2]), float(row[3])) == pytest.approx((before[0] + 30 / scale, before[1] + 20 / scale), abs=0.3)


def test_confidence_trails_names_and_order(review: Any) -> None:
    shown = review.locator(".stage .point").count()
    assert shown == 10
    slide(review, "[aria-label='Least confidence']", 1)
    assert review.locator(".stage .point").count() < shown
    assert "100 %" in review.inner_text(".slider >> nth=0")
    slide(review, "[aria-label='Least confidence']", 0)
    assert review.locator(".stage .trail").count() == 0
    review.keyboard.press("ArrowRight")
    review.keyboard.press("ArrowRight")
    slide(review, "[aria-label='Trail']", 2)
    assert review.locator(".stage .trail").count() == 10
    assert len(review.locator(".stage .trail").first.get_attribute("points").split()) == 3
    review.get_by_label("Names").uncheck()
    assert review.locator(".stage .point[data-id='1'] text").text_content() == ""
    review.get_by_label("Names").check()
    review.get_by_label("Order").select_option("unsure")
    strip = review.locator(".strip button")
    order = [int(each) for each in strip.evaluate_all("(all) => all.map((each) => each.dataset.row)")]
    sure = strip.evaluate_all("(all) => all.map((each) => Number(each.ariaLabel.match(/(\\d+) %/)[1]))")
    assert sorted(order) == list(range(6))
    assert sure == sorted(sure)


def test_jumps_and_the_curves_of_a_keypoint(review: Any) -> None:
    review.keyboard.press("j")
    assert review.inner_text("h1") == "003.png"
    review.keyboard.press("j")
    assert review.inner_text("h1") == "004.png"  # back to its place
    review.keyboard.press("j")
    assert review.inner_text("h1") == "003.png"
    review.get_by_label("Keypoint", exact=True).select_option("2")
    assert review.locator(".chart").count() == 3
    assert review.locator(".stage .point.chosen").get_attribute("data-id") == "2"
    assert review.locator(".chart").first.locator(".mark").count() == 2
    plot = review.locator(".chart .plot").first.bounding_box()
    review.mouse.click(plot["x"] + plot["width"] * 0.97, plot["y"] + 20)
    assert review.inner_text("h1") == "005.png"


def test_review_by_keys_alone(review: Any, studio_project: Path) -> None:
    review.keyboard.press("Enter")
    review.wait_for_selector(".strip [data-row='0'].done")
    assert review.inner_text("h1") == "001.png"
    review.locator(".stage .point[data-id='3']").focus()
    review.keyboard.press("Space")
    before = place(review, "3")
    review.keyboard.press("Shift+ArrowRight")
    assert place(review, "3") == pytest.approx((before[0] + 5, before[1]), abs=0.01)
    review.keyboard.press("h")
    review.wait_for_selector(".stage .point[data-id='3']", state="detached")
    review.keyboard.press("r")
    assert place(review, "3") == pytest.approx(before, abs=0.01)
    review.keyboard.press("Control+z")
    review.keyboard.press("Control+z")
    assert place(review, "3") == pytest.approx((before[0] + 5, before[1]), abs=0.01)
    review.keyboard.press("ArrowLeft")
    review.locator(".strip [data-row='1'][aria-pressed='false']").wait_for()
    review.get_by_label("Only unchecked pictures").check()
    assert review.locator(".strip button").count() == 5


def test_names_given_after_the_prediction_are_in_the_export(opened: Watched, studio_project: Path) -> None:
    """The way of a new user: from the project to a DeepLabCut file with names, by what the pages say."""
    opened.complaints.clear()
    page = opened.room("project")
    assert f"kpdetect predict {studio_project} IMAGES --out found --format dlc-csv" in page.inner_text(".next")
    page.get_by_role("link", name="Name the keypoints").click()
    page.wait_for_url("**/name")
    opened.ready()
    page.get_by_label("Name of keypoint 0").fill("left eye")
    page.keyboard.press("Enter")
    page.keyboard.type("right eye")
    page.keyboard.press("Enter")
    page.get_by_label("Mirror image of keypoint 0").select_option("1")
    page.locator(".keypoints tr[data-number='4'] button").click()
    page.click("#save")
    (studio_project / "predictions" / "corrections.csv").unlink(missing_ok=True)  # of the tests before
    page.get_by_role("link", name="check the predictions and export them").click()
    page.wait_for_url("**/review")
    page.wait_for_selector(".stage canvas[data-row='0']")
    assert page.locator(".stage .point").count() == 9
    assert page.locator(".stage .point[data-id='0'] text").text_content() == "left eye"
    assert page.get_by_text("Name them first").is_hidden()
    page.click("#export")
    said(page, "predictions-dlc.csv")
    heads = (studio_project / "predictions" / "predictions-dlc.csv").read_text().splitlines()[1].split(",")[1::3]
    assert heads == ["left eye", "right eye", *(f"keypoint{number}" for number in (2, 3, 5, 6, 7, 8, 9))]
    assert opened.room("project").get_by_role("link", name="Change the names of the keypoints").count() == 1
    (studio_project / "detector" / "keypoints.yaml").unlink()
    page = opened.room("review")
    page.wait_for_selector(".stage canvas[data-row='0']")
    assert page.locator(".stage .point").count() == 10
    assert page.get_by_text("Name them first").is_visible()
    assert opened.complaints == []


def test_names_and_wrong_ones(opened: Watched, studio_project: Path) -> None:
    opened.complaints.clear()
    page = opened.room("name")
    page.get_by_label("Name of keypoint 0").fill("same")
    page.get_by_label("Name of keypoint 1").fill("same")
    page.locator("#save").click()
    page.locator(".message.wrong").wait_for()
    sentence = page.inner_text(".message.wrong span")
    assert "same" in sentence
    assert "\n" not in sentence
    assert not (studio_project / "detector" / "keypoints.yaml").exists()
    page.keyboard.press("Escape")
    page.locator("h1").click()
    page.keyboard.press("l")
    assert page.get_attribute("[data-tool='link']", "aria-pressed") == "true"
    for _ in range(2):
        page.keyboard.press("Control+z")
    assert page.get_by_label("Name of keypoint 0").input_value() == ""
    page.keyboard.press("Control+y")
    assert page.get_by_label("Name of keypoint 0").input_value() == "same"
    page.get_by_label("Mirror image of keypoint 2").select_option("3")
    assert page.locator(".tiles .stage").first.locator(".pair").count() == 1
    page.locator("[data-tool='drop']").click()
    page.mouse.click(*place_of(page, "6"))  # another keypoint lies partly on it
    assert page.inner_text(".keypoints tr[data-number='6'] button") == "Keep"
    page.locator(".tiles .stage").nth(1).locator(".point[data-id='2']").hover()
    assert page.locator(".tiles .point.lit").count() == 6
    page.evaluate("window.onbeforeunload = null")
    opened.complaints[:] = [text for text in opened.complaints if "400 (Bad Request)" not in text]
    assert opened.complaints == []
    for _ in range(4):
        page.keyboard.press("Control+z")


def test_keys_open_rooms_and_their_list(opened: Watched) -> None:
    page = opened.room("edit")
    opened.drawn()
    page.keyboard.press("?")
    assert page.locator("dialog[open] tr").count() > 8
    page.keyboard.press("Escape")
    page.keyboard.press("4")
    page.wait_for_url("**/review")
    opened.ready()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")  # "Go to the content of the page"
    assert page.evaluate("document.activeElement.id") == "room"
