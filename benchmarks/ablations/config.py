"""The settings that all cells of a table share, and the layout of a folder of ablations.

OUT/config.yaml             the settings of all cells
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
"""Files of a cell: its description, its log, its results."""


def cell_folder(out: Path, name: str) -> Path:
    """Return the folder of a cell."""
    return out / CELLS / name


class AblationConfig(StrictConfig):
    """The data, models and measures of a folder of ablations."""

    images: str
    """Folder of unlabelled images."""
    data: str = ""
    """Folder of the annotated data set. Without it, no detectors are trained and only generated images are measured."""
    protocol: str = "mafl-aligned"
    """Name of the protocol by which errors are measured."""
    test: bool = False
    """Whether errors are measured on the test images, for a report. Otherwise they are cross-validated inside the fitting
    images, for choosing a model."""
    minutes_each: float = Field(gt=0)
    """Training time of each cell in minutes: generator and detector together."""
    keypoints: int = Field(10, ge=1, le=64)
    """Number of keypoints, for tables that do not vary it."""
    size: int = 64
    """Side of the generated images in pixels."""
    preset: Preset = "tiny"
    """Preset of the networks."""
    crop: CropPolicy = "centre"
    """Crop policy of the images."""
    refined: bool = False
    """Whether the training of each detector ends with refinement on the real images."""
    seed: int = Field(0, ge=0, le=LARGEST_SEED)
    """Seed of all random values."""
    exclude_lists: tuple[str, ...] = ()
    """Files of image names to leave out of training."""
    overrides: tuple[str, ...] = ()
    """Further settings of every cell, as texts KEY=VALUE of `kpdetect run --set`."""
    count: int = Field(5_000, ge=2)
    """Number of generated images for the Frechet distance (paper: 50,000). At most this many real images are used."""
    features: str = "imagenet"
    """Network whose features the distance compares: `imagenet`, `random`, or a file with Inception's weights, for FID."""
    device: DeviceName = "auto"
    """Device of the computation."""
    precision: Precision = "auto"
    """Precision of the computation."""

    def image_names(self, *, report: bool = True) -> list[str]:
        """List the images of the folder without the excluded names; with `report`, log the names that match no image.

        Raises:
            InputError: no images, too few remaining images, or a list that matches no image.
        """
        lists = [Path(path) for path in self.exclude_lists]
        return list(select_images(Path(self.images), set(excluded_names(Path(self.images), lists, report=report))))


EXEMPT = ("device", "precision")
"""The keys that may change when a table is continued."""
