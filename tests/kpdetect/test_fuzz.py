"""A short campaign of damaged files; the long one is `python -m tests.fuzz`."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fuzz.campaign import read_whole
from tests.fuzz.originals import make_originals

pytestmark = pytest.mark.slow

INPUTS = 150
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def originals(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("originals")
    make_originals(folder)
    return folder


def test_whole_files_are_read(originals: Path) -> None:
    assert {name: what for name, what in read_whole(originals).items() if what != "read"} == {}


@pytest.mark.timeout(250)
def test_damaged_files_end_in_one_line() -> None:
    """In a process of its own: its workers are forks, which must not inherit the threads of other tests."""
    command = [sys.executable, "-m", "tests.fuzz", "--inputs", str(INPUTS), "--seed", "1"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=200, check=False)
    assert done.returncode == 0, done.stdout[-3000:]
    counts = {what: int(count) for what, count in re.findall(r"(\w+): (\d+)", done.stdout.splitlines()[-1])}
    assert counts["read"] + counts["refused"] == INPUTS
    assert counts["refused"] > 20
    assert counts["read"] > 5
