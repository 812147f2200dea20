"""Files that belong together are complete, or their record is absent."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from kpdetect.errors import OutputError
from kpdetect.files.atomic import replacing_set, write_json


def write_set(folder: Path, text: str) -> None:
    with replacing_set(folder / "set.json", folder / "set.csv", folder / "set.png") as (record, table, picture):
        assert [path.suffix for path in (record, table, picture)] == [".json", ".csv", ".png"]
        table.write_text(text)
        picture.write_text(text)
        write_json(record, text)


def is_consistent(folder: Path) -> bool:
    texts = {path.read_text().strip().strip('"') for path in folder.glob("set.*")}
    return not (folder / "set.json").exists() or (len(texts) == 1 and len(list(folder.glob("set.*"))) == 3)


@pytest.mark.parametrize("renames", range(4))
def test_a_record_belongs_to_the_files_beside_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, renames: int) -> None:
    """The process ends before one of the three renames of an update, or, with 3, after all of them."""
    write_set(tmp_path, "old")
    done, rename = [], os.replace

    def counted(old: Path, new: Path) -> None:
        if Path(new).name.startswith("set."):
            if len(done) == renames:
                raise KeyboardInterrupt
            done.append(new)
        rename(old, new)

    monkeypatch.setattr(os, "replace", counted)
    if renames == 3:
        write_set(tmp_path, "new")
        assert (tmp_path / "set.csv").read_text() == "new"
    else:
        with pytest.raises(KeyboardInterrupt):
            write_set(tmp_path, "new")
        assert not (tmp_path / "set.json").exists()
    assert is_consistent(tmp_path)
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []
    monkeypatch.setattr(os, "replace", rename)
    write_set(tmp_path, "again")
    assert is_consistent(tmp_path)
    assert (tmp_path / "set.json").exists()


def test_what_fails_before_the_end_leaves_the_old_set(tmp_path: Path) -> None:
    write_set(tmp_path, "old")
    with pytest.raises(OutputError, match="the disk is full"), replacing_set(tmp_path / "set.json", tmp_path / "set.csv"):
        raise OSError(28, "No space left on device")
    assert is_consistent(tmp_path)
    assert (tmp_path / "set.csv").read_text() == "old"
