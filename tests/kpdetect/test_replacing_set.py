"""Files are complete or absent, and on disk before they have their name. A set of files is complete, or lacks its record."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from kpdetect.errors import OutputError
from kpdetect.files.atomic import replacing, replacing_set, write_json


def calls_of_replacing(path: Path, monkeypatch: pytest.MonkeyPatch, durable: bool) -> list[tuple[str, bool]]:
    """Return each flush and rename in order, with whether it concerns the file (True) or its folder (False)."""
    calls, rename = list[tuple[str, bool]](), os.replace

    def replace(old: Path, new: Path) -> None:
        calls.append(("rename", Path(new) == path))
        rename(old, new)

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", lambda file: calls.append(("flush", stat.S_ISREG(os.fstat(file).st_mode))))
        patch.setattr(os, "replace", replace)
        with replacing(path, durable=durable) as temporary:
            temporary.write_text("new")
    return calls


def test_a_file_is_on_disk_before_it_is_renamed_and_its_name_after(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    flushed = calls_of_replacing(tmp_path / "a.txt", monkeypatch, durable=True)
    assert flushed == [("flush", True), ("rename", True), *([("flush", False)] if os.name == "posix" else [])]
    assert calls_of_replacing(tmp_path / "b.txt", monkeypatch, durable=False) == [("rename", True)]
    assert (tmp_path / "a.txt").read_text() == (tmp_path / "b.txt").read_text() == "new"


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
