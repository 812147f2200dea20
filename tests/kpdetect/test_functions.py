"""The public functions: paths as text or `Path`, errors without options of the command line, and nothing printed."""

from __future__ import annotations

from collections.abc import Callable
from itertools import cycle
from pathlib import Path
from typing import Any

import pytest

import benchmarks
import generator
import kpdetect
from kpdetect.progress import Status
from kpdetect.toy.dataset import write_toy

Given = type[str] | type[Path]
CALLS: dict[str, Callable[[Given], object]] = {
    "load": lambda path: kpdetect.load(path("missing")),
    "predict without a model": lambda path: kpdetect.predict(path("missing"), path("images"), path("out")),
    "predict without inputs": lambda path: kpdetect.predict("toy-32", [path("missing")], path("out")),
    "predict over its inputs": lambda path: kpdetect.predict("toy-32", path("images"), path("images")),
    "run": lambda path: kpdetect.run(path("missing"), path("out")),
    "run with two sizes": lambda path: kpdetect.run(path("images"), path("out"), kpdetect.project_config(), size=32),
    "run with a file": lambda path: kpdetect.run(path("images"), path("out"), path("missing.yaml")),
    "run without a list": lambda path: kpdetect.run(path("images"), path("out"), exclude_lists=[path("missing.txt")]),
    "run on a device": lambda path: kpdetect.run(path("images"), path("out"), device="tpu"),  # type: ignore[arg-type]
    "rounds of imm": lambda path: kpdetect.project_config(method="imm", rounds=2),
    "imm that starts from a model": lambda path: kpdetect.run(
        path("images"), path("out"), kpdetect.project_config(method="imm"), init_detector=path("toy-32")
    ),
    "size": lambda path: kpdetect.project_config(size=48),
    "train_detector": lambda path: kpdetect.train_detector(path("missing"), path("out"), device="cpu"),
    "train_imm": lambda path: kpdetect.train_imm(path("missing"), path("out"), device="cpu"),
    "refine": lambda path: kpdetect.refine(path("missing"), path("images"), path("out"), device="cpu"),
    "export without a model": lambda path: kpdetect.export(path("missing"), torch=path("a.pt2")),
    "export of nothing": lambda path: kpdetect.export(path("toy-32")),
    "export to another name": lambda path: kpdetect.export(path("toy-32"), torch=path("a.pth")),
    "read_pairs": lambda path: kpdetect.read_pairs(path("missing")),
    "read_predictions": lambda path: kpdetect.read_predictions(path("missing")),
    "train_generator": lambda path: generator.train_generator(path("missing"), path("out"), device="cpu"),
    "generator_config": lambda path: generator.generator_config(keypoints=0),
    "export_pairs": lambda path: generator.export_pairs(path("missing"), path("out")),
    "PairStream": lambda path: generator.PairStream(path("missing")),
    "truncation": lambda path: generator.PairStream(path("toy-32"), truncation=0),
    "Editor": lambda path: generator.Editor.load(path("missing")),
    "benchmark without data": lambda path: benchmarks.benchmark("toy", path("toy-32"), path("missing"), path("out")),
    "benchmark of a protocol": lambda path: benchmarks.benchmark("nonsense", None, path("images"), path("out")),
    "benchmark of a shipped model": lambda path: benchmarks.benchmark("toy", path("toy-32"), path("images")),
    "benchmark with a unit": lambda path: benchmarks.benchmark("toy", None, path("images"), path("out"), normaliser="pixel"),
    "cross_validate": lambda path: benchmarks.cross_validate("toy", None, path("images")),
    "report without a project": lambda path: benchmarks.report(path("missing")),
    "report on nothing": lambda path: benchmarks.report(),
}


@pytest.fixture(autouse=True)
def messages_on_standard_error() -> None:
    """Nothing listens to messages and progress here, as in a user's program."""


@pytest.fixture
def images(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    write_toy(Path("toy"), 30, size=32, seed=1)
    Path("images").symlink_to("toy/images")
    return Path("images")


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_wrong_input_is_an_error_of_the_project(
    call: Callable[[Given], object], images: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    before = sorted(Path().rglob("*"))
    for given in (str, Path):
        with pytest.raises(kpdetect.KpdetectError) as raised:
            call(given)
        assert "--" not in str(raised.value)
        assert "\n" not in str(raised.value)
    assert sorted(Path().rglob("*")) == before
    assert capfd.readouterr() == ("", "")


@pytest.mark.slow
def test_results_come_back_and_nothing_is_printed(images: Path, capfd: pytest.CaptureFixture[str]) -> None:
    types = cycle((str, Path))

    def given(path: str | Path) -> str | Path:
        """Every other path is text."""
        return next(types)(path)

    seen: list[Status] = []
    found = kpdetect.predict(given("toy-32"), given("images"), given("found"), device="cpu", progress=seen.append)
    assert (seen[-1].label, seen[-1].done, seen[-1].ended) == ("predict", 30, True)
    assert found.path == Path("found")
    assert found.to_pandas().equals(kpdetect.read_predictions(given("found/predictions.csv")).to_pandas())
    assert len(found.predictions.images) == found.images == 30
    pairs = generator.export_pairs(given("toy-32"), given("pairs"), 3, device="cpu")
    assert (pairs.path, pairs.count, len(kpdetect.read_pairs(given("pairs")))) == (Path("pairs"), 3, 3)
    for function, predictions in ((benchmarks.benchmark, found.path), (benchmarks.cross_validate, found.path)):
        options: dict[str, Any] = {"baselines": False} if function is benchmarks.benchmark else {}
        result = function("toy", None, given("toy"), given("results"), predictions=given(predictions), **options)
        table = result.to_pandas()
        assert result.path.is_file()
        assert {"mean shape"} < set(table["method"])
        assert f"| {table['mean_of_ratios'].iloc[0]:.2f} |" in result.to_markdown()
    assert "toy" in [protocol.name for protocol in benchmarks.protocols()]
    assert "toy-32" in [model.name for model in kpdetect.models()]
    assert benchmarks.report(out=given("page"), results=[given("results")]) == Path("page/index.html")
    assert capfd.readouterr() == ("", "")
