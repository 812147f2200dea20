"""A short campaign of damaged files; the long one is `python -m tests.fuzz`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fuzz.campaign import read_whole, run
from tests.fuzz.originals import make_originals

pytestmark = pytest.mark.slow

INPUTS = 350


@pytest.fixture(scope="module")
def originals(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("originals")
    make_originals(folder)
    return folder


def test_whole_files_are_read(originals: Path) -> None:
    assert {name: what for name, what in read_whole(originals).items() if what != "read"} == {}


@pytest.mark.timeout(200)
def test_damaged_files_end_in_one_line(originals: Path) -> None:
    counts, failures = run(originals, seed=1, inputs=INPUTS, seconds=60)
    assert not failures, failures[0].report
    assert counts["refused"] > 20
    assert counts["read"] > 5
