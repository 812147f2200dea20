"""Change and describe the labels of a model, and draw a picture that helps to choose them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from kpdetect.config import read_config, write_config
from kpdetect.data.even_spacing import evenly_spaced
from kpdetect.draw import contact_sheet, draw_keypoints
from kpdetect.errors import ConfigError, InputError
from kpdetect.files.hashes import file_hash
from kpdetect.images.arrays import CropPolicy, Image, fit_image
from kpdetect.images.image_files import list_images, read_image, write_image
from kpdetect.inference.labels import LABELS, Labels, Pair, read_labels
from kpdetect.inference.predictor import Predictor
from kpdetect.messages import log
from kpdetect.shipped import is_shipped
from kpdetect.training.checkpoints import find_weights, read_detector_description, read_model_description

SHEET = "keypoints.png"
SHOWN, COLUMNS, TILE = 12, 4, 384
"""Number of images on the picture, images per row, and the side of each image in pixels."""


def change_labels(
    model: Path,
    *,
    names: Sequence[str] = (),
    pairs: Sequence[str] = (),
    links: Sequence[str] = (),
    drop: Sequence[int] = (),
    file: Path | None = None,
    clear: bool = False,
) -> tuple[Path, Labels, int]:
    """Add labels to a model. If this changes its labels, write them to the folder of its weights.

    Args:
        model: project folder, detector run folder or weights file.
        names: texts such as `0=nose`.
        pairs: texts such as `1,2`, for keypoints that are mirror images of each other.
        links: texts such as `0-1`, for keypoints to join by a line.
        drop: keypoints to leave out of every result.
        file: YAML file with the fields of `Labels`. Its labels replace those of the model before the others are added.
        clear: remove the model's labels before the others are added.

    Returns:
        The file of labels, the labels, and the model's K.

    Raises:
        ConfigError: the labels are invalid, for example because a keypoint is unknown or a name occurs twice.
        CheckpointError: there is no detector at `model`.
    """
    weights = find_weights(model, "detector")
    keypoints = read_detector_description(weights).keypoints
    target = weights.parent / LABELS
    old = Labels() if clear or file is not None else read_labels(weights, keypoints)
    base = old if file is None else read_config(Labels, file)
    merged = Labels(
        names={**base.names, **dict(_name(text) for text in names)},
        pairs=_merged(base.pairs, [_pair(text, ",", "pairs", "1,2") for text in pairs]),
        links=_merged(base.links, [_pair(text, "-", "links", "0-1") for text in links]),
        drop=tuple(dict.fromkeys((*base.drop, *drop))),
        weights=file_hash(weights),
    )
    merged.require(keypoints, "kpdetect label" if file is None else str(file))
    if names or pairs or links or drop or file or clear:
        require_own(weights)
        write_config(merged, target)
    return target, merged, keypoints


def require_own(weights: Path) -> None:
    """Check that labels may be written to the folder of a weights file.

    Raises:
        InputError: the weights belong to a model that comes with the package.
    """
    if is_shipped(weights):
        raise InputError(
            f"{weights}: this model comes with the package and stays as it is; "
            f"copy it with `kpdetect pack {weights.parent.name} --out DIR` first"
        )


def _name(text: str) -> tuple[int, str]:
    number, equals, name = text.partition("=")
    if not equals or not number.strip().isdecimal():
        raise ConfigError(f"`names={text}`: expected NUMBER=NAME, for example `names=0=nose`")
    return int(number), name.strip()


def _pair(text: str, separator: str, parameter: str, example: str) -> Pair:
    match = re.fullmatch(rf"\s*(\d+)\s*{separator}\s*(\d+)\s*", text)
    if match is None:
        raise ConfigError(f"`{parameter}={text}`: expected two keypoints, for example `{parameter}={example}`")
    return int(match[1]), int(match[2])


def _merged(old: Sequence[Pair], new: Sequence[Pair]) -> tuple[Pair, ...]:
    """Join two lists of pairs. A pair occurs once, whichever of its keypoints comes first."""
    return tuple({frozenset(pair): pair for pair in (*old, *new)}.values())


def describe_labels(labels: Labels, keypoints: int) -> Iterator[str]:
    """Describe labels: a line per keypoint of a model of K keypoints, then a line of links."""
    partner = {one: other for pair in labels.pairs for one, other in (pair, pair[::-1])}
    for number, name in enumerate(labels.skeleton_names(keypoints)):
        notes = [f"mirror image of {partner[number]}"] if number in partner else []
        notes += ["dropped"] * (number in labels.drop)
        yield f"{number:3d}  {name}" + (f"  ({', '.join(notes)})" if notes else "")
    yield "links: " + (", ".join(f"{one}-{other}" for one, other in labels.links) or "none")


def sheet_tiles(model: Path, images: Path) -> list[Image]:
    """Choose images at even distances from a folder and crop them as the model sees them, `TILE` pixels wide and high.

    Args:
        model: project folder, detector run folder or weights file.
        images: a folder of images.

    Raises:
        InputError: no image can be read.
        CheckpointError: there is no detector at `model`.
    """
    paths = list_images(images)
    chosen = evenly_spaced(len(paths), SHOWN)
    crop = (
        read_model_description(find_weights(model, "detector")).crop or "centre"
    )  # weights without a crop policy are refused when loaded
    tiles = list(_tiles([paths[index] for index in chosen], crop))
    if not tiles:
        raise InputError(f"{images}: none of {len(chosen)} images can be read; give a folder of images")
    return tiles


def draw_sheet(model: Path, tiles: Sequence[Image], out: Path | None = None, device: str = "auto") -> Path:
    """Draw all keypoints, with their numbers or names, on images and write them as one picture.

    Args:
        model: project folder, detector run folder or weights file.
        tiles: images from `sheet_tiles`.
        out: file of the picture; by default `SHEET` in the folder of the weights.
        device: `auto`, `cpu` or `cuda`.

    Returns:
        The file of the picture.
    """
    predictor = Predictor.load(model, device)
    skeleton = predictor.labels.model_copy(update={"drop": ()}).skeleton(predictor.keypoints)
    drawn = [draw_keypoints(tile, *predictor(tile), numbers=True, skeleton=skeleton) for tile in tiles]
    if out is None:
        require_own(find_weights(model, "detector"))
    target = out or find_weights(model, "detector").parent / SHEET
    write_image(target, contact_sheet(drawn, COLUMNS))
    return target


def _tiles(paths: Sequence[Path], crop: CropPolicy) -> Iterator[Image]:
    for path in paths:
        try:
            yield fit_image(read_image(path), TILE, crop)[0]
        except InputError as error:
            log.warning(f"an image is left out: {error}")
