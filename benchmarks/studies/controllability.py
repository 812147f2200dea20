"""Do keypoints control pose, embeddings appearance, and the background embedding the background alone (paper, table 9)?

For pairs of generated images one factor of the first is replaced by the second's: pose (all keypoints), appearance (all their
embeddings), or background. The paper judges by eye; our reading in numbers:

    strength     of each factor: how much the 2 % of the pixels change that it changes most, whatever the object's size
    motion       of the keypoints that a detector finds in the image before and after, relative to that of a swapped pose
    overlap      correlation of where appearance and where background change pixels

    trivial      pose and appearance both have less than `TRIVIAL` of the background's strength: it controls the whole image
    entangled    two or three pairs of factors are: (pose, appearance) and (pose, background) where a swapped appearance or
                 background moves keypoints by more than `ENTANGLED` of what a swapped pose does; (appearance, background)
                 where their overlap is more than `ENTANGLED`
    inferior     one pair is
    good         none is
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
from generator.sheet import to_uint8
from generator.stream import PairStream
from kpdetect.coords import to_pixels
from kpdetect.files.atomic import write_json
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
    """What was found; see the text of the module.

    Attributes:
        strength: of pose, appearance and background; absolute change of the range from -1 to 1.
        motion: of detected keypoints where appearance and where background is swapped, relative to a swapped pose.
        overlap: correlation of the changes of appearance and background; 1 where one of them changes nothing.
        verdict: `good`, `inferior`, `entangled` or `trivial`.
    """

    strength: tuple[float, float, float]
    motion: tuple[float, float]
    overlap: float
    verdict: str


def judge_control(strength: NDArray[np.floating], moved: NDArray[np.floating], overlap: float) -> Control:
    """A verdict of strengths [3] and keypoint motions [3] by pose, appearance and background, and of the overlap."""
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
        InputError: they have different numbers of keypoints.
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
    """The first images with pose, appearance, and background of the second."""
    yield posed(one, two.keypoints)
    yield with_appearance(one, two)
    yield with_background(one, two)


def _detected(images: torch.Tensor, predictor: Predictor) -> NDArray[np.float32]:
    squares = [cv2.resize(image, (predictor.side, predictor.side)) for image in to_uint8(images)]
    return predictor.read_squares(np.stack(squares))[0]  # type: ignore[arg-type]


def write_control(model: Path, out: Path, runtime: Runtime, *, count: int = 200, seed: int = 0) -> Control:
    """Measure a project; writes `control.json` and the grid `control.png`.

    Raises:
        CheckpointError: no generator or no detector.
        InputError: they do not belong together.
        OutputError: `out` cannot be written.
    """
    stream, predictor = PairStream(model, runtime, seed=seed), Predictor.load(model, runtime.device.type)
    require_match(stream, predictor)
    make_folder(out)
    found = measure_control(stream, predictor, count)
    write_image(out / "control.png", control_grid(stream))
    facts = {"model": str(model), "generator": stream.hash, "detector": predictor.hash, "pairs": count, "seed": seed}
    write_found(found, out, facts)
    return found


def write_found(found: Control, out: Path, facts: dict[str, Any]) -> None:
    """Write `control.json`; `facts` are what was measured, and how."""
    write_json(
        out / "control.json", {"schema": measurement_records.CONTROL} | asdict(found) | facts | {"environment": environment()}
    )


COLUMNS = ("image", "other", "pose swapped", "appearance", "one part", "difference", "background", "difference")


@torch.no_grad()
def control_grid(stream: PairStream) -> Image:
    """The paper's figures 17 to 19: a row an image, columns as `COLUMNS`; the part swapped alone is the one that changes most,
    the paper's is one near the mouth. Differences are absolute, the largest of a column white."""
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
    """Images in which the keypoint's embedding is swapped that, over all of them, changes most."""
    images = [to_uint8(stream.network.draw(parts).image) for parts in swapped_parts(one, two)]
    return max(images, key=lambda image: float(np.abs(image.astype(np.float32) - before).mean()))


def describe_control(found: Control) -> str:
    """The numbers in words."""
    pose, appearance, background = (f"{each:.3f}" for each in found.strength)
    return "\n".join(
        [
            f"control: {found.verdict}",
            f"strength (of the range from -1 to 1): pose {pose}, appearance {appearance}, background {background}",
            f"motion of keypoints by a swapped appearance {found.motion[0]:.2f}, background {found.motion[1]:.2f} (pose: 1)",
            f"overlap of appearance and background: {found.overlap:.2f}",
        ]
    )
