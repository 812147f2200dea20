"""docs/python.md runs from its first block to its last, on cartoon faces."""

import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from kpdetect.toy.dataset import write_toy
from tests.builders.dots import write_video
from tests.builders.projects import SMALL

PAGE = Path(__file__).parents[2] / "docs" / "python.md"
SMALLER = (
    ("keypoints=10, minutes=60", f"keypoints=4, size=32, overrides={SMALL}"),
    ("count=1000", "count=70"),
    ('"small", size=128, keypoints=12', '"tiny", size=32, keypoints=4'),
    ('["pairs.count=5000"], minutes=90', repr(SMALL)),
)
"""Text of the page, and what the test runs in its place."""


@pytest.mark.slow
def test_the_page_on_python_runs(tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("kpdetect.training.price.LEAST_PACE_STEPS", 2)
    write_toy(Path("drawn"), 24, size=32, seed=0)
    shutil.move("drawn/images", "photos")
    write_toy(Path("other"), 12, size=32, seed=2)
    shutil.move("other/images", "new-photos")
    write_toy(Path("annotated"), 60, size=32, seed=1)
    Path("clips").mkdir()
    write_video(Path("clips/a.mp4"), 6, code="mp4v")
    text = PAGE.read_text(encoding="utf-8")
    blocks = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    assert len(blocks[0].splitlines()) < 30
    for old, new in SMALLER:
        assert text.count(old) == 1
        blocks = [block.replace(old, new) for block in blocks]
    names: dict[str, object] = {}
    for block in blocks:
        exec(compile(block, "python.md", "exec"), names)
    assert len(names["table"]) == 12 * 4
    assert names["image"].shape == names["moved"].shape == (32, 32, 3)
    assert names["keypoints"].shape == names["keypoints_px"].shape == (4, 2)
    assert np.isfinite(names["errors"]["mean_of_ratios"]).all()
    assert names["page"].is_file()
    assert names["again"].frames.tolist() == names["video"].frames.tolist() == [0, 2, 4]
    assert names["plan"][-1]
    assert not Path("runs/other").exists()
    printed = capfd.readouterr().out
    assert "| mean shape" in printed
    assert "predict 24 24" in printed
