"""The table of all speeds: rows from contests, and what is slower than before."""

from __future__ import annotations

import csv
import json
import sys
from types import ModuleType

import pytest

from benchmarks.speed.__main__ import main
from benchmarks.speed.everything import SpeedTable, slower_rows, table_csv, table_markdown
from benchmarks.speed.paired_timing import Contest, Row, Setting, row_of
from benchmarks.speed.timing import Spent
from tests.builders.runtimes import CPU


def row(name, ratio, processor_ratio):
    return Row(name=name, unit="images", per_second=20.0, base="drawing", ratio=ratio, processor_ratio=processor_ratio)


def table(*rows, accelerator=None):
    hardware = {"processor": "a processor", "cores": 2, "accelerator": accelerator}
    return SpeedTable(quick=True, rows=rows, environment={"commit": "abc", "hardware": hardware})


@pytest.fixture
def contests(monkeypatch):
    """One source with one contest, whose work takes as long as its attribute says."""
    source = ModuleType("source_of_contests")
    source.seconds = 2.0

    def held(setting):
        contest = Contest(
            name="one",
            work=lambda: source.seconds,
            amount=6.0,
            unit="pairs",
            base="other",
            base_work=lambda: 1.0,
            base_amount=4.0,
        )
        yield contest

    source.contests = held
    monkeypatch.setitem(sys.modules, source.__name__, source)
    monkeypatch.setattr("benchmarks.speed.everything.SOURCES", (source.__name__,))
    monkeypatch.setattr("benchmarks.speed.paired_timing.spent", timed)
    return source


def timed(call):
    done = call()
    seconds = sum(done) if isinstance(done, list) else done
    return Spent(seconds=seconds, processor=2 * seconds)


def test_a_row_is_a_rate_and_a_ratio_of_rates(contests):
    (contest,) = contests.contests(None)
    found = row_of(contest, Setting(runtime=CPU, quick=True))
    assert found.per_second == 3.0  # 6 in 2 seconds
    assert (found.ratio, found.processor_ratio) == (0.75, 0.75)  # 3 a second of 4 a second


def test_only_ratios_that_fell_by_more_than_the_tolerance_are_slower():
    old = table(row("same", 0.5, 0.5), row("fell", 0.5, 0.8), row("faster", 0.5, 0.5), row("gone", 1.0, 1.0))
    new = table(row("same", 0.1, 0.45), row("fell", 0.5, 0.6), row("faster", 0.9, 0.9), row("new", 0.1, 0.1))
    lines = ["fell: 0.600 of drawing, 0.800 before", "gone: the new table lacks this row"]
    assert slower_rows(old, new, 0.15) == lines
    on_gpu = table(row("same", 0.1, 0.5), accelerator="a GPU")
    assert slower_rows(table(row("same", 0.5, 0.5)), on_gpu, 0.15) == ["same: 0.100 of drawing, 0.500 before"]


def test_tables_for_people_and_for_programs():
    found = table(row("one", 0.5, 0.25))
    assert table_markdown(found).splitlines()[0] == "a processor, 2 cores, commit abc, quick"
    assert "| one | 20.0 images | drawing | 0.500 | 0.250 |" in table_markdown(found)
    (line,) = csv.DictReader(table_csv(found).splitlines())
    assert (line["name"], line["per_second"], line["ratio"]) == ("one", "20.0", "0.5")


def test_the_command_writes_the_table_and_ends_with_1_where_it_is_slower(contests, tmp_path, capsys):
    old, new = tmp_path / "old.json", tmp_path / "new.json"
    assert main(["all", "--quick", "--device", "cpu", "--out", str(old)]) == 0
    assert {path.name for path in tmp_path.iterdir()} == {"old.json", "old.md", "old.csv"}
    assert json.loads(old.read_text())["rows"][0]["ratio"] == 0.75
    assert main(["all", "--quick", "--device", "cpu", "--compare", str(old)]) == 0
    contests.seconds = 3.0
    assert main(["all", "--quick", "--device", "cpu", "--compare", str(old), "--out", str(new)]) == 1
    assert "slower: one: 0.500 of other, 0.750 before" in capsys.readouterr().out
    assert main(["all", "--quick", "--device", "cpu", "--compare", str(old), "--tolerance", "0.4"]) == 0


@pytest.mark.parametrize(
    ("content", "arguments", "said"),
    [
        (None, ["--quick"], "old.json"),
        ('{"rows": 3}', ["--quick"], "old.json"),
        (table().model_dump_json(), [], "compare two tables with the same setting"),
        (table().model_dump_json(), ["--quick", "--tolerance", "2"], "--tolerance 2.0: expected a number between 0 and 1"),
    ],
)
def test_a_table_that_cannot_be_compared_is_refused_before_anything_is_measured(
    contests, tmp_path, capsys, content, arguments, said
):
    contests.contests = None
    if content is not None:
        (tmp_path / "old.json").write_text(content)
    assert main(["all", *arguments, "--device", "cpu", "--compare", str(tmp_path / "old.json")]) == 2
    assert said in capsys.readouterr().err
