"""What is the same for every cell of a table.

Where things lie in a folder of ablations.

OUT/config.yaml             what is the same for all cells
OUT/cells/NAME/             a project, its cell.json, log.txt and measured.json
OUT/table2.md, .csv, .json  the table
"""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from generator.presets import Preset
from kpdetect.config import LARGEST_SEED, StrictConfig
from kpdetect.data.folder import select_images
from kpdetect.data.name_lists import excluded_names
from kpdetect.images.arrays import CropPolicy
from kpdetect.training.runtime import DeviceName, Precision

CONFIG, CELLS = "config.yaml", "cells"
DESCRIPTION, LOG, MEASURED = "cell.json", "log.txt", "measured.json"
"""Of a cell: what is trained, what its process printed, what came out."""


def cell_folder(out: Path, name: str) -> Path:
    """Where a cell is."""
    return out / CELLS / name


class AblationConfig(StrictConfig):
    """Data, models and measures of a folder of ablations."""

    images: str
    """Folder of unlabelled images."""
    data: str = ""
    """The annotated data set; without one generators alone are trained and their images measured."""
    protocol: str = "mafl-aligned"
    """How errors are measured."""
    test: bool = False
    """Read the test images (to report) instead of cross-validating inside the fitting images (to choose)."""
    minutes_each: float = Field(gt=0)
    """Training minutes of each cell, all stages together."""
    keypoints: int = Field(10, ge=1, le=64)
    """Number of keypoints, where the table does not vary it."""
    size: int = 64
    """Side of the generated images."""
    preset: Preset = "tiny"
    """Widths of the networks."""
    crop: CropPolicy = "centre"
    """Which part of a picture is seen."""
    refined: bool = False
    """Train the detectors on the real images too."""
    seed: int = Field(0, ge=0, le=LARGEST_SEED)
    """Everything random follows from it."""
    exclude_lists: tuple[str, ...] = ()
    """Files of image names never to train on."""
    overrides: tuple[str, ...] = ()
    """Further settings of every cell, as for `kpdetect run --set`."""
    count: int = Field(5_000, ge=2)
    """Generated images, and at most as many real ones, of the distance (paper: 50,000)."""
    features: str = "imagenet"
    """Features of the distance: imagenet, random, or a file of Inception's weights for FID proper."""
    device: DeviceName = "auto"
    """Where to compute."""
    precision: Precision = "auto"
    """What to compute in."""

    def image_names(self, *, report: bool = True) -> list[str]:
        """Images of the folder but those that the lists leave out; what of the lists fits nothing is printed on `report`.

        Raises:
            InputError: no images, too few left, or a list that fits none of them.
        """
        lists = [Path(each) for each in self.exclude_lists]
        return select_images(Path(self.images), set(excluded_names(Path(self.images), lists, report=report)))


EXEMPT = ("device", "precision")
"""Keys that may differ when a table is continued."""
