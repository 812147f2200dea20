"""`kpdetect edit`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from kpdetect.cli import options

UNSEEN = 0.5
"""Grey levels: a mean change below this is told."""


def command(
    model: Annotated[Path, typer.Argument(help="A trained generator: project or run folder, weights file, or shipped name.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the images. An earlier edit there is replaced.")],
    samples: Annotated[str, typer.Option(metavar="I-J|I,J", help="Which images of `kpdetect generate` to edit.")] = "0-7",
    pose_from: Annotated[
        str | None, typer.Option(metavar="J|IMAGE", help="Keypoints of sample J, or detected in a real image.")
    ] = None,
    scale: Annotated[float, typer.Option(help="Scale all keypoints about their mean.")] = 1.0,
    rotate: Annotated[float, typer.Option(metavar="DEGREES", help="Turn all keypoints about their mean, clockwise.")] = 0.0,
    move: Annotated[
        list[str] | None, typer.Option(metavar="K:DX,DY", help="Shift a keypoint by pixels, right and down; repeatable.")
    ] = None,
    local: Annotated[bool, typer.Option("--local", help="Moves leave more of what is far from them as it is.")] = False,
    appearance_from: Annotated[
        list[str] | None, typer.Option(metavar="J[:K,K]", help="Look of sample J's keypoints, all or some; repeatable.")
    ] = None,
    background_from: Annotated[int | None, typer.Option(metavar="J", min=0, help="Background of sample J.")] = None,
    add: Annotated[
        list[str] | None, typer.Option(metavar="K:DX,DY", help="Draw a keypoint once more, so far from it; repeatable.")
    ] = None,
    remove: Annotated[list[str] | None, typer.Option(metavar="K", help="Draw a keypoint no more; repeatable.")] = None,
    mix: Annotated[
        float | None, typer.Option(metavar="SHARE", min=0, max=1, help="How far the --...-from options go; 1 unless given.")
    ] = None,
    steps: Annotated[int, typer.Option(min=0, help="Frames from before to after, and a looping GIF of them.")] = 0,
    truncation: Annotated[float, typer.Option(help="Factor in (0, 1] on the noise, as of `kpdetect generate`.")] = 1.0,
    seed: options.Seed = 0,
    device: options.DeviceOption = options.Device.auto,
) -> None:
    """Change generated images: move, exchange, mix, add, remove parts. K: number, name (`kpdetect label`), 1,2 or all."""
    from generator.editing.editor import Editor
    from generator.editing.options import read_edits, read_sample, read_samples
    from generator.editing.output import edit_samples, write_edited
    from generator.editing.photo import find_pose
    from kpdetect.errors import InputError

    if steps == 1:
        raise InputError("--steps 1: expected 0, or at least 2, the first before and the last after the edit")
    numbers = read_samples(samples)
    editor = Editor.load(model, device.value, seed=seed, truncation=truncation)
    is_photo = pose_from is not None and not pose_from.isdecimal()
    pose, photo = find_pose(_detector(model, pose_from, device.value), str(pose_from), editor) if is_photo else (None, None)
    edits = read_edits(
        editor,
        pose_from=None if pose_from is None or is_photo else read_sample(pose_from, "pose_from"),
        pose=pose,
        scale=scale,
        rotate=rotate,
        move=move or (),
        local=local,
        appearance_from=appearance_from or (),
        background_from=background_from,
        add=add or (),
        remove=remove or (),
        mix=mix,
    )
    edited = edit_samples(editor, numbers, edits)
    write_edited(editor, edited, edits, out, steps=steps, photo=photo)
    print(f"edited: {out / 'images'} ({len(numbers)} images; changed by {edited.change.mean():.1f} grey levels on average)")
    print(f"sheet: {out / 'sheet.png'}")
    if steps:
        print(f"animation: {out / 'edit.gif'}")
    if unseen := [str(sample) for sample, change in zip(numbers, edited.change, strict=True) if change < UNSEEN]:
        print(f"warning: hardly changed (below {UNSEEN} grey levels): sample {', '.join(unseen)}", file=sys.stderr)


def _detector(model: Path, image: str | None, device: str) -> Any:
    """The detector of the generator's project, which finds the keypoints of a photo."""
    from kpdetect.errors import CheckpointError
    from kpdetect.inference.predictor import Predictor

    try:
        return Predictor.load(model, device)
    except CheckpointError as error:
        raise CheckpointError(f"--pose-from {image}: a photo needs the model's detector too ({error})") from error
