"""Every Python block of the documentation runs, one after the other, in a folder that holds what they speak of."""

import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from benchmarks.evaluation.prediction_file import write_entry
from kpdetect.data.export import write_shards
from kpdetect.images.image_files import write_image
from tests.builders.dots import dots, write_video
from tests.builders.pairs import FakeSource
from tests.builders.predictions import entry

ROOT = Path(__file__).parents[2]
PAGES = (
    "docs/howto/pairs.md",
    "docs/reference/formats.md",
    "docs/howto/predict.md",
    "docs/howto/export.md",
    "docs/howto/benchmark.md",
    "docs/howto/edit.md",
)


def blocks(page):
    return re.findall(r"```python\n(.*?)```", (ROOT / page).read_text(encoding="utf-8"), re.DOTALL)


@pytest.fixture
def surroundings(small_project, dot_graphs, tmp_path, monkeypatch):
    """A project runs/photos, shards, a video, an image and exported graphs."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(small_project, "runs/photos")
    write_shards(FakeSource(), Path("pairs"), 10)
    shutil.copy("pairs/pairs-00000.h5", "pairs-00000.h5")
    Path("clips").mkdir()
    write_video(Path("clips/a.mp4"), 6, code="mp4v")
    image = dots(100, 140, (70, 30), (50, 62))
    write_image(Path("image.png"), image)
    write_entry(Path("results/predictions.h5"), entry())
    for name in ("model.onnx", "model.pt2"):
        shutil.copy(dot_graphs / name, name)
    return {"image": image}


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES)
def test_the_python_of_the_documentation_runs(surroundings, page):
    assert blocks(page)
    for block in blocks(page):
        exec(compile(block, page, "exec"), surroundings)
    if page == "docs/reference/formats.md":
        (expected,) = FakeSource().batches(4, 8)
        assert np.abs(surroundings["image"].astype(int) - expected.images[3]).mean() < 4
        np.testing.assert_allclose(surroundings["keypoints_px"][:, 0], (expected.keypoints[3, :, 0] + 1) * 5 - 0.5, atol=1e-5)
        np.testing.assert_array_equal(surroundings["visible"], expected.visible[3])
    if page == "docs/howto/pairs.md":
        assert surroundings["batch"].keypoints.shape == (64, 10, 2)
        first = surroundings["stream"]._batch(0, 64)
        np.testing.assert_array_equal(surroundings["image"], first.images[0])
        np.testing.assert_array_equal(surroundings["keypoints"], first.keypoints[0])
    if page == "docs/howto/export.md":
        assert surroundings["side"] == 128  # that of the second file
    if page == "docs/howto/edit.md":
        assert surroundings["image"].shape == surroundings["posed"].shape == (64, 64, 3)
        assert surroundings["keypoints_px"].shape == (10, 2)
    if page == "docs/howto/benchmark.md":
        np.testing.assert_array_equal(surroundings["keypoints_px"], entry().predictions.keypoints_px)


def first_number(row):
    return float(next(cell for cell in row.split("|") if re.fullmatch(r" *\d+\.\d+ *", cell)))


def share_of_floor(section, name):
    """Of the first result in bold that names the model, by the table of a section of the results."""
    rows = [line for line in section.splitlines() if line.startswith("|")]
    model = next(row for row in rows if row.startswith("| **kpdetect") and f"`{name}`" in row)
    return first_number(model) / first_number(next(row for row in rows if row.startswith("| mean shape (floor)")))


def test_the_readme_and_the_results_agree():
    """The README's shares of the floor and its table of four rows follow from the tables of docs/results.md."""
    readme, results = ((ROOT / page).read_text(encoding="utf-8") for page in ("README.md", "docs/results.md"))
    sections = {text.splitlines()[0]: text for text in results.split("\n## ")[1:]}
    said = dict(re.findall(r"^\| \[`([a-z]+-\d+)`\][^|]*\|[^|]*\|([^|]*)\|", readme, re.MULTILINE))
    expected = {
        "faces-64": ("Real faces: MAFL-mini", "Other faces: MTFL"),
        "faces-128": ("Real faces: MAFL-mini", "Other faces: MTFL"),
        "flies-64": ("Flies",),
        "toy-32": ("Cartoon faces: `make demo`",),
    }
    assert said.keys() == expected.keys()
    for name, titles in expected.items():
        shares = [f"{share_of_floor(sections[title], name):.2f}" for title in titles]
        assert re.findall(r"\d\.\d+", said[name]) == shares, name
    table = readme.partition("## Results")[2].partition("## ")[0]
    faces = sections["Real faces: MAFL-mini"]
    for number, interval in re.findall(r"(\d+\.\d\d) \((\d+\.\d\d to \d+\.\d\d)\)", table):
        assert f"| {number} | {interval} |" in faces, number
