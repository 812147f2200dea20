"""The studio's page in a real browser: what a person does there, and what comes of it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kpdetect.images.image_files import write_image
from kpdetect.studio.server import Served
from tests.builders.studio import (
    CONTRAST,
    NAMELESS,
    Watched,
    drag,
    picture_of,
)

pytestmark = pytest.mark.slow

ROOMS = ("project", "edit", "name", "review", "compare")


@pytest.fixture(scope="module")
def compared(studio_project: Path) -> list[Path]:
    folders = [studio_project.parent / "ours", studio_project.parent / "other"]
    for folder, level in zip(folders, (60, 180), strict=True):
        for number in range(4):
            write_image(folder / "images" / f"{number:06d}.png", np.full((24, 30, 3), level + number, np.uint8))
    return folders


@pytest.fixture
def watched(browser: Any, served: Served) -> Iterator[Watched]:
    opened = Watched(browser, served)
    yield opened
    opened.context.close()
    assert opened.complaints == []


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_room_is_sound(browser: Any, served: Served, theme: str) -> None:
    opened = Watched(browser, served, theme)
    for room in ROOMS:
        page = opened.room(room)
        if room == "edit":
            opened.drawn()
        assert page.evaluate("document.documentElement.dataset.theme") == theme
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), room
        assert page.evaluate(CONTRAST) == [], room
        assert page.locator("h1").count() == 1, room
        assert page.evaluate(NAMELESS) == [], room
    assert opened.complaints == []
    opened.context.close()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_report_is_sound_and_follows_the_theme(browser: Any, served: Served, studio_project: Path, theme: str) -> None:
    from benchmarks.reporting.report import write_report

    if not (studio_project / "report").exists():
        write_report(studio_project, studio_project / "report")
    opened = Watched(browser, served, theme)
    page = opened.room("project")
    ground = "getComputedStyle(document.body).backgroundColor"
    colours = {"light": "rgb(255, 255, 255)", "dark": "rgb(18, 21, 26)"}
    other = "dark" if theme == "light" else "light"
    frame = page.wait_for_selector("iframe.report").content_frame()
    frame.wait_for_selector("h1")
    for shown in (theme, other):
        frame.wait_for_function(f"{ground} === '{colours[shown]}'")
        page.click("#theme")
    page = opened.room("report")
    for shown in (theme, other):
        assert page.evaluate(ground) == colours[shown]
        assert page.evaluate(CONTRAST) == []
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        page.click(f".theme a[href='#{other}']")  # without a script
    assert opened.complaints == []
    opened.context.close()


def test_a_dragged_keypoint_is_what_the_editor_draws(watched: Watched, studio_project: Path) -> None:
    from generator.editing.editor import Editor

    page = watched.room("edit")
    watched.drawn()
    first = picture_of(page)
    drag(page, "3", 40, -24)
    watched.drawn()
    picture = picture_of(page)
    moved = re.search(r"--move=3:(-?[\d.]+),(-?[\d.]+) --local", page.inner_text("#command"))
    assert moved is not None
    by = float(moved[1]), float(moved[2])
    scale = page.locator(".stage").first.bounding_box()["width"] / 32
    assert by == pytest.approx((40 / scale, -24 / scale), abs=0.1)
    editor = Editor.load(studio_project)
    sample = editor.sample(0)
    assert np.array_equal(first, editor.draw(sample)[0])
    assert np.array_equal(picture, editor.draw(editor.move(sample, 3, by, local=True))[0])
    page.keyboard.press("Control+z")
    watched.drawn()
    assert np.array_equal(picture_of(page), first)
    page.keyboard.press("Control+y")
    watched.drawn()
    assert np.array_equal(picture_of(page), picture)


def test_parts_of_two_samples_are_exchanged(watched: Watched, studio_project: Path) -> None:
    from generator.editing.editor import Editor

    page = watched.room("edit")
    watched.drawn()
    page.get_by_role("button", name="None").click()
    for number in ("2", "5"):
        page.locator(f".chip[data-number='{number}']").click()
    page.click("#exchange")
    page.click(".thumb[data-sample='6']")
    watched.drawn()
    page.locator("#command", has_text="--samples 6").wait_for()
    editor = Editor.load(studio_project)
    one, other = editor.sample(0), editor.sample(6)
    assert np.array_equal(picture_of(page), editor.draw(editor.appearance(one, other, [2, 5]))[0])
    assert "--appearance-from=6:2,5" in page.inner_text("#command")
    assert "--appearance-from=0:2,5" in page.inner_text("#command")


def test_a_sample_dropped_on_a_keypoint_gives_its_look(watched: Watched) -> None:
    page = watched.room("edit")
    watched.drawn()
    page.get_by_role("button", name="None").click()
    page.drag_and_drop(".thumb[data-sample='4']", ".stage .point[data-id='1'] .reach", force=True)
    watched.drawn()
    assert "--appearance-from=4:1" in page.inner_text("#command")


def test_keys_move_and_remove(watched: Watched) -> None:
    page = watched.room("edit")
    watched.drawn()
    page.locator(".stage .point[data-id='2']").first.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Shift+ArrowUp")
    page.keyboard.press("Space")
    watched.drawn()
    assert "--move=2:1,-5" in page.inner_text("#command")
    page.keyboard.press("Delete")
    watched.drawn()
    assert "--remove=2" in page.inner_text("#command")
    assert page.locator(".stage .point[data-id='2']").count() == 0


def test_an_edit_is_saved_and_refusals_are_one_sentence(watched: Watched, studio_project: Path) -> None:
    page = watched.room("edit")
    watched.drawn()
    page.click("[data-save='png']")
    page.wait_for_selector(".message a")
    [saved] = (studio_project / "studio" / "edits").glob("*.png")
    with page.expect_download() as coming:
        page.click(".message a")
    assert Path(coming.value.path()).read_bytes() == saved.read_bytes()
    page.evaluate("fetch('/api/edit/draw', {method: 'POST', body: 'x'}).then((answer) => answer.json())")
    watched.complaints[:] = [text for text in watched.complaints if "400 (Bad Request)" not in text]  # Chromium's own line


def test_names_and_pairs_are_those_of_kpdetect_label(watched: Watched, studio_project: Path) -> None:
    from kpdetect.inference.labelling import change_labels

    page = watched.room("name")
    assert page.locator(".tiles .stage").count() == 6
    page.locator(".tiles .stage").nth(2).locator(".point[data-id='1']").press("Enter")
    page.keyboard.type("left eye")
    page.keyboard.press("Enter")
    page.locator("[data-tool='pair']").click()
    for number in ("1", "3"):
        page.locator(".tiles .stage").nth(0).locator(f".point[data-id='{number}']").focus()
        page.keyboard.press("Enter")
    page.locator("[data-tool='drop']").click()
    page.locator(".keypoints tr[data-number='6'] button").click()
    page.click("#save")
    page.wait_for_selector(".message")
    _, labels, _ = change_labels(studio_project)
    assert (labels.names, labels.pairs, labels.drop) == ({1: "left eye"}, ((1, 3),), (6,))
    change_labels(studio_project, links=["1-3"])
    page = watched.room("name")
    assert page.locator(".tiles .stage").first.locator(".link").count() == 1
    assert page.locator(".keypoints tr[data-number='1'] input").input_value() == "left eye"
    (studio_project / "detector" / "keypoints.yaml").unlink()


def test_a_corrected_point_is_in_the_coco_export(watched: Watched, studio_project: Path) -> None:
    page = watched.room("review")
    page.wait_for_selector(".stage canvas[data-row='0']")
    drag(page, "4", 30, 20)
    page.wait_for_selector("body[data-saved='1']")
    rows = [line.split(",") for line in (studio_project / "predictions" / "corrections.csv").read_text().splitlines()]
    assert rows[1][:2] == ["000.png", "4"]
    assert rows[1][5] == "moved"
    page.click("#export")
    page.wait_for_selector(".message")
    coco = json.loads((studio_project / "predictions" / "predictions-coco.json").read_text())["annotations"][0]
    assert coco["keypoints"][12:14] == [float(rows[1][2]), float(rows[1][3])]
    assert coco["keypoint_human"] == [0, 0, 0, 0, 1, 0, 0, 0, 0, 0]
    page.keyboard.press("Control+z")
    page.wait_for_selector("body[data-saved='2']")
    assert len((studio_project / "predictions" / "corrections.csv").read_text().splitlines()) == 1


def test_a_study_of_three_participants(watched: Watched, studio_project: Path) -> None:
    from kpdetect.studio.study_results import table_of

    page = watched.room("compare")
    page.fill("#study-name", "levels")
    page.get_by_label("Comparisons of each question").fill("3")
    page.click("#make")
    for name, wanted in (("Ann", 60), ("Ben", 60), ("Cy", 180)):
        page.get_by_label("Participant of levels").fill(name)
        page.click("[data-begin='levels']")
        for number in range(3):
            page.locator(".trial p", has_text=f"{number + 1} of 3").wait_for()
            level = page.evaluate("""async () => {
              const image = document.querySelector(".side img");
              await image.decode();
              const canvas = document.createElement("canvas");
              canvas.getContext("2d").drawImage(image, 0, 0);
              return canvas.getContext("2d").getImageData(0, 0, 1, 1).data[0];
            }""")
            page.keyboard.press("ArrowLeft" if abs(level - wanted) < 9 else "ArrowRight")
        page.wait_for_selector("[data-begin='levels']")
    table = table_of([studio_project / "studio" / "studies" / "levels"])
    assert "| Editing image quality | ours against other | 66.67 % (" in table
    assert table.rstrip().endswith("| 9 | 3 |")


def test_questions_of_ones_own_going_back_stopping_and_wrong_files(
    watched: Watched, studio_project: Path, tmp_path: Path
) -> None:
    page, said = watched.room("compare"), ".message.wrong span"
    (tmp_path / "wrong.yaml").write_text("- name: [1")
    (tmp_path / "own.yaml").write_text("- name: Sharpness\n  text: Which image is sharper?\n  shows: [images]\n")
    page.fill("#study-name", "own")
    page.set_input_files("input[accept='.yaml,.yml']", tmp_path / "wrong.yaml")
    page.get_by_text("The questions of wrong.yaml.").wait_for()
    page.click("#make")
    assert "expected a list of questions, each with name, text and shows" in page.inner_text(said)
    page.set_input_files("input[accept='.yaml,.yml']", tmp_path / "own.yaml")
    page.get_by_text("The questions of own.yaml.").wait_for()
    page.click("#make")
    page.get_by_label("Participant of own").fill("Ann")
    page.keyboard.press("Enter")
    page.locator(".trial h1", has_text="Which image is sharper?").wait_for()
    assert page.locator(".message").count() == 0
    page.keyboard.press("ArrowDown")
    page.get_by_role("button", name="Back").click()
    assert page.get_attribute("[data-answer='equal']", "aria-pressed") == "true"
    page.keyboard.press("ArrowLeft")
    page.get_by_role("button", name="Stop here, continue later").click()
    page.get_by_text("Answered by Ann (1).").wait_for()
    answers = (studio_project / "studio" / "studies" / "own" / "answers" / "Ann.csv").read_text().splitlines()
    assert [line.split(",")[8] for line in answers[1:]] == ["left"]
    (tmp_path / "wrong.json").write_text("{}")
    page.set_input_files("[data-study='own'] input[type='file']", tmp_path / "wrong.json")
    page.locator(said).wait_for()
    assert "\n" not in page.inner_text(said)
    watched.complaints[:] = [text for text in watched.complaints if "400 (Bad Request)" not in text]  # Chromium's own line


def test_the_exported_page_gives_answers_to_import(browser: Any, compared: list[Path], tmp_path: Path) -> None:
    from kpdetect.studio.study import make_study, read_study
    from kpdetect.studio.study_page import study_page
    from kpdetect.studio.study_results import import_files

    folder = tmp_path / "away"
    make_study(folder, "away", dict(zip(("ours", "other"), compared, strict=True)), per_question=2)
    (tmp_path / "away.html").write_text(study_page(folder, read_study(folder)), encoding="utf-8")
    page = browser.new_context(accept_downloads=True).new_page()
    page.goto((tmp_path / "away.html").as_uri())
    page.fill("#participant", "Dea")
    page.click("#begin")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowDown")
    with page.expect_download() as coming:
        page.click("#answers")
    assert list(import_files([folder], [Path(coming.value.path())])) == ["Dea"]
    answers = (folder / "answers" / "Dea.csv").read_text().splitlines()
    assert [line.split(",")[8] for line in answers[1:]] == ["left", "equal"]
    page.context.close()
