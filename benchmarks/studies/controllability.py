"""Do keypoints control pose, keypoint embeddings appearance, and the background embedding only the background?

Source: the LatentKeypointGAN paper (He et al. 2021), table 9.

The study draws pairs of generated images. It replaces one factor of the first image by the second image's: the pose (all
keypoints), the appearance (all keypoint embeddings), or the background. The paper judges the results by eye. We measure:

    strength     how much a swapped factor changes the image: the 98 % quantile of the pixels' changes, which hardly depends
                 on the object's size
    motion       how far a swapped appearance or background moves the detected keypoints, as a share of their motion by a
                 swapped pose
    overlap      correlation between the changes of each pixel by a swapped appearance and by a swapped background

Pose and appearance are entangled if a swapped appearance has a motion over `ENTANGLED`; so are pose and background if a swapped
background has. Appearance and background are entangled if their overlap is over `ENTANGLED`. The verdicts:

    trivial      pose and appearance each have at most `TRIVIAL` of the background's strength
    entangled    two or three pairs of factors are entangled
    inferior     one pair of factors is entangled
    good         no pair of factors is entangled
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks import measurement_records
from benchmarks.metrics.cpd import disentanglement
from benchmarks.studies.generated_images import part_pairs, swapped_parts
from benchmarks.studies.real_images import require_match
from generator.editing.parts import posed, with_appearance, with_background
from generator.editing.tiles import difference_tiles, marked_tiles, plain_tiles, sheet_of
from generator.keypoints import Parts
from generator.sample_sheet import to_uint8
from generator.stream import PairStream
from kpdetect.coords import to_pixels
from kpdetect.files.atomic import replacing_set, write_json
from kpdetect.files.folders import make_folder
from kpdetect.images.arrays import Image
from kpdetect.images.image_files import write_image
from kpdetect.inference.predictor import Predictor
from kpdetect.training.run_folder import environment
from kpdetect.training.runtime import Runtime

FACTORS = ("pose", "appearance", "background")
TRIVIAL, ENTANGLED, MOST_CHANGED = 0.25, 0.5, 0.98
OTHER, ROWS = 1_000, 8


@dataclass(frozen=True, kw_only=True)
class Control:
    """How well the factors of a generator can be controlled separately; the module's docstring defines the numbers.

    Attributes:
        strength: strength of pose, appearance and background: an absolute change of pixel values between -1 and 1.
        motion: motion of the detected keypoints for a swapped appearance and for a swapped background; 1 for a swapped pose.
        overlap: correlation of the changes by appearance and by background; 1 if one of the two changes nothing.
        verdict: `good`, `inferior`, `entangled` or `trivial`.
    """

    strength: tuple[float, float, float]
    motion: tuple[float, float]
    overlap: float
    verdict: str


def judge_control(strength: NDArray[np.floating], moved: NDArray[np.floating], overlap: float) -> Control:
    """Judge the control from strengths [3] and keypoint motions [3] of pose, appearance and background, and the overlap."""
    motion = moved[1:] / max(float(moved[0]), 1e-12)
    entangled = int((motion > ENTANGLED).sum()) + int(overlap > ENTANGLED)
    trivial = max(strength[:2]) <= TRIVIAL * strength[2]
    return Control(
        strength=(float(strength[0]), float(strength[1]), float(strength[2])),
        motion=(float(motion[0]), float(motion[1])),
        overlap=overlap,
        verdict="trivial" if trivial else ("good", "inferior", "entangled", "entangled")[entangled],
    )


@torch.no_grad()
def measure_control(stream: PairStream, predictor: Predictor, count: int) -> Control:
    """Measure a generator with its detector on `count` pairs of images.

    Raises:
        InputError: the generator and the detector have different numbers of keypoints.
    """
    require_match(stream, predictor)
    strengths, motions, maps = [], [], []
    for one, two in part_pairs(stream, count):
        before = stream.network.draw(one).image
        place = _detected(before, predictor)
        swapped = [stream.network.draw(parts).image for parts in swaps(one, two)]
        apart = torch.stack([(image - before).abs().mean(dim=1) for image in swapped], dim=1).float().cpu().numpy()
        strengths.append(np.quantile(apart.reshape(*apart.shape[:2], -1), MOST_CHANGED, axis=2))
        motions.append(
            np.stack([np.linalg.norm(_detected(image, predictor) - place, axis=-1).mean(axis=1) for image in swapped]).T
        )
        maps.append(apart[:, 1:])
    overlap = float(disentanglement(maps).correlation[0, 1])
    return judge_control(np.concatenate(strengths).mean(axis=0), np.concatenate(motions).mean(axis=0), overlap)


def swaps(one: Parts, two: Parts) -> Iterator[Parts]:
    """Yield the first images with the pose, then the appearance, then the background of the second images."""
    yield posed(one, two.keypoints)
    yield with_appearance(one, two)
    yield with_background(one, two)


def _detected(images: torch.Tensor, predictor: Predictor) -> NDArray[np.float32]:
    squares = [cv2.resize(image, (predictor.side, predictor.side)) for image in to_uint8(images)]
    keypoints = predictor.read_squares(np.stack(squares))[0]  # type: ignore[arg-type]
    return keypoints[:, list(predictor.skeleton.numbers)]  # without dropped ones


def write_control(model: Path, out: Path, runtime: Runtime, *, count: int = 200, seed: int = 0) -> Control:
    """Measure the control of a project's generator and write `control.json` and the grid `control.png`.

    Raises:
        CheckpointError: the project has no generator or no detector.
        InputError: the generator and the detector have different numbers of keypoints.
        OutputError: `out` cannot be written.
    """
    stream, predictor = PairStream(model, runtime, seed=seed), Predictor.load(model, runtime.device.type)
    require_match(stream, predictor)
    make_folder(out)
    control = measure_control(stream, predictor, count)
    settings = {"model": str(model), "generator": stream.hash, "detector": predictor.hash, "pairs": count, "seed": seed}
    with replacing_set(out / "control.json", out / "control.png") as (record, picture):
        write_image(picture, control_grid(stream))
        write_control_record(control, record, settings)
    return control


def write_control_record(control: Control, path: Path, settings: dict[str, Any]) -> None:
    """Write the record `path`; `settings` names the models and the settings of the measurement."""
    content = {"schema": measurement_records.CONTROL} | asdict(control) | settings | {"environment": environment()}
    write_json(path, content)


COLUMNS = ("image", "other", "pose swapped", "appearance", "one part", "difference", "background", "difference")


@torch.no_grad()
def control_grid(stream: PairStream) -> Image:
    """Draw a grid like figures 17 to 19 of the paper: one row per image, with the columns `COLUMNS`.

    The column `one part` swaps the embedding of one keypoint: the one whose swap changes the images most. The paper uses a
    keypoint near the mouth. Differences are absolute; the largest difference of a column is white.
    """
    one, two = stream.parts(0, ROWS), stream.parts(OTHER, OTHER + ROWS)
    drawn = [one, two, *swaps(one, two)]
    before, other, pose, appearance, background = (to_uint8(stream.network.draw(parts).image) for parts in drawn)
    part = _strongest(stream, one, two, before)
    first, second = (to_pixels(parts.keypoints.float().cpu().numpy(), stream.size) for parts in (one, two))
    columns = (
        marked_tiles(before, first),
        marked_tiles(other, second),
        marked_tiles(pose, second),
        marked_tiles(appearance, first),
        marked_tiles(part, first),
        difference_tiles(part, before),
        plain_tiles(background),
        difference_tiles(background, before),
    )
    return sheet_of(list(zip(COLUMNS, columns, strict=True)))


def _strongest(stream: PairStream, one: Parts, two: Parts, before: Image) -> Image:
    """Return the images with one keypoint's embedding swapped, for the keypoint whose swap changes the images most."""
    images = [to_uint8(stream.network.draw(parts).image) for parts in swapped_parts(one, two)]
    return max(images, key=lambda image: float(np.abs(image.astype(np.float32) - before).mean()))


def describe_control(control: Control) -> str:
    """Describe the control in four lines of text."""
    pose, appearance, background = (f"{strength:.3f}" for strength in control.strength)
    return "\n".join(
        [
            f"control: {control.verdict}",
            f"change of pixel values (between -1 and 1): pose {pose}, appearance {appearance}, background {background}",
            f"motion of keypoints: swapped appearance {control.motion[0]:.2f}, swapped background {control.motion[1]:.2f} "
            "(a swapped pose: 1)",
            f"overlap of appearance and background: {control.overlap:.2f}",
        ]
    )
