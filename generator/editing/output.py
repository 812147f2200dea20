"""Edited samples as files: images before and after, frames in between, a sheet, a table and a record of the edits."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from generator.editing.editor import Editor
from generator.editing.options import Edits
from generator.editing.parts import mixed
from generator.editing.photo import Photo
from generator.editing.tiles import difference_tiles, marked_tiles, plain_tiles, sheet_of
from generator.keypoints import Parts
from kpdetect.data.derived_files import require_own, rewritten
from kpdetect.draw import contact_sheet
from kpdetect.errors import OutputError
from kpdetect.files.atomic import read_json, replacing, write_json
from kpdetect.files.folders import make_folder
from kpdetect.files.reading import reading
from kpdetect.files.records import Record, RelativeName, checked, inside
from kpdetect.images.arrays import Image
from kpdetect.images.image_files import write_image
from kpdetect.progress import Progress
from kpdetect.skeleton import Skeleton
from kpdetect.training.run_folder import environment

KIND, RECORD, TABLE, SHEET, LOOP = "edit", "edits.json", "edits.csv", "sheet.png", "edit.gif"
SHOWN, COLUMNS = 16, 4
"""Largest number of samples on the sheet and in the animation; number of columns of the animation."""
FRAME_MS = 80


@dataclass(frozen=True, kw_only=True)
class Edited:
    """Samples before and after an edit.

    Attributes:
        samples: numbers of the samples.
        parts: for each sample, its parts before and after the edit.
        before, after: the images, uint8 [samples, height, width, 3].
    """

    samples: list[int]
    parts: list[tuple[Parts, Parts]]
    before: NDArray[np.uint8]
    after: NDArray[np.uint8]

    @property
    def change(self) -> NDArray[np.float64]:
        """Mean absolute change of each image in grey levels, [samples]."""
        return np.abs(self.after.astype(np.int16) - self.before).mean(axis=(1, 2, 3))


def edit_samples(editor: Editor, samples: Sequence[int], edits: Edits) -> Edited:
    """Edit samples. Each sample is a separate batch, so its image does not depend on the other samples.

    Raises:
        InputError: the model does not support an edit, or an edit moves a keypoint out of the frame.
    """
    parts = []
    for sample in samples:
        before = editor.sample(sample)
        after = edits.apply(editor, before)
        editor.require_inside(after, f"sample {sample}")
        parts.append((before, after))
    with Progress(len(samples), "edit") as progress:
        images = []
        for pair in parts:
            images.append([editor.draw(side)[0] for side in pair])
            progress.update(1)
    before_images, after_images = (np.stack(side) for side in zip(*images, strict=True))
    return Edited(samples=list(samples), parts=parts, before=before_images, after=after_images)


def write_edited(
    editor: Editor, edited: Edited, edits: Edits, out: Path, *, steps: int = 0, photo: Photo | None = None
) -> None:
    """Write edited samples and delete the files of an earlier edit in the folder.

    Args:
        editor: the editor that drew the samples.
        edited: the samples before and after the edits.
        edits: the edits that were applied.
        out: folder for `images/`, `before/`, `donors/` (the source samples), `sheet.png`, `edits.csv` and, written last,
            `edits.json`.
        steps: number of frames from before to after, both included. They are written to `frames/`, and as a loop to `edit.gif`.
            0 for no frames.
        photo: the real image in which `edits.pose` was detected; None without one.

    Raises:
        OutputError: `out` cannot be written, or holds a file of one of these names that no edit wrote. It is then unchanged.
        FormatError: the record of an earlier edit is damaged.
    """
    make_folder(out)
    pictures = [f"{kind}/{sample:06d}.png" for kind in ("before", "images") for sample in edited.samples]
    donors = {f"donors/{sample:06d}.png": sample for _, sample in edits.sources}
    files = [*pictures, *donors, *(_frame_names(edited.samples, steps) if steps else ())]
    written = [*files, SHEET, TABLE, RECORD]
    require_own(out, KIND, written, earlier=_earlier(out))
    _clear(out)
    with rewritten(out, KIND, written):
        for name, image in zip(pictures, [*edited.before, *edited.after], strict=True):
            write_image(out / name, image)
        for name, sample in donors.items():
            write_image(out / name, editor.draw(editor.sample(sample))[0])
        if steps:
            _write_frames(editor, edited, out, steps)
        write_image(out / SHEET, sheet(editor, edited, edits, photo))
        _write_table(editor, edited, out / TABLE)
        write_json(out / RECORD, _record(editor, edited, edits, steps, photo, files))


def _record(
    editor: Editor, edited: Edited, edits: Edits, steps: int, photo: Photo | None, files: Sequence[str]
) -> dict[str, Any]:
    return {
        **editor.stream.provenance,
        "size": list(editor.size),
        "samples": edited.samples,
        "edits": edits.to_record(),
        "photo": None if photo is None else photo.record,
        "steps": steps,
        "change_grey_levels": [round(float(value), 3) for value in edited.change],
        "files": files,
        "environment": environment(),
    }


class _EditRecord(Record):
    """The list of files in the record of an earlier edit; other keys are ignored."""

    files: tuple[RelativeName, ...] = ()


def _earlier(out: Path) -> set[str]:
    """List the files of an earlier edit: those that its record lists, the sheet, the table and the record; none without one.

    Raises:
        FormatError: the record is damaged.
    """
    if not (out / RECORD).exists():
        return set()
    return {*checked(_EditRecord, read_json(out / RECORD), out / RECORD).files, SHEET, TABLE, RECORD}


def _clear(out: Path) -> None:
    """Delete the files of an earlier edit, see `_earlier`. The record goes last.

    Raises:
        FormatError: the record is damaged, or names a file outside of the folder.
        OutputError: a file cannot be removed.
    """
    if not (earlier := _earlier(out)):
        return
    for name in sorted(earlier - {RECORD}):
        path = inside(out, name)
        with reading(path, OutputError, "remove it, or give another `out`"):
            path.unlink(missing_ok=True)
    for folder in (*sorted(out.glob("frames/*")), out / "frames"):
        if folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()
    (out / RECORD).unlink()


def _frame_names(samples: Sequence[int], steps: int) -> list[str]:
    return [*(f"frames/{sample:06d}/{step:03d}.png" for sample in samples for step in range(steps)), LOOP]


def _write_frames(editor: Editor, edited: Edited, out: Path, steps: int) -> None:
    shown: list[list[Image]] = []
    with Progress(len(edited.samples) * steps, "frames") as progress:
        for sample, (before, after) in zip(edited.samples, edited.parts, strict=True):
            frames = [editor.draw(mixed(before, after, step / (steps - 1)))[0] for step in range(steps)]
            for name, frame in zip(_frame_names([sample], steps), frames, strict=False):
                write_image(out / name, frame)
            shown += [frames] if len(shown) < SHOWN else []
            progress.update(steps)
    columns = zip(*shown, strict=True)
    pictures = [contact_sheet([plain_tiles(frame[None])[0] for frame in frames], COLUMNS) for frames in columns]
    write_loop(out / LOOP, pictures)


def write_loop(path: Path, frames: Sequence[Image]) -> None:
    """Write a GIF that plays forwards and backwards. All frames share one palette, so colours do not flicker.

    Raises:
        OutputError: the file cannot be written.
    """
    from PIL import Image as Pillow

    palette = Pillow.fromarray(np.concatenate([frames[0], frames[len(frames) // 2], frames[-1]])).quantize(256)
    reduced = [Pillow.fromarray(frame).quantize(palette=palette) for frame in [*frames, *frames[-2:0:-1]]]
    with replacing(path) as temporary:
        reduced[0].save(temporary, "GIF", save_all=True, append_images=reduced[1:], duration=FRAME_MS, loop=0)


def sheet(editor: Editor, edited: Edited, edits: Edits, photo: Photo | None = None) -> Image:
    """Draw one sheet with a row per sample (`SHOWN` at most).

    The columns are: the image before, its keypoints, the source samples, the image after, its keypoints with lines from their
    old positions, and the difference of the two images. The largest difference is white.
    """
    count = min(len(edited.samples), SHOWN)
    before, after = edited.before[:count], edited.after[:count]
    first, second = edited.parts[0]
    was, now = (np.concatenate([editor.keypoints_px(pair[side]) for pair in edited.parts[:count]]) for side in (0, 1))
    was_beside = np.concatenate([was, np.full((count, len(second.copies), 2), np.nan, np.float32)], axis=1)
    donors = [(f"{what} ({sample})", editor.draw(editor.sample(sample))) for what, sample in edits.sources]
    if photo is not None:
        donors.insert(0, ("pose", photo.square[None]))
    columns = [
        ("before", plain_tiles(before)),
        ("keypoints", marked_tiles(before, was, skeleton=_skeleton(editor, first))),
        *((name, plain_tiles(image) * count) for name, image in donors),
        ("after", plain_tiles(after)),
        ("keypoints", marked_tiles(after, now, skeleton=_skeleton(editor, second), before_px=was_beside)),
        ("difference", difference_tiles(after, before)),
    ]
    return sheet_of(columns)


def _skeleton(editor: Editor, parts: Parts) -> Skeleton:
    return Skeleton(numbers=parts.numbers, names=tuple(editor.names[number] for number in parts.numbers))


def _write_table(editor: Editor, edited: Edited, path: Path) -> None:
    """Write one row per part: its old and new position in pixels. A position is empty if the part is absent."""
    with replacing(path) as temporary, open(temporary, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(("sample", "keypoint", "name", "before_x_px", "before_y_px", "after_x_px", "after_y_px"))
        for sample, (before, after) in zip(edited.samples, edited.parts, strict=True):
            was, now = editor.keypoints_px(before)[0], editor.keypoints_px(after)[0]
            for place, number in enumerate(after.numbers):
                old = was[place] if place < before.own else (np.nan, np.nan)
                numbers = [f"{value:.4f}" if np.isfinite(value) else "" for value in (*old, *now[place])]
                writer.writerow((sample, number, editor.names[number], *numbers))
