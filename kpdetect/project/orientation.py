"""The directions of the objects in the images: the user says them, or a test without labels finds them.

OUT/orientation.json   the choice and its evidence
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args

from generator.presets import MASK_PRIOR
from kpdetect.config import apply_overrides
from kpdetect.data.schema import MANIFEST, Manifest
from kpdetect.data.training_images import TrainingImages
from kpdetect.detector.config import DetectorConfig
from kpdetect.errors import ConfigError, KpdetectError
from kpdetect.files.atomic import read_json, write_json
from kpdetect.files.folders import make_folder
from kpdetect.images.arrays import CropPolicy
from kpdetect.images.image_files import require_apart
from kpdetect.images.orientation import FEWEST, IMAGES, SIDE, THRESHOLD, OrientationTest, measure_orientation
from kpdetect.messages import log
from kpdetect.refinement.config import RefineConfig
from kpdetect.training.checkpoints import find_weights, read_model_description
from kpdetect.training.run_folder import ORIENTATION, has_begun

Configured = TypeVar("Configured", DetectorConfig, RefineConfig)

Orientation = Literal["upright", "any", "auto"]
ORIENTATIONS: tuple[str, ...] = get_args(Orientation)
DEFAULT: Orientation = "auto"
GENERATOR = ("model.orientation=any", f"model.mask_prior={MASK_PRIOR:g}")
"""Settings of a generator of objects in every direction."""
DETECTOR = ("augment.rotation=180",)
"""Settings of a detector of objects in every direction, trained on pairs."""
REFINE = ("warp.rotation=180",)
"""Settings of a detector of objects in every direction, trained on real images."""
TRAINED = (*(f"detector.{change}" for change in DETECTOR), *(f"refine.{change}" for change in REFINE))
PROJECT = (*(f"generator.{change}" for change in GENERATOR), *TRAINED)
"""Settings of a project about objects in every direction."""
MATCHED = ("correspondence.headings=true", *TRAINED)
"""Settings of such a project with the method `correspondence`."""


def settle_orientation(
    wanted: Orientation,
    images: TrainingImages,
    out: Path,
    crop: CropPolicy,
    *,
    possible: bool = True,
    writes: bool = True,
    say: Callable[[str], object] = log.info,
) -> bool:
    """Decide whether the objects have all directions, say why, and record it. A run that is continued keeps its decision.

    Args:
        wanted: `upright`, `any`, or `auto`, which tests the images.
        images: the images to train on.
        out: run folder or project folder.
        crop: how an image becomes square.
        possible: whether the model can draw objects in every direction; if not, `auto` does not test.
        writes: whether this process writes the record.
        say: function that is called with the decision of `auto`, in words.

    Raises:
        ConfigError: an unknown orientation.
        InputError: there are no usable images, or, if they are `strict`, one is unreadable.
    """
    if wanted not in ORIENTATIONS:
        raise ConfigError(f"`orientation={wanted}`: expected one of {', '.join(ORIENTATIONS)}")
    if wanted != "auto":
        record: dict[str, Any] = {
            "orientation": wanted,
            "chosen_by": "user",
            "text": f"the user chose the orientation {wanted}",
        }
    elif (out / ORIENTATION).exists():
        earlier = read_json(out / ORIENTATION)
        say(f"decided earlier: {earlier.get('text', earlier['orientation'])}")
        return bool(earlier["orientation"] == "any")
    elif not possible or has_begun(out):
        return False
    else:
        sample = images.sample(out, SIDE, crop, IMAGES)
        test = measure_orientation(sample.images)
        record = {
            "orientation": "any" if test.any else "upright",
            "chosen_by": "test",
            "turns_recognised": None if test.share is None else round(test.share, 4),
            "threshold": THRESHOLD,
            "images": test.images,
            "text": describe(test),
        }
        say(f"{describe(test)}; to choose yourself, give `orientation`")
    if writes and not has_begun(out):
        require_apart(images.folder, out)
        write_json(make_folder(out) / ORIENTATION, record)
    return bool(record["orientation"] == "any")


def for_pairs(config: Configured, wanted: Orientation, pairs: Path | None) -> Configured:
    """Return the settings of a detector's training, changed if its objects have all directions.

    Args:
        config: settings of a training on pairs, or on real images.
        wanted: `upright`, `any`, or `auto`: as the generator of the pairs was trained.
        pairs: folder of pairs, or a generator; None without pairs.
    """
    if wanted == "any" or (wanted == "auto" and pairs is not None and drawn_in_all_directions(pairs)):
        return apply_overrides(config, REFINE if isinstance(config, RefineConfig) else DETECTOR)
    return config


def drawn_in_all_directions(pairs: Path) -> bool:
    """Return whether the generator of pairs, or a generator itself, draws objects in all directions."""
    try:
        if (pairs / MANIFEST).exists():
            return Manifest.read(pairs).facts.provenance.get("orientation") == "any"
        config = read_model_description(find_weights(pairs, "generator")).config
    except KpdetectError:
        return False  # the training gives the error
    model = (config or {}).get("model")
    return isinstance(model, dict) and model.get("orientation") == "any"


def describe(test: OrientationTest) -> str:
    """Say the decision of the test and its evidence in one line."""
    if test.share is None:
        return f"objects count as upright: {test.images} images are too few for a test, which needs {FEWEST}"
    decision = "objects have all directions" if test.any else "objects are upright"
    return (
        f"{decision}: a classifier recognises {test.share:.0%} of the quarter turns of unseen images "
        f"({THRESHOLD:.0%} or more: upright; chance: 25%)"
    )
