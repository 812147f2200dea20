"""The table of all speeds: rows from contests, and what is slower than before."""

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path
from types import ModuleType

import pytest

from benchmarks.speed.__main__ import main
from benchmarks.speed.everything import BEGIN, END, SpeedTable, slower_rows, table_csv, table_markdown
from benchmarks.speed.paired_timing import Contest, Row, Setting, row_of
from benchmarks.speed.predict_stages import stage_seconds
from benchmarks.speed.prediction import SMALL, draw_photographs
from benchmarks.speed.reduced_decoding import UNROUNDED, measured_moves
from benchmarks.speed.timing import Spent
from kpdetect.images.image_files import list_images
from kpdetect.inference.predictor import Predictor
from tests.builders.runtimes import CPU

SPEED_PAGE = Path(__file__).parents[2] / "docs" / "speed.md"


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
    monkeypatch.setattr("benchmarks.speed.everything.stage_rows", lambda share: [{"stage": "network", "small": f"{share}"}])
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


def test_the_page_of_speeds_gets_all_its_tables_from_the_command(contests, tmp_path, capsys):
    page = tmp_path / "page.md"
    page.write_text("before\n")
    assert main(["all", "--quick", "--device", "cpu", "--write", str(page)]) == 2
    assert "page.md: expected a page with the lines <!-- begin" in capsys.readouterr().err
    page.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n")
    for _ in range(2):
        assert main(["all", "--quick", "--device", "cpu", "--write", str(page)]) == 0
    text = page.read_text()
    assert text.startswith(f"before\n{BEGIN}\n\n")
    assert text.endswith(f"{END}\nafter\n")
    assert "old" not in text
    lines = ["| one | 3.0 pairs | other | 0.750 | 0.750 |", "| network | 0.05 |", "| one, on a GPU |  |"]
    assert [text.count(line) for line in lines] == [1, 1, 1]
    before, _, rest = SPEED_PAGE.read_text().partition(BEGIN)
    assert END in rest
    assert not [line for line in (before + rest.partition(END)[2]).splitlines() if line.startswith("|")]


def test_a_stage_takes_its_share_of_a_whole_prediction(tmp_path, monkeypatch):
    """Of 2 images. All stages take 4 s, a prediction without overlays 10 s: 8 s of reading and network, and 2 s of the rest."""
    taken = iter([4.0, 4.0, 4.0, 4.0, 4.0, 10.0, 20.0])
    monkeypatch.setattr("benchmarks.speed.predict_stages.least", lambda call: call() or next(taken))
    draw_photographs(tmp_path, SMALL, 2)
    found = stage_seconds(Predictor.load(Path("toy-32"), "cpu", engine="torch"), tmp_path)
    assert found["network"] == 2_000
    assert found["table, record, threads"] == 1_000
    assert found["share of the network, without overlays"] == 0.4
    assert found["share of the network, with all overlays"] == 0.2
    assert found["all other stages may take, for a share of 0.95"] == pytest.approx(2_000 * 5 / 95)
    assert [path.name for path in sorted((tmp_path / "overlays").iterdir())] == ["000.png", "001.png"]


@pytest.mark.slow
def test_reduced_decoding_moves_keypoints_about_as_much_as_rounding_to_8_bits(tmp_path):
    draw_photographs(tmp_path, (900, 1200), 3)
    moves = measured_moves(Predictor.load(Path("toy-32"), "cpu", precision="float32"), list_images(tmp_path))
    assert moves.chosen in (2, 4)
    assert moves.network[moves.chosen] < min(0.05, 3 * moves.network[UNROUNDED])
    scale = 900 / Predictor.load(Path("toy-32"), "cpu").side
    assert moves.photograph[UNROUNDED] == pytest.approx(scale * moves.network[UNROUNDED])


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
