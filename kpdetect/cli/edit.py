"""`kpdetect edit`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from kpdetect.cli import options

UNSEEN = 0.5
"""Mean change of an image, in grey levels, below which the command warns that the edit is invisible."""


Out = Annotated[
    Path, typer.Option("--out", "-o", help="Folder for the edited images. An earlier edit in this folder is replaced.")
]
Samples = Annotated[
    str,
    typer.Option(
        metavar="I-J|I,J",
        help="Numbers of the samples (generated images) to edit. `kpdetect generate` with the same seed counts them from 0.",
    ),
]
PoseFrom = Annotated[
    str | None,
    typer.Option(
        metavar="J|IMAGE",
        help="Use the keypoints of sample J, or the keypoints that the model's detector finds in the file IMAGE.",
    ),
]
Scale = Annotated[float, typer.Option(help="Scale all keypoints about their mean position by this factor.")]
Rotate = Annotated[float, typer.Option(metavar="DEGREES", help="Turn all keypoints clockwise about their mean position.")]
Move = Annotated[
    list[str] | None, typer.Option(metavar="K:DX,DY", help="Move keypoint K right by DX and down by DY pixels. Repeatable.")
]
Local = Annotated[bool, typer.Option("--local", help="With --move: change less of the image far from the moved keypoints.")]
AppearanceFrom = Annotated[
    list[str] | None,
    typer.Option(
        metavar="J[:K,K]", help="Use the appearance of sample J, for all keypoints or for the keypoints K. Repeatable."
    ),
]
BackgroundFrom = Annotated[int | None, typer.Option(metavar="J", min=0, help="Use the background of sample J.")]
Add = Annotated[
    list[str] | None,
    typer.Option(
        metavar="K:DX,DY", help="Draw keypoint K a second time, DX pixels to the right and DY pixels down. Repeatable."
    ),
]
Remove = Annotated[list[str] | None, typer.Option(metavar="K", help="Draw the image without keypoint K. Repeatable.")]
Mix = Annotated[
    float | None,
    typer.Option(
        metavar="SHARE",
        min=0,
        max=1,
        help="Share of sample J that --pose-from, --appearance-from and --background-from mix in. (default: 1)",
    ),
]
Steps = Annotated[
    int,
    typer.Option(min=0, help="Also write this many frames from the original to the edited image, and a looping GIF. 0: none."),
]
Truncation = Annotated[
    float,
    typer.Option(
        help="Factor on the random input of the generator, above 0 and at most 1. "
        "Lower values give more typical, less varied images."
    ),
]


def command(
    model: options.Generator,
    out: Out,
    samples: Samples = "0-7",
    pose_from: PoseFrom = None,
    scale: Scale = 1.0,
    rotate: Rotate = 0.0,
    move: Move = None,
    local: Local = False,
    appearance_from: AppearanceFrom = None,
    background_from: BackgroundFrom = None,
    add: Add = None,
    remove: Remove = None,
    mix: Mix = None,
    steps: Steps = 0,
    truncation: Truncation = 1.0,
    seed: options.Seed = 0,
    device: options.DeviceOption = options.Device.auto,
) -> None:
    """Edit generated images by moving, exchanging, mixing, adding or removing their keypoints.

    In the options, J is the number of another sample (generated image). K is the number of a keypoint, its name (see
    `kpdetect label`), several numbers such as 1,2, or all.
    """
    from generator.editing.editor import Editor
    from generator.editing.options import read_edits, read_sample, read_samples
    from generator.editing.output import edit_samples, write_edited
    from generator.editing.photo import find_pose
    from kpdetect.errors import InputError

    if steps == 1:
        raise InputError(
            "--steps 1: expected 0, or at least 2: the first frame is the image before the edit, the last one after"
        )
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
        print(f"warning: the edit changes sample {', '.join(unseen)} by less than {UNSEEN} grey levels", file=sys.stderr)


def _detector(model: Path, image: str | None, device: str) -> Any:
    """Load the detector that belongs to the generator, to find the keypoints in a photo."""
    from kpdetect.errors import CheckpointError
    from kpdetect.inference.predictor import Predictor

    try:
        return Predictor.load(model, device)
    except CheckpointError as error:
        raise CheckpointError(
            f"--pose-from {image}: a photo needs the model's detector too; it cannot be loaded ({error})"
        ) from error
