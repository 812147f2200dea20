"""The tutorials and the README's quick start run as written, with smaller numbers where a number sets the time."""

import re
import shlex
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from generator.stream import PairStream
from kpdetect.cli.main import app
from kpdetect.training.runtime import resolve_runtime

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
SMALL_RUN = (
    "--method correspondence --keypoints 6 --spare 1 --rounds 0", "correspondence.sample=16", "correspondence.size=64",
    "correspondence.cells=8", "correspondence.min_similarity=0", "detector.steps=3", "detector.batch=4",
    "detector.model.backbone=test_resnet", "detector.model.input_size=32", "detector.held_out=0.1", "refine.steps=2",
    "refine.batch=4",
)  # fmt: skip
SMALLER = (
    ("--count 2000 --size 64", "--count 40 --size 32"),
    ("--minutes 60", " --set ".join(SMALL_RUN)),
    ("--count 1000", "--count 20"),
)
"""Text of a tutorial, and what the test runs in its place."""


def blocks(page: str) -> list[tuple[str, str]]:
    """Language and text of the code blocks of a page that are meant to be run, in order."""
    return re.findall(r"^```(sh|python)\n(.*?)^```", (ROOT / page).read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)


def run_block(language: str, text: str, names: dict[str, object]) -> None:
    """Run Python as it is, and the lines of a shell block one by one in this process."""
    if language == "python":
        exec(compile(text, "tutorial", "exec"), names)
        return
    for old, new in SMALLER:
        text = text.replace(old, new)
    for line in text.splitlines():
        match shlex.split(line, comments=True):
            case ["mv", source, target]:
                shutil.move(source, target)
            case ["kpdetect", *arguments]:
                assert app(arguments, prog_name="kpdetect", standalone_mode=False) in (None, 0), line
            case []:
                pass
            case other:
                raise AssertionError(f"a line that this test cannot run: {other}")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run_page(page: str) -> dict[str, object]:
    names: dict[str, object] = {}
    for language, text in blocks(page):
        run_block(language, text, names)
    return names


def test_faces_with_a_shipped_model(folder):
    names = run_page("docs/tutorials/faces.md")
    assert names["keypoints_px"].shape == (10, 2)
    assert len(list(folder.glob("keypoints/overlays/*.png"))) == 24
    assert list(folder.glob("results/toy_*.json"))


def test_a_folder_of_your_own(folder):
    run_page("docs/tutorials/own-folder.md")
    for made in (
        "runs/photos/report/index.html", "keypoints/predictions-coco.json", "keypoints/predictions-dlc.csv",
        "runs/photos/correspondence/sheet.png", "my-model/detector.safetensors", "runs/photos/refined/keypoints.yaml",
    ):  # fmt: skip
        assert (folder / made).exists(), made
    assert '"left eye"' in (folder / "keypoints/predictions-coco.json").read_text()


def test_an_animal_video(folder):
    pytest.importorskip("tables")
    flies = next(PairStream(Path("flies-64"), resolve_runtime("cpu", "float32"), seed=3).batches(0, 6))
    writer = cv2.VideoWriter("clip.mp4", cv2.VideoWriter.fourcc(*"mp4v"), 25.0, (64, 64))
    for image in flies.images:
        writer.write(np.ascontiguousarray(image[..., ::-1]))
    writer.release()
    names = run_page("docs/tutorials/animal-video.md")
    assert (folder / "keypoints/videos/clip/predictions.analysis.h5").exists()
    assert names["wide"].shape == (6, 20)
    assert names["scorer"] == "kpdetect"
    assert names["speed"].shape == (6, 10)


def test_the_quick_start_of_the_readme(folder):
    sections = (ROOT / "README.md").read_text(encoding="utf-8").split("\n## ")
    section = next(text for text in sections if text.startswith("Ten seconds"))
    names: dict[str, object] = {}
    for language, text in re.findall(r"^```(sh|python)\n(.*?)^```", section, re.DOTALL | re.MULTILINE):
        run_block(language, text, names)
    assert names["keypoints_px"].shape == (10, 2)
    assert len(list(folder.glob("keypoints/overlays/*.png"))) == 8
