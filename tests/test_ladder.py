"""The table of the ladder, and what it refuses."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from benchmarks.ladder import PUBLISHED, run_ladder, write_ladder
from benchmarks.speed.counts import counted
from generator.architectures import LADDER
from kpdetect.errors import InputError
from tests.test_results import result_of, toy  # noqa: F401


def test_table_has_every_model_the_floor_and_published_numbers_marked(tmp_path: Path, toy) -> None:  # type: ignore[no-untyped-def]  # noqa: F811
    result = replace(result_of(toy, "mafl-mini"), protocol="mafl-aligned")
    write_ladder(dict.fromkeys(("tuned", "base"), result), tmp_path)
    lines = (tmp_path / "ladder.md").read_text().splitlines()
    assert [line.split("|")[1].strip() for line in lines[-3:]] == ["tuned", "base", "mean shape"]
    assert lines[-3].endswith("| 3.31 |")
    assert "**not comparable**" in "".join(lines)
    table = pd.read_csv(tmp_path / "ladder.csv")
    assert table["error"][2] == pytest.approx(result.rows[1].mean_of_ratios)
    assert set(PUBLISHED) == set(LADDER)


def test_unknown_models_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="--model best: expected some of tuned"):
        run_ladder(tmp_path, tmp_path, tmp_path / "out", minutes_each=1, models=("tuned", "best"))


def test_counts_of_a_model() -> None:
    row = counted("tuned", "tiny", 64)
    assert row["generator, M parameters"] == "1.07"
    assert float(counted("base", "tiny", 64)["drawing, GFLOP per image"]) < float(row["drawing, GFLOP per image"]) < 0.5
