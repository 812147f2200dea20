"""The named protocols: what they say, that the page says the same, and that a loader reads each of them."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import pytest
from typer.testing import CliRunner

from benchmarks.datasets.loaders import LOADERS, load_dataset
from benchmarks.protocol.named import PROTOCOLS, facts, markdown_protocols, protocols
from kpdetect.cli.main import app
from kpdetect.errors import InputError

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "protocols.md"


def test_the_page_has_the_table_of_the_protocols() -> None:
    assert markdown_protocols() in PAGE.read_text(encoding="utf-8"), "write it again: python -m benchmarks.protocol.named"


def test_the_page_tells_the_folder_of_every_protocol() -> None:
    headings = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("### ")]
    told = {name.strip() for line in headings for name in line.removeprefix("### ").split(",")}
    assert told == set(PROTOCOLS)


@pytest.mark.parametrize("name", PROTOCOLS)
def test_every_protocol_says_everything(name: str, tmp_path: Path) -> None:
    protocol = PROTOCOLS[name]
    assert protocol in protocols()
    printed = CliRunner().invoke(app, ["benchmark", "list"]).output
    for what, words in facts(protocol).items():
        assert words, what
        assert words in printed
    module, _, function = LOADERS[protocol.dataset].partition(":")
    assert callable(getattr(import_module(module), function))
    with pytest.raises(InputError):  # an empty folder: in one line, naming what is missing
        load_dataset(protocol, tmp_path)


def test_words_of_the_errors() -> None:
    assert PROTOCOLS["taichi"].metric == "sum over the landmarks of the mean |dx| + |dy| in pixels of the frame"
    assert PROTOCOLS["bbc-pose"].metric == "distance in pixels of the frame; the number of the papers is the % within 6"
    assert PROTOCOLS["human36m"].metric == (
        "distance in % of the square root of the frame's area, left and right exchanged where that is nearer"
    )
    assert PROTOCOLS["300w"].normaliser == "the distance point_37 - point_46"


def test_every_joint_of_human36m_has_its_partner() -> None:
    pairs = PROTOCOLS["human36m"].swaps
    joints = PROTOCOLS["human36m"].landmarks
    alone = set(joints) - {name for pair in pairs for name in pair}
    assert alone == {"hips", "spine", "spine_1", "neck", "head", "head_site"}
    assert [(joints.index(left), joints.index(right)) for left, right in pairs[:3]] == [(6, 1), (7, 2), (8, 3)]
