"""Large JSON objects are written and read entry by entry, with the bytes and values of an ordinary writer and reader."""

import json

import pytest

from kpdetect.errors import FormatError
from kpdetect.files import json_stream as stream
from kpdetect.files.atomic import write_json
from kpdetect.files.json_stream import Entries, write_json_stream

VALUE = {
    "a": {"b\udcff.png": [1, 2], 'ü\n"': "x", "empty": {}, "list": []},
    "none": {},
    "deep": {"one": {"two": [{"three": 3.5}, None, True]}},
    "text": "line\nline",
    "number": 12345,
    "fraction": 12.25,
    "power": -1.5e-07,
}


def entries(value):
    """The same object, with its objects given entry by entry."""
    return Entries((name, entries(item)) for name, item in value.items()) if isinstance(value, dict) else value


def read(path):
    with stream.json_stream(path, "copy it again") as values:
        known = {key: values.value() for key in values.object_keys()}
        values.finish()
        return known


def test_entries_give_the_bytes_of_the_ordinary_writer(tmp_path):
    write_json(tmp_path / "whole.json", VALUE)
    write_json_stream(tmp_path / "stream.json", {name: entries(item) for name, item in VALUE.items()})
    assert (tmp_path / "stream.json").read_bytes() == (tmp_path / "whole.json").read_bytes()
    write_json_stream(tmp_path / "stream.json", {})
    assert (tmp_path / "stream.json").read_text() == "{}\n"


@pytest.mark.parametrize("chunk", [1, 7, 1 << 20])
def test_values_come_back_at_every_size_of_the_pieces(tmp_path, monkeypatch, chunk):
    monkeypatch.setattr(stream, "CHUNK", chunk)
    write_json(path := tmp_path / "a.json", VALUE)
    assert read(path) == json.loads(path.read_text())
    path.write_text("\ufeff" + json.dumps(VALUE | {"last": 12}), encoding="utf-8")
    assert read(path) == json.loads(path.read_text(encoding="utf-8-sig"))
    with stream.json_stream(path, "") as values:
        emptied = {key: values.emptied() for key in values.object_keys()}
    assert emptied == {**VALUE, "a": {}, "deep": {}, "last": 12}


@pytest.mark.parametrize(
    "text", ["", "[1]", "{", '{"a"', '{"a": 1', '{"a": 1} 2', "{1: 2}", '{"a": 1, }', '{"a": nothing}', "[" * 99_999]
)
def test_damaged_files_are_refused(tmp_path, text):
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(FormatError, match=r"a\.json: .*; copy it again"):
        read(tmp_path / "a.json")
    (tmp_path / "a.json").write_text('{"a": ' + text)
    with pytest.raises(FormatError, match=r"a\.json: .*; copy it again"):
        read(tmp_path / "a.json")
