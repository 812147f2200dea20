"""The room Edit without a page: what it draws is what its command and its Python draw, to the bit."""

from __future__ import annotations

import json
import shlex
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from generator.editing.editor import Editor
from kpdetect.cli.main import app
from kpdetect.errors import InputError
from kpdetect.images.image_files import read_image, write_image
from kpdetect.studio.edit_room import EditRoom
from kpdetect.studio.request import Call
from kpdetect.studio.workplace import open_workplace

STATES: dict[str, dict[str, Any]] = {
    "moved": {"moves": [{"keypoints": [3], "by": [4.126, -2.5]}, {"keypoints": [0], "by": [-1, 0]}], "local": True},
    "not local": {"moves": [{"keypoints": [5], "by": [3, 1]}], "local": False},
    "exchanged": {"looks": [{"sample": 7, "keypoints": [0, 2]}, {"sample": 2, "keypoints": [4]}], "mix": 0.7},
    "everything": {
        "pose_from": 4,
        "scale": 0.9,
        "rotate": -7,
        "moves": [{"keypoints": [1], "by": [0, 2]}],
        "local": True,
        "background_from": 6,
        "add": [{"keypoints": [2], "by": [5, 0]}],
        "remove": [6],
        "mix": 0.55,
    },
}


@pytest.fixture
def room(tmp_path: Path) -> EditRoom:
    return EditRoom(open_workplace(Path("toy-32"), out=tmp_path / "studio"))


def drawn(room: EditRoom, edits: dict[str, Any], **more: Any) -> tuple[dict[str, Any], np.ndarray]:
    request = {"model": "toy-32", "seed": 1, "truncation": 0.8, "sample": 3, "edits": edits, **more}
    content = room.draw(Call(path={}, query={}, content=json.dumps(request).encode())).body
    (length,) = struct.unpack("<I", content[:4])
    header = json.loads(content[4 : 4 + length])
    return header, np.frombuffer(content[4 + length :], np.uint8).reshape(header["height"], header["width"], 3)


@pytest.mark.parametrize("name", STATES)
def test_command_and_python_draw_the_same(room: EditRoom, tmp_path: Path, monkeypatch: Any, name: str) -> None:
    header, picture = drawn(room, STATES[name])
    monkeypatch.chdir(tmp_path)
    program, *words = shlex.split(header["command"])
    assert program == "kpdetect"
    done = CliRunner().invoke(app, words, catch_exceptions=False)
    assert done.exit_code == 0
    assert np.array_equal(read_image(tmp_path / "edited" / "images" / "000003.png"), picture)
    names: dict[str, Any] = {}
    exec(header["python"], names)
    assert np.array_equal(names["image"], picture)


def test_a_photo_poses_in_command_and_python(room: EditRoom, tmp_path: Path, monkeypatch: Any) -> None:
    editor = Editor.load("toy-32")
    photo = tmp_path / "my photo.png"
    write_image(photo, np.pad(editor.draw(editor.sample(11))[0], ((0, 0), (3, 5), (0, 0)), mode="edge"))
    given = Call(path={}, query={"model": "toy-32", "name": photo.name}, content=photo.read_bytes())
    name = room.photo(given)["photo"]
    assert name.startswith("my-photo-")
    header, picture = drawn(room, {"photo": name, "mix": 0.5})
    monkeypatch.chdir(tmp_path)
    assert CliRunner().invoke(app, shlex.split(header["command"])[1:], catch_exceptions=False).exit_code == 0
    assert np.array_equal(read_image(tmp_path / "edited" / "images" / "000003.png"), picture)
    names: dict[str, Any] = {}
    exec(header["python"], names)
    assert np.array_equal(names["image"], picture)


def test_points_say_where_parts_are(room: EditRoom) -> None:
    plain, before = drawn(room, {})
    header, after = drawn(room, {"moves": [{"keypoints": [3], "by": [2, -1]}], "local": True, "remove": [1]})
    was, now = plain["points"][3]["at"], header["points"][3]["at"]
    assert np.allclose(np.subtract(now, was), (2, -1), atol=2e-3)
    assert header["base"] == plain["base"]
    assert header["points"][1]["at"] is None
    assert not np.array_equal(before, after)


def test_nothing_changed_is_the_sample(room: EditRoom) -> None:
    header, picture = drawn(room, {"local": True, "mix": 0.3})
    editor = Editor.load("toy-32", seed=1, truncation=0.8)
    assert np.array_equal(picture, editor.draw(editor.sample(3))[0])
    assert header["command"].startswith("#")


def test_a_keypoint_that_leaves_the_frame_is_refused_in_one_sentence(room: EditRoom) -> None:
    with pytest.raises(InputError, match="keypoint 3 would be at .* outside of the image of 32x32"):
        drawn(room, {"moves": [{"keypoints": [3], "by": [90, 0]}]})


def test_saved_files(room: EditRoom, tmp_path: Path) -> None:
    from PIL import Image

    request = {"model": "toy-32", "sample": 2, "edits": STATES["moved"]}
    saved = {
        kind: Path(room.save(Call(path={"kind": kind}, query={}, content=json.dumps(request).encode()))["path"])
        for kind in ("png", "gif", "json")
    }
    assert all(path.parent == tmp_path / "studio" / "edits" for path in saved.values())
    _, picture = drawn(room, STATES["moved"], sample=2, seed=0, truncation=1.0)
    assert np.array_equal(read_image(saved["png"]), picture)
    with Image.open(saved["gif"]) as loop:
        assert loop.n_frames == 30  # 16 there, 14 back
    opened = room.opened(Call(path={}, query={}, content=saved["json"].read_bytes()))
    assert opened["edits"]["moves"] == [{"keypoints": [3], "by": [4.126, -2.5]}, {"keypoints": [0], "by": [-1.0, 0.0]}]
    assert opened["sample"] == 2


def test_no_file_outside_is_given(room: EditRoom, tmp_path: Path) -> None:
    (tmp_path / "secret.png").write_bytes(b"no")
    with pytest.raises(InputError, match="outside"):
        room.saved(Call(path={"name": "../../secret.png"}, query={}))


def test_uploads_are_limited_before_they_are_decoded(room: EditRoom, tmp_path: Path) -> None:
    def sent(content: bytes) -> dict[str, Any]:
        return room.photo(Call(path={}, query={"model": "toy-32", "name": "a.png"}, content=content))

    small = tmp_path / "small.png"
    write_image(small, np.zeros((1, 2, 3), np.uint8))
    content = small.read_bytes()
    head = b"IHDR" + struct.pack(">II", 20_000, 20_000) + content[24:29]  # says 400 megapixels, holds two
    large = content[:12] + head + struct.pack(">I", zlib.crc32(head)) + content[33:]
    with pytest.raises(InputError, match="20000 x 20000 pixels"):
        sent(large)
    with pytest.raises(InputError, match="no picture"):
        sent(b"#!/bin/sh\n")
    assert not list((tmp_path / "studio").glob("photos/*"))
