"""The paper's tables of ablations: what stands where, and that cells are trained once, alone, and only where missing."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchmarks.ablations import run
from benchmarks.ablations.ablation_table import ablation_markdown, value_of
from benchmarks.ablations.cell import describe_cell, measured_error, run_cell
from benchmarks.ablations.config import AblationConfig, cell_folder
from benchmarks.ablations.run import check_data, choose_cells, last_line, run_ablation, run_processes
from benchmarks.ablations.tables import LADDER_PUBLISHED, TABLES, Cell, build_table
from benchmarks.speed.counts import counted
from generator.architectures import LADDER, architecture
from generator.presets import preset
from kpdetect.config import apply_overrides, write_config
from kpdetect.errors import ConfigError, InputError, OutputError, TrainingError
from kpdetect.files.folders import make_folder
from kpdetect.images.image_files import write_image
from kpdetect.project.config import project_config
from kpdetect.toy.dataset import write_toy
from tests.builders.celeba import write_copy

pytestmark = pytest.mark.slow

CONFIG = AblationConfig(images="images", data="data", minutes_each=1)
SMALL = (
    "generator.steps=3", "generator.model.widths=[8,8,6,6]", "generator.model.mlp_width=8", "generator.model.embedding_width=4",
    "generator.model.spade_width=4", "generator.optimiser.batch=4", "generator.optimiser.discriminator_widths=[4,6,8]",
    "pairs.count=100", "detector.steps=3", "detector.batch=4", "detector.model.backbone=test_resnet",
    "detector.model.input_size=32", "detector.model.head_width=8", "detector.held_out=0.1",
)  # fmt: skip


def published(name: str, config: AblationConfig = CONFIG) -> dict[tuple[str, str], object]:
    return {(entry.row, entry.column): entry.published for entry in build_table(name, config).entries}


def test_published_numbers_stand_in_their_places() -> None:
    assert published("table2")["full model", "error"] == 5.85
    assert published("table2")["without keypoints", "error"] is None
    assert published("table2")["without keypoints", "distance"] == 34.69
    assert published("table6")["16", "error"] == 4.61
    assert published("table7")["0.01", "K = 12"] == 18.14
    assert published("table8")["0.005", "K = 32"] == 4.11
    assert published("table9")["0.01", "K = 32"] == "entangled"
    assert published("table3")["tuned", "error"] == 3.31
    assert list(published("table3"))[0] == ("Thewlis et al. 2017", "error")
    assert published("table3", CONFIG.model_copy(update={"keypoints": 4}))["tuned", "error"] is None
    assert set(LADDER_PUBLISHED) == set(LADDER)


@pytest.mark.parametrize("name", TABLES)
def test_every_cell_is_a_model_of_its_own(name: str) -> None:
    found = []
    for cell in build_table(name, CONFIG).cells:
        base = architecture(preset("small", 128, cell.keypoints or 10), cell.model)  # type: ignore[arg-type]
        found.append(apply_overrides(base, [change.removeprefix("generator.") for change in cell.overrides]).model_dump_json())
    assert len(set(found)) == len(found) == {"table2": 7, "table3": 5, "table6": 4}.get(name, 24)


def test_one_grid_serves_three_tables() -> None:
    assert build_table("table7", CONFIG).cells == build_table("table8", CONFIG).cells == build_table("table9", CONFIG).cells
    assert [cell.name for cell in build_table("table7", CONFIG).cells][:7] == [
        "k01-tau0.002", "k06-tau0.002", "k08-tau0.002", "k12-tau0.002", "k16-tau0.002", "k32-tau0.002", "k01-tau0.005",
    ]  # fmt: skip


def test_without_annotations_only_distances_are_asked_for() -> None:
    alone = CONFIG.model_copy(update={"data": ""})
    assert {entry.measure for entry in build_table("table2", alone).entries} == {"distance"}
    with pytest.raises(InputError, match="table8: this table measures detectors"):
        build_table("table8", alone)
    with pytest.raises(InputError, match="ablate table4: expected one of table2"):
        build_table("table4", CONFIG)
    with pytest.raises(InputError, match="`protocol=table:own.csv`: ablations need a named protocol"):
        build_table("table2", CONFIG.model_copy(update={"protocol": "table:own.csv"}))


def test_the_table_marks_what_is_published_what_failed_and_what_is_missing() -> None:
    table = build_table("table2", CONFIG)
    found = {"full-model": {"error": 7.125, "distance": 80.0, "error_floor": 9.5, "measured_on": "some images"}}
    lines = ablation_markdown(table, CONFIG, found, {"without-background": "collapsed"}).splitlines()
    assert "floor (mean shape): 9.50" in "\n".join(lines)
    rows = {line.split("|")[1].strip(): [cell.strip() for cell in line.split("|")[2:4]] for line in lines if line[:1] == "|"}
    assert rows["model"] == ["error %", "distance"]
    assert rows["full model"] == ["7.12 [5.85]", "80.00 [23.50]"]
    assert rows["without background"] == ["failed [6.43]", "failed [25.67]"]
    assert rows["without keypoints"] == ["-", "- [34.69]"]
    assert "| model | error | distance |" in ablation_markdown(table, CONFIG.model_copy(update={"protocol": "taichi"}), {}, {})
    control = replace(table.entries[0], measure="control")
    assert value_of(control, {"full-model": {"control": {"verdict": "good", "overlap": 0.1}}}) == "good"


def talkative(text: str, code: int = 0) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", f"import sys, time; {text}; sys.exit({code})"], stdin=subprocess.PIPE)


@pytest.fixture
def few_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the first cell has a process of its own. The others run in this one, and a process without work ends for them."""
    begun: list[Cell] = []
    start_process = run.start_cell

    def start(out: Path, cell: Cell, jobs: int, report: Callable[[str], object]) -> subprocess.Popen[bytes]:
        begun.append(cell)
        if len(begun) == 1:
            return start_process(out, cell, jobs, report)
        make_folder(cell_folder(out, cell.name))
        describe_cell(out, cell)
        try:
            run_cell(out, cell.name)
        except TrainingError:
            return talkative("pass", 2)
        return talkative("pass")

    monkeypatch.setattr(run, "start_cell", start)


def test_what_cannot_be_measured_is_refused_before_anything_is_trained(tmp_path: Path) -> None:
    images = write_copy(tmp_path / "celeba") / "img_align_celeba"
    for number in range(16):
        write_image(images / f"9{number:05d}.jpg", np.full((218, 178, 3), 10 * number, np.uint8))
    config = AblationConfig(images=str(images), data=str(tmp_path / "celeba"), minutes_each=1, features="random", device="cpu")
    tested = config.model_copy(update={"test": True})
    with pytest.raises(InputError, match=r"`test`: 2 of the test images are among .*; leave them out with `exclude_list`"):
        check_data(tested)
    check_data(tested.model_copy(update={"exclude_lists": (str(tmp_path / "celeba" / "MAFL" / "testing.txt"),)}))
    check_data(config)
    with pytest.raises(InputError, match="nowhere: not a folder; give the folder of the data set"):
        run_ablation("table2", tmp_path / "out", config.model_copy(update={"data": str(tmp_path / "nowhere")}))
    with pytest.raises(InputError, match=r"`cells=k99-\*`: no such cell"):
        choose_cells(build_table("table8", config), ["k06-*", "k99-*"])
    assert not (tmp_path / "out").exists()
    with pytest.raises(OutputError, match="not a folder of ablations"):
        run_ablation("table2", tmp_path / "celeba", config)
    assert not (tmp_path / "celeba" / "config.yaml").exists()
    write_config(project_config("tiny", 32, 4, "centre", 0), tmp_path / "project" / "config.yaml")
    with pytest.raises(OutputError, match="not a folder of ablations"):
        run_ablation("table2", tmp_path / "project", config)


def test_a_failing_process_leaves_the_others() -> None:
    cells = [Cell(name=name, model="base") for name in ("one", "two", "three")]
    ended: dict[str, int] = {}
    run_processes(
        cells,
        2,
        lambda cell: talkative("pass", 3 if cell.name == "two" else 0),
        lambda cell, code: ended.update({cell.name: code}),
    )
    assert ended == {"one": 0, "two": 3, "three": 0}


def test_stopping_waits_for_what_runs_and_starts_nothing_more() -> None:
    started, ended = [], []

    def start(cell: Cell) -> subprocess.Popen[bytes]:
        started.append(cell.name)
        threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGTERM)).start()
        return talkative("time.sleep(60)")

    cells = [Cell(name=name, model="base") for name in ("one", "two")]
    with pytest.raises(KeyboardInterrupt):
        run_processes(cells, 1, start, lambda cell, code: ended.append(cell.name))
    assert (started, ended) == (["one"], [])


def test_a_process_ends_with_the_one_that_started_it() -> None:
    own = "import time; from benchmarks.ablations.cell import end_with_parent; end_with_parent(); time.sleep(60)"
    code = (
        "import subprocess, sys, time; "
        f"child = subprocess.Popen([sys.executable, '-c', {own!r}], stdin=subprocess.PIPE); "
        "print(child.pid, flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        os.kill(pid, 0)  # it is there
        parent.kill()
        assert parent.stdout.read() == ""  # the child held this pipe too: it is closed when both have ended


def test_what_a_process_said_last(tmp_path: Path) -> None:
    (tmp_path / "log.txt").write_text("step 1\nerror: it collapsed\n\n")
    assert last_line(tmp_path / "log.txt") == "it collapsed"
    (tmp_path / "log.txt").write_text("")
    assert last_line(tmp_path / "log.txt") == "no reason was given"


def test_cells_are_trained_once_and_shared_between_tables(tmp_path: Path, few_processes: None) -> None:
    write_toy(tmp_path / "toy", 40, size=32)
    (tmp_path / "tested.txt").write_text("\n".join(f"{number:06d}.png" for number in range(4, 40, 5)))
    config = AblationConfig(
        images=str(tmp_path / "toy" / "images"), data=str(tmp_path / "toy"), protocol="toy", minutes_each=1, size=32, count=20,
        features="random", overrides=SMALL, device="cpu", precision="float32", exclude_lists=(str(tmp_path / "tested.txt"),),
    )  # fmt: skip
    with pytest.raises(InputError, match=r"`test`: 8 of the test images are among .*, the first is 000004\.png"):
        check_data(config.model_copy(update={"test": True, "exclude_lists": ()}))
    out = tmp_path / "out"
    with pytest.raises(InputError, match=r"`cells=k99`: no such cell; expected one of k01-tau0\.002"):
        run_ablation("table8", out, config, cells=["k99"])
    path = run_ablation("table8", out, config, cells=["k0[16]-tau0.02"], jobs=2)
    assert path == out / "table8.md"
    errors = pd.read_csv(out / "table8.csv")
    done = errors[errors["ours"].notna()]
    assert list(done["cell"]) == ["k01-tau0.02", "k06-tau0.02"]
    assert (done["published"] == [8.71, 6.26]).all()
    assert (done["spread"] > 0).all()
    assert "cross-validation inside toy's fitting images" in path.read_text()
    assert not (cell_folder(out, "k01-tau0.02") / "predictions").exists()
    tested = measured_error(config.model_copy(update={"test": True}), cell_folder(out, "k01-tau0.02"))
    assert tested["measured_on"] == "24 images of toy fitted, 8 tested"
    low, high = tested["error_interval"]
    assert low < tested["error"] < high
    assert tested["error_with_bias"] is None  # the headline is
    assert tested["error_spread"] is None

    lines: list[str] = []
    run_ablation("table7", out, config, cells=["k0[16]-tau0.02"], report=lines.append)
    assert "training, see" not in "".join(lines)
    content = json.loads((out / "table7.json").read_text())
    distances = {entry["cell"]: entry["ours"] for entry in content["entries"] if entry["ours"] is not None}
    assert set(distances) == {"k01-tau0.02", "k06-tau0.02"}
    assert all(value > 0 for value in distances.values())
    assert content["cells"]["k06-tau0.02"]["images_seen"] == 12
    run_ablation("table9", out, config, cells=["k06-tau0.02"])
    word = "(good|inferior|entangled|trivial)"
    assert re.search(rf"\| 0\.02 \| {word} \[inferior\] \| {word} \[inferior\] \| - \[inf", (out / "table9.md").read_text())
    with pytest.raises(ConfigError, match="seed: 0 -> 1"):
        run_ablation("table7", out, config.model_copy(update={"seed": 1}))


def test_a_cell_that_fails_is_named_and_tried_again(tmp_path: Path, few_processes: None) -> None:
    write_toy(tmp_path / "toy", 40, size=32)
    config = AblationConfig(
        images=str(tmp_path / "toy" / "images"), minutes_each=1, size=32, count=20, features="random", device="cpu",
        overrides=(*SMALL[:7], "generator.collapse.after_images=0", "generator.collapse.patience=1",
                   "generator.collapse.least_motion=9"),
    )  # fmt: skip
    unfit = config.model_copy(update={"overrides": (*SMALL, "generator.model.widths=[8,6]")})
    with pytest.raises(ConfigError, match="need 4 entries"):
        run_ablation("table2", tmp_path / "out", unfit)
    assert not (tmp_path / "out").exists()
    for _ in range(2):
        with pytest.raises(TrainingError, match=r"1 of 1 cells failed \(full-model\)"):
            run_ablation("table2", tmp_path / "out", config, cells=["full-model"])
    assert "failed [23.50]" in (tmp_path / "out" / "table2.md").read_text()
    content = json.loads((tmp_path / "out" / "table2.json").read_text())
    assert "collapsed at step" in content["failed"]["full-model"]


def test_counts_of_a_model() -> None:
    row = counted("tuned", "tiny", 64)
    assert row["generator, M parameters"] == "1.07"
    assert float(counted("base", "tiny", 64)["drawing, GFLOP per image"]) < float(row["drawing, GFLOP per image"]) < 0.5
