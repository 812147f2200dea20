"""The edits of the studio's Edit page as a `kpdetect edit` command and as a Python program. Both draw the same picture."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

from generator.editing.editor import Editor
from generator.editing.options import Edits
from generator.editing.photo import find_pose
from kpdetect.studio.edit_state import EditRequest, options_of

UNCHANGED = "# nothing is changed yet"


def command_of(request: EditRequest, photo: Path | None, out: str = "edited") -> str:
    """Write the `kpdetect edit` command of the edits. It writes its picture to `edited/images/NNNNNN.png`."""
    if request.edits.empty:
        return UNCHANGED
    words = ["kpdetect", "edit", request.model, "--out", out, "--samples", str(request.sample)]
    if photo is not None:
        words += ["--pose-from", str(photo)]
    for name, value in options_of(request.edits).items():
        option = f"--{name.replace('_', '-')}"
        if value is True:
            words.append(option)
        elif value is not False:
            for each in value if isinstance(value, list) else [value]:
                words.append(f"{option}={_plain(each)}")
    words += [f"--truncation={_plain(request.truncation)}"] * (request.truncation != 1)
    words += [f"--seed={request.seed}"] * (request.seed != 0)
    return shlex.join(words)


def _plain(value: Any) -> str:
    return f"{value:.10g}" if isinstance(value, float) else str(value)


def python_of(request: EditRequest, edits: Edits, photo: Path | None) -> str:
    """Write the Python program of the edits. Its variable `image` is the picture, uint8 [height, width, 3]."""
    lines = [f"from {Editor.__module__} import Editor"]
    if photo is not None:
        lines = ["import kpdetect", *lines, f"from {find_pose.__module__} import find_pose"]
    settings = f"seed={request.seed}" + (f", truncation={_plain(request.truncation)}" if request.truncation != 1 else "")
    lines += ["", f"editor = Editor.load({request.model!r}, {settings})", f"parts = editor.sample({request.sample})"]
    lines += [f"parts = {call}" for call in _calls(request, edits, photo)]
    return "\n".join([*lines, "image = editor.draw(parts)[0]"]) + "\n"


def _calls(request: EditRequest, edits: Edits, photo: Path | None) -> list[str]:
    """List the Python call of every step, in the order in which `Edits.apply` makes them."""
    share = "" if edits.share == 1 else f", share={_plain(edits.share)}"
    local = ", local=True" if edits.local else ""
    calls = []
    if photo is not None:
        found = f"find_pose(kpdetect.load({request.model!r}, engine='plain'), {str(photo)!r}, editor)[0]"
        calls.append(f"editor.pose(parts, {found}{share})")
    elif edits.pose_from is not None:
        calls.append(f"editor.pose(parts, editor.sample({edits.pose_from}){share})")
    if (edits.scale, edits.degrees) != (1, 0):
        calls.append(f"editor.turn(parts, scale={_plain(edits.scale)}, degrees={_plain(edits.degrees)})")
    calls += [f"editor.move(parts, {list(move.keypoints)}, {_pair(move.by_px)}{local})" for move in edits.moves]
    for donor in edits.appearance_from:
        calls.append(f"editor.appearance(parts, editor.sample({donor.sample}), {list(donor.keypoints)}{share})")
    if edits.background_from is not None:
        calls.append(f"editor.background(parts, editor.sample({edits.background_from}){share})")
    calls += [f"editor.add(parts, {list(copy.keypoints)}, {_pair(copy.by_px)})" for copy in edits.add]
    return calls + ([f"editor.remove(parts, {list(edits.remove)})"] if edits.remove else [])


def _pair(by_px: tuple[float, float]) -> str:
    return f"({_plain(by_px[0])}, {_plain(by_px[1])})"
