"""The studio's Edit page: generated images are edited, drawn again after each change, and saved as files."""

from __future__ import annotations

import copy
import json
import struct
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import Any
from urllib.parse import unquote

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from starlette.responses import FileResponse, Response

from generator.editing.editor import Editor
from generator.editing.options import Edits
from generator.editing.output import write_loop
from generator.editing.parts import mixed
from generator.editing.photo import find_pose
from generator.editing.tiles import plain_tiles
from generator.keypoints import Parts
from kpdetect.draw import keypoint_colour
from kpdetect.errors import InputError, KpdetectError
from kpdetect.files.atomic import write_json
from kpdetect.images.arrays import Image
from kpdetect.images.image_files import write_image
from kpdetect.inference.predictor import Predictor
from kpdetect.studio.edit_code import command_of, python_of
from kpdetect.studio.edit_state import EditRequest, before_moves, edits_of
from kpdetect.studio.request import Call
from kpdetect.studio.uploads import store_photo
from kpdetect.studio.workplace import Workplace

KEPT = 2
"""Number of generators that are kept in memory."""
FRAMES = 16
"""Number of frames of a saved animation, from the original to the edited image."""
SAVED, PHOTOS = "edits", "photos"
ENDINGS = {"png": ".png", "gif": ".gif", "json": ".json"}


class EditRoom:
    """Answers the requests of the Edit page. One picture is drawn at a time."""

    def __init__(self, workplace: Workplace) -> None:
        self.workplace, self.lock, self.threads = workplace, Lock(), torch.get_num_threads()
        self.editors: OrderedDict[str, Editor] = OrderedDict()
        self.poses: dict[tuple[str, str], NDArray[np.float32]] = {}

    def describe(self, call: Call) -> dict[str, Any]:
        """Describe a model and the edits that it supports."""
        model = call.query.get("model", "")
        editor = self._editor(model)
        config = editor.stream.network.config
        return {
            "model": model,
            "size": list(editor.size),
            "names": editor.names,
            "colours": [_hexadecimal(number) for number in range(editor.stream.keypoints)],
            "can": {
                "keypoints": config.style != "adain",
                "local": config.start == "positional",
                "look": config.embedding not in ("none", "constant"),
                "background": config.separate_background or config.background_part,
            },
        }

    def sample(self, call: Call) -> Response:
        """Return the unedited picture of a sample as PNG."""
        truncation = call.query.get("truncation", "1")
        try:
            factor = float(truncation)
        except ValueError:
            raise InputError(f"truncation {truncation}: expected a number above 0, at most 1") from None
        request = EditRequest(
            model=call.query.get("model", ""), seed=call.number("seed", 0), truncation=factor, sample=int(call.path["sample"])
        )
        with self.lock, self._threads(quick=True):
            editor = self._for(request)
            image = editor.draw(editor.sample(request.sample))[0]
        return Response(_png(image), media_type="image/png")

    def draw(self, call: Call) -> Response:
        """Draw the edited sample.

        Returns:
            Four bytes with the length of a JSON header, the header, and the picture's RGB bytes.
        """
        request = call.body(EditRequest)
        with self.lock, self._threads(request.quick):
            editor = self._for(request)
            edits = self._edits(editor, request)
            before = editor.sample(request.sample)
            after = edits.apply(editor, before)
            image = editor.draw(after)[0]
            unmoved = before_moves(edits).apply(editor, before)
        height, width = editor.size
        header = {
            "width": width,
            "height": height,
            "points": _points(editor, after),
            "base": _rounded(editor.keypoints_px(unmoved)[0]),
            "command": command_of(request, self._photo(request)),
            "python": python_of(request, edits, self._photo(request)),
        }
        text = json.dumps(header).encode()
        return Response(struct.pack("<I", len(text)) + text + image.tobytes(), media_type="application/octet-stream")

    def photo(self, call: Call) -> dict[str, Any]:
        """Store a photo that the user dropped on the page, and predict its keypoints."""
        name = store_photo(self.workplace, PHOTOS, unquote(call.query.get("name", "photo")), call.content)
        model = call.query.get("model", "")
        with self.lock:
            self._pose(self._editor(model), model, name)
        return {"photo": name}

    def save(self, call: Call) -> dict[str, Any]:
        """Save the picture, the animation or the edits in the studio's folder."""
        request, kind = call.body(EditRequest), str(call.path["kind"])
        if kind not in ENDINGS:
            raise InputError(f"{kind}: expected one of {', '.join(ENDINGS)}")
        with self.lock, self._threads(quick=False):
            editor = self._for(request)
            edits = self._edits(editor, request)
            before = editor.sample(request.sample)
            after = edits.apply(editor, before)
            path = self._free_name(request, ENDINGS[kind])
            if kind == "png":
                write_image(path, editor.draw(after)[0])
            elif kind == "gif":
                shares = [step / (FRAMES - 1) for step in range(FRAMES)]
                frames = [editor.draw(mixed(before, after, share)) for share in shares]
                write_loop(path, [plain_tiles(frame)[0] for frame in frames])
            else:
                write_json(path, self._record(editor, request, edits))
        return {"path": str(path), "url": f"/api/edit/saved/{path.name}"}

    def saved(self, call: Call) -> Response:
        """Return a file that `save` wrote, for download."""
        path = self.workplace.target_for(f"{SAVED}/{call.path['name']}")
        if not path.is_file():
            raise InputError(f"{path.name}: no such file")
        return FileResponse(path, filename=path.name)

    def opened(self, call: Call) -> dict[str, Any]:
        """Read the edits from a JSON file that `save` wrote."""
        record = call.json()
        state = record.get("studio") if isinstance(record, dict) else None
        if not isinstance(state, dict):
            raise InputError("this file holds no edits of the studio; open a JSON that was saved here")
        request = Call(path={}, query={}, content=json.dumps(state).encode()).body(EditRequest)
        self.workplace.model(request.model)
        return request.model_dump(mode="json")

    def _record(self, editor: Editor, request: EditRequest, edits: Edits) -> dict[str, Any]:
        return {
            **editor.stream.provenance,
            "size": list(editor.size),
            "samples": [request.sample],
            "edits": edits.to_record(),
            "command": command_of(request, self._photo(request)),
            "studio": request.model_dump(mode="json"),
        }

    @contextmanager
    def _threads(self, quick: bool) -> Iterator[None]:
        """Set the number of threads while a picture is drawn.

        The number changes the last bits of results, so it is the same as in a command. During a drag it is 1, to leave a core
        for the browser.
        """
        torch.set_num_threads(1 if quick else self.threads)  # holds for the calling thread
        try:
            yield
        finally:
            torch.set_num_threads(self.threads)

    def _free_name(self, request: EditRequest, ending: str) -> Path:
        stem = f"{Path(request.model).name or 'model'}-{request.seed}-{request.sample}"
        for number in range(1, 1_000_000):
            path = self.workplace.new_file(f"{SAVED}/{stem}-{number:03d}{ending}")
            if not path.exists():
                return path
        raise InputError(f"{SAVED}: too many files of sample {request.sample}; move some away")

    def _editor(self, model: str) -> Editor:
        """Load the generator of a model. The last few are kept in memory."""
        path = self.workplace.model(model)
        if model not in self.editors:
            self.editors[model] = Editor.load(path)
        self.editors.move_to_end(model)
        while len(self.editors) > KEPT:
            self.editors.popitem(last=False)
        return self.editors[model]

    def _for(self, request: EditRequest) -> Editor:
        """Return the model's editor with the seed and truncation of a request."""
        editor = copy.copy(self._editor(request.model))
        editor.stream = copy.copy(editor.stream)
        editor.stream.seed, editor.stream.truncation = request.seed, request.truncation
        return editor

    def _edits(self, editor: Editor, request: EditRequest) -> Edits:
        photo = request.edits.photo
        pose = None if photo is None else self._pose(editor, request.model, photo)
        return edits_of(editor, request.edits, pose)

    def _pose(self, editor: Editor, model: str, name: str) -> NDArray[np.float32]:
        if (model, name) not in self.poses:
            path = self.workplace.target_for(f"{PHOTOS}/{name}")
            self.poses[model, name] = find_pose(Predictor.load(self.workplace.model(model)), path, editor)[0]
        return self.poses[model, name]

    def _photo(self, request: EditRequest) -> Path | None:
        name = request.edits.photo
        return None if name is None else self.workplace.target_for(f"{PHOTOS}/{name}")


def _points(editor: Editor, parts: Parts) -> list[dict[str, Any]]:
    """Describe every drawn part for the page: the number of its keypoint, its (x, y) in pixels, and whether it is a copy.

    The position of a removed keypoint is None.
    """
    places = _rounded(editor.keypoints_px(parts)[0])
    return [
        {"keypoint": number, "at": at, "copy": row >= parts.own}
        for row, (number, at) in enumerate(zip(parts.numbers, places, strict=True))
    ]


def _rounded(points_px: NDArray[np.float32]) -> list[list[float] | None]:
    return [[round(float(x), 3), round(float(y), 3)] if np.isfinite((x, y)).all() else None for x, y in points_px]


def _png(image: Image) -> bytes:
    done, encoded = cv2.imencode(".png", np.ascontiguousarray(image[..., ::-1]))
    if not done:
        raise KpdetectError("the picture cannot be encoded as PNG")
    return encoded.tobytes()


def _hexadecimal(number: int) -> str:
    return "#" + "".join(f"{part:02x}" for part in keypoint_colour(number))
