"""A short form of the kill campaign; the long one is a command, see CONTRIBUTING.md."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.kill_compare import differences, snapshot

pytestmark = pytest.mark.slow


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
def test_killed_commands_end_as_uninterrupted_ones():
    words = ["-m", "tests.kill_campaign", "--kills", "8", "--seed", "1", "--stages", "toy,crop,coco,webdataset"]
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run([sys.executable, *words], capture_output=True, text=True, timeout=240, cwd=root, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 faults" in done.stdout


def test_what_is_missing_left_over_or_different_is_found(tmp_path):
    """Times may differ; a line of metrics that is there twice may not."""
    for name, seconds in (("one", 1.5), ("other", 2.5)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "metrics.jsonl").write_text(f'{{"step": 1, "seconds": {seconds}}}\n')
    one, other = tmp_path / "one", tmp_path / "other"
    assert differences(snapshot(one), snapshot(other)) == []
    (other / "metrics.jsonl").write_text('{"step": 1, "seconds": 2.5}\n' * 2)
    (one / "result.csv").write_text("1")
    (other / ".kpdetect-0.part").write_text("1")
    expected = ["result.csv is missing", ".kpdetect-0.part is left over", "metrics.jsonl differs"]
    assert differences(snapshot(one), snapshot(other)) == expected
